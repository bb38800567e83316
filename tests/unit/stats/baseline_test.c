#include "stats/baseline.h"

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
#include "support/histories.h"

#define EARLIER_MAX 32
#define QUIET_RUNS 600

struct fixture {
    struct arena *arena;
    struct history_run *was, *is, *earlier[EARLIER_MAX];
    size_t earlier_count;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->arena = arena_new();
    f->was = history_make("was", 10);
    f->is = history_make("is", 11);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    history_run_free(f->was);
    history_run_free(f->is);
    for (size_t k = 0; k < f->earlier_count; k++)
        history_run_free(f->earlier[k]);
    arena_free(f->arena);
    free(f);
    return 0;
}

static const struct baseline *compare(struct fixture *f)
{
    return baseline_compare(f->arena, f->was, f->is, (const struct history_run *const *)f->earlier, f->earlier_count);
}

static const struct baseline_row *row_at(const struct baseline *baseline, double load, enum history_metric metric)
{
    for (size_t k = 0; k < baseline->row_count; k++)
        if (baseline->rows[k].load == load && baseline->rows[k].metric == metric)
            return &baseline->rows[k];
    fail_msg("there is no row of %s at %g", history_metric_name(metric), load);
    return NULL;
}

/* Earlier runs whose numbers at 4 streams go up and down by this share. */
static void add_earlier(struct fixture *f, int count, double share)
{
    for (int k = 0; k < count; k++) {
        char id[16];
        snprintf(id, sizeof id, "e%d", k);
        struct history_run *run = history_make(id, k);
        history_add(run, 4, 400 * (1 + (k % 2 ? share : -share)), 0.001, 100 * (1 + (k % 2 ? share : -share)));
        f->earlier[f->earlier_count++] = run;
    }
}

/* Streams fall into step in one way or another, and stay so for the whole level. */
static void test_two_runs_alone_tell_nothing_of_what_two_runs_differ_by(void **state)
{
    struct fixture *f = *state;
    history_add(f->was, 4, 400, 0.02, 100);
    history_add(f->is, 4, 480, 0.02, 90);
    const struct baseline *baseline = compare(f);
    const struct baseline_row *row = row_at(baseline, 4, HISTORY_TTFT_P95), *throughput = row_at(baseline, 4, HISTORY_TOTAL_TPS);
    assert_int_equal(baseline->worse + baseline->better, 0);
    assert_int_equal(baseline->within_run_only, 5);
    assert_int_equal(baseline->beyond_within_run, 4);
    assert_int_equal(row->verdict, CHANGE_UNKNOWN);
    assert_true(row->within_run_only && row->beyond_within_run && row->missing);
    assert_int_equal(row->noise, NOISE_WITHIN_RUN);
    assert_true(throughput->within_run_only && !throughput->beyond_within_run); /* it has no interval */
    assert_int_equal(throughput->noise, NOISE_UNKNOWN);
    assert_non_null(strstr(baseline->text, " 5 of 6 numbers are called neither better nor worse: what two runs differ by is not known"));
    assert_non_null(strstr(baseline->text, " More than the noise within the runs: "));
    add_earlier(f, 2, 0.005);
    assert_int_equal(compare(f)->within_run_only, 5);
}

static void test_nothing_changed(void **state)
{
    struct fixture *f = *state;
    add_earlier(f, 6, 0.005);
    history_add(f->was, 4, 400, 0.05, 100);
    history_add(f->is, 4, 404, 0.05, 100);
    const struct baseline *baseline = compare(f);
    assert_int_equal(baseline->row_count, HISTORY_METRIC_COUNT);
    assert_int_equal(baseline->same, HISTORY_METRIC_COUNT);
    const struct baseline_row *row = row_at(baseline, 4, HISTORY_TTFT_P95);
    assert_int_equal(row->verdict, CHANGE_NONE);
    assert_int_equal(row->noise, NOISE_WITHIN_RUN); /* the wider one */
    assert_true(fabs(row->change - 0.01) < 1e-12 && row->low < 0 && row->high > 0.01);
    assert_int_equal(row_at(baseline, 4, HISTORY_TOTAL_TPS)->noise, NOISE_EARLIER_RUNS);
    assert_non_null(strstr(baseline->text, "nothing of 6 numbers changed beyond noise"));
}

