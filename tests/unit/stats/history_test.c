#include "stats/history.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/histories.h"
#include "support/levels.h"

static void test_words(void **state)
{
    (void)state;
    char text[HISTORY_VALUE_SIZE];
    assert_string_equal(history_metric_format(HISTORY_TTFT_P95, 1234.4, text), "1,234 ms");
    assert_string_equal(history_metric_format(HISTORY_USER_TPS, 19.34, text), "19.3 tok/s");
    assert_string_equal(history_metric_format(HISTORY_ERROR_RATE, 0.0125, text), "1.25 %");
    assert_string_equal(history_metric_format(HISTORY_TTFT_P95, INFINITY, text), "never");
    assert_string_equal(history_metric_format(HISTORY_TOTAL_TPS, NAN, text), "-");
}

static void test_speed_turns_bounds_around(void **state)
{
    (void)state;
    struct history_value speed = history_speed((struct history_value){50, 40, 80});
    assert_true(speed.value == 20 && speed.low == 12.5 && speed.high == 25);
    assert_true(isnan(history_speed((struct history_value){0, 0, 0}).value));
    assert_true(isnan(history_speed((struct history_value){50, 40, NAN}).low));
}

static void test_verdict(void **state)
{
    (void)state;
    struct history_run *run = history_make("a", 1);
    assert_string_equal(history_run_verdict(run), "none");
    history_add(run, 1, 100, 0.1, 10);
    history_add(run, 2, 100, 0.1, 10);
    history_add(run, 2, 100, 0.1, 10)->class = SLA_DEGRADED;
    run->advised_load = 1;
    assert_string_equal(history_run_verdict(run), "acceptable");
    run->advised_load = 2; /* the worse of the two stands for it */
    assert_string_equal(history_run_verdict(run), "degraded");
    run->levels[0].validity = VALIDITY_SUSPECT;
    assert_string_equal(history_run_verdict(run), "degraded");
    run->levels[0].validity = VALIDITY_INVALID;
    assert_string_equal(history_run_verdict(run), "invalid");
    assert_int_equal(history_run_class(run, 7), SLA_UNKNOWN);
    history_run_free(run);
}

static void test_value_is_of_all_repeats_that_are_valid(void **state)
{
    (void)state;
    struct history_run *run = history_make("a", 1);
    history_add(run, 4, 100, 0.1, 10);
    history_add(run, 4, 400, 0.1, 40);
    history_add(run, 4, 9000, 0.1, 40)->validity = VALIDITY_INVALID;
    history_add(run, 8, 1000, 0.1, 50);
    run->levels[1].failed = 500;
    assert_true(fabs(history_run_value(run, "streams", 4, HISTORY_TTFT_P95) - 200) < 1e-9);
    assert_true(fabs(history_run_value(run, "streams", 4, HISTORY_ERROR_RATE) - 0.25) < 1e-12);
    assert_true(isnan(history_run_value(run, "req/s", 4, HISTORY_TTFT_P95)));
    assert_true(isnan(history_run_value(run, "streams", 5, HISTORY_TTFT_P95)));
    history_run_free(run);
}

static struct history_run *run_of(const char *model, const char *hardware, int64_t prompt_tokens, const char *version)
{
    struct plan *plan = plan_new();
    plan->run_id = "a";
    plan->model = model;
    plan->deployment.hardware = hardware;
    plan->server.kind = "vllm";
    plan->server.version = version;
    plan->workload.prompt.mean = plan->workload.prompt.min = plan->workload.prompt.max = prompt_tokens;
    struct history_run *run = history_run_new(plan);
    plan_free(plan);
    return run;
}

static void test_series(void **state)
{
    (void)state;
    struct history_run *runs[] = {run_of("m", "L4", 256, "1"), run_of("m", "L4", 256, "2"), run_of("m", "L4", 512, "1"), run_of("n", "L4", 256, "1"),
                                  run_of("m", "H100", 256, "1")};
    assert_string_equal(runs[0]->series, runs[1]->series);
    for (size_t k = 2; k < sizeof runs / sizeof runs[0]; k++)
        assert_string_not_equal(runs[0]->series, runs[k]->series);
    for (size_t k = 0; k < sizeof runs / sizeof runs[0]; k++)
        history_run_free(runs[k]);
}

static void test_order(void **state)
{
    (void)state;
    struct history_run *runs[] = {history_make("b", 2), history_make("c", 1), history_make("a", 2)};
    qsort(runs, 3, sizeof runs[0], history_run_compare);
    assert_string_equal(runs[0]->run_id, "c");
    assert_string_equal(runs[1]->run_id, "a");
    assert_string_equal(runs[2]->run_id, "b");
    for (int k = 0; k < 3; k++)
        history_run_free(runs[k]);
}

static const struct run_facts empty = {
    .run_id = "a", .model = "", .target = "", .server = "", .profile = "", .stream_start = "", .arrivals = "", .think_time = "", .scenario = "",
    .endpoint = "", .tokens = "", .limits = "", .warmup = "", .cooldown = "", .drain = "", .hardware = "", .price_source = "",
    .anchor_realtime_ns = 77,
};

/* Of a summary made by hand: which of its numbers are taken. */
static void test_of_a_summary(void **state)
{
    (void)state;
    struct level_summary level;
    struct run_summary summary = {.arena = arena_new(), .levels = &level, .level_count = 1, .facts = empty};
    level_make(&level, 5, 900, 300);
    level.latency[LATENCY_TTFT_CENSORED].interval[INTERVAL_P95] = (struct interval){800, 1000};
    level.latency[LATENCY_TTFT].percentile[P95] = 1; /* not censored: not taken */
    level.latency[LATENCY_TPOT].percentile[P95] = 50;
    level.requests.ok = 90;
    level.requests.error = 10;
    level.failures[0] = (struct failure_count){"stall", "server", 4};
    level.failures[1] = (struct failure_count){"dns", "client", 6};
    level.failure_count = 2;
    level_judge(&level);
    run_summary_find_points(&summary, &sla_default);
    struct history_run *run = history_run_of(&summary);
    assert_int_equal(run->started, 77);
    assert_int_equal(run->level_count, 1);
    const struct history_level *got = &run->levels[0];
    assert_true(got->load == 5 && strcmp(got->unit, "streams") == 0);
    assert_true(got->value[HISTORY_TTFT_P95].value == 900 && got->value[HISTORY_TTFT_P95].low == 800 && got->value[HISTORY_TTFT_P95].high == 1000);
    assert_true(got->value[HISTORY_USER_TPS].value == 20 && got->value[HISTORY_TOTAL_TPS].value == 300);
    assert_int_equal(got->failed, 4);
    assert_true(got->value[HISTORY_ERROR_RATE].value == 0.04);
    assert_int_equal(got->class, level.verdict.level);
    assert_string_equal(run->breaking.text, summary.points[0].breaking.text);
    history_run_free(run);
    arena_free(summary.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),  cmocka_unit_test(test_speed_turns_bounds_around),
        cmocka_unit_test(test_verdict), cmocka_unit_test(test_value_is_of_all_repeats_that_are_valid),
        cmocka_unit_test(test_series), cmocka_unit_test(test_order),
        cmocka_unit_test(test_of_a_summary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
