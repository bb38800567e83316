#include "record/run_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "support/temp_folder.h"

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

static void test_names(void **state)
{
    char name[RUN_FILE_NAME_SIZE];

    (void)state;
    assert_string_equal(run_file_name(RUN_RECORDS, NO_SHARD, name), "records.jsonl.gz");
    assert_string_equal(run_file_name(RUN_TOKENS, NO_SHARD, name), "tokens.bin.gz");
    assert_string_equal(run_file_name(RUN_METRICS, 0, name), "metrics-0.jsonl.gz");
    assert_string_equal(run_file_name(RUN_JOURNAL, SHARDS_MAX - 1, name), "journal-999.jsonl");

    cleanup_free char *path = run_file_path("some/folder", RUN_RECORDS, 3);

    assert_string_equal(path, "some/folder/records-3.jsonl.gz");
}

static void test_every_name_is_understood(void **state)
{
    char name[RUN_FILE_NAME_SIZE];

    (void)state;
    for (int kind = 0; kind < RUN_FILE_COUNT; kind++) {
        for (int shard = NO_SHARD; shard < SHARDS_MAX; shard++) {
            enum run_file file = RUN_FILE_COUNT;
            int number = -2;

            assert_true(run_file_parse(run_file_name((enum run_file)kind, shard, name), &file, &number));
            assert_int_equal(file, kind);
            assert_int_equal(number, shard);
        }
    }
}

static void test_other_names_are_not(void **state)
{
    static const char *const others[] = {"",
                                         "records",
                                         "records-.jsonl.gz",
                                         "records-01.jsonl.gz",
                                         "records-1000.jsonl.gz",
                                         "records--1.jsonl.gz",
                                         "records-1.jsonl",
                                         "records-1.jsonl.gz.tmp",
                                         "records-1x.jsonl.gz",
                                         "records1.jsonl.gz",
                                         "old-records.jsonl.gz",
                                         "tokens.jsonl.gz",
                                         "journal.jsonl.gz",
                                         "prompts.jsonl.gz"};

    (void)state;
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        assert_false(run_file_parse(others[k], NULL, NULL));
}

static void test_list(void **state)
{
    static const char *const present[] = {"records-10.jsonl.gz", "records.jsonl.gz", "tokens-1.bin.gz", "records-2.jsonl.gz", "plan.json",
                                          "records-02.jsonl.gz"};
    struct error err = {0};
    int *shards;
    size_t count;

    for (size_t k = 0; k < sizeof present / sizeof *present; k++)
        temp_file_write(*state, present[k], "", 0);
    assert_int_equal(run_file_list(*state, RUN_RECORDS, &shards, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_int_equal(shards[0], NO_SHARD);
    assert_int_equal(shards[1], 2);
    assert_int_equal(shards[2], 10);
    free(shards);
    assert_int_equal(run_file_list(*state, RUN_JOURNAL, &shards, &count, &err), 0);
    assert_int_equal(count, 0);
    free(shards);
    assert_int_equal(run_file_list("no/such/folder", RUN_RECORDS, &shards, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(run_file_list("/dev/null", RUN_RECORDS, &shards, &count, &err), -1);
    assert_string_equal(err.text, "cannot read the folder /dev/null: Not a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_every_name_is_understood),
        cmocka_unit_test(test_other_names_are_not),
        cmocka_unit_test_setup_teardown(test_list, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