static void test_slower_beyond_noise(void **state)
{
    struct fixture *f = *state;
    add_earlier(f, 6, 0.005);
    history_add(f->was, 4, 400, 0.02, 100);
    history_add(f->is, 4, 480, 0.02, 100);
    const struct baseline *baseline = compare(f);
    const struct baseline_row *row = row_at(baseline, 4, HISTORY_TTFT_P95), *speed = row_at(baseline, 4, HISTORY_USER_TPS);
    assert_int_equal(row->verdict, CHANGE_WORSE);
    assert_true(fabs(baseline_row_loss(row) - 0.2) < 1e-12);
    assert_int_equal(speed->verdict, CHANGE_WORSE); /* less of it */
    assert_true(fabs(speed->change + 1.0 / 6) < 1e-12 && fabs(baseline_row_loss(speed) - 1.0 / 6) < 1e-12);
    assert_non_null(strstr(baseline->text, "Worse beyond noise: "));
    assert_non_null(strstr(baseline->text, "at 4 streams: 400 ms before, 480 ms now, +20 % ("));
    assert_non_null(strstr(baseline->text, "; and 1 more."));
}

static void test_faster_beyond_noise(void **state)
{
    struct fixture *f = *state;
    add_earlier(f, 6, 0.005);
    history_add(f->was, 4, 480, 0.02, 100);
    history_add(f->is, 4, 400, 0.02, 100);
    const struct baseline *baseline = compare(f);
    assert_int_equal(baseline->better, 4);
    assert_int_equal(baseline->worse, 0);
    assert_non_null(strstr(baseline->text, " Better beyond noise: "));
}

/* Nights that differ by 10 % make of a difference of 20 % nothing much, however many requests there are in each. */
static void test_earlier_runs_are_noise(void **state)
{
    struct fixture *f = *state;
    add_earlier(f, 10, 0.05);
    history_add(f->was, 4, 400, 0.001, 100);
    history_add(f->is, 4, 480, 0.001, 100);
    const struct baseline *baseline = compare(f);
    const struct baseline_row *row = row_at(baseline, 4, HISTORY_TTFT_P95);
    assert_int_equal(baseline->earlier_runs, 10);
    assert_int_equal(row->noise, NOISE_EARLIER_RUNS);
    assert_int_equal(row->verdict, CHANGE_NONE);
    for (size_t k = 0; k < f->earlier_count; k++)
        f->earlier[k]->started += 20 * HISTORY_DAY; /* later ones tell nothing: they may be what is asked about */
    baseline = compare(f);
    assert_int_equal(baseline->earlier_runs, 0);
    assert_int_equal(row_at(baseline, 4, HISTORY_TTFT_P95)->verdict, CHANGE_UNKNOWN);
}

static void test_repeats_are_noise(void **state)
{
    struct fixture *f = *state;
    for (int k = -1; k <= 1; k++) {
        history_add(f->was, 4, 400 * (1 + 0.2 * k), 0.001, 100 + k);
        history_add(f->is, 4, 480 * (1 + 0.2 * k), 0.001, 90 + k);
    }
    const struct baseline *baseline = compare(f);
    const struct baseline_row *row = row_at(baseline, 4, HISTORY_TTFT_P95);
    assert_int_equal(row->noise, NOISE_REPEATS);
    assert_int_equal(row->verdict, CHANGE_NONE);
    assert_true(fabs(row->change - 0.2) < 1e-12);
    assert_int_equal(row_at(baseline, 4, HISTORY_TOTAL_TPS)->verdict, CHANGE_WORSE);
}

