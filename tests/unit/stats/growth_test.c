/* Slopes and bounds were computed by numpy and scipy (growth.py); whom they stop is measured on queues. */
#include "stats/growth.h"

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
#include "support/queue.h"

#define EXPECTED "tests/unit/stats/growth.tsv"
#define CASES 6
#define COLUMNS 9
#define SERIES 200
#define LEVEL_S 300

/* ---- what scipy says ---- */

static uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static struct growth make_growth(const double *column)
{
    struct growth growth = {0};
    uint64_t seed = (uint64_t)column[0];
    int64_t due = 0, ended = 0, grows = (int64_t)column[4];
    growth_add_count(&growth, 0, 0, 0);
    for (int64_t second = 1; second <= (int64_t)column[1]; second++) {
        due += (int64_t)(draw(&seed) % ((uint64_t)column[2] + 1));
        ended += (int64_t)(draw(&seed) % ((uint64_t)column[3] + 1));
        int64_t noise = (int64_t)(draw(&seed) % 50);
        growth_add_count(&growth, second * NS_PER_S, due, ended);
        growth_add_ttft(&growth, second * NS_PER_S, (200 + noise + grows * second) * NS_PER_MS);
    }
    return growth;
}

static void check_near(double got, double expected)
{
    assert_true(fabs(got - expected) <= 1e-6 * fabs(expected) + 1e-12);
}

static void test_slopes_are_what_scipy_says(void **state)
{
    (void)state;
    FILE *file = fopen(EXPECTED, "r");
    char line[512];
    int cases = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        double column[COLUMNS];
        char *rest = line;
        for (int k = 0; k < COLUMNS; k++)
            column[k] = strtod(rest, &rest);
        struct growth growth = make_growth(column);
        struct growth_slopes slopes = growth_slopes(&growth, (int64_t)column[1] * NS_PER_S);
        check_near(slopes.backlog.mean, column[5]);
        check_near(slopes.backlog.low, column[6]);
        check_near(slopes.ttft.mean, column[7]);
        check_near(slopes.ttft.low, column[8]);
        growth_free(&growth);
        cases++;
    }
    fclose(file);
    assert_int_equal(cases, CASES);
}

/* ---- the rules ---- */

/* Every second one more is due than ends, and waits half a second longer. */
static bool add_overload(struct growth *growth, int64_t second)
{
    growth_add_count(growth, second * NS_PER_S, 2 * second, second);
    growth_add_ttft(growth, second * NS_PER_S, second * NS_PER_S / 2);
    return growth_found(growth, second * NS_PER_S);
}

static void test_never_before_its_time_and_twice_in_a_row(void **state)
{
    (void)state;
    struct growth growth = {0};
    int64_t second = 1;
    while (!add_overload(&growth, second))
        second++;
    assert_int_equal(second, 33); /* the looks at 30 and 33 s */
    growth_free(&growth);
}

static void test_never_before_its_requests(void **state)
{
    (void)state;
    struct growth growth = {0};
    int64_t t = 0;
    for (int64_t k = 1; growth.first_tokens < GROWTH_REQUESTS_MIN; k++) { /* one in ten seconds */
        t = 10 * k * NS_PER_S;
        growth_add_count(&growth, t, 2 * k, k);
        growth_add_ttft(&growth, t, t / 2);
        if (growth.first_tokens < GROWTH_REQUESTS_MIN)
            assert_false(growth_found(&growth, t));
    }
    assert_false(growth_found(&growth, t));
    assert_int_equal(growth.yes_in_a_row, 1);
    growth_free(&growth);
}

static void test_a_backlog_alone_is_no_overload(void **state)
{
    (void)state;
    struct growth growth = {0};
    for (int64_t second = 1; second <= 600; second++) { /* long answers: nothing ends, but every first token comes at once */
        growth_add_count(&growth, second * NS_PER_S, 3 * second, 0);
        growth_add_ttft(&growth, second * NS_PER_S, 200 * NS_PER_MS);
        assert_false(growth_found(&growth, second * NS_PER_S));
    }
    growth_free(&growth);
}

static void test_a_closed_loop_is_never_stopped(void **state)
{
    (void)state;
    struct growth growth = {0};
    for (int64_t second = 1; second <= 600; second++) { /* 100 streams, and a server that gets slower and slower */
        growth_add_count(&growth, second * NS_PER_S, 100 + second, second);
        growth_add_ttft(&growth, second * NS_PER_S, second * NS_PER_S / 2);
        assert_false(growth_found(&growth, second * NS_PER_S));
    }
    growth_free(&growth);
}

static void test_nothing_known_is_no_answer(void **state)
{
    (void)state;
    struct growth growth = {0};
    assert_false(growth_found(&growth, 100 * NS_PER_S));
    struct growth_slopes slopes = growth_slopes(&growth, 100 * NS_PER_S);
    assert_true(isnan(slopes.backlog.mean) && isnan(slopes.backlog.low) && isnan(slopes.ttft.mean) && isnan(slopes.ttft.low));
    for (int64_t second = 1; second <= 100; second++) { /* a server that says nothing */
        growth_add_count(&growth, second * NS_PER_S, second, 0);
        assert_false(growth_found(&growth, second * NS_PER_S));
    }
    growth_free(&growth);
}

