/* Chances were computed by numpy and scipy over all permutations (history.py). */
#include "stats/trend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/histories.h"
#include "support/number_groups.h"

#define EXPECTED "tests/unit/stats/history.tsv"
#define RUNS_MAX 64

struct fixture {
    struct arena *arena;
    struct history_run *runs[RUNS_MAX];
    size_t count;
};

/* A night a run; its noise is the same in every group of four. */
static void add_night(struct fixture *f, double day, double ttft_ms)
{
    static const double noise[] = {1.01, 0.99, 1.005, 0.995};
    char id[16];
    snprintf(id, sizeof id, "night-%zu", f->count);
    struct history_run *run = history_make(id, day);
    history_add(run, 4, ttft_ms * noise[f->count % 4], NAN, 100 * noise[(f->count + 1) % 4]);
    run->advised_load = 4;
    f->runs[f->count++] = run;
}

static struct trend *find(struct fixture *f)
{
    return trend_find(f->arena, (const struct history_run *const *)f->runs, f->count);
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.arena = arena_new()};
}

static void end(struct fixture *f)
{
    for (size_t k = 0; k < f->count; k++)
        history_run_free(f->runs[k]);
    arena_free(f->arena);
}

static void test_slower_than_last_week(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int day = 1; day <= 14; day++)
        add_night(&f, day, day <= 7 ? 400 : 480);
    const struct trend *trend = find(&f);
    const struct trend_metric *ttft = &trend->metrics[0], *throughput = &trend->metrics[2];
    assert_int_equal(ttft->metric, HISTORY_TTFT_P95);
    assert_int_equal(ttft->now_runs, 7);
    assert_int_equal(ttft->before_runs, 7);
    assert_int_equal(ttft->verdict, CHANGE_WORSE);
    assert_true(fabs(ttft->change - 0.2) < 0.01 && ttft->low > 0.18 && ttft->high < 0.22);
    assert_true(ttft->p < 1e-6);
    assert_string_equal(ttft->since, "night-7");
    assert_true(fabs(ttft->step - 0.2) < 0.02 && ttft->step_p < 0.01);
    assert_int_equal(throughput->verdict, CHANGE_NONE);
    assert_null(throughput->since);
    assert_non_null(strstr(trend->texts[0], "TTFT p95 at 4 streams: worse than the week before: 480 ms in the last seven days, 400 ms in the seven before"));
    assert_non_null(strstr(trend->texts[0], "; it stepped by +19 % with night-7 of 1970-01-09"));
    assert_non_null(strstr(trend->texts[2], "throughput at 4 streams: as the week before, within noise"));
    end(&f);
}

static void test_faster_counts_the_other_way_for_speed(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int day = 1; day <= 14; day++)
        add_night(&f, day, day <= 7 ? 400 : 480);
    assert_int_equal(find(&f)->metrics[1].metric, HISTORY_USER_TPS); /* 1000 / the same time */
    assert_int_equal(find(&f)->metrics[1].verdict, CHANGE_WORSE);
    assert_true(find(&f)->metrics[1].change < 0);
    end(&f);
}

/* Two runs this week: what the week before differs by counts for them too. */
static void test_few_runs_in_a_week(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int day = 1; day <= 5; day++)
        add_night(&f, day, 400);
    add_night(&f, 12, 480);
    const struct trend_metric *ttft = &find(&f)->metrics[0];
    assert_int_equal(ttft->now_runs, 1);
    assert_int_equal(ttft->before_runs, 5); /* day 5 is seven days ago */
    assert_int_equal(ttft->verdict, CHANGE_WORSE);
    assert_true(ttft->low > 0.1 && ttft->low < 0.2 && ttft->high > 0.2); /* a wide one */
    end(&f);
    begin(&f);
    add_night(&f, 1, 400);
    add_night(&f, 2, 400);
    add_night(&f, 8.5, 480);
    ttft = &find(&f)->metrics[0];
    assert_int_equal(ttft->verdict, CHANGE_UNKNOWN);
    assert_string_equal(ttft->missing, "too few runs: three in one of the two weeks are needed");
    end(&f);
    begin(&f);
    for (int day = 1; day <= 5; day++)
        add_night(&f, day, 400);
    add_night(&f, 9.5, 480);
    ttft = &find(&f)->metrics[0];
    assert_int_equal(ttft->now_runs, 4); /* of days 3, 4, 5 too */
    assert_int_equal(ttft->before_runs, 2);
    assert_null(ttft->missing);
    end(&f);
}

static void test_no_week_before(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int k = 0; k < 3; k++)
        add_night(&f, 1 + 0.01 * k, 400);
    const struct trend *trend = find(&f);
    assert_int_equal(trend->metrics[0].verdict, CHANGE_UNKNOWN);
    assert_string_equal(trend->metrics[0].missing, "there is no run of the week before");
    assert_true(isnan(trend->metrics[0].step_p));
    assert_true(fabs(trend->metrics[0].now - 400) < 5);
    end(&f);
}

static void test_runs_without_a_first_token_are_told(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int day = 1; day <= 14; day++)
        add_night(&f, day, 400);
    f.runs[13]->levels[0].value[HISTORY_TTFT_P95].value = INFINITY;
    const struct trend *trend = find(&f);
    assert_int_equal(trend->metrics[0].count, 13);
    assert_int_equal(trend->metrics[0].never, 1);
    assert_non_null(strstr(trend->texts[0], "; 1 more run had too many requests that never got a first token"));
    end(&f);
}

/* Nothing can be advised: the lowest load is looked at. */
static void test_load_without_advice(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int day = 1; day <= 3; day++) {
        add_night(&f, day, 400);
        history_add(f.runs[f.count - 1], 2, 100, NAN, 50);
        f.runs[f.count - 1]->advised_load = NAN;
    }
    assert_true(find(&f)->load == 2);
    end(&f);
}

static void check_step(const struct number_groups *line)
{
    const struct number_group *values = &line->groups[0], *expected = &line->groups[1];
    double p;
    size_t at = trend_step(values->numbers, values->count, &p);
    assert_int_equal(at, (size_t)expected->numbers[0]);
    /* 9,999 draws: five standard errors */
    if (!(fabs(p - expected->numbers[1]) < 5 * sqrt(expected->numbers[1] * (1 - expected->numbers[1]) / 9999) + 1e-4))
        fail_msg("got %g, expected %g", p, expected->numbers[1]);
}

static void test_step_is_what_all_permutations_say(void **state)
{
    (void)state;
    number_groups_each(EXPECTED, "step", check_step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slower_than_last_week),
        cmocka_unit_test(test_faster_counts_the_other_way_for_speed),
        cmocka_unit_test(test_few_runs_in_a_week),
        cmocka_unit_test(test_no_week_before),
        cmocka_unit_test(test_runs_without_a_first_token_are_told),
        cmocka_unit_test(test_load_without_advice),
        cmocka_unit_test(test_step_is_what_all_permutations_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