static void test_requests_that_never_got_a_token(void **state)
{
    struct fixture *f = *state;
    history_add(f->was, 4, 400, 0.02, 100);
    history_add(f->is, 4, 400, 0.02, 100)->value[HISTORY_TTFT_P95] = (struct history_value){INFINITY, 900, INFINITY};
    history_add(f->was, 8, 400, 0.02, 100)->value[HISTORY_TTFT_P95] = (struct history_value){INFINITY, 900, INFINITY};
    history_add(f->is, 8, 400, 0.02, 100)->value[HISTORY_TTFT_P95] = (struct history_value){INFINITY, 700, INFINITY};
    history_add(f->was, 16, 400, 0.02, 100)->value[HISTORY_TTFT_P95] = (struct history_value){INFINITY, 300, INFINITY};
    history_add(f->is, 16, 400, 0.02, 100);
    const struct baseline *baseline = compare(f);
    const struct baseline_row *row = row_at(baseline, 4, HISTORY_TTFT_P95);
    assert_int_equal(row->verdict, CHANGE_WORSE);
    assert_true(isinf(row->change) && row->change > 0 && isinf(row->is) && fabs(row->was - 400) < 1e-9);
    assert_non_null(strstr(baseline->text, "TTFT p95 at 4 streams: 400 ms before, never now"));
    assert_int_equal(row_at(baseline, 8, HISTORY_TTFT_P95)->verdict, CHANGE_NONE);
    assert_int_equal(row_at(baseline, 16, HISTORY_TTFT_P95)->verdict, CHANGE_NONE); /* the intervals touch */
}

static void test_error_rates(void **state)
{
    struct fixture *f = *state;
    history_fail(history_add(f->was, 4, 400, 0.02, 100), 2);
    history_fail(history_add(f->is, 4, 400, 0.02, 100), 40);
    history_add(f->was, 8, 400, 0.02, 100);
    history_add(f->is, 8, 400, 0.02, 100);
    const struct baseline *baseline = compare(f);
    const struct baseline_row *row = row_at(baseline, 4, HISTORY_ERROR_RATE), *none = row_at(baseline, 8, HISTORY_ERROR_RATE);
    assert_int_equal(row->verdict, CHANGE_WORSE);
    assert_true(fabs(row->change - 0.038) < 1e-12);
    assert_int_equal(none->verdict, CHANGE_NONE);
    assert_true(isnan(none->p) && none->change == 0);
}

static void test_what_cannot_be_compared(void **state)
{
    struct fixture *f = *state;
    history_add(f->was, 4, 400, 0.02, 100);
    history_add(f->is, 4, 480, 0.02, 100)->validity = VALIDITY_INVALID;
    history_add(f->was, 8, 400, NAN, 100);
    history_add(f->is, 8, 480, 0.02, 100);
    history_add(f->is, 9, 480, 0.02, 100); /* of one only */
    const struct baseline *baseline = compare(f);
    assert_int_equal(baseline->row_count, 2 * HISTORY_METRIC_COUNT);
    assert_string_equal(row_at(baseline, 4, HISTORY_TTFT_P95)->missing, "the measurement at this load is invalid");
    assert_non_null(strstr(row_at(baseline, 8, HISTORY_TTFT_P95)->missing, "what two runs differ by is not known"));
    assert_true(fabs(row_at(baseline, 8, HISTORY_TTFT_P95)->change - 0.2) < 1e-12); /* what is known is said */
}

static void test_no_load_in_common(void **state)
{
    struct fixture *f = *state;
    history_add(f->was, 4, 400, 0.02, 100);
    history_add(f->is, 5, 480, 0.02, 100);
    const struct baseline *baseline = compare(f);
    assert_int_equal(baseline->row_count, 0);
    assert_non_null(strstr(baseline->text, "they have no load in common"));
}

static void test_points(void **state)
{
    struct fixture *f = *state;
    add_earlier(f, 6, 0.005);
    history_add(f->was, 4, 400, 0.02, 100);
    history_add(f->is, 4, 2400, 0.02, 100);
    f->was->breaking = (struct history_point){5, 8, 1, "(5, 8] streams"};
    f->is->breaking = (struct history_point){3, 4, 1, "(3, 4] streams"};
    f->was->saturation = (struct history_point){3, 5, 1, "(3, 5] streams"};
    f->is->saturation = (struct history_point){8, 10, 1, "(8, 10] streams"};
    const struct baseline *baseline = compare(f);
    assert_int_equal(baseline->points[0].verdict, CHANGE_WORSE);
    assert_int_equal(baseline->points[1].verdict, CHANGE_UNKNOWN); /* nothing at 5 streams became better */
    assert_non_null(strstr(baseline->text, "The breaking point fell: (5, 8] streams before, (3, 4] streams now."));
    assert_null(strstr(baseline->text, "The saturation point"));
    f->is->breaking.decided = 0; /* not clearly */
    assert_int_equal(compare(f)->points[0].verdict, CHANGE_NONE);
    f->is->breaking = (struct history_point){3, 6, 1, "(3, 6] streams"}; /* may be the same point */
    assert_int_equal(compare(f)->points[0].verdict, CHANGE_NONE);
    struct history_run *was = f->was; /* and the other way round */
    f->is->breaking = (struct history_point){3, 4, 1, "(3, 4] streams"};
    f->was = f->is;
    f->is = was;
    assert_int_equal(compare(f)->points[0].verdict, CHANGE_BETTER);
    assert_non_null(strstr(compare(f)->text, "The breaking point rose: (3, 4] streams before, (5, 8] streams now."));
}

