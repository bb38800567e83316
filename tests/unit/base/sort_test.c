#include "base/sort.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
        cmocka_unit_test(test_the_median),
        cmocka_unit_test(test_how_many_until),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
