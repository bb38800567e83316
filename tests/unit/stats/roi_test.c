#include "stats/roi.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/levels.h"

#define USD INT64_C(1000000)

struct fixture {
    struct arena *arena;
    struct level_summary a[TABLE_LEVELS_MAX], b[TABLE_LEVELS_MAX];
    struct points points_a, points_b;
    struct roi_deployment deployments[2];
    struct roi roi;
};

static void compare(struct fixture *f, size_t count_a, size_t count_b)
{
    points_find(&f->points_a, f->arena, f->a, count_a, "streams", &sla_default);
    points_find(&f->points_b, f->arena, f->b, count_b, "streams", &sla_default);
    f->deployments[0].points = &f->points_a;
    f->deployments[1].points = &f->points_b;
    f->deployments[0].levels = f->a;
    f->deployments[1].levels = f->b;
    f->deployments[0].level_count = count_a;
    f->deployments[1].level_count = count_b;
    roi_find(&f->roi, f->arena, f->deployments, 2, "streams");
}

static void begin(struct fixture *f)
{
    f->arena = arena_new();
    f->deployments[0] = (struct roi_deployment){.name = "INT4", .price_micro_usd = 85 * USD / 100, .gpus = 1};
    f->deployments[1] = (struct roi_deployment){.name = "BF16", .price_micro_usd = 340 * USD / 100, .gpus = 4};
}

static void begin_reference(struct fixture *f)
{
    begin(f);
    compare(f, levels_read_table("tests/data/reference-int4.csv", f->a), levels_read_table("tests/data/reference-bf16.csv", f->b));
}

/* Two levels each: the first holds, the second breaks. */
static void begin_simple(struct fixture *f, double held_a, double held_b)
{
    begin(f);
    level_make(&f->a[0], 4, 500, held_a);
    level_make(&f->a[1], 8, 3000, held_a * 1.5);
    level_make(&f->b[0], 10, 500, held_b);
    level_make(&f->b[1], 20, 3000, held_b * 1.5);
    for (int k = 0; k < 2; k++) {
        level_judge(&f->a[k]);
        level_judge(&f->b[k]);
    }
    compare(f, 2, 2);
}

static double round_to(double number, double step)
{
    return round(number / step) * step;
}

/* The last paragraph of docs/metrics.md's ROI, number by number. */
static void test_reference_yields(void **state)
{
    (void)state;
    static const struct {
        enum operating_point at;
        double int4, bf16, ratio;
    } expected[] = {
        {OPERATING_PEAK, 515, 204, 2.5},
        {OPERATING_BROKE, 331, 174, 1.9},
        {OPERATING_HELD, 244, 129, 1.9},
        {OPERATING_UNDER_1S, 159, 47, 3.4},
    };
    struct fixture f;
    begin_reference(&f);
    for (size_t k = 0; k < sizeof expected / sizeof expected[0]; k++) {
        const struct roi_cell *int4 = &f.roi.rows[0].at[expected[k].at], *bf16 = &f.roi.rows[1].at[expected[k].at];
        assert_true(round_to(int4->yield[YIELD_TOTAL_PER_USD], 1) == expected[k].int4);
        assert_true(round_to(bf16->yield[YIELD_TOTAL_PER_USD], 1) == expected[k].bf16);
        assert_true(fabs(round_to(bf16->ratio.value, 0.1) - expected[k].ratio) < 1e-9);
        assert_true(int4->ratio.value == 1);
        assert_int_equal(f.roi.best[expected[k].at], 0);
    }
    arena_free(f.arena);
}

static void test_reference_streams_for_the_price_of_one(void **state)
{
    (void)state;
    struct fixture f;
    begin_reference(&f);
    assert_int_equal(f.roi.pair_count, 1);
    const struct roi_pair *pair = &f.roi.pairs[0];
    assert_int_equal(pair->replicas, 4);
    assert_int_equal(pair->left_over_micro_usd, 0);
    assert_true(pair->cheap_load[OPERATING_BROKE] == 32 && pair->dear_load[OPERATING_BROKE] == 20);
    assert_true(pair->cheap_load[OPERATING_HELD] == 20 && pair->dear_load[OPERATING_HELD] == 15);
    assert_true(pair->cheap_load[OPERATING_UNDER_1S] == 12 && pair->dear_load[OPERATING_UNDER_1S] == 5);
    assert_true(pair->efficiency_delta == 2.5);
    assert_non_null(strstr(pair->statement, "4 x INT4 for the price of one BF16 serve 20 against 15 streams"));
    arena_free(f.arena);
}

