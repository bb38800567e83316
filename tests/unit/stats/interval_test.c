/* Every expected number here was computed by scipy (interval.py), none by this program. */
#include "stats/interval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EXPECTED "tests/unit/stats/interval.tsv"
#define ERROR 1e-10 /* relative */
#define COLUMNS 8
#define VALUES_MAX 100

/* The same values as interval.py's. */
static void make_values(uint64_t seed, size_t count, double around, double spread, double *values)
{
    for (size_t k = 0; k < count; k++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        values[k] = around + spread * ((double)(seed >> 33) / 2147483648.0 - 0.5);
    }
}

static void check_near(double got, double expected)
{
    if (!(fabs(got - expected) <= ERROR * fabs(expected) + 1e-12))
        fail_msg("%.17g instead of %.17g", got, expected);
}

static void check_uncertain(struct uncertain got, size_t count, const double *expected)
{
    assert_int_equal(got.count, count);
    check_near(got.value, expected[0]);
    check_near(got.interval.low, expected[1]);
    check_near(got.interval.high, expected[2]);
}

/* Calls check for every line of this kind; returns how many there were. */
static size_t for_each(const char *kind, void (*check)(const double *columns))
{
    char line[512];
    size_t count = 0;
    FILE *file = fopen(EXPECTED, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *rest = line;
        double columns[COLUMNS] = {0};
        if (strcmp(strsep(&rest, "\t"), kind) != 0)
            continue;
        for (size_t k = 0; rest && k < COLUMNS; k++)
            columns[k] = strtod(strsep(&rest, "\t\n"), NULL);
        check(columns);
        count++;
    }
    fclose(file);
    return count;
}

static void check_quantile(const double *columns)
{
    check_near(student_quantile(columns[0], columns[1]), columns[2]);
}

static void test_students_quantiles(void **state)
{
    (void)state;
    assert_int_equal(for_each("student", check_quantile), 66);
    assert_true(isnan(student_quantile(0, 3)));
    assert_true(isnan(student_quantile(1, 3)));
    assert_true(isnan(student_quantile(0.9, 0)));
}

static void check_mean(const double *columns)
{
    double values[VALUES_MAX];
    size_t count = (size_t)columns[1];
    make_values((uint64_t)columns[0], count, 100, 20, values);
    check_uncertain(uncertain_mean(values, count), count, columns + 2);
}

static void test_means(void **state)
{
    (void)state;
    assert_int_equal(for_each("mean", check_mean), 6);
}

static void check_ratio(const double *columns)
{
    double a[VALUES_MAX], b[VALUES_MAX];
    size_t a_count = (size_t)columns[1], b_count = (size_t)columns[2];
    make_values((uint64_t)columns[0], a_count, 100, 20, a);
    make_values((uint64_t)columns[0] + 1000, b_count, 70, 5, b);
    check_uncertain(uncertain_ratio(a, a_count, b, b_count), a_count < b_count ? a_count : b_count, columns + 3);
    /* The other way round everything is upside down. */
    struct uncertain inverse = uncertain_ratio(b, b_count, a, a_count);
    check_near(inverse.interval.low, 1 / columns[5]);
    check_near(inverse.interval.high, 1 / columns[4]);
}

static void test_ratios(void **state)
{
    (void)state;
    assert_int_equal(for_each("ratio", check_ratio), 4);
}

static void check_paired(const double *columns)
{
    double a[VALUES_MAX], b[VALUES_MAX];
    size_t count = (size_t)columns[1];
    make_values((uint64_t)columns[0], count, 100, 20, a);
    make_values((uint64_t)columns[0] + 1000, count, 70, 5, b);
    check_uncertain(uncertain_paired_ratio(a, b, count), count, columns + 2);
}

static void test_paired_ratios(void **state)
{
    (void)state;
    assert_int_equal(for_each("paired", check_paired), 3);
}

/* What two runs that share their noise differ by is seen in pairs, and not without. */
static void test_pairs_cancel_what_is_common(void **state)
{
    (void)state;
    const double a[] = {110, 220, 440, 880}, b[] = {100, 201, 400, 799};
    struct uncertain paired = uncertain_paired_ratio(a, b, 4), apart = uncertain_ratio(a, 4, b, 4);
    check_near(paired.value, apart.value);
    assert_false(interval_contains(&paired.interval, 1));
    assert_true(interval_contains(&apart.interval, 1));
}

static void test_too_few_have_no_interval(void **state)
{
    (void)state;
    const double two[] = {3, 5}, three[] = {3, 4, 5};
    struct uncertain mean = uncertain_mean(two, 2), ratio = uncertain_ratio(three, 3, two, 2), none = uncertain_mean(NULL, 0);
    check_near(mean.value, 4);
    assert_false(interval_is_known(&mean.interval));
    check_near(ratio.value, pow(60, 1 / 3.0) / sqrt(15));
    assert_false(interval_is_known(&ratio.interval));
    assert_true(isnan(none.value));
    assert_true(isnan(uncertain_ratio(three, 3, NULL, 0).value));
}

static void test_equal_values_have_no_noise(void **state)
{
    (void)state;
    const double a[] = {6, 6, 6}, b[] = {3, 3, 3};
    struct uncertain mean = uncertain_mean(a, 3), ratio = uncertain_ratio(a, 3, b, 3);
    assert_true(mean.interval.low == 6 && mean.interval.high == 6);
    check_near(ratio.interval.low, 2);
    check_near(ratio.interval.high, 2);
}

static void test_what_is_no_number_has_no_interval(void **state)
{
    (void)state;
    const double infinite[] = {1, 2, INFINITY}, zero[] = {0, 1, 2}, fine[] = {1, 2, 3};
    struct uncertain mean = uncertain_mean(infinite, 3), ratio = uncertain_ratio(zero, 3, fine, 3);
    assert_true(isinf(mean.value));
    assert_false(interval_is_known(&mean.interval));
    assert_true(isnan(ratio.value));
    assert_false(interval_is_known(&ratio.interval));
    assert_true(isnan(uncertain_paired_ratio(fine, infinite, 3).value));
}

static void test_containing(void **state)
{
    (void)state;
    const struct interval around = {0.9, 1.1}, half = {0.9, NAN};
    assert_true(interval_contains(&around, 0.9));
    assert_true(interval_contains(&around, 1.1));
    assert_false(interval_contains(&around, 1.11));
    assert_false(interval_contains(&half, 1));
    assert_false(interval_contains(&interval_unknown, 1));
    struct interval above = interval_above_zero((struct interval){-2, 1}), unknown = interval_above_zero(interval_unknown);
    assert_true(above.low == 0 && above.high == 1 && isnan(unknown.low) && isnan(unknown.high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_students_quantiles),
        cmocka_unit_test(test_means),
        cmocka_unit_test(test_ratios),
        cmocka_unit_test(test_paired_ratios),
        cmocka_unit_test(test_pairs_cancel_what_is_common),
        cmocka_unit_test(test_too_few_have_no_interval),
        cmocka_unit_test(test_equal_values_have_no_noise),
        cmocka_unit_test(test_what_is_no_number_has_no_interval),
        cmocka_unit_test(test_containing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
