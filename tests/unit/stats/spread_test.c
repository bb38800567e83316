#include "stats/spread.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NEAR 1e-12

static void assert_near(double got, double wanted)
{
    if (fabs(got - wanted) > NEAR * fmax(1, fabs(wanted)))
        fail_msg("got %.17g, wanted %.17g", got, wanted);
}

static void test_nothing(void **state)
{
    (void)state;
    struct weighted_list list = {0};
    struct spread spread = spread_of(&list);
    assert_near(spread.count, 0);
    weighted_add(&list, 5, 0);
    spread = spread_of(&list);
    assert_near(spread.count, 0);
    assert_near(spread.max, 0);
    weighted_free(&list);
}

/* 1 to 1000, in no order, each once: a percentile is its rank. */
static void test_ranks(void **state)
{
    (void)state;
    static const double wanted[SPREAD_PERCENTILE_COUNT] = {1, 10, 50, 100, 250, 500, 750, 900, 950, 990, 999};
    struct weighted_list list = {0};
    for (int k = 0; k < 1000; k++)
        weighted_add(&list, (k * 7) % 1000 + 1, 1);
    struct spread spread = spread_of(&list);
    for (int k = 0; k < SPREAD_PERCENTILE_COUNT; k++)
        assert_near(spread.percentile[k], wanted[k]);
    assert_near(spread.count, 1000);
    assert_near(spread.mean, 500.5);
    assert_near(spread.variance, (1000.0 * 1000 - 1) / 12);
    assert_near(spread.mode, 1); /* all as often: the smallest */
    assert_near(spread.min, 1);
    assert_near(spread.max, 1000);
    weighted_free(&list);
}

static void test_weights(void **state)
{
    (void)state;
    struct weighted_list list = {0};
    weighted_add(&list, 10, 1);
    weighted_add(&list, 20, 2);
    weighted_add(&list, 10, 3);
    weighted_add(&list, 40, 0);
    weighted_add(&list, 30, 2);
    struct spread spread = spread_of(&list);
    assert_near(spread.count, 8);
    assert_near(spread.mean, (40 + 40 + 60) / 8.0);
    assert_near(spread.variance, (4 * 56.25 + 2 * 6.25 + 2 * 156.25) / 8);
    assert_near(spread.mode, 10);
    assert_near(spread.percentile[SPREAD_MEDIAN], 10);     /* exactly half of the weight */
    assert_near(spread.percentile[SPREAD_MEDIAN + 1], 20); /* p75: 6 of 8 */
    assert_near(spread.percentile[SPREAD_MEDIAN + 2], 30);
    assert_near(spread.max, 30);
    weighted_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
