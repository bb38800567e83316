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

    assert_int_equal(run_lock_take(&lock, folder, NO_SHARD, 0, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, says))
        fail_msg("got '%s'", err.text);
}

static void test_one_at_a_time(void **state)
{
    struct run_lock lock;
    struct error err = {0};

    assert_false(run_lock_is_held(*state));
    assert_int_equal(run_lock_take(&lock, *state, NO_SHARD, 0, &err), 0);
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

    assert_int_equal(run_lock_take(&lock, *state, NO_SHARD, 0, &err), 0);
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
        assert_int_equal(run_lock_take(&lock, *state, NO_SHARD, 0, &err), 0);
        assert_true(lock.again);
        run_lock_release(&lock);
    }
}

static void test_a_folder_that_cannot_be_written(void **state)
{
    struct run_lock lock;
    struct error err = {0};
    cleanup_free char *missing = file_join(*state, "missing");

    assert_int_equal(run_lock_take(&lock, missing, NO_SHARD, 0, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, "missing/records.jsonl.gz: No such file"));
    assert_false(run_lock_is_held(missing));
}

/* ---- shards ---- */

#define SHARD_HEADER(I, N)                                                                                                   \
    "{\"schema\":\"roibench/records/v1\",\"anchor\":\"2026-11-24T04:06:51.000000000Z\",\"run_id\":\"r\",\"shard\":" #I \
    ",\"shards\":" #N ",\"levels\":[]}\n"
#define SUCCESS "{\"id\":\"0.0.1\",\"outcome\":\"ok\"}\n"

static void expect_shard_refused(const char *folder, int shard, int shards, const char *says)
{
    struct run_lock lock;
    struct error err = {0};

    assert_int_equal(run_lock_take(&lock, folder, shard, shards, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, says))
        fail_msg("got '%s'", err.text);
}

static void test_shards_share_a_folder(void **state)
{
    struct run_lock locks[3];
    struct error err = {0};

    for (int shard = 0; shard < 3; shard++)
        assert_int_equal(run_lock_take(&locks[shard], *state, shard, 3, &err), 0);
    expect_shard_refused(*state, 1, 3, "records-1.jsonl.gz is being written by another run");
    for (int shard = 0; shard < 3; shard++) {
        assert_true(run_lock_is_held(*state));
        run_lock_release(&locks[shard]);
    }
    assert_false(run_lock_is_held(*state));
}

static void test_a_shard_joins_those_that_measured(void **state)
{
    struct run_lock lock;
    struct error err = {0};

    temp_file_write(*state, "records-1.jsonl.gz", SHARD_HEADER(1, 2) SUCCESS, strlen(SHARD_HEADER(1, 2) SUCCESS));
    assert_int_equal(run_lock_take(&lock, *state, 0, 2, &err), 0);
    assert_false(lock.again);
    run_lock_release(&lock);
    expect_shard_refused(*state, 1, 2, "records-1.jsonl.gz is there already: this plan was run");
}

static void expect_no_file(const char *folder, const char *name)
{
    cleanup_free char *path = file_join(folder, name);

    assert_false(file_exists(path));
}

static void test_another_division_is_refused(void **state)
{
    struct run_lock whole;
    struct error err = {0};

    temp_file_write(*state, "records-1.jsonl.gz", SHARD_HEADER(1, 4), strlen(SHARD_HEADER(1, 4)));
    expect_shard_refused(*state, 0, 2, "records-1.jsonl.gz is there already: this plan was begun in 4 shards");
    expect_no_file(*state, "records-0.jsonl.gz");
    expect_refused(*state, "records-1.jsonl.gz is there already: this plan was begun in 4 shards");
    expect_no_file(*state, RECORDS);
    temp_file_write(*state, "records-1.jsonl.gz", "", 0);
    expect_refused(*state, "this plan was begun in shards");

    cleanup_free char *shard = file_join(*state, "records-1.jsonl.gz");

    unlink(shard);
    assert_int_equal(run_lock_take(&whole, *state, NO_SHARD, 0, &err), 0);
    expect_shard_refused(*state, 0, 2, "/records.jsonl.gz is being written by another run");
    run_lock_release(&whole);
    expect_shard_refused(*state, 0, 2, "this plan was begun by one process alone");
}

static void test_shards_that_are_at_work_keep_a_whole_run_out(void **state)
{
    struct run_lock shard;
    struct error err = {0};

    assert_int_equal(run_lock_take(&shard, *state, 5, 8, &err), 0);
    expect_refused(*state, "records-5.jsonl.gz is being written by another run");
    run_lock_release(&shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_at_a_time, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_was_never_begun_leaves_nothing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_was_measured_is_never_written_over, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_an_attempt_without_success_may_be_repeated, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_folder_that_cannot_be_written, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_shards_share_a_folder, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_shard_joins_those_that_measured, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_another_division_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_shards_that_are_at_work_keep_a_whole_run_out, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
