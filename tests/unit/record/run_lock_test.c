#include "record/run_lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/temp_folder.h"

#define HEADER "{\"schema\":\"roibench/records/v1\",\"anchor\":\"2026-11-24T04:06:51.000000000Z\",\"run_id\":\"r\",\"levels\":[]}\n"
#define RECORDS "records.jsonl.gz" /* plain text is read as well */

static int make_folder(void **state)
{
    *state = temp_folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    temp_folder_remove(*state);
    return 0;
}

static void expect_refused(const char *folder, const char *says)
{
    struct run_lock lock;
    struct error err = {0};

    assert_int_equal(run_lock_take(&lock, folder, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, says))
        fail_msg("got '%s'", err.text);
}

static void test_one_at_a_time(void **state)
{
    struct run_lock lock;
    struct error err = {0};

    assert_false(run_lock_is_held(*state));
    assert_int_equal(run_lock_take(&lock, *state, &err), 0);
    assert_false(lock.again);
    assert_true(run_lock_is_held(*state));
    expect_refused(*state, "is being written by another run");
    run_lock_release(&lock);
    assert_false(run_lock_is_held(*state));
}

static void test_what_was_never_begun_leaves_nothing(void **state)
{
    struct run_lock lock;
    struct error err = {0};
    cleanup_free char *records = file_join(*state, RECORDS);

    assert_int_equal(run_lock_take(&lock, *state, &err), 0);
    run_lock_forget(&lock);
    /* Removed, but not let go: whoever comes now begins anew, with a file of its own. */
    assert_false(file_exists(records));
    run_lock_release(&lock);
    assert_false(file_exists(records));
}

static void test_what_was_measured_is_never_written_over(void **state)
{
    static const char measured[] = HEADER "{\"id\":\"0.0.0\",\"outcome\":\"error\"}\n{\"id\":\"0.0.1\",\"outcome\":\"ok\"}\n";

    temp_file_write(*state, RECORDS, measured, strlen(measured));
    expect_refused(*state, "this plan was run");

    size_t length;
    cleanup_free char *after = temp_file_read(*state, RECORDS, &length);

    assert_int_equal(length, strlen(measured));
    assert_memory_equal(after, measured, length);
    assert_false(run_lock_is_held(*state));
}

static void test_an_attempt_without_success_may_be_repeated(void **state)
{
    static const char *const attempts[] = {
        "", HEADER, HEADER "{\"id\":\"0.0.0\",\"outcome\":\"error\"}\n{\"id\":\"0.0.1\",\"outcome\":\"incomplete\"}\n",
        HEADER "{\"id\":\"0.0.0\",\"outcome\":\"ok" /* cut off by kill -9 */,
    };

    for (size_t k = 0; k < sizeof attempts / sizeof *attempts; k++) {
        struct run_lock lock;
        struct error err = {0};

        temp_file_write(*state, RECORDS, attempts[k], strlen(attempts[k]));
        assert_int_equal(run_lock_take(&lock, *state, &err), 0);
        assert_true(lock.again);
        run_lock_release(&lock);
    }
}

static void test_a_folder_that_cannot_be_written(void **state)
{
    struct run_lock lock;
    struct error err = {0};
    cleanup_free char *missing = file_join(*state, "missing");

    assert_int_equal(run_lock_take(&lock, missing, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, "missing/records.jsonl.gz: No such file"));
    assert_false(run_lock_is_held(missing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_at_a_time, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_was_never_begun_leaves_nothing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_was_measured_is_never_written_over, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_an_attempt_without_success_may_be_repeated, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_folder_that_cannot_be_written, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
