/* Model files: which keys become options, and what is said of those that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "plan/model_file.h"
#include "support/temp_folder.h"

static const struct option_row rows[] = {
    {.type = OPTION_TEXT, .name = "target", .help = "", .from_model_file = true},
    {.type = OPTION_TEXT, .name = "levels", .help = "", .from_model_file = true},
    {.type = OPTION_INTEGER, .name = "gpus", .help = "", .min = 1, .max = 100, .from_model_file = true},
    {.type = OPTION_USD, .name = "price-per-hour", .help = "", .from_model_file = true},
    {.type = OPTION_TEXT, .name = "rate", .help = ""},
    {.type = OPTION_END},
};

struct bench {
    char *folder;
    struct options *options;
    struct arena *arena;
    struct sla sla;
    struct error err;
};

static int setup(void **state)
{
    static struct bench bench;
    const struct option_row *tables[] = {rows};
    bench = (struct bench){.folder = temp_folder_make(), .options = options_new(tables, 1), .arena = arena_new(), .sla = sla_default};
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    options_free(bench->options);
    arena_free(bench->arena);
    temp_folder_remove(bench->folder);
    return 0;
}

static int read_text(struct bench *bench, const char *text)
{
    temp_file_write(bench->folder, "tiny.json", text, strlen(text));
    return model_file_read(bench->folder, "tiny", bench->options, bench->arena, &bench->sla, &bench->err);
}

static void test_keys_become_options(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(read_text(bench, "{\"schema\":\"roibench/model/v1\",\"target\":\"http://x/v1\",\"gpus\":4,\"price_per_hour\":3.4}"), 1);
    assert_string_equal(options_text(bench->options, "target"), "http://x/v1");
    assert_int_equal(options_integer(bench->options, "gpus", 0), 4);
    assert_int_equal(options_usd(bench->options, "price-per-hour", -1), 3400000);
    assert_int_equal(options_source(bench->options, "gpus"), OPTION_MODEL_FILE);
    assert_false(options_given(bench->options, "levels"));
}

static void test_where_results_go(void **state)
{
    struct bench *bench = *state;
    const char *const *destinations;
    size_t count;
    assert_int_equal(read_text(bench, "{\"schema\":\"roibench/model/v1\",\"gpus\":4,\"publish\":[\"s3://b/p\",\"/folder\"]}"), 1);
    assert_int_equal(model_file_publish(bench->folder, "tiny", bench->arena, &destinations, &count, &bench->err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(destinations[1], "/folder");
    assert_int_equal(model_file_publish(bench->folder, "other", bench->arena, &destinations, &count, &bench->err), 0);
    assert_int_equal(count, 0);
    read_text(bench, "{\"schema\":\"roibench/model/v1\",\"publish\":[1]}");
    assert_int_equal(model_file_publish(bench->folder, "tiny", bench->arena, &destinations, &count, &bench->err), -1);
    assert_non_null(strstr(bench->err.text, "tiny.json: publish: expected an array of destinations"));
}

static void test_classes(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(read_text(bench, "{\"schema\":\"roibench/model/v1\",\"gpus\":4}"), 1);
    assert_false(sla_is_given(&bench->sla));
    assert_int_equal(read_text(bench, "{\"schema\":\"roibench/model/v1\",\"sla\":{\"ttft_ms\":{\"excellent\":1,\"acceptable\":2,\"degraded\":3}}}"), 1);
    assert_string_equal(bench->sla.source, "tiny.json (the model's file)");
    assert_int_equal(read_text(bench, "{\"schema\":\"roibench/model/v1\",\"sla\":{\"ttft\":1}}"), -1);
    assert_non_null(strstr(bench->err.text, "tiny.json: sla.ttft: there is no such member"));
}

static void test_an_option_that_was_given_stays(void **state)
{
    struct bench *bench = *state;
    char *argv[] = {"--gpus", "2"};
    assert_int_equal(options_parse_argv(bench->options, 2, argv, &bench->err), 0);
    assert_int_equal(read_text(bench, "{\"schema\":\"roibench/model/v1\",\"gpus\":4}"), 1);
    assert_int_equal(options_integer(bench->options, "gpus", 0), 2);
}

static void assert_refused(struct bench *bench, const char *text, const char *says)
{
    bench->err = (struct error){0};
    assert_int_equal(read_text(bench, text), -1);
    assert_int_equal(bench->err.class, ERROR_USAGE);
    assert_non_null(strstr(bench->err.text, "tiny.json"));
    if (!strstr(bench->err.text, says))
        fail_msg("'%s' does not say '%s'", bench->err.text, says);
}

static void test_what_is_wrong_is_named(void **state)
{
    struct bench *bench = *state;
    assert_refused(bench, "{\"schema\":\"roibench/model/v1\",\"gpu\":1}", "gpu: a model file has no such key. Known: target, levels, gpus, price_per_hour");
    assert_refused(bench, "{\"schema\":\"roibench/model/v1\",\"rate\":1}", "rate: a model file has no such key");
    assert_refused(bench, "{\"schema\":\"roibench/model/v1\",\"gpus\":0}", "gpus");
    assert_refused(bench, "{\"schema\":\"roibench/model/v1\",\"gpus\":[1]}", "expected a string, a number, true or false");
    assert_refused(bench, "{\"schema\":\"roibench/plan/v1\"}", "schema");
    assert_refused(bench, "{\"schema\":\"roibench/model/v2\"}", "newer");
    assert_refused(bench, "[1]", "expected");
    assert_refused(bench, "{", "");
}

static void test_a_model_without_a_file_is_none(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(model_file_read(bench->folder, "other", bench->options, bench->arena, &bench->sla, &bench->err), 0);
    assert_int_equal(model_file_read(bench->folder, "org/model", bench->options, bench->arena, &bench->sla, &bench->err), 0);
    assert_int_equal(model_file_read(bench->folder, "../tiny", bench->options, bench->arena, &bench->sla, &bench->err), 0);
    assert_int_equal(model_file_read("/nowhere/at/all", "tiny", bench->options, bench->arena, &bench->sla, &bench->err), -1);
    assert_non_null(strstr(bench->err.text, "there is no folder /nowhere/at/all"));
}

static void test_all_of_a_folder(void **state)
{
    struct bench *bench = *state;
    struct arena *arena = arena_new();
    struct model_file *files;
    size_t count;
    static const char with[] = "{\"schema\":\"roibench/model/v1\",\"target\":\"http://x/v1\"}", without[] = "{\"schema\":\"roibench/model/v1\"}";
    temp_file_write(bench->folder, "b.json", with, strlen(with));
    temp_file_write(bench->folder, "a.json", without, strlen(without));
    temp_file_write(bench->folder, ".json", "x", 1);
    temp_file_write(bench->folder, "c.txt", "x", 1);
    assert_int_equal(model_file_list(bench->folder, arena, &files, &count, &bench->err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(files[0].model, "a");
    assert_false(files[0].has_target);
    assert_string_equal(files[1].model, "b");
    assert_true(files[1].has_target);
    temp_file_write(bench->folder, "d.json", "[]", 2);
    assert_int_equal(model_file_list(bench->folder, arena, &files, &count, &bench->err), -1);
    assert_non_null(strstr(bench->err.text, "d.json"));
    assert_int_equal(model_file_list("/nowhere", arena, &files, &count, &bench->err), -1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_become_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_results_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_option_that_was_given_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_model_without_a_file_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_of_a_folder, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
