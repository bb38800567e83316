#include "record/run_state.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
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

static void put(const char *folder, const char *name, const char *text)
{
    temp_file_write(folder, name, text, strlen(text));
}

static void check(const char *folder, enum run_stage stage, enum run_end end)
{
    struct run_state state = run_state_find(folder);
    assert_int_equal(state.stage, stage);
    assert_int_equal(state.end, end);
}

static void test_stages_one_after_the_other(void **state)
{
    const char *folder = *state;
    check(folder, RUN_PREPARED, RUN_END_NONE);
    put(folder, "plan.json", "{}");
    check(folder, RUN_PREPARED, RUN_END_NONE);
    put(folder, "records.jsonl.gz", "1234");
    check(folder, RUN_MEASURED, RUN_END_CUT_OFF);
    put(folder, "manifest.json", "{\"schema\":\"roibench/manifest/v1\",\"steps\":[{\"step\":\"prepare\",\"exit_code\":0}]}");
    check(folder, RUN_MEASURED, RUN_END_CUT_OFF);
    put(folder, "manifest.json", "{\"schema\":\"roibench/manifest/v1\",\"steps\":[{\"step\":\"run\",\"exit_code\":0}]}");
    check(folder, RUN_MEASURED, RUN_END_WHOLE);
    put(folder, "summary.json", "{}");
    check(folder, RUN_SUMMARIZED, RUN_END_WHOLE);
    put(folder, "publish.json", "{\"schema\":\"roibench/publish/v1\",\"destinations\":[{\"error\":\"refused\"}]}");
    check(folder, RUN_SUMMARIZED, RUN_END_WHOLE);
    put(folder, "publish.json", "{\"schema\":\"roibench/publish/v1\",\"destinations\":[{\"error\":\"refused\"},{\"error\":null}]}");
    check(folder, RUN_PUBLISHED, RUN_END_WHOLE);
}

static void test_of_shards_the_worst_end_counts(void **state)
{
    const char *folder = *state;
    put(folder, "records-0.jsonl.gz", "");
    put(folder, "records-1.jsonl.gz", "");
    put(folder, "manifest.json",
        "{\"schema\":\"roibench/manifest/v1\",\"steps\":[{\"step\":\"run-0\",\"exit_code\":0},{\"step\":\"run-1\",\"exit_code\":143}]}");
    check(folder, RUN_MEASURED, RUN_END_STOPPED);
}

static void test_running(void **state)
{
    const char *folder = *state;
    put(folder, "records-2.jsonl.gz", "");
    cleanup_free char *path = file_join(folder, "records-2.jsonl.gz");
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    check(folder, RUN_RUNNING, RUN_END_NONE);
}

static void test_size_and_broken_files(void **state)
{
    const char *folder = *state;
    put(folder, "records.jsonl.gz", "1234");
    put(folder, "manifest.json", "{");
    put(folder, "publish.json", "[");
    check(folder, RUN_MEASURED, RUN_END_CUT_OFF);
    assert_int_equal(run_state_find(folder).bytes, 6);
    assert_int_equal(run_state_find("/nowhere/at/all").bytes, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {TEST(test_stages_one_after_the_other), TEST(test_of_shards_the_worst_end_counts), TEST(test_running),
                                       TEST(test_size_and_broken_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
