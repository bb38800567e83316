/* Room for connections: what is counted, what is raised, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/file.h"
#include "net/headroom.h"
#include "support/temp_folder.h"

#define URL "http://10.0.0.1:8080/v1" /* 8080 is 1F90 */

static void put(const char *root, const char *folder, const char *name, const char *text)
{
    char *whole = file_join(root, folder);
    assert_int_equal(file_make_folder(whole, NULL), 0);
    temp_file_write(whole, name, text, strlen(text));
    free(whole);
}

/* Ports 32768 (8000) to 32777 (8009). */
static char *make_machine(void)
{
    char *root = temp_folder_make();
    put(root, "proc/sys/net/ipv4", "ip_local_port_range", "32768\t32777\n");
    put(root, "proc/net", "tcp",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:8000 0100000A:1F90 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 20 4 30 10 -1\n"
        "   1: 0100007F:8001 0100000A:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n"
        "   2: 0100007F:8002 0100000A:1F91 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
        "   3: 0100007F:7000 0100000A:1F90 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
        "   4: 00000000:8003 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
        "  10: 0100007F:");
    put(root, "proc/net", "tcp6",
        "  sl  local_address                         remote_address                        st\n"
        "   0: 00000000000000000000000001000000:8009 00000000000000000000000001000000:1F90 01\n");
    return root;
}

static void test_ports_towards_the_target_are_counted(void **state)
{
    char *root = make_machine();
    struct headroom room;
    (void)state;
    headroom_look(root, URL, &room);
    assert_int_equal(room.ports, 10);
    assert_int_equal(room.ports_in_use, 3);
    headroom_look(root, "http://10.0.0.1:8081/v1", &room);
    assert_int_equal(room.ports_in_use, 1);
    headroom_look(root, "https://10.0.0.1/v1", &room);
    assert_int_equal(room.ports_in_use, 0);
    temp_folder_remove(root);
}

static void test_too_few_ports_are_refused_and_nothing_is_raised(void **state)
{
    char *root = make_machine();
    struct rlimit before, after;
    struct error err = {0};
    const char *url = URL, *both[] = {"https://10.0.0.1/v1", URL};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(headroom_make(root, &url, 1, 7, 1, &err), 0);
    assert_int_equal(headroom_make(root, &url, 1, 8, 1, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, "8 streams need a local port each, and 7 of 10 are free"));
    assert_non_null(strstr(err.text, "ip_local_port_range"));
    assert_int_equal(headroom_make(root, both, 1, 8, 1, &err), 0);
    assert_int_equal(headroom_make(root, both, 2, 8, 1, &err), -1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_int_equal(after.rlim_cur, before.rlim_cur);
    temp_folder_remove(root);
}

static void test_a_machine_that_tells_nothing_is_trusted(void **state)
{
    char *root = temp_folder_make();
    struct headroom room;
    (void)state;
    headroom_look(root, URL, &room);
    assert_int_equal(room.ports, -1);
    assert_true(room.files > 0 && room.files_max >= room.files);
    put(root, "proc/sys/net/ipv4", "ip_local_port_range", "many\n");
    headroom_look(root, URL, &room);
    assert_int_equal(room.ports, -1);
    temp_folder_remove(root);
}

/* As far as it must be, no further. (That the hard limit is too low is tested with the command: it cannot be put back here.) */
static void test_the_limit_of_open_files_is_raised(void **state)
{
    char *root = temp_folder_make();
    struct rlimit before, limit;
    struct error err = {0};
    const char *url = URL, *both[] = {URL, "https://10.0.0.1/v1"};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 100, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(headroom_make(root, &url, 1, 200, 2, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 200 + 56 + 16);
    assert_int_equal(headroom_make(root, both, 2, 200, 2, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 2 * 200 + 56 + 16);
    assert_int_equal(limit.rlim_max, before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    temp_folder_remove(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports_towards_the_target_are_counted),
        cmocka_unit_test(test_too_few_ports_are_refused_and_nothing_is_raised),
        cmocka_unit_test(test_a_machine_that_tells_nothing_is_trusted),
        cmocka_unit_test(test_the_limit_of_open_files_is_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
