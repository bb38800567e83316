#include "stats/same_load.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/levels.h"

#define LEVELS 6

struct fixture {
    struct arena *arena;
    struct level_summary a[LEVELS], b[LEVELS];
    struct points of_a, of_b;
    struct roi_deployment deployments[2];
    size_t found, left_out;
    struct same_load *loads;
};

static void make_side(struct fixture *f, struct roi_deployment *deployment, struct points *points, struct level_summary *levels, size_t count,
                      const char *pair_id)
{
    points_find(points, f->arena, levels, count, "streams", &sla_default);
    *deployment = (struct roi_deployment){.name = "x", .price_micro_usd = -1, .points = points, .levels = levels, .level_count = count, .pair_id = pair_id};
    deployment->repeated = repeats_find(f->arena, levels, count, &deployment->repeated_count);
}

static void compare(struct fixture *f, size_t count_a, size_t count_b, const char *pair_id)
{
    make_side(f, &f->deployments[0], &f->of_a, f->a, count_a, pair_id);
    make_side(f, &f->deployments[1], &f->of_b, f->b, count_b, pair_id);
    f->loads = same_loads_find(f->arena, f->deployments, 2, &f->found, &f->left_out);
}

static void make(struct level_summary *level, double load, int repeat, double ttft, double tps)
{
    level_make(level, load, ttft, tps);
    level->repeat = repeat;
    level->ended = true;
    level_judge(level);
}

static const struct same_load_figure *figure(const struct same_load *load, enum figure figure)
{
    for (int k = 0; k < SAME_LOAD_FIGURE_COUNT; k++)
        if (load->figures[k].figure == figure)
            return &load->figures[k];
    fail();
    return NULL;
}

static void test_only_common_loads(void **state)
{
    (void)state;
    struct fixture f = {.arena = arena_new()};
    make(&f.a[0], 1, 0, 100, 50);
    make(&f.a[1], 4, 0, 400, 90);
    make(&f.b[0], 4, 0, 300, 108);
    make(&f.b[1], 8, 0, 300, 150);
    compare(&f, 2, 2, "");
    assert_int_equal(f.found, 1);
    assert_true(f.loads[0].load == 4 && f.loads[0].repeats == 1);
    const struct same_load_figure *ttft = figure(&f.loads[0], FIGURE_TTFT_P95), *tps = figure(&f.loads[0], FIGURE_TOTAL_TPS);
    assert_true(ttft->a == 400 && ttft->b == 300 && ttft->ratio.value == 0.75);
    assert_true(fabs(tps->ratio.value - 1.2) < 1e-12);
    assert_false(interval_is_known(&tps->ratio.interval));
    assert_string_equal(same_load_text(f.arena, &ttft->ratio), "25 % less");
    assert_string_equal(same_load_text(f.arena, &tps->ratio), "20 % more");
    assert_true(isnan(figure(&f.loads[0], FIGURE_E2E_P50)->ratio.value));
    assert_string_equal(same_load_text(f.arena, &figure(&f.loads[0], FIGURE_E2E_P50)->ratio), "-");
    arena_free(f.arena);
}

static void test_repeats_give_intervals(void **state)
{
    (void)state;
    static const double drift[] = {100, 140, 80};
    struct fixture f = {.arena = arena_new()};
    for (int k = 0; k < 3; k++) {
        make(&f.a[k], 4, k, 300, drift[k]);
        make(&f.b[k], 4, k, 300, drift[k] * (1.2 + 0.01 * k));
    }
    compare(&f, 3, 3, "a+b");
    assert_int_equal(f.found, 1);
    assert_int_equal(f.loads[0].repeats, 3);
    const struct same_load_figure *tps = figure(&f.loads[0], FIGURE_TOTAL_TPS);
    assert_true(tps->paired);
    assert_true(fabs(tps->a - 320.0 / 3) < 1e-9);
    assert_true(tps->ratio.interval.low > 1.15 && tps->ratio.interval.high < 1.27);
    compare(&f, 3, 3, "");
    tps = figure(&f.loads[0], FIGURE_TOTAL_TPS);
    assert_false(tps->paired);
    assert_true(tps->ratio.interval.low < 1);
    arena_free(f.arena);
}

static void test_an_invalid_measurement_is_left_out(void **state)
{
    (void)state;
    struct fixture f = {.arena = arena_new()};
    make(&f.a[0], 4, 0, 100, 50);
    make(&f.b[0], 4, 0, 100, 50);
    f.b[0].validity.verdict = VALIDITY_INVALID;
    compare(&f, 1, 1, "");
    assert_int_equal(f.found, 0);
    assert_int_equal(f.left_out, 1);
    arena_free(f.arena);
}

static void test_a_ttft_that_never_came_has_no_ratio(void **state)
{
    (void)state;
    struct fixture f = {.arena = arena_new()};
    make(&f.a[0], 4, 0, INFINITY, 0);
    make(&f.b[0], 4, 0, 100, 50);
    compare(&f, 1, 1, "");
    assert_true(isnan(figure(&f.loads[0], FIGURE_TTFT_P95)->ratio.value));
    assert_true(isinf(figure(&f.loads[0], FIGURE_TTFT_P95)->a));
    assert_true(isnan(figure(&f.loads[0], FIGURE_TOTAL_TPS)->ratio.value));
    arena_free(f.arena);
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        struct uncertain ratio;
        const char *text;
    } rows[] = {
        {{1.283, {1.21, 1.36}, 3}, "28 % more (21 % more to 36 % more)"},
        {{0.97, {0.93, 1.02}, 3}, "not distinguishable (7.0 % less to 2.0 % more)"},
        {{1.0001, {NAN, NAN}, 1}, "equal"},
        {{2.5, {NAN, NAN}, 1}, "2.5 times"},
        {{1.004, {NAN, NAN}, 1}, "0.4 % more"},
    };
    struct arena *arena = arena_new();
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        assert_string_equal(same_load_text(arena, &rows[k].ratio), rows[k].text);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_common_loads),
        cmocka_unit_test(test_repeats_give_intervals),
        cmocka_unit_test(test_an_invalid_measurement_is_left_out),
        cmocka_unit_test(test_a_ttft_that_never_came_has_no_ratio),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
