#include "record/workspace_remove.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
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

static char *make_run(const char *workspace, const char *id)
{
    char *folder = file_join(workspace, id);
    assert_int_equal(file_make_folder(folder, NULL), 0);
    temp_file_write(folder, "records.jsonl.gz", "x", 1);
    return folder;
}

static bool is_there(const char *workspace, const char *id)
{
    cleanup_free char *path = file_join(workspace, id);
    return file_exists(path);
}

static void test_all_of_it_goes_and_nothing_else(void **state)
{
    const char *workspace = *state;
    cleanup_free char *folder = make_run(workspace, "a"), *other = make_run(workspace, "b"), *inner = file_join(folder, "c/d");
    cleanup_free char *link_to = file_join(folder, "link"), *broken = file_join(folder, "broken");
    bool in_use;
    assert_int_equal(file_make_folder(inner, NULL), 0);
    temp_file_write(inner, "deep", "x", 1);
    assert_int_equal(symlink(other, link_to), 0); /* a link goes, and not what it leads to */
    assert_int_equal(symlink("/nowhere", broken), 0);
    assert_int_equal(workspace_remove(workspace, "a", &in_use, NULL), 0);
    assert_false(in_use);
    assert_false(is_there(workspace, "a") || is_there(workspace, ".removed-a"));
    assert_true(is_there(other, "records.jsonl.gz"));
}

static void test_a_run_that_is_going_on_stays(void **state)
{
    const char *workspace = *state;
    cleanup_free char *folder = make_run(workspace, "a"), *path = file_join(folder, "records.jsonl.gz");
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    bool in_use;
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(workspace_remove(workspace, "a", &in_use, NULL), 0);
    assert_true(in_use && is_there(workspace, "a"));
}

static void test_leftovers(void **state)
{
    const char *workspace = *state;
    cleanup_free char *nowhere = file_join(workspace, "nowhere");
    bool in_use;
    free(make_run(workspace, ".removed-x"));
    free(make_run(workspace, ".other"));
    free(make_run(workspace, "x"));
    assert_int_equal(workspace_remove(workspace, "x", &in_use, NULL), 0); /* over what an earlier removal left */
    assert_false(is_there(workspace, "x") || is_there(workspace, ".removed-x"));
    free(make_run(workspace, ".removed-y"));
    assert_int_equal(workspace_remove_leftovers(workspace, NULL), 0);
    assert_false(is_there(workspace, ".removed-y"));
    assert_true(is_there(workspace, ".other"));
    assert_int_equal(workspace_remove_leftovers(nowhere, NULL), 0);
}

static void test_what_is_not_there_and_what_is_too_deep(void **state)
{
    const char *workspace = *state;
    struct error err = {0};
    bool in_use;
    assert_int_equal(workspace_remove(workspace, "a", &in_use, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    char *path = make_run(workspace, "deep");
    for (int k = 0; k <= WORKSPACE_FOLDERS_MAX; k++) {
        char *inner = file_join(path, "d");
        free(path);
        path = inner;
    }
    assert_int_equal(file_make_folder(path, NULL), 0);
    free(path);
    assert_int_equal(workspace_remove(workspace, "deep", &in_use, &err), -1); /* not a crash of the stack */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {TEST(test_all_of_it_goes_and_nothing_else), TEST(test_a_run_that_is_going_on_stays), TEST(test_leftovers),
                                       TEST(test_what_is_not_there_and_what_is_too_deep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
