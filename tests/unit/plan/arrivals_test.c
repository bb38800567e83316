/* Arrivals against theory, with fixed seeds: what a Poisson process must look like, and what it must not depend on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "plan/profile.h"

#define COUNT 20000
#define RATE 50.0

static struct level level_of(const char *kind, double rate, int index)
{
    struct level level = {.index = index, .load = rate, .unit = LOAD_REQUESTS_PER_S};
    snprintf(level.kind, sizeof level.kind, "%s", kind);
    return level;
}

static int64_t *draw(uint64_t seed, double scale, const struct level *level, int repeat)
{
    struct plan *plan = plan_new();
    struct arrivals arrivals;
    int64_t *times = mem_calloc(COUNT, sizeof *times);
    plan->seed = seed;
    plan->server.time_scale = scale;
    arrivals_init(&arrivals, plan, level, repeat);
    for (size_t k = 0; k < COUNT; k++)
        times[k] = arrivals_next(&arrivals);
    plan_free(plan);
    return times;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's distance of the gaps to an exponential distribution of the rate. */
static double distance_to_exponential(const int64_t *times, double rate)
{
    double *gaps = mem_calloc(COUNT, sizeof *gaps), worst = 0;
    for (size_t k = 0; k < COUNT; k++)
        gaps[k] = (double)(times[k] - (k ? times[k - 1] : 0)) / 1e9;
    qsort(gaps, COUNT, sizeof *gaps, compare);
    for (size_t k = 0; k < COUNT; k++) {
        double expected = 1 - exp(-rate * gaps[k]);
        worst = fmax(worst, fmax(fabs((double)(k + 1) / COUNT - expected), fabs((double)k / COUNT - expected)));
    }
    free(gaps);
    return worst;
}

/* Variance by mean of the counts in bins of a second; 1 for a Poisson process. */
static double dispersion(const int64_t *times, size_t *bins)
{
    *bins = (size_t)(times[COUNT - 1] / NS_PER_S); /* whole ones */
    double *counts = mem_calloc(*bins, sizeof *counts), mean = 0, variance = 0;
    for (size_t k = 0; k < COUNT; k++)
        if ((size_t)(times[k] / NS_PER_S) < *bins)
            counts[times[k] / NS_PER_S]++;
    for (size_t k = 0; k < *bins; k++)
        mean += counts[k] / (double)*bins;
    for (size_t k = 0; k < *bins; k++)
        variance += (counts[k] - mean) * (counts[k] - mean) / (double)(*bins - 1);
    free(counts);
    return variance / mean;
}

static void test_poisson_gaps_are_exponential(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct level level = level_of("poisson", RATE, 0);
        int64_t *times = draw(seed, 1, &level, 0);
        /* 1.95 / sqrt(n): exceeded by one true sample in a thousand */
        assert_true(distance_to_exponential(times, RATE) < 1.95 / sqrt(COUNT));
        /* The n-th arrival has mean n/rate and deviation sqrt(n)/rate: within four deviations. */
        assert_true(fabs((double)times[COUNT - 1] / 1e9 - COUNT / RATE) < 4 * sqrt(COUNT) / RATE);
        free(times);
    }
}

static void test_poisson_counts_have_a_dispersion_of_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct level level = level_of("poisson", RATE, 0);
        int64_t *times = draw(seed, 1, &level, 0);
        size_t bins;
        double index = dispersion(times, &bins);
        /* (bins - 1) x index is chi-squared: its deviation is sqrt(2 / (bins - 1)). */
        assert_true(fabs(index - 1) < 4 * sqrt(2.0 / (double)(bins - 1)));
        free(times);
    }
}

static void test_constant_arrivals_are_at_equal_distances_and_do_not_drift(void **state)
{
    (void)state;
    struct level level = level_of("constant", 3, 0);
    int64_t *times = draw(1, 1, &level, 0);
    for (size_t k = 0; k < COUNT; k++) {
        double due = (double)(k + 1) * 1e9 / 3;
        assert_true(fabs((double)times[k] - due) < 50); /* ns, after up to two hours */
    }
    free(times);
}

static void test_arrivals_never_step_back(void **state)
{
    (void)state;
    struct level level = level_of("poisson", PROFILE_RATE_MAX, 0);
    int64_t *times = draw(9, 1, &level, 0);
    assert_true(times[0] >= 0);
    for (size_t k = 1; k < COUNT; k++)
        assert_true(times[k] >= times[k - 1]);
    free(times);
}

static void test_a_time_scale_divides_the_same_schedule(void **state)
{
    (void)state;
    struct level level = level_of("poisson", RATE, 2);
    int64_t *real = draw(4, 1, &level, 0), *fast = draw(4, 10, &level, 0);
    for (size_t k = 0; k < COUNT; k++)
        assert_true(llabs(real[k] - 10 * fast[k]) <= 6);
    free(real);
    free(fast);
}

static bool same(const int64_t *a, const int64_t *b)
{
    return memcmp(a, b, COUNT * sizeof *a) == 0;
}

static void test_seed_level_and_repeat_alone_fix_the_schedule(void **state)
{
    (void)state;
    struct level zero = level_of("poisson", RATE, 0), one = level_of("poisson", RATE, 1);
    int64_t *first = draw(1, 1, &zero, 0), *again = draw(1, 1, &zero, 0), *seed = draw(2, 1, &zero, 0);
    int64_t *level = draw(1, 1, &one, 0), *repeat = draw(1, 1, &zero, 1);
    assert_true(same(first, again));
    assert_false(same(first, seed));
    assert_false(same(first, level));
    assert_false(same(first, repeat));
    free(first);
    free(again);
    free(seed);
    free(level);
    free(repeat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poisson_gaps_are_exponential),
        cmocka_unit_test(test_poisson_counts_have_a_dispersion_of_one),
        cmocka_unit_test(test_constant_arrivals_are_at_equal_distances_and_do_not_drift),
        cmocka_unit_test(test_arrivals_never_step_back),
        cmocka_unit_test(test_a_time_scale_divides_the_same_schedule),
        cmocka_unit_test(test_seed_level_and_repeat_alone_fix_the_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