/* By hand: 438 tok/s for 3.40 $ against 207 for 0.85: 3.40 x 207 / 438 is no price, but 0.85 x 438 / 207 = 1.79855 is. */
static void test_reference_equal_price(void **state)
{
    (void)state;
    struct fixture f;
    begin_reference(&f);
    assert_true(fabs(f.roi.pairs[0].equal_price_usd[OPERATING_HELD] - 0.85 * 438 / 207) < 1e-12);
    arena_free(f.arena);
}

/* A and B of 100 and 400 tok/s for 1 and 3.5 $: A's fourth replica (above 300) makes 4 > 3.5. */
static void test_break_even(void **state)
{
    (void)state;
    struct fixture f;
    begin_simple(&f, 100, 400);
    f.deployments[0].price_micro_usd = 1 * USD;
    f.deployments[1].price_micro_usd = 35 * USD / 10;
    compare(&f, 2, 2);
    const struct roi_break_even *even = &f.roi.pairs[0].break_even[OPERATING_HELD];
    assert_true(even->tokens_per_hour == 300 * 3600);
    assert_string_equal(even->text, "above 1,080,000 tokens/h");
    arena_free(f.arena);
}

/* Four of A carry as much as one B for the same money: A never costs more, up to 64 of A. */
static void test_no_break_even_says_how_far_it_was_looked_for(void **state)
{
    (void)state;
    struct fixture f;
    begin_simple(&f, 100, 400);
    const struct roi_break_even *even = &f.roi.pairs[0].break_even[OPERATING_HELD];
    assert_true(isnan(even->tokens_per_hour));
    assert_string_equal(even->text, "none up to 23,040,000 tokens/h"); /* 64 x 100 x 3600 */
    arena_free(f.arena);
}

static void test_money_by_hand(void **state)
{
    (void)state;
    struct fixture f;
    begin_simple(&f, 100, 400);
    f.b[0].rate[RATE_OUTPUT_TPS] = 200;
    compare(&f, 2, 2);
    const struct roi_cell *cell = &f.roi.rows[1].at[OPERATING_HELD];
    assert_true(fabs(cell->yield[YIELD_USD_PER_M_TOTAL] - 3.40 / (400 * 3600) * 1e6) < 1e-12);
    assert_true(fabs(cell->yield[YIELD_USD_PER_M_OUTPUT] - 3.40 / (200 * 3600) * 1e6) < 1e-12);
    assert_true(cell->yield[YIELD_TOTAL_PER_GPU] == 100);
    assert_true(cell->yield[YIELD_OUTPUT_PER_GPU] == 50);
    assert_true(isnan(f.roi.rows[0].at[OPERATING_HELD].yield[YIELD_OUTPUT_PER_USD])); /* not known is not 0 */
    arena_free(f.arena);
}

static void test_left_over_money(void **state)
{
    (void)state;
    struct fixture f;
    begin_simple(&f, 100, 400);
    f.deployments[0].price_micro_usd = 1 * USD;
    compare(&f, 2, 2);
    assert_int_equal(f.roi.pairs[0].replicas, 3);
    assert_int_equal(f.roi.pairs[0].left_over_micro_usd, 40 * USD / 100);
    arena_free(f.arena);
}

static void test_the_dear_one_may_come_first(void **state)
{
    (void)state;
    struct fixture f;
    begin_simple(&f, 400, 100);
    f.deployments[0].price_micro_usd = 4 * USD;
    f.deployments[1].price_micro_usd = 1 * USD;
    compare(&f, 2, 2);
    assert_int_equal(f.roi.pairs[0].cheap, 1);
    assert_int_equal(f.roi.pairs[0].dear, 0);
    arena_free(f.arena);
}

