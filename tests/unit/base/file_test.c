#include "base/file.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

static char folder[] = "/tmp/roibench-file-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int count_entries(void)
{
    DIR *entries = opendir(folder);
    int count = 0;

    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count - 2;
}

static void test_writes_and_replaces(void **state)
{
    cleanup_free char *path = file_join(folder, "x.json");
    cleanup_buf struct buf text = BUF_INIT(100);
    struct error err = {0};
    struct stat status;

    (void)state;
    assert_int_equal(file_write_atomic(path, "old", 3, &err), 0);
    assert_int_equal(file_write_atomic(path, "newer", 5, &err), 0);
    assert_int_equal(file_read(path, &text, ERROR_USAGE, &err), 0);
    assert_string_equal(buf_text(&text), "newer");
    assert_int_equal(count_entries(), 1); /* no temporary file stays */

    const mode_t mask = umask(0);

    umask(mask);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0666 & ~mask);
    assert_int_equal(unlink(path), 0);
}

/* A name that fills what a folder takes has room for no suffix. */
static void test_the_longest_name(void **state)
{
    char name[256];

    (void)state;
    memset(name, 'n', 255);
    name[255] = '\0';

    cleanup_free char *path = file_join(folder, name);
    cleanup_free char *temporary = file_temporary_name(path), *of_short = file_temporary_name("a/b");

    assert_int_equal(strlen(temporary), strlen(path));
    assert_string_equal(temporary + strlen(temporary) - 4, ".tmp");
    assert_int_equal(strlen(of_short), strlen("a/b.0123456789abcdef.tmp"));
    assert_memory_equal(of_short, "a/b.", 4);
    assert_int_equal(file_write_atomic(path, "x", 1, NULL), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_failed_write_leaves_the_old_file_and_no_other(void **state)
{
    cleanup_free char *path = file_join(folder, "taken"), *inner = file_join(path, "x"), *missing = file_join(folder, "no/x");
    struct error err = {0};

    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_write_atomic(inner, "1", 1, &err), 0);
    assert_int_equal(file_write_atomic(path, "new", 3, &err), -1); /* a folder is in the way */
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, path));
    assert_true(file_exists(inner));
    assert_int_equal(count_entries(), 1);
    assert_int_equal(file_write_atomic(missing, "new", 3, &err), -1);
    assert_non_null(strstr(err.text, "No such file or directory"));
    unlink(inner);
    rmdir(path);
}

static void test_a_device_is_written_not_replaced(void **state)
{
    struct error err = {0};
    struct stat status;

    (void)state;
    assert_int_equal(file_write_atomic("/dev/null", "x", 1, &err), 0);
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    assert_int_equal(file_write_atomic("/dev/full", "x", 1, &err), -1);
    assert_string_equal(err.text, "cannot write /dev/full: No space left on device");
}

