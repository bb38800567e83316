/* Every expected number here was computed by numpy and scipy (expected.py), none by this program. */
#include "stats/series.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "stats/selection.h"

#define EXPECTED "tests/unit/stats/expected.tsv"
#define MOMENT_ERROR 1e-9 /* relative */
#define COLUMNS (5 + PERCENTILE_COUNT + 2 * INTERVAL_COUNT)

/* ---- the same samples as expected.py ---- */

struct arrival {
    int64_t gap;
    uint32_t n;
};

static uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static struct arrival make_arrival(const char *kind, uint64_t a, uint64_t b)
{
    if (strcmp(kind, "equal") == 0)
        return (struct arrival){52600000, 1};
    if (strcmp(kind, "few") == 0)
        return (struct arrival){(int64_t)(a % 7) * 1000003, 1};
    if (strcmp(kind, "narrow") == 0)
        return (struct arrival){53000000 + (int64_t)(a % 100), 1};
    if (strcmp(kind, "wide") == 0)
        return (struct arrival){(int64_t)(a % (UINT64_C(1) << b % 37)), 1};
    if (strcmp(kind, "several") == 0)
        return (struct arrival){(int64_t)a, 1 + (uint32_t)(b % 9)};
    return (struct arrival){(int64_t)a, 1};
}

static struct arrival *make_arrivals(const char *kind, uint64_t seed, size_t count)
{
    struct arrival *arrivals = mem_calloc(count, sizeof *arrivals);
    for (size_t k = 0; k < count; k++) {
        uint64_t a = draw(&seed), b = draw(&seed);
        arrivals[k] = make_arrival(kind, a, b);
    }
    return arrivals;
}

/* ---- comparing ---- */

struct expected {
    char kind[16];
    uint64_t seed;
    size_t count;
    double column[COLUMNS];
};

static void check_moment(double got, double expected)
{
    if (isnan(expected))
        assert_true(isnan(got));
    else
        assert_true(fabs(got - expected) <= MOMENT_ERROR * fabs(expected) + 1e-12);
}

static void check_exact(double got, double expected)
{
    assert_true(isnan(expected) ? isnan(got) : got == expected);
}

static void check_distribution(const struct distribution *got, const struct expected *expected)
{
    const double *column = expected->column;
    assert_int_equal(got->count, (uint64_t)column[0]);
    check_moment(got->mean, column[1]);
    check_moment(got->std, column[2]);
    check_exact(got->min, column[3]);
    check_exact(got->max, column[4]);
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        check_exact(got->percentile[k], column[5 + k]);
    for (int k = 0; k < INTERVAL_COUNT; k++) {
        check_exact(got->interval[k].low, column[5 + PERCENTILE_COUNT + 2 * k]);
        check_exact(got->interval[k].high, column[5 + PERCENTILE_COUNT + 2 * k + 1]);
    }
}

static struct distribution describe_by_series(const struct arrival *arrivals, size_t count)
{
    struct series series = {0};
    for (size_t k = 0; k < count; k++)
        for (uint32_t n = 0; n < arrivals[k].n; n++)
            series_add(&series, (double)arrivals[k].gap / arrivals[k].n);
    struct distribution distribution = series_describe(&series);
    series_free(&series);
    return distribution;
}

static struct distribution describe_by_selection(const struct arrival *arrivals, size_t count, enum selection_of of)
{
    struct selection *selection = selection_new();
    int64_t *gaps = mem_calloc(count, sizeof *gaps);
    int32_t *n = mem_calloc(count, sizeof *n);
    for (size_t k = 0; k < count; k++) {
        gaps[k] = arrivals[count - 1 - k].gap; /* in another order: it must not matter */
        n[k] = (int32_t)arrivals[count - 1 - k].n;
    }
    for (size_t k = 0; k < count; k++)
        selection_count(selection, &arrivals[k].gap, &n[count - 1 - k], 1);
    selection_choose(selection);
    selection_collect(selection, gaps, n, count);
    struct distribution distribution = selection_describe(selection, of, 1);
    selection_free(selection);
    free(gaps);
    free(n);
    return distribution;
}

