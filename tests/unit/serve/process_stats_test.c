#include "serve/process_stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void numbers_are_the_processes(void **state)
{
    (void)state;
    struct process_stats before = process_stats_read();
    int fd = dup(1);
    struct process_stats after = process_stats_read();
    close(fd);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    assert_true(fd >= 0);
    assert_true(before.open_fds >= 3);
    assert_true(after.open_fds == before.open_fds + 1);
    assert_true(after.max_fds == (double)limit.rlim_cur);
    assert_true(after.resident_bytes > 100000);
    assert_true(after.virtual_bytes >= after.resident_bytes);
    assert_true(after.cpu_seconds >= before.cpu_seconds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_are_the_processes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