static void test_reading_has_a_ceiling(void **state)
{
    static const char bytes[100001];
    cleanup_free char *path = file_join(folder, "big");
    cleanup_buf struct buf exact = BUF_INIT(100001), small = BUF_INIT(100000);
    struct error err = {0};

    (void)state;
    assert_int_equal(file_write_atomic(path, bytes, 100001, &err), 0);
    assert_int_equal(file_read(path, &exact, ERROR_USAGE, &err), 0);
    assert_int_equal(exact.len, 100001);
    assert_int_equal(file_read(path, &small, ERROR_USAGE, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_non_null(strstr(err.text, "larger than 100.0 kB"));
    assert_int_equal(file_read("/dev/zero", &small, ERROR_USAGE, &err), -1);
    unlink(path);
}

static void test_reading_names_the_trouble(void **state)
{
    cleanup_buf struct buf text = BUF_INIT(10);
    struct error err = {0};

    (void)state;
    assert_int_equal(file_read("/nonexistent/x", &text, ERROR_USAGE, &err), -1);
    assert_string_equal(err.text, "cannot open /nonexistent/x: No such file or directory");
    assert_int_equal(file_read(folder, &text, ERROR_INTERNAL, &err), -1);
    assert_non_null(strstr(err.text, "Is a directory"));
    assert_int_equal(err.class, ERROR_INTERNAL);
}

static void test_folders(void **state)
{
    cleanup_free char *deep = file_join(folder, "a/b//c/"), *file = file_join(folder, "plain"), *below = file_join(file, "x");
    struct error err = {0};

    (void)state;
    assert_int_equal(file_make_folder(deep, &err), 0);
    assert_int_equal(file_make_folder(deep, &err), 0);
    assert_int_equal(file_make_folder("/", &err), 0);
    assert_true(file_exists(deep));
    assert_int_equal(file_check_writable(deep, &err), 0);
    assert_int_equal(rmdir(deep), 0); /* and the probe is gone */
    assert_int_equal(file_write_atomic(file, "", 0, &err), 0);
    assert_int_equal(file_make_folder(below, &err), -1);
    assert_non_null(strstr(err.text, "Not a directory"));
    assert_int_equal(file_check_writable(file, &err), -1);
    assert_int_equal(file_check_writable("/proc/self", &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, "/proc/self"));
}

static void test_names(void **state)
{
    cleanup_free char *a = file_join("a", "b"), *b = file_join("a/", "b"), *c = file_join("", "b"), *d = file_join("/", "b");

    (void)state;
    assert_string_equal(a, "a/b");
    assert_string_equal(b, "a/b");
    assert_string_equal(c, "b");
    assert_string_equal(d, "/b");
}

/* The sums of "" and "abc" are those of FIPS 180-2. */
static void test_sha256(void **state)
{
    cleanup_free char *path = file_join(folder, "sum");
    unsigned long long size = 0;
    struct error err = {0};
    char hex[65];

    (void)state;
    file_sha256_bytes("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(file_write_atomic(path, "abc", 3, &err), 0);
    assert_int_equal(file_sha256(path, hex, &size, &err), 0);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(size, 3);
    assert_int_equal(file_sha256("/nonexistent", hex, &size, &err), -1);
    assert_int_equal(file_sha256(folder, hex, NULL, &err), -1);
    unlink(path);
}

static void expect_resolved(const char *rest, const char *expected)
{
    cleanup_free char *path = file_join(folder, rest);
    cleanup_free char *real = realpath(folder, NULL), *wanted = file_join(real, expected), *got = file_resolve(path);

    assert_string_equal(got, *expected ? wanted : real);
}

static void test_resolving(void **state)
{
    cleanup_free char *below = file_join(folder, "there"), *link = file_join(folder, "link");

    (void)state;
    assert_int_equal(file_make_folder(below, NULL), 0);
    assert_int_equal(symlink("there", link), 0);
    expect_resolved("there/.", "there");
    expect_resolved("there/../link", "there");
    expect_resolved("link/not/yet", "there/not/yet");
    expect_resolved("not", "not");

    cleanup_free char *nowhere = file_resolve("/nowhere/at/all"), *here = file_resolve("no-such-name"), *wanted = NULL;
    cleanup_free char *cwd = getcwd(NULL, 0);

    wanted = file_join(cwd, "no-such-name");
    assert_string_equal(nowhere, "/nowhere/at/all");
    assert_string_equal(here, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_and_replaces),
        cmocka_unit_test(test_the_longest_name),
        cmocka_unit_test(test_failed_write_leaves_the_old_file_and_no_other),
        cmocka_unit_test(test_a_device_is_written_not_replaced),
        cmocka_unit_test(test_reading_has_a_ceiling),
        cmocka_unit_test(test_reading_names_the_trouble),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_resolving),
        cmocka_unit_test(test_sha256),
    };

    return cmocka_run_group_tests(tests, make_folder, NULL);
}