static void test_a_long_level_needs_little_memory(void **state)
{
    (void)state;
    struct growth growth = {0};
    for (int64_t tick = 1; tick <= 24 * 3600 * 10; tick++) { /* a day at ten a second */
        growth_add_count(&growth, tick * NS_PER_S / 10, tick, tick - 5);
        growth_add_ttft(&growth, tick * NS_PER_S / 10, NS_PER_S / 2);
        assert_false(growth_found(&growth, tick * NS_PER_S / 10));
    }
    assert_int_equal(growth.first_tokens, 24 * 3600 * 10);
    assert_true(growth.count < 10000 && growth.ttft_count < 10000);
    growth_free(&growth);
}

/* ---- on queues, from idle, as the engine sees them ---- */

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* When the level is stopped, s; 0: it never is. */
static double watch_queue(const struct queue *queue)
{
    size_t count = (size_t)(queue_arrivals_per_s(queue) * LEVEL_S * 1.5) + 50, due = 0, ended = 0, begun = 0;
    struct level_sample *arrivals = mem_calloc(count, sizeof *arrivals); /* who came first is served first */
    int64_t *ends = mem_calloc(count, sizeof *ends);
    queue_run(queue, arrivals, count);
    for (size_t k = 0; k < count; k++)
        ends[k] = arrivals[k].end;
    qsort(ends, count, sizeof *ends, compare_times);
    struct growth growth = {0};
    int64_t now = 0;
    bool found = false;
    while (!found && now < LEVEL_S * NS_PER_S) {
        now += NS_PER_S / 2;
        while (due < count && arrivals[due].intended <= now)
            due++;
        while (ended < count && ends[ended] <= now)
            ended++;
        for (; begun < count && arrivals[begun].first_token <= now; begun++)
            growth_add_ttft(&growth, arrivals[begun].first_token, arrivals[begun].first_token - arrivals[begun].intended);
        growth_add_count(&growth, now, (int64_t)due, (int64_t)ended);
        found = growth_found(&growth, now);
    }
    growth_free(&growth);
    free(arrivals);
    free(ends);
    return found ? (double)now / (double)NS_PER_S : 0;
}

/* How many of SERIES levels are stopped, and when on average. */
static int stop_queues(double load, int servers, double service_s, bool fixed)
{
    int stopped = 0;
    double when = 0;
    for (int k = 0; k < SERIES; k++) {
        struct queue queue = {.servers = servers, .load = load, .service_s = service_s, .fixed = fixed, .prefill_s = 0.2, .seed = (uint64_t)k + 1};
        double at = watch_queue(&queue);
        stopped += at > 0;
        when += at;
    }
    print_message("# load %.2f, %d servers, %g s (%s): %d of %d levels of %d s stopped", load, servers, service_s,
                  fixed ? "always" : "exponential", stopped, SERIES, LEVEL_S);
    print_message(stopped > 0 ? ", after %.0f s on average\n" : "\n", when / (stopped > 0 ? stopped : 1));
    return stopped;
}

static void test_no_level_below_capacity_is_stopped(void **state)
{
    (void)state;
    static const double loads[] = {0.5, 0.7, 0.8};
    for (size_t k = 0; k < sizeof loads / sizeof loads[0]; k++) {
        assert_int_equal(stop_queues(loads[k], 8, 4, false), 0);
        assert_int_equal(stop_queues(loads[k], 32, 13, true), 0);
        assert_int_equal(stop_queues(loads[k], 1, 1, false), 0);
    }
}

/* Too near to capacity to be told from it within five minutes: seldom. */
static void test_levels_near_capacity_are_seldom_stopped(void **state)
{
    (void)state;
    assert_in_range(stop_queues(0.9, 8, 4, false), 0, SERIES / 50);
    assert_in_range(stop_queues(0.95, 8, 4, false), 0, SERIES / 50);
    assert_in_range(stop_queues(1.0, 8, 4, false), 0, SERIES / 10);
}

static void test_overloaded_levels_are_stopped(void **state)
{
    (void)state;
    assert_in_range(stop_queues(1.25, 8, 4, false), SERIES * 7 / 10, SERIES);
    assert_in_range(stop_queues(1.5, 8, 4, false), SERIES * 99 / 100, SERIES);
    assert_in_range(stop_queues(1.5, 32, 13, true), SERIES * 99 / 100, SERIES);
    assert_in_range(stop_queues(2, 8, 13, false), SERIES * 95 / 100, SERIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slopes_are_what_scipy_says),
        cmocka_unit_test(test_never_before_its_time_and_twice_in_a_row),
        cmocka_unit_test(test_never_before_its_requests),
        cmocka_unit_test(test_a_backlog_alone_is_no_overload),
        cmocka_unit_test(test_a_closed_loop_is_never_stopped),
        cmocka_unit_test(test_nothing_known_is_no_answer),
        cmocka_unit_test(test_a_long_level_needs_little_memory),
        cmocka_unit_test(test_no_level_below_capacity_is_stopped),
        cmocka_unit_test(test_levels_near_capacity_are_seldom_stopped),
        cmocka_unit_test(test_overloaded_levels_are_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