static void test_without_a_price_there_is_no_money(void **state)
{
    (void)state;
    struct fixture f;
    begin_simple(&f, 100, 400);
    f.deployments[0].price_micro_usd = -1;
    f.deployments[1].price_micro_usd = 0;
    f.deployments[1].gpus = 0;
    compare(&f, 2, 2);
    assert_int_equal(f.roi.pair_count, 0);
    assert_int_equal(f.roi.best[OPERATING_PEAK], -1);
    for (int k = 0; k < YIELD_COUNT; k++)
        assert_true(isnan(f.roi.rows[1].at[OPERATING_PEAK].yield[k]));
    assert_string_equal(roi_price_missing(-1), "no price is known");
    assert_string_equal(roi_price_missing(0), "price 0: no ratio");
    assert_null(roi_price_missing(1));
    arena_free(f.arena);
}

static void test_an_operating_point_that_does_not_exist_says_why(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    level_make(&f.a[0], 4, 500, 100);
    level_make(&f.b[0], 10, 3000, 100);
    level_judge(&f.a[0]);
    level_judge(&f.b[0]);
    compare(&f, 1, 1);
    assert_null(f.roi.rows[0].at[OPERATING_BROKE].level);
    assert_string_equal(f.roi.rows[0].at[OPERATING_BROKE].missing, "did not break up to 4 streams");
    assert_string_equal(f.roi.rows[1].at[OPERATING_HELD].missing, "broke at the lowest load tested, 10 streams");
    assert_non_null(strstr(f.roi.pairs[0].statement, "at peak throughput"));
    arena_free(f.arena);
}

/* A sweep that ended before anything broke tells a lower bound only: it must not be read as a capacity. */
static void test_what_was_not_tested_is_no_figure(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    level_make(&f.a[0], 5, 300, 100);
    level_make(&f.a[1], 10, 400, 200);
    level_make(&f.b[0], 1, 100, 50);
    level_judge(&f.a[0]);
    level_judge(&f.a[1]);
    level_judge(&f.b[0]);
    compare(&f, 2, 1);
    const struct roi_pair *pair = &f.roi.pairs[0];
    assert_true(pair->cheap_at_least[OPERATING_HELD] && pair->dear_at_least[OPERATING_HELD]);
    assert_non_null(strstr(pair->statement, "serve at least 40 against at least 1 streams"));
    assert_non_null(strstr(pair->statement, "no higher load was tested, so how they compare is not known"));
    arena_free(f.arena);
    begin_simple(&f, 100, 200);
    assert_false(f.roi.pairs[0].cheap_at_least[OPERATING_HELD]);
    assert_null(strstr(f.roi.pairs[0].statement, "at least"));
    arena_free(f.arena);
}

static void test_pareto(void **state)
{
    (void)state;
    struct fixture f;
    begin_simple(&f, 100, 400);
    f.deployments[0].price_micro_usd = f.deployments[1].price_micro_usd = 1 * USD;
    f.a[0].rate[RATE_USER_TPS] = 30; /* 100 tok/s a dollar: slower and dearer than b[0] */
    f.a[1].rate[RATE_USER_TPS] = 60; /* 150: the quickest */
    f.b[0].rate[RATE_USER_TPS] = 40; /* 400 */
    f.b[1].rate[RATE_USER_TPS] = 20; /* 600: the most */
    compare(&f, 2, 2);
    assert_int_equal(f.roi.pareto_count, 4);
    assert_true(f.roi.pareto[0].dominated_per_usd);
    assert_false(f.roi.pareto[1].dominated_per_usd);
    assert_false(f.roi.pareto[2].dominated_per_usd);
    assert_false(f.roi.pareto[3].dominated_per_usd);
    arena_free(f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_yields),
        cmocka_unit_test(test_reference_streams_for_the_price_of_one),
        cmocka_unit_test(test_reference_equal_price),
        cmocka_unit_test(test_break_even),
        cmocka_unit_test(test_no_break_even_says_how_far_it_was_looked_for),
        cmocka_unit_test(test_money_by_hand),
        cmocka_unit_test(test_left_over_money),
        cmocka_unit_test(test_the_dear_one_may_come_first),
        cmocka_unit_test(test_without_a_price_there_is_no_money),
        cmocka_unit_test(test_an_operating_point_that_does_not_exist_says_why),
        cmocka_unit_test(test_what_was_not_tested_is_no_figure),
        cmocka_unit_test(test_pareto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
