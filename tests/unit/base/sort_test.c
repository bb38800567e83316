#include "base/sort.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

static void test_ascending(void **state)
{
    (void)state;
    double values[] = {3, -INFINITY, 0.5, INFINITY, 3, -2};
    static const double sorted[] = {-INFINITY, -2, 0.5, 3, 3, INFINITY};
    sort_doubles(values, 6);
    for (size_t k = 0; k < 6; k++)
        assert_true(values[k] == sorted[k]);
    int64_t times[] = {INT64_MAX, 0, INT64_MIN, 7};
    static const int64_t ascending[] = {INT64_MIN, 0, 7, INT64_MAX};
    sort_times(times, 4);
    for (size_t k = 0; k < 4; k++)
        assert_true(times[k] == ascending[k]);
    sort_doubles(NULL, 0);
    sort_times(NULL, 0);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Long ones are sorted by their bits: of all exponents and signs, and of few digits that differ. */
static void test_long_ones(void **state)
{
    (void)state;
    static double values[5000], sorted[5000];
    static const double ranges[][2] = {{1e-300, 1e300}, {25, 25.001}, {7, 7}};
    struct random random;
    random_seed(&random, 3);
    for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++)
        for (size_t count = 500; count <= 5000; count += 750) {
            for (size_t k = 0; k < count; k++) {
                double share = random_uniform(&random), value = ranges[r][0] * pow(ranges[r][1] / ranges[r][0], share);
                values[k] = sorted[k] = r == 0 && k % 3 == 0 ? -value : value;
            }
            values[0] = sorted[0] = INFINITY;
            values[1] = sorted[1] = -INFINITY;
            values[2] = sorted[2] = 0;
            sort_doubles(values, count);
            qsort(sorted, count, sizeof sorted[0], compare);
            for (size_t k = 0; k < count; k++)
                assert_true(values[k] == sorted[k]);
        }
}

/* Few different values, so that order among equal ones shows. */
static void test_weighted_ones(void **state)
{
    (void)state;
    static struct weighted items[3000];
    for (size_t count = 10; count <= 3000; count += 2990) {
        for (size_t k = 0; k < count; k++)
            items[k] = (struct weighted){(double)(k * 7919 % 11) - 5, (double)k};
        sort_weighted(items, count);
        for (size_t k = 1; k < count; k++)
            assert_true(items[k - 1].value < items[k].value ||
                        (items[k - 1].value == items[k].value && items[k - 1].weight < items[k].weight));
    }
    sort_weighted(NULL, 0);
}

static void test_the_median(void **state)
{
    (void)state;
    double odd[] = {9, 1, 4}, even[] = {9, 1, 4, 2}, one[] = {5};
    assert_true(sort_median(odd, 3) == 4);
    assert_true(sort_median(even, 4) == 3);
    assert_true(sort_median(one, 1) == 5);
}

static void test_how_many_until(void **state)
{
    (void)state;
    static const struct {
        int64_t t;
        char more[3];
    } items[] = {{.t = -5}, {.t = 0}, {.t = 0}, {.t = 8}};
    static const struct {
        int64_t t;
        size_t count;
    } expected[] = {{INT64_MIN, 0}, {-6, 0}, {-5, 1}, {-1, 1}, {0, 3}, {7, 3}, {8, 4}, {INT64_MAX, 4}};
    for (size_t k = 0; k < sizeof expected / sizeof expected[0]; k++)
        assert_int_equal(sort_count_until(items, 4, sizeof items[0], expected[k].t), expected[k].count);
    assert_int_equal(sort_count_until(NULL, 0, sizeof items[0], 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ascending),
        cmocka_unit_test(test_long_ones),
        cmocka_unit_test(test_weighted_ones),
        cmocka_unit_test(test_the_median),
        cmocka_unit_test(test_how_many_until),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