/* Calls check for every line that is no "rank" line; returns how many there were. */
static size_t for_each_case(void (*check)(const struct expected *expected))
{
    char line[4096];
    size_t count = 0;
    FILE *file = fopen(EXPECTED, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || strncmp(line, "rank\t", 5) == 0)
            continue;
        struct expected expected = {0};
        char *field = NULL, *rest = line;
        field = strsep(&rest, "\t");
        snprintf(expected.kind, sizeof expected.kind, "%s", field);
        expected.seed = strtoull(strsep(&rest, "\t"), NULL, 10);
        expected.count = strtoull(strsep(&rest, "\t"), NULL, 10);
        for (int k = 0; k < COLUMNS; k++)
            expected.column[k] = strtod(strsep(&rest, "\t\n"), NULL);
        check(&expected);
        count++;
    }
    fclose(file);
    return count;
}

static void check_series(const struct expected *expected)
{
    struct arrival *arrivals = make_arrivals(expected->kind, expected->seed, expected->count);
    struct distribution got = describe_by_series(arrivals, expected->count);
    check_distribution(&got, expected);
    free(arrivals);
}

static void check_selection(const struct expected *expected)
{
    struct arrival *arrivals = make_arrivals(expected->kind, expected->seed, expected->count);
    struct distribution got = describe_by_selection(arrivals, expected->count, SELECTION_ITL);
    check_distribution(&got, expected);
    free(arrivals);
}

static void test_series_is_what_numpy_says(void **state)
{
    (void)state;
    assert_true(for_each_case(check_series) > 80);
}

static void test_selection_is_what_numpy_says(void **state)
{
    (void)state;
    assert_true(for_each_case(check_selection) > 80);
}

/* Every third arrival has one token, every other third none or some: gaps are all of them, whatever came with them. */
static void test_gaps_and_itl_are_told_apart(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        size_t count = 37 * seed;
        struct series gaps = {0}, itl = {0};
        struct arrival *arrivals = make_arrivals(seed % 2 ? "narrow" : "wide", seed, count);
        for (size_t k = 0; k < count; k++) {
            arrivals[k].n = k % 3 == 0 ? 1 : (uint32_t)(k % 3 * (k % 5));
            series_add(&gaps, (double)arrivals[k].gap);
            for (uint32_t n = 0; n < arrivals[k].n; n++)
                series_add(&itl, (double)arrivals[k].gap / arrivals[k].n);
        }
        struct distribution expected[SELECTION_OF_COUNT] = {[SELECTION_GAPS] = series_describe(&gaps), [SELECTION_ITL] = series_describe(&itl)};
        for (int of = 0; of < SELECTION_OF_COUNT; of++) {
            struct distribution got = describe_by_selection(arrivals, count, (enum selection_of)of);
            assert_int_equal(got.count, expected[of].count);
            assert_memory_equal(got.percentile, expected[of].percentile, sizeof got.percentile);
            assert_true(got.min == expected[of].min && got.max == expected[of].max);
            check_moment(got.mean, expected[of].mean);
            check_moment(got.std, expected[of].std);
        }
        series_free(&gaps);
        series_free(&itl);
        free(arrivals);
    }
}

static void test_interval_ranks_are_what_scipy_says(void **state)
{
    (void)state;
    char line[4096];
    unsigned long long per_mille, count, low, high;
    int checked = 0;
    FILE *file = fopen(EXPECTED, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        /* NOLINTNEXTLINE(cert-err34-c): a committed table */
        if (sscanf(line, "rank\t%llu\t%llu\t%llu\t%llu", &per_mille, &count, &low, &high) != 4)
            continue;
        uint64_t got_low, got_high;
        series_interval_ranks(count, per_mille, &got_low, &got_high);
        assert_int_equal(got_low, low);
        assert_int_equal(got_high, high);
        checked++;
    }
    fclose(file);
    assert_true(checked > 40);
}