/* Of three equal runs of the simulator one was saturated in one of three repeats. */
static void test_a_point_alone_moves_by_chance(void **state)
{
    struct fixture *f = *state;
    f->was->breaking = (struct history_point){8, NAN, 1, "> 8 streams"};
    f->is->breaking = (struct history_point){1, 8, 1, "(1, 8] streams"};
    assert_int_equal(compare(f)->points[0].verdict, CHANGE_UNKNOWN);
}

static void test_differences_are_told(void **state)
{
    struct fixture *f = *state;
    f->was->facts[0].text = "chat";
    f->was->server = "vllm 0.10";
    f->is->server = "vllm 0.11";
    const struct baseline *baseline = compare(f);
    assert_int_equal(baseline->difference_count, 1);
    assert_string_equal(baseline->differences[0], "scenario: chat before, none now");
    assert_int_equal(baseline->deployment_count, 1);
    assert_string_equal(baseline->deployments[0], "server: vllm 0.10 before, vllm 0.11 now");
}

/* What a number of the series is on another day: three times as far from the mean as within the run. */
static void draw_level(struct random *random, struct history_run *run, int load)
{
    struct history_level *level = history_add(run, load, 400, 0.05, 100);
    for (int metric = 0; metric < HISTORY_ERROR_RATE; metric++) {
        double value = exp(random_normal(random, 6, 0.06));
        level->value[metric] = (struct history_value){value, value * exp(-1.96 * 0.02), value * exp(1.96 * 0.02)};
    }
}

static size_t count_quiet_marks(struct random *random, int earlier)
{
    struct fixture *f;
    begin((void **)&f);
    for (int k = 0; k < earlier; k++)
        f->earlier[f->earlier_count++] = history_make("e", k);
    for (int load = 1; load <= 6; load++) {
        for (int k = 0; k < earlier; k++)
            draw_level(random, f->earlier[k], load);
        draw_level(random, f->was, load);
        draw_level(random, f->is, load);
    }
    const struct baseline *baseline = compare(f);
    size_t marks = baseline->worse + baseline->better;
    end((void **)&f);
    return marks;
}

/* The promise of the header: of runs in which nothing changed, about one in twenty has a mark. */
static void test_few_false_alarms(void **state)
{
    (void)state;
    static const int earlier[] = {3, 6, 14};
    struct random random;
    random_seed(&random, 7);
    for (size_t k = 0; k < sizeof earlier / sizeof earlier[0]; k++) {
        size_t marked = 0, rows = 0;
        for (int run = 0; run < QUIET_RUNS; run++) {
            size_t marks = count_quiet_marks(&random, earlier[k]);
            marked += marks > 0;
            rows += marks;
        }
        print_message("%d earlier runs: %zu of %d runs in which nothing changed have a mark (%zu of %d numbers)\n", earlier[k], marked, QUIET_RUNS,
                      rows, QUIET_RUNS * 30);
        assert_in_range(marked, 1, QUIET_RUNS * 8 / 100);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_two_runs_alone_tell_nothing_of_what_two_runs_differ_by),
        TEST(test_nothing_changed),
        TEST(test_slower_beyond_noise),
        TEST(test_faster_beyond_noise),
        TEST(test_earlier_runs_are_noise),
        TEST(test_repeats_are_noise),
        TEST(test_requests_that_never_got_a_token),
        TEST(test_error_rates),
        TEST(test_what_cannot_be_compared),
        TEST(test_no_load_in_common),
        TEST(test_points),
        TEST(test_a_point_alone_moves_by_chance),
        TEST(test_differences_are_told),
        cmocka_unit_test(test_few_false_alarms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
