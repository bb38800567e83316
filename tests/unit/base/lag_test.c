/* The histogram of lateness: exact for small values, at most 1.6 % too high for large ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/lag.h"

static void test_empty_has_no_percentiles(void **state)
{
    struct lag *lag = mem_alloc(sizeof *lag);
    (void)state;
    struct lag_summary summary = lag_summarize(lag);
    assert_int_equal(summary.p50, -1);
    assert_int_equal(summary.p99, -1);
    assert_int_equal(summary.max, -1);
    free(lag);
}

static void test_small_values_are_exact(void **state)
{
    struct lag *lag = mem_alloc(sizeof *lag);
    (void)state;
    for (int64_t ns = 1; ns <= 100; ns++)
        lag_add(lag, ns);
    struct lag_summary summary = lag_summarize(lag);
    assert_int_equal(summary.p50, 50);
    assert_int_equal(summary.p99, 99);
    assert_int_equal(summary.max, 100);
    free(lag);
}

static void test_large_values_are_near(void **state)
{
    (void)state;
    for (int64_t ns = 1000; ns < INT64_MAX / 4; ns = ns * 3 + 7) {
        struct lag *lag = mem_alloc(sizeof *lag);
        lag_add(lag, ns);
        lag_add(lag, ns);
        lag_add(lag, INT64_MAX / 2); /* so that max does not cut the percentile */
        struct lag_summary summary = lag_summarize(lag);
        assert_true(summary.p50 >= ns);
        assert_true(summary.p50 - ns <= ns / 60);
        assert_true(summary.max == INT64_MAX / 2);
        free(lag);
    }
}

static void test_extremes_have_a_bucket(void **state)
{
    struct lag *lag = mem_alloc(sizeof *lag);
    (void)state;
    lag_add(lag, -5);
    lag_add(lag, INT64_MAX);
    struct lag_summary summary = lag_summarize(lag);
    assert_int_equal(summary.p50, 0);
    assert_true(summary.max == INT64_MAX);
    free(lag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_has_no_percentiles),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_large_values_are_near),
        cmocka_unit_test(test_extremes_have_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
