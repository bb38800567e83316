/* What captured results do not have (those: import_reports_test.c): no details, several in one file, other loads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "import/import.h"

#define RESULT(load)                                                                                                                  \
    "{\"backend\":\"vllm\",\"model_id\":\"m\",\"num_prompts\":100," load ",\"duration\":10.0,\"completed\":90,\"failed\":10,"         \
    "\"total_input_tokens\":9000,\"total_output_tokens\":4500,\"request_throughput\":9.0,\"output_throughput\":450.0,"               \
    "\"total_token_throughput\":1350.0,\"mean_ttft_ms\":60.5,\"median_ttft_ms\":50.0,\"std_ttft_ms\":9.0,\"p99_ttft_ms\":99.0,"       \
    "\"p95_ttft_ms\":95.0,\"p99.9_ttft_ms\":99.9,\"mean_tpot_ms\":20.0,\"median_tpot_ms\":20.0,\"p95_tpot_ms\":25.0,\"mean_itl_ms\":21.0}"

static struct run_summary *read_result(const char *text, struct error *err)
{
    return import_read_bytes(&import_vllm_bench, "r.json", text, strlen(text), &sla_default, err);
}

static struct run_summary *must_read(const char *text)
{
    struct error err = {0};
    struct run_summary *run = read_result(text, &err);
    if (!run)
        fail_msg("%s", err.text);
    return run;
}

static void test_a_result_without_details(void **state)
{
    (void)state;
    struct run_summary *run = must_read(RESULT("\"request_rate\":\"inf\",\"max_concurrency\":8"));
    const struct level_summary *level = &run->levels[0];
    const struct distribution *ttft = &level->latency[LATENCY_TTFT];
    assert_true(level->load == 8);
    assert_string_equal(level->kind, "concurrent");
    assert_string_equal(run->facts.endpoint, "completions");
    assert_true(ttft->mean == 60.5 && ttft->percentile[P50] == 50 && ttft->percentile[P95] == 95 && ttft->percentile[P999] == 99.9);
    assert_true(isnan(ttft->percentile[P90]) && ttft->count == 90);
    assert_true(level_ttft_p95(level) == 95);
    assert_true(level->rate[RATE_USER_TPS] == 40 && level->rate[RATE_TOTAL_TPS] == 1350 && level->rate[RATE_REQUEST_RPS] == 9);
    assert_true(level->rate[RATE_ERROR_RATE] == 0.1 && level->requests.members == 100 && level->requests.incomplete == 0);
    assert_true(level->latency[LATENCY_ARRIVAL_GAP].mean == 21 && !distribution_is_known(&level->latency[LATENCY_ITL]));
    assert_false(distribution_is_known(&level->latency[LATENCY_E2E]));
    assert_true(run->facts.prompt.mean == 100 && run->facts.output.mean == 50);
    run_summary_free(run);
}

static void test_results_appended_to_one_file(void **state)
{
    (void)state;
    struct run_summary *run = must_read(RESULT("\"request_rate\":2.0,\"burstiness\":1.0") "\n" RESULT("\"request_rate\":4.0,\"burstiness\":0.5") "\n");
    assert_int_equal(run->level_count, 2);
    assert_string_equal(run->levels[0].kind, "poisson");
    assert_string_equal(run->levels[1].kind, "gamma");
    assert_true(run->levels[1].load == 4 && run->levels[1].rate[RATE_OFFERED_RPS] == 4);
    run_summary_free(run);
}

static void test_all_at_once(void **state)
{
    (void)state;
    struct run_summary *run = must_read(RESULT("\"request_rate\":Infinity,\"max_concurrency\":null"));
    assert_string_equal(run->levels[0].kind, "throughput");
    assert_true(run->levels[0].load == 100);
    assert_string_equal(run->levels[0].derived[0].field, "load");
    run_summary_free(run);
}

/* One of two requests fails: it is in the counts and, as the server's doing, in the censored TTFT. */
static void test_details_with_a_failure(void **state)
{
    (void)state;
    struct run_summary *run = must_read(
        "{\"num_prompts\":2,\"request_rate\":\"inf\",\"max_concurrency\":1,\"duration\":2.0,\"completed\":1,\"failed\":1,"
        "\"output_throughput\":1.5,\"input_throughput\":2.5,\"total_input_tokens\":5,\"total_output_tokens\":3,"
        "\"start_times\":[10.0,11.0],\"ttfts\":[0.25,0.0],\"itls\":[[0.5,0.25],[]],\"output_lens\":[3,0],\"input_lens\":[5,5],"
        "\"errors\":[\"\",\"Internal Server Error\"]}");
    const struct level_summary *level = &run->levels[0];
    assert_true(level->requests.ok == 1 && level->requests.error == 1 && level->rate[RATE_ERROR_RATE] == 0.5);
    assert_int_equal(level->failure_count, 1);
    assert_string_equal(level->failures[0].name, "http_5xx");
    assert_true(level->latency[LATENCY_TTFT].max == 250 && isinf(level->latency[LATENCY_TTFT_CENSORED].max));
    assert_true(level->latency[LATENCY_E2E].max == 1000 && level->latency[LATENCY_TPOT_VLLM].max == 375);
    assert_true(level->latency[LATENCY_ARRIVAL_GAP].count == 2 && level->latency[LATENCY_ARRIVAL_GAP].max == 500);
    assert_true(level->rate[RATE_TOTAL_TPS] == 4); /* of versions that told no sum */
    run_summary_free(run);
}

static void test_broken_results(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{}", "r.json: line 1: no result of vllm bench serve"},
        {"{\n}", "r.json: no result of vllm bench serve"},
        {"[1]", "no result of vllm bench serve"},
        {"{\"completed\":1,\"duration\":1}", "a load of unknown size"},
        {"{\"completed\":1,", "r.json: line 1"},
        {RESULT("\"request_rate\":1") "\n{\"completed\":\n", "r.json: line 2: line"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        assert_null(read_result(cases[k].text, &err));
        if (!strstr(err.text, cases[k].says))
            fail_msg("%s\nexpected: %s", err.text, cases[k].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_result_without_details),
        cmocka_unit_test(test_results_appended_to_one_file),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_details_with_a_failure),
        cmocka_unit_test(test_broken_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
