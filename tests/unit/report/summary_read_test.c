/* summary.json read back: golden files, and files that are none. That it gives what history_run_of gave: golden_test.c. */
#include "report/summary_read.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/mutate.h"
#include "support/properties_history.h"

#define MUTATIONS 2000


#define LEVEL                                                                                                                          \
    "{\"load\":5,\"unit\":\"streams\",\"requests\":{\"ok\":90,\"error\":10},\"error_rate\":0.1,"                                       \
    "\"ttft_censored_ms\":{\"count\":100,\"p50\":400,\"p95\":null,\"interval_95\":{\"p50\":{\"low\":380,\"high\":420},"                \
    "\"p95\":{\"low\":900,\"high\":null}}},\"tpot_ms\":{\"count\":20,\"p95\":50,\"interval_95\":{\"p95\":{\"low\":40,\"high\":null}}}," \
    "\"e2e_ms\":null,\"total_tps\":300,\"classes\":{\"level\":\"breaking\"},\"validity\":{\"verdict\":\"suspect\"}}"
#define POINTS                                                                                                                      \
    "{\"unit\":\"streams\",\"advice\":\"Run 5.\",\"advised_load\":5,\"saturation\":{\"held\":null,\"broke\":null,\"decided\":null," \
    "\"text\":\"unknown\"},\"breaking\":{\"held\":5,\"broke\":8,\"decided\":true,\"text\":\"(5, 8] streams\"},"                     \
    "\"max_throughput\":{\"total_tps\":310}}"
#define DOCUMENT(levels, points)                                                                                                              \
    "{\"schema\":\"roibench/summary/v1\",\"run\":{\"run_id\":\"r\",\"started\":\"2026-11-24T04:07:00.123Z\",\"gpus\":4},\"levels\":" levels \
    ",\"points\":" points "}"

static struct history_run *parse(const char *text, struct error *err)
{
    struct plan *plan = plan_new();
    plan->run_id = "r";
    struct history_run *run = summary_parse(text, strlen(text), "summary.json", plan, err);
    plan_free(plan);
    return run;
}

static void test_numbers(void **state)
{
    (void)state;
    struct error err = {0};
    struct history_run *run = parse(DOCUMENT("[" LEVEL "]", POINTS), &err);
    if (!run) {
        fail_msg("%s", err.text);
        return;
    }
    const struct history_level *level = &run->levels[0];
    assert_int_equal(run->started, INT64_C(1795493220123000000));
    assert_int_equal(run->gpus, 4);
    assert_int_equal(run->level_count, 1);
    assert_true(level->load == 5 && strcmp(level->unit, "streams") == 0);
    assert_int_equal(level->class, SLA_BREAKING);
    assert_int_equal(level->validity, VALIDITY_SUSPECT);
    assert_true(level->ended == 100 && level->failed == 10);
    assert_true(level->value[HISTORY_TTFT_P50].value == 400 && level->value[HISTORY_TTFT_P50].low == 380 && level->value[HISTORY_TTFT_P50].high == 420);
    assert_true(isinf(level->value[HISTORY_TTFT_P95].value) && level->value[HISTORY_TTFT_P95].low == 900 && isinf(level->value[HISTORY_TTFT_P95].high));
    assert_true(level->value[HISTORY_USER_TPS].value == 20 && isnan(level->value[HISTORY_USER_TPS].low)); /* 20 requests: there is no bound */
    assert_true(level->value[HISTORY_USER_TPS].high == 25);
    assert_true(isnan(level->value[HISTORY_E2E_P50].value));
    assert_true(level->value[HISTORY_TOTAL_TPS].value == 300);
    assert_string_equal(run->breaking.text, "(5, 8] streams");
    assert_true(run->breaking.held == 5 && run->breaking.broke == 8 && run->breaking.decided == 1 && run->saturation.decided == -1);
    assert_true(run->advised_load == 5 && run->max_tps == 310);
    assert_string_equal(run->advice, "Run 5.");
    history_run_free(run);
}

static void test_no_level(void **state)
{
    (void)state;
    struct error err = {0};
    struct history_run *run = parse(DOCUMENT("[]", "null"), &err);
    assert_non_null(run);
    assert_null(run->unit);
    assert_string_equal(history_run_verdict(run), "none");
    history_run_free(run);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "summary.json: line 1"},
        {"[]", "expected a JSON object"},
        {"{\"schema\":\"roibench/summary/v2\"}", "newer"},
        {"{\"schema\":\"roibench/plan/v1\"}", "roibench/summary/v1"},
        {"{\"schema\":\"roibench/summary/v1\"}", "run: expected an object, but it is missing"},
        {"{\"schema\":\"roibench/summary/v1\",\"run\":{\"started\":\"yesterday\"}}", "run.started: expected a date"},
        {"{\"schema\":\"roibench/summary/v1\",\"run\":{}}", "levels: expected an array, but it is missing"},
        {DOCUMENT("[5]", "null"), "levels[0].: expected an object"},
        {DOCUMENT("[{}]", "null"), "levels[0].load: expected a number, but it is missing"},
        {DOCUMENT("[" LEVEL ",{\"load\":5,\"unit\":\"streams\",\"validity\":{\"verdict\":\"fine\"}}]", "null"),
         "levels[1].validity.verdict: expected valid, suspect or invalid, got \"fine\""},
        {DOCUMENT("[{\"load\":5,\"unit\":\"s\",\"validity\":{\"verdict\":\"valid\"},\"classes\":{\"level\":\"good\"}}]", "null"),
         "levels[0].classes.level: expected the name of a class"},
        {DOCUMENT("[{\"load\":5,\"unit\":\"s\",\"validity\":{\"verdict\":\"valid\"},\"classes\":{},\"requests\":{\"ok\":-1}}]", "null"),
         "levels[0].requests.ok: expected a count, got -1"},
        {DOCUMENT("[{\"load\":5,\"unit\":\"s\",\"validity\":{\"verdict\":\"valid\"},\"classes\":{},\"requests\":{\"ok\":1,\"error\":0},\"error_rate\":7}]",
                  "null"), "levels[0].error_rate: expected a share, got 7"},
        {DOCUMENT("[]", "{}"), "points.unit: expected a string, but it is missing"},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct error err = {0};
        assert_null(parse(rows[k].text, &err));
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, rows[k].says))
            fail_msg("\"%s\" is not in: %s", rows[k].says, err.text);
    }
}

/* A fuzzer in small: what was changed at random is read or refused. */
static void test_hostile_files(void **state)
{
    (void)state;
    static const char document[] = DOCUMENT("[" LEVEL "," LEVEL "]", POINTS);
    struct random random;
    random_seed(&random, 11);
    cleanup_buf struct buf broken = BUF_INIT(1 << 20);
    property_summary((const uint8_t *)document, strlen(document));
    for (int k = 0; k < MUTATIONS; k++) {
        mutate(&random, document, strlen(document), &broken);
        property_summary((const uint8_t *)buf_text(&broken), broken.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_no_level),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_hostile_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
