/* Streams that think before their next request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/engine_bench.h"

/* A stream is busy for 1.9 s and thinks for 2 s (of the model's; the clock's are a tenth of them). */
static void test_a_think_time_comes_before_the_next_request(void **state)
{
    struct bench *bench = bench_new("concurrent", 3);
    (void)state;
    bench->plan.think_time = (struct variate){.kind = VARIATE_CONSTANT, .mean = 20, .max = 20};
    bench->plan.server.time_scale = 10;
    bench->plan.limits.max_seconds_ns = 10 * 60 * NS_PER_S;
    assert_int_equal(bench_run(bench), 0);
    /* Sent at 0, 3.9, 7.8 … 58.5 s. */
    assert_int_equal(bench->count, 3 * 16);
    for (size_t k = 0; k < bench->count; k++) {
        assert_int_equal(bench->records[k].intended, bench->records[k].i / 3 * 3900 * NS_PER_MS);
        assert_int_equal(bench->records[k].sent, bench->records[k].intended);
    }
    bench_free(bench);
}

static void test_streams_are_spread_over_request_and_think_time(void **state)
{
    struct bench *bench = bench_new("concurrent", 4);
    (void)state;
    bench->plan.stream_start = STREAM_START_SPREAD;
    bench->plan.calibration.e2e_ns = 2 * NS_PER_S;
    bench->plan.think_time = (struct variate){.kind = VARIATE_EXPONENTIAL, .mean = 6, .max = 1000};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->measure_starts[0], 6 * NS_PER_S);
    for (size_t k = 0; k < bench->count; k++) {
        const struct record *record = &bench->records[k];
        if (record->i < 4)
            assert_int_equal(record->sent, record->i * 2 * NS_PER_S);
        for (size_t before = 0; before < k; before++)
            if (bench->records[before].i == record->i - 4)
                assert_int_equal(record->intended, bench->records[before].end + plan_think_ns(&bench->plan, 0, 0, record->i));
    }
    bench_free(bench);
}

/* After a failure the longer of the two is waited. */
static void test_a_think_time_counts_against_the_wait_after_a_failure(void **state)
{
    struct bench *bench = bench_new("concurrent", 1);
    (void)state;
    bench->plan.think_time = (struct variate){.kind = VARIATE_CONSTANT, .mean = 0.5, .max = 1};
    bench->down_from = 1;
    bench->plan.limits.max_seconds_ns = 10 * NS_PER_S;
    bench_run(bench);
    int64_t due = 2400 * NS_PER_MS; /* after the first one, which came through, and its think time */
    for (size_t k = 1; k < bench->count; k++) {
        int64_t back_off = k < 4 ? (100 << (k - 1)) * NS_PER_MS : k == 4 ? 800 * NS_PER_MS : NS_PER_S;
        assert_int_equal(bench->records[k].intended, due);
        due = bench->records[k].end + (back_off > 500 * NS_PER_MS ? back_off : 500 * NS_PER_MS);
    }
    assert_true(bench->count > 6);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_think_time_comes_before_the_next_request),
        cmocka_unit_test(test_streams_are_spread_over_request_and_think_time),
        cmocka_unit_test(test_a_think_time_counts_against_the_wait_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
