#include "stats/repeats_ratio.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "support/levels.h"

#define REPEATS 4
#define COMPARISONS 1000

struct fixture {
    struct arena *arena;
    struct level_summary a[REPEATS], b[REPEATS];
    struct repeated_load *of_a, *of_b;
    size_t count_a, count_b;
};

static void make_repeats(struct level_summary *levels, const double *tps, size_t count, double load)
{
    for (size_t k = 0; k < count; k++) {
        level_make(&levels[k], load, 500, tps[k]);
        levels[k].repeat = (int)k;
        levels[k].ended = true;
    }
}

static void begin(struct fixture *f, const double *a, const double *b, size_t count)
{
    f->arena = arena_new();
    make_repeats(f->a, a, count, 5);
    make_repeats(f->b, b, count, 8);
    f->of_a = repeats_find(f->arena, f->a, count, &f->count_a);
    f->of_b = repeats_find(f->arena, f->b, count, &f->count_b);
}

static const double drifting[] = {100, 140, 80}, drifting_too[] = {80, 113, 63};

/* The ratio of both is nearly the same each time: pairs see it, independent repeats do not. */
static void test_pairs_see_through_a_drift(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, drifting, drifting_too, 3);
    struct repeats_ratio apart = repeats_ratio(f.of_a, f.of_b, FIGURE_TOTAL_TPS, false), paired = repeats_ratio(f.of_a, f.of_b, FIGURE_TOTAL_TPS, true);
    assert_false(apart.paired);
    assert_true(paired.paired);
    assert_false(uncertain_ratio_is_clear(&apart.ratio));
    assert_true(uncertain_ratio_is_clear(&paired.ratio));
    assert_true(fabs(apart.ratio.value - paired.ratio.value) < 1e-12);
    struct uncertain expected = uncertain_ratio(drifting, 3, drifting_too, 3), expected_paired = uncertain_paired_ratio(drifting, drifting_too, 3);
    assert_true(apart.ratio.interval.low == expected.interval.low && apart.ratio.interval.high == expected.interval.high);
    assert_true(paired.ratio.interval.low == expected_paired.interval.low && paired.ratio.interval.high == expected_paired.interval.high);
    arena_free(f.arena);
}

static void test_levels_are_paired_by_their_repeat(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, drifting, drifting_too, 3);
    const struct level_summary *first = f.of_b->levels[0];
    f.of_b->levels[0] = f.of_b->levels[2];
    f.of_b->levels[2] = first;
    struct repeats_ratio other_order = repeats_ratio(f.of_a, f.of_b, FIGURE_TOTAL_TPS, true);
    struct uncertain expected = uncertain_paired_ratio(drifting, drifting_too, 3);
    assert_true(other_order.ratio.interval.low == expected.interval.low);
    f.of_b->count = 2; /* a repeat is missing: two pairs are too few, and so are two repeats */
    assert_true(isnan(repeats_ratio(f.of_a, f.of_b, FIGURE_TOTAL_TPS, true).ratio.value));
    arena_free(f.arena);
}

static void test_a_repeat_that_is_infinite_makes_no_ratio(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, drifting, drifting_too, 3);
    f.a[1].latency[LATENCY_TTFT_CENSORED].percentile[P95] = INFINITY;
    struct repeats_ratio ratio = repeats_ratio(f.of_a, f.of_b, FIGURE_TTFT_P95, true);
    assert_true(isnan(ratio.ratio.value));
    assert_false(interval_is_known(&ratio.ratio.interval));
    assert_false(uncertain_ratio_is_clear(&ratio.ratio));
    arena_free(f.arena);
}

static void test_too_few_repeats(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, drifting, drifting_too, 2);
    assert_null(repeats_of_level(f.of_a, f.count_a, &f.a[0]));
    assert_true(isnan(repeats_ratio(f.of_a, f.of_b, FIGURE_TOTAL_TPS, false).ratio.value));
    assert_true(isnan(repeats_ratio(NULL, f.of_b, FIGURE_TOTAL_TPS, false).ratio.value));
    arena_free(f.arena);
    begin(&f, drifting, drifting_too, 3);
    assert_ptr_equal(repeats_of_level(f.of_a, f.count_a, &f.a[1]), f.of_a);
    assert_null(repeats_of_level(f.of_a, f.count_a, &f.b[1]));
    assert_null(repeats_of_level(f.of_a, f.count_a, NULL));
    arena_free(f.arena);
}

/* Comparisons of three repeats each whose true ratio is 1.2: what share of the intervals holds it, and how wide they are on average. */
struct coverage {
    double share, width;
};

static struct coverage measure_coverage(double drift, bool interleaved)
{
    struct coverage coverage = {0, 0};
    struct random random;
    random_derive(&random, 7, "coverage", interleaved, (uint64_t)(drift * 1000));
    for (int run = 0; run < COMPARISONS; run++) {
        double a[3], b[3];
        for (int k = 0; k < 3; k++) {
            double hour = exp(random_normal(&random, 0, drift)), other_hour = interleaved ? hour : exp(random_normal(&random, 0, drift));
            a[k] = 120 * hour * exp(random_normal(&random, 0, 0.02));
            b[k] = 100 * other_hour * exp(random_normal(&random, 0, 0.02));
        }
        struct fixture f;
        begin(&f, a, b, 3);
        struct repeats_ratio ratio = repeats_ratio(f.of_a, f.of_b, FIGURE_TOTAL_TPS, interleaved);
        assert_int_equal(ratio.paired, interleaved);
        coverage.share += interval_contains(&ratio.ratio.interval, 1.2) ? 1.0 / COMPARISONS : 0;
        coverage.width += log(ratio.ratio.interval.high / ratio.ratio.interval.low) / COMPARISONS;
        arena_free(f.arena);
    }
    print_message("drift %.2f, %s: %.1f %% of 95 %% intervals hold the true ratio, mean width of its logarithm %.3f\n", drift,
                  interleaved ? "in turn" : "apart", 100 * coverage.share, coverage.width);
    return coverage;
}

static void test_intervals_hold_the_truth(void **state)
{
    (void)state;
    struct coverage calm = measure_coverage(0, false), apart = measure_coverage(0.2, false), paired = measure_coverage(0.2, true);
    assert_true(calm.share > 0.935 && apart.share > 0.935 && paired.share > 0.935);
    assert_true(calm.share < 0.985 && apart.share < 0.985 && paired.share < 0.965);
    assert_true(paired.width < apart.width / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_see_through_a_drift),
        cmocka_unit_test(test_levels_are_paired_by_their_repeat),
        cmocka_unit_test(test_a_repeat_that_is_infinite_makes_no_ratio),
        cmocka_unit_test(test_too_few_repeats),
        cmocka_unit_test(test_intervals_hold_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
