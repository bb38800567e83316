#include "stats/timeline.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S INT64_C(1000000000)
#define NEAR 1e-9

static void assert_near(double got, double wanted)
{
    if (fabs(got - wanted) > NEAR * fmax(1, fabs(wanted)))
        fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* Events at 1, 2 and 6 s of 10: each owns the time to the middle between it and its neighbours; the ends of the span own what is left. */
static void test_rate(void **state)
{
    (void)state;
    struct timeline timeline;
    timeline_init(&timeline, 0, 10 * S);
    timeline_add(&timeline, 6 * S, 10);
    timeline_add(&timeline, 1 * S, 4);
    timeline_add(&timeline, 2 * S, 5);
    timeline_add(&timeline, -1, 100);
    timeline_add(&timeline, 10 * S + 1, 100);
    timeline_add(&timeline, 3 * S, 0);
    timeline_add(&timeline, 3 * S, -1); /* not known */
    struct spread spread = timeline_rate(&timeline);
    assert_near(spread.mean, 1.9);
    assert_near(spread.count, 19);
    assert_near(spread.min, 0);
    assert_near(spread.max, 4);                                /* 4 in 1 s; 5 in 2.5 s; 10 in 4 s; nothing in 0.5 + 2 s */
    assert_near(spread.mode, 2.5);                             /* for 4 s */
    assert_near(spread.percentile[SPREAD_MEDIAN], 2);          /* 2.5 s of 0, then 2.5 s of 2: half of the time */
    assert_near(spread.percentile[SPREAD_MEDIAN + 1], 2.5);
    timeline_free(&timeline);
}

static void test_events_at_the_ends_and_in_one_cell(void **state)
{
    (void)state;
    struct timeline timeline, other;
    timeline_init(&timeline, S, 3 * S);
    timeline_add(&timeline, S, 1);
    timeline_add(&timeline, 3 * S, 1);
    struct spread spread = timeline_rate(&timeline);
    assert_near(spread.mean, 1);
    assert_near(spread.min, 1);
    timeline_init(&other, S, 3 * S);
    timeline_add(&other, 2 * S + 50000, 1); /* of one cell of 0.1 ms: the first is its time, whatever came first here */
    timeline_add(&other, 2 * S, 1);
    timeline_add_all(&timeline, &other);
    spread = timeline_rate(&timeline);
    assert_near(spread.mean, 2);
    assert_near(spread.max, 2);
    assert_near(spread.min, 2);
    assert_near(spread.count, 4);
    timeline_free(&timeline);
    timeline_free(&other);
}

static void test_no_span_and_no_events(void **state)
{
    (void)state;
    struct timeline timeline;
    timeline_init(&timeline, 5, 5);
    timeline_add(&timeline, 5, 1);
    assert_near(timeline_rate(&timeline).count, 0);
    timeline_free(&timeline);
    timeline_init(&timeline, 0, S);
    struct spread spread = timeline_rate(&timeline);
    assert_near(spread.count, 0);
    assert_near(spread.mean, 0);
    timeline_free(&timeline);
}

/* A year, in cells of its own size: the mean is as exact as ever. */
static void test_a_long_span(void **state)
{
    (void)state;
    struct timeline timeline;
    timeline_init(&timeline, 0, 365 * 86400 * S);
    for (int64_t t = 0; t < 365; t++)
        timeline_add(&timeline, t * 86400 * S + 43200 * S, 86400);
    struct spread spread = timeline_rate(&timeline);
    assert_near(spread.mean, 1);
    assert_near(spread.percentile[SPREAD_MEDIAN], 1);
    timeline_free(&timeline);
}

static void test_overlap(void **state)
{
    (void)state;
    struct interval_ends ends = {0};
    interval_ends_add(&ends, 0, 4 * S);
    interval_ends_add(&ends, 2 * S, 6 * S);
    interval_ends_add(&ends, 2 * S, 3 * S);
    interval_ends_add(&ends, 9 * S, 30 * S);
    interval_ends_add(&ends, 20 * S, 21 * S);
    struct spread spread = interval_ends_overlap(&ends, S, 11 * S);
    /* from 1 s: 1 for 1 s, 3 for 1, 2 for 1, 1 for 2, 0 for 3, 1 for 2 */
    assert_near(spread.mean, (1 + 3 + 2 + 2 + 0 + 2) / 10.0);
    assert_near(spread.count, 4);
    assert_near(spread.min, 0);
    assert_near(spread.max, 3);
    assert_near(spread.mode, 1);
    assert_near(spread.percentile[SPREAD_MEDIAN], 1);
    interval_ends_free(&ends);
    assert_near(interval_ends_overlap(&ends, 0, S).mean, 0);
    interval_ends_free(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_events_at_the_ends_and_in_one_cell),
        cmocka_unit_test(test_no_span_and_no_events),
        cmocka_unit_test(test_a_long_span),
        cmocka_unit_test(test_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
