/* What captured reports do not have (those: import_reports_test.c): samples of requests only, older shapes, broken documents. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "import/import.h"

#define DISTRIBUTION(mean, count)                                                                                                    \
    "{\"mean\":" #mean ",\"median\":" #mean ",\"std_dev\":1,\"min\":1,\"max\":99,\"count\":" #count ",\"percentiles\":{\"p50\":" #mean ",\"p95\":90}}"
#define BOTH(mean, count) "{\"successful\":" DISTRIBUTION(mean, count) ",\"total\":" DISTRIBUTION(mean, count) "}"
#define METRICS                                                                                                                      \
    "\"metrics\":{\"request_totals\":{\"successful\":40,\"errored\":10,\"incomplete\":0,\"total\":50},"                              \
    "\"requests_per_second\":" BOTH(2.5, 40) ",\"request_concurrency\":" BOTH(4, 40) ",\"request_latency\":" BOTH(1.5, 40) ","        \
    "\"prompt_token_count\":" BOTH(256, 40) ",\"output_token_count\":" BOTH(128, 40) ",\"time_to_first_token_ms\":" BOTH(55, 40) ","   \
    "\"time_per_output_token_ms\":" BOTH(22, 5120) ",\"inter_token_latency_ms\":" BOTH(20, 5080) ","                                   \
    "\"output_tokens_per_second\":" BOTH(320, 5120) ",\"tokens_per_second\":" BOTH(960, 5120) "}"

static struct run_summary *read_report(const char *text, struct error *err)
{
    return import_read_bytes(&import_guidellm, "benchmarks.json", text, strlen(text), &sla_default, err);
}

static struct run_summary *must_read(const char *text)
{
    struct error err = {0};
    struct run_summary *run = read_report(text, &err);
    if (!run)
        fail_msg("%s", err.text);
    return run;
}

/* 0.3: strategies in args, no requests kept (--output-sampling 0). */
static void test_a_report_without_requests(void **state)
{
    (void)state;
    struct run_summary *run = must_read("{\"benchmarks\":[{\"args\":{\"strategy\":{\"type_\":\"concurrent\",\"streams\":4},\"max_duration\":60,"
                                        "\"profile\":{\"type_\":\"concurrent\"}},\"worker\":{\"backend_model\":\"m\",\"backend_target\":\"http://h\"}," METRICS
                                        ",\"requests\":{\"successful\":[],\"errored\":[],\"incomplete\":[]}}]}");
    const struct level_summary *level = &run->levels[0];
    assert_string_equal(run->facts.imported->tool, "GuideLLM 0.2 or 0.3");
    assert_string_equal(run->facts.model, "m");
    assert_string_equal(run->facts.target, "http://h");
    assert_string_equal(run->facts.limits, "1 m 00 s a level");
    assert_true(level->load == 4);
    assert_true(level->requests.ok == 40 && level->requests.members == 50 && level->requests.no_first_token == COUNT_UNKNOWN);
    assert_true(level->rate[RATE_ERROR_RATE] == 0.2);
    assert_true(level->latency[LATENCY_TTFT].mean == 55 && level_ttft_p95(level) == 90);
    assert_true(isnan(level->latency[LATENCY_TTFT].percentile[P99]));
    assert_true(level->latency[LATENCY_E2E].mean == 1500 && level->latency[LATENCY_E2E].count == 40);
    assert_int_equal(level->latency[LATENCY_TPOT].count, 0); /* weighed by tokens */
    assert_true(level->latency[LATENCY_TPOT].mean == 20 && level->latency[LATENCY_TPOT_WITH_FIRST].mean == 22);
    assert_true(level->rate[RATE_USER_TPS] == 1000.0 / 90);
    assert_true(level->rate[RATE_OUTPUT_TPS] == 320 && level->rate[RATE_TOTAL_TPS] == 960);
    assert_true(run->facts.prompt.requests == 40 && run->facts.prompt.mean == 256);
    run_summary_free(run);
}

static void test_loads_of_every_strategy(void **state)
{
    (void)state;
    static const struct {
        const char *strategy, *kind, *unit;
        double load;
    } cases[] = {
        {"{\"type_\":\"synchronous\"}", "synchronous", "streams", 1},
        {"{\"type_\":\"concurrent\",\"streams\":7}", "concurrent", "streams", 7},
        {"{\"type_\":\"throughput\",\"max_concurrency\":16}", "throughput", "streams", 16},
        {"{\"type_\":\"throughput\",\"max_concurrency\":512}", "throughput", "streams", 50}, /* requests in all */
        {"{\"type_\":\"throughput\",\"max_concurrency\":null}", "throughput", "streams", 99},
        {"{\"type_\":\"constant\",\"rate\":2.5}", "constant", "req/s", 2.5},
        {"{\"type_\":\"async\",\"rate\":2.5}", "constant", "req/s", 2.5},
        {"{\"type_\":\"poisson\",\"rate\":0.5}", "poisson", "req/s", 0.5},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        char text[8192];
        snprintf(text, sizeof text, "{\"metadata\":{\"guidellm_version\":\"0.6.1\"},\"benchmarks\":[{\"config\":{\"strategy\":%s}," METRICS "}]}", cases[k].strategy);
        struct run_summary *run = must_read(text);
        assert_string_equal(run->levels[0].kind, cases[k].kind);
        assert_string_equal(run->levels[0].unit, cases[k].unit);
        assert_true(run->levels[0].load == cases[k].load);
        assert_true(cases[k].unit[0] == 's' || run->levels[0].rate[RATE_OFFERED_RPS] == cases[k].load);
        run_summary_free(run);
    }
}

static void test_broken_reports(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]", "no GuideLLM report"},
        {"{}", "no GuideLLM report"},
        {"{\"benchmarks\":[]}", "no GuideLLM report"},
        {"{\"benchmarks\":[5]}", "no GuideLLM report"},
        {"{\"benchmarks\":[{\"metrics\":{}}]}", "benchmarks[0]: level 1: a load of unknown size"},
        {"{\"benchmarks\":[{\"config\":{\"strategy\":{\"type_\":\"constant\",\"rate\":-1}},\"metrics\":{}}]}", "a load of unknown size"},
        {"{\"benchmarks\":[", "benchmarks.json: line 1"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        assert_null(read_report(cases[k].text, &err));
        if (!strstr(err.text, cases[k].says))
            fail_msg("%s\nexpected: %s", err.text, cases[k].says);
    }
}

/* Numbers that are none, of a level that did nothing. */
static void test_an_empty_level(void **state)
{
    (void)state;
    struct run_summary *run = must_read("{\"benchmarks\":[{\"config\":{\"strategy\":{\"type_\":\"synchronous\"}},\"metrics\":{\"time_to_first_token_ms\":"
                                        "{\"successful\":{\"mean\":0,\"count\":0,\"percentiles\":{\"p95\":0}}},\"tokens_per_second\":\"many\"},"
                                        "\"requests\":{\"successful\":[{\"start_time\":NaN}]}}]}");
    assert_true(isnan(level_ttft_p95(&run->levels[0])));
    assert_true(isnan(run->levels[0].rate[RATE_TOTAL_TPS]));
    assert_int_equal(run->levels[0].verdict.level, SLA_UNKNOWN);
    assert_false(run->any_ended);
    run_summary_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_report_without_requests),
        cmocka_unit_test(test_loads_of_every_strategy),
        cmocka_unit_test(test_broken_reports),
        cmocka_unit_test(test_an_empty_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
