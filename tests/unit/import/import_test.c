#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "import/import.h"
#include "support/mutate.h"
#include "support/properties_import.h"
#include "support/temp_folder.h"

#define ROW "load,unit,prompt_tokens,output_tokens,ttft_p95_ms,tpot_with_first_p95_ms,total_tps\n%d,streams,%d,64,%d,60,%d\n"

static void write_row(const char *folder, const char *name, int load, int prompt_tokens)
{
    cleanup_free char *text = mem_printf(ROW, load, prompt_tokens, 100 * load, 50 * load);
    temp_file_write(folder, name, text, strlen(text));
}

static void test_levels_of_several_files_are_one_run(void **state)
{
    (void)state;
    struct error err = {0};
    char *folder = temp_folder_make();
    write_row(folder, "one.csv", 1, 64);
    write_row(folder, "eight.csv", 8, 128);
    cleanup_free char *spec = mem_printf("levels-csv:%s/one.csv,%s/eight.csv", folder, folder);
    struct run_summary *run = import_read(spec, &sla_default, &err);
    assert_non_null(run);
    assert_int_equal(run->level_count, 2);
    assert_true(run->levels[1].load == 8 && run->levels[1].index == 1);
    assert_string_equal(run->facts.run_id, "one");
    assert_int_equal(run->facts.imported->file_count, 2);
    assert_string_equal(run->facts.imported->files[1].name, "eight.csv");
    assert_int_equal(strlen(run->facts.imported->files[1].sha256), 64);
    assert_true(run->facts.prompt.requests == 2 && run->facts.prompt.mean == 96);
    assert_int_equal(run->points_count, 1);
    import_rename(run, "-imported");
    assert_string_equal(run->facts.run_id, "one-imported");
    run_summary_free(run);
    temp_folder_remove(folder);
}

static void test_a_name_with_commas(void **state)
{
    (void)state;
    char *folder = temp_folder_make();
    write_row(folder, "a,b.csv", 1, 64);
    cleanup_free char *spec = mem_printf("levels-csv:%s/a,b.csv", folder);
    struct run_summary *run = import_read(spec, &sla_default, NULL);
    assert_non_null(run);
    assert_string_equal(run->facts.run_id, "a-b");
    run_summary_free(run);
    temp_folder_remove(folder);
}

static void assert_id(const char *name, const char *id)
{
    cleanup_free char *text = mem_printf(ROW, 1, 64, 100, 50);
    struct run_summary *run = import_read_bytes(&import_levels_csv, name, text, strlen(text), &sla_default, NULL);
    assert_non_null(run);
    assert_string_equal(run->facts.run_id, id);
    run_summary_free(run);
}

static void test_ids_are_folder_names(void **state)
{
    (void)state;
    assert_id("/tmp/int4.csv", "int4");
    assert_id("what is this?.json", "what-is-this-");
    assert_id("../.hidden", "_hidden");
    assert_id("-rf.csv", "_rf");
    assert_id("latest.csv", "import-latest");
    assert_id("no-ending", "no-ending");
    assert_id("a/", "import-");
    assert_id("0123456789012345678901234567890123456789012345678901234567890123456789.csv",
              "0123456789012345678901234567890123456789012345678901234567890123");
}

static void assert_error(const char *spec, const char *says)
{
    struct error err = {0};
    assert_null(import_read(spec, &sla_default, &err));
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, says))
        fail_msg("%s\nexpected: %s", err.text, says);
}

static void test_errors_say_what_is_expected(void **state)
{
    (void)state;
    assert_error("int4.csv", "expected FORMAT:FILE; formats are levels-csv, guidellm");
    assert_error("locust:x.csv", "formats are");
    assert_error("levels-csv:", "expected FORMAT:FILE");
    assert_error("levels-csv:/nowhere/x.csv", "/nowhere/x.csv");
    assert_error("guidellm:tests/data/reference-int4.csv", "reference-int4.csv: line 1, column 4: not JSON");
    assert_error("guidellm:tests/data/import/vllm-bench-0.32.json", "no GuideLLM report");
    assert_error("vllm-bench:tests/data/import/guidellm-0.8.1-sweep.json", "no result of vllm bench");
}

static void test_files_of_two_models(void **state)
{
    (void)state;
#define RESULT(model, streams) "{\"model_id\":\"" model "\",\"max_concurrency\":" streams ",\"completed\":2,\"duration\":1,\"mean_ttft_ms\":5}"
    static const char *const results[] = {RESULT("x", "1"), RESULT("y", "2"), RESULT("y", "3")};
    static const char *const names[] = {"1.json", "2.json", "3.json"};
    char *folder = temp_folder_make();
    for (int k = 0; k < 3; k++)
        temp_file_write(folder, names[k], results[k], strlen(results[k]));
    cleanup_free char *spec = mem_printf("vllm-bench:%s/1.json,%s/2.json,%s/3.json", folder, folder, folder);
    struct run_summary *run = import_read(spec, &sla_default, NULL);
    assert_non_null(run);
    assert_string_equal(run->facts.model, "x");
    assert_string_equal(run->notes[0], "not of one model: its files tell of x and of y");
    for (size_t k = 1; k < run->note_count; k++)
        assert_null(strstr(run->notes[k], "one model"));
    run_summary_free(run);
    temp_folder_remove(folder);
}

static void test_broken_files_keep_the_properties(void **state)
{
    (void)state;
    struct random random;
    glob_t seeds;
    cleanup_buf struct buf broken = BUF_INIT((size_t)1 << 20);
    random_seed(&random, 7);
    assert_int_equal(glob("tests/fuzz/seeds/import/*", 0, NULL, &seeds), 0);
    for (size_t k = 0; k < seeds.gl_pathc; k++) {
        cleanup_buf struct buf seed = BUF_INIT((size_t)1 << 20);
        assert_int_equal(file_read(seeds.gl_pathv[k], &seed, ERROR_INTERNAL, NULL), 0);
        property_import((const uint8_t *)buf_text(&seed), seed.len);
        for (int round = 0; round < 300; round++) {
            mutate(&random, buf_text(&seed), seed.len, &broken);
            property_import((const uint8_t *)buf_text(&broken), broken.len);
        }
    }
    globfree(&seeds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_of_several_files_are_one_run),
        cmocka_unit_test(test_a_name_with_commas),
        cmocka_unit_test(test_ids_are_folder_names),
        cmocka_unit_test(test_errors_say_what_is_expected),
        cmocka_unit_test(test_files_of_two_models),
        cmocka_unit_test(test_broken_files_keep_the_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
