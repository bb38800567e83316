/* The latencies of one request by hand, and objectives at their very edge. */
#include "stats/request_latency.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Due at 1 s, sent at 2 s, first token at 2.5 s, last at 4.5 s, end at 4.6 s: 11 tokens, 1 in the first arrival. */
static struct record make(void)
{
    struct record record = record_empty();
    record.intended = NS_PER_S;
    record.sent = 2 * NS_PER_S;
    record.first_token = 2500 * NS_PER_MS;
    record.last_token = 4500 * NS_PER_MS;
    record.end = 4600 * NS_PER_MS;
    record.outcome = OUTCOME_OK;
    record.output_tokens = 11;
    record.first_tokens = 1;
    return record;
}

static void test_every_latency(void **state)
{
    (void)state;
    static const double expected[LATENCY_COUNT] = {
        [LATENCY_TTFT] = 500,  [LATENCY_TTFT_CENSORED] = NAN, [LATENCY_TTFT_WITHOUT_FIRST] = NAN,
        [LATENCY_TTFT_INTENDED] = 1500, [LATENCY_ITL] = NAN, [LATENCY_ARRIVAL_GAP] = NAN,
        [LATENCY_TPOT] = 200, [LATENCY_TPOT_VLLM] = 200, [LATENCY_TPOT_WITH_FIRST] = 2500.0 / 11,
        [LATENCY_E2E] = 2600, [LATENCY_E2E_INTENDED] = 3600, [LATENCY_SCHEDULE_SLIP] = 1000,
    };
    double ms[LATENCY_COUNT];
    struct record record = make();
    request_latencies(&record, ms);
    for (int k = 0; k < LATENCY_COUNT; k++)
        assert_true(isnan(expected[k]) ? isnan(ms[k]) : ms[k] == expected[k]);
}

static void test_a_failed_one_has_its_ttft_alone(void **state)
{
    (void)state;
    double ms[LATENCY_COUNT];
    struct record record = make();
    record.outcome = OUTCOME_ERROR;
    record.failure = FAILURE_TRUNCATED;
    request_latencies(&record, ms);
    for (int k = 0; k < LATENCY_COUNT; k++)
        assert_int_equal(!isnan(ms[k]), k == LATENCY_TTFT || k == LATENCY_TTFT_INTENDED);
}

static void test_what_came_at_once_has_no_time_a_token(void **state)
{
    (void)state;
    double ms[LATENCY_COUNT];
    struct record record = make();
    record.last_token = record.first_token;
    request_latencies(&record, ms);
    assert_true(isnan(ms[LATENCY_TPOT]));
    record.output_tokens = record.first_tokens = 11;
    record.last_token = record.end;
    request_latencies(&record, ms);
    assert_true(isnan(ms[LATENCY_TPOT]));
    record.output_tokens = -1; /* no usage came */
    request_latencies(&record, ms);
    assert_true(isnan(ms[LATENCY_TPOT_WITH_FIRST]));
    assert_true(ms[LATENCY_E2E] == 2600);
}

static bool meets(const struct record *record, enum slo_latency latency, double most_ms)
{
    double ms[LATENCY_COUNT];
    struct slo slo = {0};
    slo.most_ns[latency] = llround(most_ms * 1e6);
    request_latencies(record, ms);
    return request_meets(record, ms, &slo);
}

static void test_objectives(void **state)
{
    (void)state;
    struct record record = make();
    assert_true(meets(&record, SLO_TTFT, 500));
    assert_false(meets(&record, SLO_TTFT, 499.999999));
    assert_true(meets(&record, SLO_TPOT, 200));
    assert_false(meets(&record, SLO_TPOT, 199));
    assert_true(meets(&record, SLO_E2E_INTENDED, 3600));
    assert_false(meets(&record, SLO_E2E_INTENDED, 3599));
    record.last_token = record.first_token;
    assert_true(meets(&record, SLO_TPOT, 1)); /* it has none */
    record.outcome = OUTCOME_ERROR;
    assert_false(meets(&record, SLO_TTFT, 1000));
}

static void test_all_at_once(void **state)
{
    (void)state;
    double ms[LATENCY_COUNT];
    struct record record = make();
    struct slo slo = {{[SLO_TTFT] = NS_PER_S, [SLO_TPOT] = NS_PER_S}};
    request_latencies(&record, ms);
    assert_true(request_meets(&record, ms, &slo));
    slo.most_ns[SLO_TPOT] = 1;
    assert_false(request_meets(&record, ms, &slo));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_latency),
        cmocka_unit_test(test_a_failed_one_has_its_ttft_alone),
        cmocka_unit_test(test_what_came_at_once_has_no_time_a_token),
        cmocka_unit_test(test_objectives),
        cmocka_unit_test(test_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
