/* What captured exports do not have (those: import_reports_test.c): failures, rates, older shapes, broken files. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "import/import.h"
#include "support/temp_folder.h"

#define EXPORT(config)                                                                                                                \
    "{\"schema_version\":\"1.0\",\"input_config\":" config ",\"request_count\":{\"unit\":\"requests\",\"avg\":40},"                   \
    "\"request_latency\":{\"unit\":\"ms\",\"avg\":900,\"p50\":850,\"p95\":990,\"count\":40},"                                         \
    "\"time_to_first_token\":{\"unit\":\"ms\",\"avg\":60,\"p50\":55,\"p95\":80,\"p99\":90},"                                          \
    "\"inter_token_latency\":{\"unit\":\"ms\",\"avg\":20,\"p95\":25},\"inter_chunk_latency\":{\"unit\":\"s\",\"avg\":1},"               \
    "\"output_token_throughput\":{\"unit\":\"tokens/sec\",\"avg\":300},\"total_isl\":{\"unit\":\"tokens\",\"avg\":2000},"             \
    "\"total_osl\":{\"unit\":\"tokens\",\"avg\":1000},\"request_throughput\":{\"unit\":\"requests/sec\",\"avg\":3}}"
#define STREAMS "{\"loadgen\":{\"concurrency\":4,\"request_count\":40},\"endpoint\":{\"type\":\"chat\",\"model_names\":[\"m\"]}}"

static struct run_summary *read_export(const char *text, struct error *err)
{
    return import_read_bytes(&import_aiperf, "a.json", text, strlen(text), &sla_default, err);
}

static struct run_summary *must_read(const char *text)
{
    struct error err = {0};
    struct run_summary *run = read_export(text, &err);
    if (!run)
        fail_msg("%s", err.text);
    return run;
}

static void test_an_export_without_records(void **state)
{
    (void)state;
    struct run_summary *run = must_read(EXPORT(STREAMS));
    const struct level_summary *level = &run->levels[0];
    assert_string_equal(run->facts.model, "m");
    assert_string_equal(run->facts.endpoint, "chat");
    assert_string_equal(run->facts.limits, "40 requests a level");
    assert_true(level->load == 4 && level->requests.ok == 40 && level->requests.error == 0 && level->rate[RATE_ERROR_RATE] == 0);
    assert_true(level->latency[LATENCY_TTFT].percentile[P99] == 90 && level_ttft_p95(level) == 80);
    assert_true(level->rate[RATE_USER_TPS] == 40 && level->rate[RATE_OUTPUT_TPS] == 300 && level->rate[RATE_TOTAL_TPS] == 900);
    assert_false(distribution_is_known(&level->latency[LATENCY_ARRIVAL_GAP])); /* of another unit */
    run_summary_free(run);
}

static void test_rates(void **state)
{
    (void)state;
    static const struct {
        const char *config, *kind;
    } cases[] = {
        {EXPORT("{\"loadgen\":{\"request_rate\":2.5,\"arrival_pattern\":\"poisson\",\"concurrency\":9}}"), "poisson"},
        {EXPORT("{\"loadgen\":{\"request_rate\":2.5,\"arrival_pattern\":\"constant\"}}"), "constant"},
        {EXPORT("{\"phases\":[{\"type\":\"gamma\",\"rate\":2.5}]}"), "gamma"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct run_summary *run = must_read(cases[k].config);
        assert_string_equal(run->levels[0].kind, cases[k].kind);
        assert_true(run->levels[0].load == 2.5 && level_is_open_loop(&run->levels[0]));
        run_summary_free(run);
    }
}

#define RECORD(start, end, metrics, error)                                                                                            \
    "{\"metadata\":{\"request_start_ns\":1790000000000000001,\"request_end_ns\":179000000" end ",\"benchmark_phase\":\"" start        \
    "\",\"was_cancelled\":false},\"metrics\":{" metrics "},\"error\":" error "}\n"
#define METRICS                                                                                                                       \
    "\"time_to_first_token\":{\"value\":250,\"unit\":\"ms\"},\"request_latency\":{\"value\":1000,\"unit\":\"ms\"},"                   \
    "\"output_sequence_length\":{\"value\":4,\"unit\":\"tokens\"},\"inter_chunk_latency\":{\"value\":[250,500],\"unit\":\"ms\"}"

static void test_records_behind_their_export(void **state)
{
    (void)state;
    static const char records[] = RECORD("warmup", "1000000001", METRICS, "null") RECORD("profiling", "1000000001", METRICS, "null")
        RECORD("profiling", "0500000001", "", "{\"code\":503,\"type\":\"X\"}") RECORD("profiling", "0500000001", "", "{\"type\":\"ReadTimeout\"}");
    struct error err = {0};
    char *folder = temp_folder_make();
    temp_file_write(folder, "a.json", EXPORT(STREAMS), strlen(EXPORT(STREAMS)));
    temp_file_write(folder, "a.jsonl", records, strlen(records));
    cleanup_free char *spec = mem_printf("aiperf:%s/a.json,%s/a.jsonl", folder, folder);
    struct run_summary *run = import_read(spec, &sla_default, &err);
    assert_non_null(run);
    const struct level_summary *level = &run->levels[0];
    assert_int_equal(run->level_count, 1);
    assert_true(level->requests.members == 3 && level->requests.ok == 1 && level->requests.error == 2);
    assert_int_equal(level->failure_count, 2);
    assert_string_equal(level->failures[0].name, "timeout");
    assert_string_equal(level->failures[1].name, "http_5xx");
    assert_true(level->latency[LATENCY_TTFT].max == 250 && isinf(level->latency[LATENCY_TTFT_CENSORED].max));
    assert_true(level->latency[LATENCY_TPOT_VLLM].max == 250 && level->latency[LATENCY_ARRIVAL_GAP].max == 500);
    assert_true(level->rate[RATE_TOTAL_TPS] == 900);
    run_summary_free(run);
    cleanup_free char *alone = mem_printf("aiperf:%s/a.jsonl", folder);
    assert_null(import_read(alone, &sla_default, &err));
    assert_non_null(strstr(err.text, "a.jsonl: the records of a level are one file, behind its profile_export_aiperf.json"));
    cleanup_free char *more = mem_printf("aiperf:%s/a.json,%s/a.jsonl,%s/one.jsonl", folder, folder, folder);
    temp_file_write(folder, "one.jsonl", records, (size_t)(strchr(records, '\n') - records)); /* without an end of its line */
    assert_null(import_read(more, &sla_default, &err));
    assert_non_null(strstr(err.text, "one.jsonl: the records of a level are one file"));
    temp_folder_remove(folder);
}

static void test_broken_exports(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{}", "a.json: no profile_export_aiperf.json"},
        {"[]", "no profile_export_aiperf.json"},
        {EXPORT("{}"), "a.json: level 1: a load of unknown size"},
        {"{\"request_latency\":", "a.json: line 1"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        assert_null(read_export(cases[k].text, &err));
        if (!strstr(err.text, cases[k].says))
            fail_msg("%s\nexpected: %s", err.text, cases[k].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_export_without_records),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_records_behind_their_export),
        cmocka_unit_test(test_broken_exports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
