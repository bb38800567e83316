/* Loads that were measured several times; the expected intervals are scipy's: stats.t.interval(0.95, n - 1, mean, sem). */
#include "stats/repeats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/levels.h"

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void make(struct level_summary *level, int index, int repeat, double load, double total_tps)
{
    level_make(level, load, 100 * load + repeat, total_tps);
    level->index = index;
    level->repeat = repeat;
    level->ended = true;
    snprintf(level->kind, sizeof level->kind, "concurrent");
}

static void test_the_repeats_of_each_load(void **state)
{
    struct level_summary levels[7];
    double values[3];
    size_t count;
    for (int repeat = 0; repeat < 3; repeat++) {
        make(&levels[2 * repeat], 1, repeat, 8, 280 + 10.0 * repeat);
        make(&levels[2 * repeat + 1], 0, repeat, 2, 100 + repeat * repeat);
    }
    make(&levels[6], 2, 0, 16, 400);
    const struct repeated_load *loads = repeats_find(*state, levels, 7, &count);
    assert_int_equal(count, 2); /* 16 streams were measured once */
    assert_true(loads[0].load == 2 && loads[1].load == 8);
    assert_int_equal(loads[1].count, 3);
    assert_int_equal(loads[1].left_out, 0);
    const struct uncertain *tps = &loads[0].figure[FIGURE_TOTAL_TPS];
    assert_int_equal(tps->count, 3);
    assert_true(fabs(tps->value - 101.66666666666667) < 1e-9);
    assert_true(fabs(tps->interval.low - 96.4955216541) < 1e-8);
    assert_true(fabs(tps->interval.high - 106.8378116792) < 1e-8);
    assert_int_equal(repeats_values(&loads[1], FIGURE_TOTAL_TPS, values), 3);
    assert_true(values[0] == 280 && values[2] == 300);
    assert_int_equal(loads[1].figure[FIGURE_E2E_P50].count, 0);
    assert_true(isnan(loads[1].figure[FIGURE_E2E_P50].value));
}

static void test_two_have_no_interval(void **state)
{
    struct level_summary levels[2];
    size_t count;
    make(&levels[0], 0, 0, 4, 100);
    make(&levels[1], 1, 0, 4, 200); /* a load that was given twice */
    const struct repeated_load *loads = repeats_find(*state, levels, 2, &count);
    assert_int_equal(count, 1);
    assert_true(loads[0].figure[FIGURE_TOTAL_TPS].value == 150);
    assert_false(interval_is_known(&loads[0].figure[FIGURE_TOTAL_TPS].interval));
}

static void test_what_is_no_measurement_is_left_out(void **state)
{
    struct level_summary levels[5];
    size_t count;
    for (int repeat = 0; repeat < 5; repeat++)
        make(&levels[repeat], 0, repeat, 4, 100 + repeat);
    level_add_reason(&levels[1], VALIDITY_INVALID, "client busy", "busy");
    levels[2].ended = false;
    levels[3].stopped = true;
    level_add_reason(&levels[4], VALIDITY_SUSPECT, "few requests", "few");
    const struct repeated_load *loads = repeats_find(*state, levels, 5, &count);
    assert_int_equal(count, 1);
    assert_int_equal(loads[0].count, 2);
    assert_int_equal(loads[0].left_out, 3);
    assert_true(loads[0].figure[FIGURE_TOTAL_TPS].value == 102);
}

static void test_units_and_kinds_are_apart(void **state)
{
    struct level_summary levels[6];
    size_t count;
    for (int k = 0; k < 6; k++) {
        make(&levels[k], k, 0, 4, 100);
        snprintf(levels[k].unit, sizeof levels[k].unit, k < 4 ? "req/s" : "streams");
        snprintf(levels[k].kind, sizeof levels[k].kind, k < 2 ? "poisson" : k < 4 ? "constant" : "concurrent");
    }
    const struct repeated_load *loads = repeats_find(*state, levels, 6, &count);
    assert_int_equal(count, 3);
    assert_string_equal(loads[0].unit, "streams");
    assert_string_equal(loads[1].kind, "constant");
    assert_string_equal(loads[2].kind, "poisson");
}

/* One of the repeats never got most of its first tokens: no mean, and no interval. */
static void test_infinity_has_no_interval(void **state)
{
    struct level_summary levels[3];
    size_t count;
    for (int repeat = 0; repeat < 3; repeat++)
        make(&levels[repeat], 0, repeat, 4, 100);
    levels[2].grew = true;
    const struct repeated_load *loads = repeats_find(*state, levels, 3, &count);
    assert_true(isinf(loads[0].figure[FIGURE_TTFT_P95].value));
    assert_false(interval_is_known(&loads[0].figure[FIGURE_TTFT_P95].interval));
    assert_true(interval_is_known(&loads[0].figure[FIGURE_TOTAL_TPS].interval));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_repeats_of_each_load),
        cmocka_unit_test(test_two_have_no_interval),
        cmocka_unit_test(test_what_is_no_measurement_is_left_out),
        cmocka_unit_test(test_units_and_kinds_are_apart),
        cmocka_unit_test(test_infinity_has_no_interval),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
