/* Expected values were computed by numpy and scipy (history.py). */
#include "stats/noise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/history.h"
#include "support/number_groups.h"

#define EXPECTED "tests/unit/stats/history.tsv"

static void check_near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-9 * fabs(expected) + 1e-15))
        fail_msg("got %.15g, expected %.15g", got, expected);
}

/* value, low, high, p */
static void check_difference(const struct difference *difference, const struct number_group *expected)
{
    double low, high;
    difference_bounds(difference, &low, &high);
    assert_int_equal(expected->count, 4);
    check_near(difference->value, expected->numbers[0]);
    check_near(low, expected->numbers[1]);
    check_near(high, expected->numbers[2]);
    check_near(difference_p(difference), expected->numbers[3]);
}

static struct side side_with_bounds(const struct number_group *group)
{
    struct bounded value = {group->numbers[0], group->numbers[1], group->numbers[2]};
    return side_of(&value, 1);
}

static struct side side_of_numbers(const struct number_group *group)
{
    struct bounded values[GROUP_NUMBERS_MAX];
    for (size_t k = 0; k < group->count; k++)
        values[k] = (struct bounded){group->numbers[k], NAN, NAN};
    return side_of(values, group->count);
}

static void check_within(const struct number_groups *line)
{
    struct side a = side_with_bounds(&line->groups[0]), b = side_with_bounds(&line->groups[1]);
    struct difference difference = difference_within(&a, &b);
    check_difference(&difference, &line->groups[2]);
}

static void test_within_a_run(void **state)
{
    (void)state;
    number_groups_each(EXPECTED, "within", check_within);
}

/* Two values' mean is half as far from the truth as their sum. */
static void test_within_several(void **state)
{
    (void)state;
    const struct bounded values[] = {{2, 1.4, 2.8}, {4, 3.2, 4.6}};
    struct side side = side_of(values, 2);
    check_near(side.mean, 3);
    check_near(side.below, hypot(0.6, 0.8) / 2);
    check_near(side.above, hypot(0.8, 0.6) / 2);
    check_near(side.variance, 2);
    const struct bounded open = {2, 1, NAN};
    side = side_of(&open, 1);
    struct difference difference = difference_within(&side, &side);
    assert_true(isnan(difference.error_below) && isnan(difference.error_above));
}

static void check_repeats(const struct number_groups *line)
{
    struct side a = side_of_numbers(&line->groups[0]), b = side_of_numbers(&line->groups[1]);
    struct difference difference = difference_of_repeats(&a, &b);
    check_difference(&difference, &line->groups[2]);
}

static void test_repeats(void **state)
{
    (void)state;
    number_groups_each(EXPECTED, "repeats", check_repeats);
    const struct bounded two[] = {{1, NAN, NAN}, {2, NAN, NAN}}, three[] = {{1, NAN, NAN}, {2, NAN, NAN}, {3, NAN, NAN}};
    struct side fewer = side_of(two, 2), enough = side_of(three, 3);
    struct difference difference = difference_of_repeats(&fewer, &enough);
    assert_true(isnan(difference_p(&difference)));
    difference = difference_of_repeats(&enough, &enough);
    check_near(difference_p(&difference), 1);
}

static void check_history(const struct number_groups *line)
{
    struct side a = side_of_numbers(&line->groups[0]), b = side_of_numbers(&line->groups[1]);
    const struct number_group *earlier = &line->groups[2];
    struct difference difference = difference_by_history(&a, &b, earlier->numbers, earlier->count);
    check_difference(&difference, &line->groups[3]);
    difference = difference_by_history(&a, &b, earlier->numbers, NOISE_RUNS_MIN - 1);
    assert_true(isnan(difference_p(&difference)));
}

static void test_history(void **state)
{
    (void)state;
    number_groups_each(EXPECTED, "history", check_history);
}

static void check_discovery(const struct number_groups *line)
{
    check_near(discovery_limit(line->groups[0].numbers, line->groups[0].count, 0.05), line->groups[1].numbers[0]);
}

static void test_discovery(void **state)
{
    (void)state;
    number_groups_each(EXPECTED, "discovery", check_discovery);
    const double known[] = {0.02, 0.04, 0.5}, with_unknown[] = {NAN, 0.02, NAN, 0.04, 0.5};
    check_near(discovery_limit(with_unknown, 5, 0.05), discovery_limit(known, 3, 0.05));
    check_near(discovery_limit(NULL, 0, 0.05), -1);
}

static void check_wilson(const struct number_groups *line)
{
    const struct number_group *of = &line->groups[0], *expected = &line->groups[1];
    struct history_value value = history_proportion((uint64_t)of->numbers[0], (uint64_t)of->numbers[1]);
    check_near(value.value, expected->numbers[0]);
    check_near(value.low, expected->numbers[1]);
    check_near(value.high, expected->numbers[2]);
}

static void check_newcombe(const struct number_groups *line)
{
    struct side sides[2];
    for (int k = 0; k < 2; k++) {
        const struct number_group *of = &line->groups[k];
        struct history_value value = history_proportion((uint64_t)of->numbers[0], (uint64_t)of->numbers[1]);
        struct bounded bounded = {value.value, value.low, value.high};
        sides[k] = side_of(&bounded, 1);
    }
    struct difference difference = difference_within(&sides[0], &sides[1]);
    check_difference(&difference, &line->groups[2]);
}

static void test_proportions(void **state)
{
    (void)state;
    number_groups_each(EXPECTED, "wilson", check_wilson);
    number_groups_each(EXPECTED, "newcombe", check_newcombe);
    assert_true(isnan(history_proportion(0, 0).value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_within_a_run), cmocka_unit_test(test_within_several), cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_history),      cmocka_unit_test(test_discovery),      cmocka_unit_test(test_proportions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