static void test_samples_needed_for_an_upper_bound(void **state)
{
    (void)state;
    assert_int_equal(series_samples_needed(950), 72);
    assert_int_equal(series_samples_needed(990), 368);
}

static void test_rank_of_huge_counts(void **state)
{
    (void)state;
    assert_int_equal(series_rank(UINT64_C(10000000000000000000), 999), UINT64_C(9990000000000000000));
    assert_int_equal(series_rank(1, 10), 1);
}

static void test_selection_of_values_finds_every_percentile(void **state)
{
    (void)state;
    struct arrival *arrivals = make_arrivals("few", 7, 500);
    struct series series = {0};
    double values[500];
    for (size_t k = 0; k < 500; k++)
        series_add(&series, (double)arrivals[k].gap);
    struct distribution sorted = series_describe(&series);
    for (int p = 0; p < PERCENTILE_COUNT; p++) {
        for (size_t k = 0; k < 500; k++)
            values[k] = (double)arrivals[k].gap;
        assert_true(series_select(values, 500, percentile_per_mille((enum percentile)p)) == sorted.percentile[p]);
    }
    series_free(&series);
    free(arrivals);
}

static void test_infinity_is_a_sample_without_a_mean(void **state)
{
    (void)state;
    struct series series = {0};
    for (int k = 0; k < 95; k++)
        series_add(&series, k);
    for (int k = 0; k < 5; k++)
        series_add(&series, INFINITY);
    struct distribution got = series_describe(&series);
    assert_true(got.percentile[P95] == 94);
    assert_true(isinf(got.percentile[P99]) && isinf(got.max));
    assert_true(isnan(got.mean) && isnan(got.std));
    series_free(&series);
}

static void test_nothing_is_not_zero(void **state)
{
    (void)state;
    struct series series = {0};
    struct distribution got = series_describe(&series);
    assert_int_equal(got.count, 0);
    assert_true(isnan(got.mean) && isnan(got.percentile[P50]) && isnan(got.max) && isnan(got.interval[INTERVAL_P95].low));
    struct selection *selection = selection_new();
    selection_choose(selection);
    got = selection_describe(selection, SELECTION_ITL, 1e6);
    assert_int_equal(got.count, 0);
    assert_true(isnan(got.mean) && isnan(got.percentile[P50]));
    selection_free(selection);
}

static void test_absurd_gaps_are_cut(void **state)
{
    (void)state;
    struct selection *selection = selection_new();
    const int64_t gaps[] = {INT64_MAX, -5};
    const int32_t n[] = {1, INT32_MAX};
    selection_count(selection, gaps, n, 2);
    selection_choose(selection);
    selection_collect(selection, gaps, n, 2);
    struct distribution got = selection_describe(selection, SELECTION_ITL, 1);
    assert_true(got.max == (double)SELECTION_GAP_MAX && got.min == 0);
    assert_true(got.count == (uint64_t)INT32_MAX + 1);
    assert_true(got.percentile[P50] == 0 && isfinite(got.std));
    selection_free(selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_is_what_numpy_says),
        cmocka_unit_test(test_selection_is_what_numpy_says),
        cmocka_unit_test(test_gaps_and_itl_are_told_apart),
        cmocka_unit_test(test_interval_ranks_are_what_scipy_says),
        cmocka_unit_test(test_samples_needed_for_an_upper_bound),
        cmocka_unit_test(test_rank_of_huge_counts),
        cmocka_unit_test(test_selection_of_values_finds_every_percentile),
        cmocka_unit_test(test_infinity_is_a_sample_without_a_mean),
        cmocka_unit_test(test_nothing_is_not_zero),
        cmocka_unit_test(test_absurd_gaps_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
