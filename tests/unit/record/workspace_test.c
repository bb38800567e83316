#include "record/workspace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static const struct {
    const char *id, *says;
} hostile[] = {
    {"", "is empty"},
    {".", "begins with '.'"},
    {"..", "begins with '.'"},
    {"../x", "begins with '.'"},
    {".hidden", "begins with '.'"},
    {"-rf", "begins with '-'"},
    {"/etc", "no plain folder name"},
    {"a/../../etc", "no plain folder name"},
    {"a/b", "no plain folder name"},
    {"a\\b", "no plain folder name"},
    {"a b", "no plain folder name"},
    {"a\nb", "'a?b' is no plain folder name"},
    {"a\033[2Jb", "'a?[2Jb' is no plain folder name"},
    {"caf\303\251", "no plain folder name"},
    {"latest", "the workspace itself uses"},
    {"comparisons", "the workspace itself uses"},
    {"archives", "the workspace itself uses"},
};

static void test_hostile_ids_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof hostile / sizeof *hostile; k++) {
        struct error err = {0};

        if (workspace_check_run_id(hostile[k].id, &err) == 0)
            fail_msg("accepted '%s'", hostile[k].id);
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, hostile[k].says))
            fail_msg("'%s': got '%s'", hostile[k].id, err.text);
        assert_int_equal(workspace_check_comparison_id(hostile[k].id, NULL), -1);
    }
}

static void test_plain_ids_are_fine(void **state)
{
    char longest[202];

    (void)state;
    memset(longest, 'a', sizeof longest);
    longest[200] = '\0';
    assert_int_equal(workspace_check_run_id(longest, NULL), 0);
    longest[200] = 'a';
    longest[201] = '\0';
    assert_int_equal(workspace_check_run_id(longest, NULL), -1);
    assert_int_equal(workspace_check_run_id("mistral-3-int4-20261124T040651.123Z", NULL), 0);
    assert_int_equal(workspace_check_run_id("_x", NULL), 0);
    assert_int_equal(workspace_check_run_id("latest2", NULL), 0);
}

static void assert_made(const char *model, const char *expected)
{
    cleanup_free char *id = workspace_make_run_id(model, INT64_C(1795493211123456789));

    assert_string_equal(id, expected);
    assert_int_equal(workspace_check_run_id(id, NULL), 0);
}

static void test_ids_are_made_of_any_model(void **state)
{
    char long_name[1000];

    (void)state;
    assert_made("mistral-3-int4", "mistral-3-int4-20261124T040651.123Z");
    assert_made("mistralai/Mistral Small", "mistralai-Mistral-Small-20261124T040651.123Z");
    assert_made("../../etc/passwd", "etc-passwd-20261124T040651.123Z");
    assert_made("/models/x", "models-x-20261124T040651.123Z");
    assert_made("", "run-20261124T040651.123Z");
    assert_made("///", "run-20261124T040651.123Z");
    assert_made("\303\251", "_--20261124T040651.123Z");
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';

    cleanup_free char *id = workspace_make_run_id(long_name, 0);

    assert_int_equal(workspace_check_run_id(id, NULL), 0);
    assert_non_null(strstr(id, "x-19700101T000000.000Z"));
}

static void test_latest_is_found(void **state)
{
    struct error err = {0};

    assert_null(workspace_find_run_id(*state, NULL, &err));
    assert_int_equal(err.class, ERROR_USAGE);
    assert_non_null(strstr(err.text, "prepare first"));
    assert_int_equal(workspace_set_latest(*state, "first", NULL), 0);
    assert_int_equal(workspace_set_latest(*state, "second", NULL), 0);

    cleanup_free char *id = workspace_find_run_id(*state, NULL, NULL);

    assert_string_equal(id, "second");

    cleanup_free char *given = workspace_find_run_id(*state, "third", NULL);

    assert_string_equal(given, "third");
    assert_null(workspace_find_run_id(*state, "../third", &err));
}

static void test_a_hostile_latest_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } contents[] = {{"../../etc\n", 10}, {"", 0}, {"\n", 1}, {"a\0b\n", 4}, {"a\nb\n", 4}};

    for (size_t k = 0; k < sizeof contents / sizeof *contents; k++) {
        struct error err = {0};

        temp_file_write(*state, "latest", contents[k].bytes, contents[k].length);
        assert_null(workspace_find_run_id(*state, NULL, &err));
        assert_int_equal(err.class, ERROR_USAGE);
        assert_non_null(strstr(err.text, "/latest"));
    }
}

static void test_a_run_is_created_once(void **state)
{
    struct error err = {0};
    cleanup_free char *folder = workspace_create_run(*state, "r", &err);
    cleanup_free char *again = workspace_create_run(*state, "r", &err);

    assert_non_null(folder);
    assert_non_null(again); /* nothing was prepared yet */
    temp_file_write(folder, "plan.json", "{}", 2);
    assert_null(workspace_create_run(*state, "r", &err));
    assert_int_equal(err.class, ERROR_USAGE);
    assert_non_null(strstr(err.text, "r/plan.json exists already"));
    assert_null(workspace_create_run(*state, "../r", &err));
}

static void test_a_workspace_that_is_a_file(void **state)
{
    cleanup_free char *path = file_join(*state, "file");
    struct error err = {0};

    temp_file_write(*state, "file", "", 0);
    assert_null(workspace_create_run(path, "r", &err));
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, path));
}

static void put_run(const char *workspace, const char *id, const char *file)
{
    cleanup_free char *folder = file_join(workspace, id);

    assert_int_equal(file_make_folder(folder, NULL), 0);
    temp_file_write(folder, file, "{}", 2);
}

static void test_runs_and_comparisons_are_listed(void **state)
{
    cleanup_free char *nowhere = file_join(*state, "nowhere"), *file = file_join(*state, "latest");
    struct error err = {0};
    char **ids;
    size_t count;

    put_run(*state, "b", "plan.json");
    put_run(*state, "a", "plan.json");
    put_run(*state, "no-run", "notes");
    put_run(*state, ".hidden", "plan.json");
    put_run(*state, "comparisons/a-vs-b", "comparison.json");
    temp_file_write(*state, "latest", "a", 1);
    assert_int_equal(workspace_list_runs(*state, &ids, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(ids[0], "a");
    assert_string_equal(ids[1], "b");
    workspace_free_ids(ids, count);
    assert_int_equal(workspace_list_comparisons(*state, &ids, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(ids[0], "a-vs-b");
    workspace_free_ids(ids, count);
    assert_int_equal(workspace_list_runs(nowhere, &ids, &count, &err), 0);
    assert_int_equal(count, 0);
    workspace_free_ids(ids, count);
    assert_int_equal(workspace_list_runs(file, &ids, &count, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
}

#define WORKSPACE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_ids_are_refused),
        cmocka_unit_test(test_plain_ids_are_fine),
        cmocka_unit_test(test_ids_are_made_of_any_model),
        WORKSPACE_TEST(test_latest_is_found),
        WORKSPACE_TEST(test_a_hostile_latest_is_refused),
        WORKSPACE_TEST(test_a_run_is_created_once),
        WORKSPACE_TEST(test_a_workspace_that_is_a_file),
        WORKSPACE_TEST(test_runs_and_comparisons_are_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
