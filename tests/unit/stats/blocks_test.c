/* Blocks tile their window, and their intervals hold the truth as often as they say. */
#include "stats/blocks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

#define EXPECTED "tests/unit/stats/interval.tsv"
#define SECOND INT64_C(1000000000)

static void test_as_many_as_fit(void **state)
{
    (void)state;
    static const struct {
        int64_t length, median;
        size_t count;
    } cases[] = {{60, 1, 20}, {20, 1, 20}, {19, 1, 19}, {5, 1, 5}, {4, 1, 0}, {60, 13, 0}, {60, 0, 0}, {0, 1, 0}, {60, -1, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        assert_int_equal(blocks_cut(7, 7 + cases[k].length * SECOND, cases[k].median * SECOND).count, cases[k].count);
    struct blocks blocks = blocks_cut(7, 7 + 60 * SECOND, SECOND);
    assert_true(blocks_seconds(&blocks) == 3);
}

static void test_blocks_tile_the_window(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 3);
    for (int round = 0; round < 2000; round++) {
        int64_t start = (int64_t)random_below(&random, 1000) - 500, length = 5 + (int64_t)random_below(&random, 100 + (uint64_t)round * 1000);
        struct blocks blocks = blocks_cut(start, start + length, 1 + (int64_t)random_below(&random, (uint64_t)length / 5));
        assert_in_range(blocks.count, BLOCKS_MIN, BLOCKS);
        assert_int_equal(blocks_bound(&blocks, 0), start);
        assert_int_equal(blocks_bound(&blocks, blocks.count), start + length);
        for (size_t k = 0; k < blocks.count; k++) {
            int64_t from = blocks_bound(&blocks, k), to = blocks_bound(&blocks, k + 1);
            assert_true(from < to);
            assert_int_equal(blocks_find(&blocks, from), k);
            assert_int_equal(blocks_find(&blocks, to - 1), k);
        }
    }
}

static double draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 33) / 2147483648.0;
}

/* The same blocks as interval.py's. */
static void make_blocks(uint64_t seed, size_t count, double *a, double *b)
{
    for (size_t k = 0; k < count; k++) {
        b[k] = floor(5 + 20 * draw(&seed));
        a[k] = b[k] * (100 + 200 * draw(&seed));
    }
}

static void test_ratios_are_what_scipy_says(void **state)
{
    (void)state;
    char line[512];
    int cases = 0;
    FILE *file = fopen(EXPECTED, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        double seed, count, ratio, low, high, tolerance, a[BLOCKS], b[BLOCKS];
        /* NOLINTNEXTLINE(cert-err34-c): a committed table */
        if (sscanf(line, "blocks\t%lf\t%lf\t%lf\t%lf\t%lf\t%lf", &seed, &count, &ratio, &low, &high, &tolerance) != 6)
            continue;
        make_blocks((uint64_t)seed, (size_t)count, a, b);
        struct interval interval = blocks_ratio_interval(a, b, (size_t)count), again = blocks_ratio_interval(a, b, (size_t)count);
        assert_true(fabs(interval.low - low) <= tolerance);
        assert_true(fabs(interval.high - high) <= tolerance);
        assert_true(interval.low < ratio && ratio < interval.high);
        assert_memory_equal(&interval, &again, sizeof interval);
        cases++;
    }
    fclose(file);
    assert_int_equal(cases, 5);
}

static void test_means_are_students(void **state)
{
    (void)state;
    const double values[] = {3, 5, 4, 6, 2, 4};
    struct interval interval = blocks_mean_interval(values, 6), expected = uncertain_mean(values, 6).interval;
    assert_memory_equal(&interval, &expected, sizeof interval);
    interval = blocks_mean_interval(values, BLOCKS_MIN - 1);
    assert_false(interval_is_known(&interval));
}

static void test_what_blocks_do_not_tell(void **state)
{
    (void)state;
    const double zero[BLOCKS] = {0}, some[BLOCKS] = {[3] = 5}, ones[] = {1, 1, 1, 1, 1, 1};
    struct interval none = blocks_ratio_interval(zero, ones, 6), few = blocks_ratio_interval(ones, ones, BLOCKS_MIN - 1);
    struct interval empty = blocks_ratio_interval(ones, zero, 6), one = blocks_ratio_interval(some, some, BLOCKS);
    assert_false(interval_is_known(&none)); /* no failure at all: how rare they are is not known */
    assert_false(interval_is_known(&few));
    assert_false(interval_is_known(&empty));
    assert_true(one.low == 1 && one.high == 1); /* resamples without the one block that has requests are left out */
}

/* ---- do the intervals hold the truth? ---- */

#define STREAMS 8
#define LEVELS 400
#define WINDOW_S 120 /* of a mean e2e each */
#define REQUESTS_MAX 4000

/* A closed loop on one server that serves its queue in order, exponential times of 1/8 s: it is never idle, so 8 requests end a second and
 * each takes 1 s, its own time and those of the seven before it. Requests that wait for each other take nearly the same time. */
static void draw_level(struct random *random, double *rates, double *e2e, double *requests, double *single, size_t *count)
{
    double t[REQUESTS_MAX];
    struct blocks blocks = {0, WINDOW_S * SECOND, BLOCKS};
    *count = 0;
    memset(rates, 0, BLOCKS * sizeof *rates);
    memset(e2e, 0, BLOCKS * sizeof *e2e);
    memset(requests, 0, BLOCKS * sizeof *requests);
    for (size_t k = 0; k < REQUESTS_MAX; k++) {
        t[k] = (k > 0 ? t[k - 1] : -20) + random_exponential(random, 1.0 / STREAMS);
        if (t[k] >= WINDOW_S)
            return;
        if (t[k] < 0 || k < STREAMS)
            continue;
        rates[blocks_find(&blocks, (int64_t)(t[k] * (double)SECOND))] += BLOCKS / (double)WINDOW_S;
        double sent = t[k - STREAMS];
        if (sent < 0)
            continue;
        size_t block = blocks_find(&blocks, (int64_t)(sent * (double)SECOND));
        e2e[block] += t[k] - sent;
        requests[block]++;
        single[(*count)++] = t[k] - sent;
    }
    fail();
}

static void test_intervals_hold_the_truth(void **state)
{
    (void)state;
    struct random random;
    int by_rate = 0, by_ratio = 0, by_requests = 0;
    double rates[BLOCKS], e2e[BLOCKS], requests[BLOCKS], single[REQUESTS_MAX];
    random_seed(&random, 11);
    for (int k = 0; k < LEVELS; k++) {
        size_t count;
        draw_level(&random, rates, e2e, requests, single, &count);
        struct interval rate = blocks_mean_interval(rates, BLOCKS), ratio = blocks_ratio_interval(e2e, requests, BLOCKS);
        struct interval naive = uncertain_mean(single, count).interval;
        by_rate += interval_contains(&rate, STREAMS);
        by_ratio += interval_contains(&ratio, 1);
        by_requests += interval_contains(&naive, 1);
    }
    assert_in_range(by_rate, LEVELS * 91 / 100, LEVELS * 98 / 100);
    assert_in_range(by_ratio, LEVELS * 91 / 100, LEVELS * 98 / 100);
    assert_true(by_requests < LEVELS * 70 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_as_fit),
        cmocka_unit_test(test_blocks_tile_the_window),
        cmocka_unit_test(test_ratios_are_what_scipy_says),
        cmocka_unit_test(test_means_are_students),
        cmocka_unit_test(test_what_blocks_do_not_tell),
        cmocka_unit_test(test_intervals_hold_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
