/* What is cut was computed by numpy (steady.py); what it costs on steady levels is measured on queues. */
#include "stats/steady.h"

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

#define EXPECTED "tests/unit/stats/steady.tsv"
#define QUEUES 200
#define REQUESTS 300

/* ---- the same series as steady.py ---- */

static uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static double shape(const char *kind, size_t k, size_t count)
{
    if (strcmp(kind, "step") == 0)
        return k < count / 5 ? 8 : 0;
    if (strcmp(kind, "decay") == 0)
        return 20.0 / (1 + (double)k);
    if (strcmp(kind, "ramp") == 0)
        return (double)(k < count / 4 ? k : count / 4);
    if (strcmp(kind, "drift") == 0)
        return 0.5 * (double)k;
    if (strcmp(kind, "late") == 0)
        return k + 5 >= count ? 8 : 0;
    return strcmp(kind, "waves") == 0 ? (double)(k % 20) : 0;
}

static double *make_series(const char *kind, uint64_t seed, size_t count)
{
    double *values = mem_calloc(count + 1, sizeof *values);
    for (size_t k = 0; k < count; k++)
        values[k] = strcmp(kind, "equal") == 0 ? 0.5 : (double)draw(&seed) / 2147483648.0 + shape(kind, k, count);
    return values;
}

static struct level_sample *make_level(const char *kind, size_t count)
{
    struct level_sample *samples = mem_calloc(count, sizeof *samples);
    uint64_t seed = count;
    for (size_t k = 0; k < count; k++) {
        int64_t noise = (int64_t)draw(&seed), sent = 100 * NS_PER_MS * (int64_t)k;
        int64_t ttft = 50 * NS_PER_MS + noise % (40 * NS_PER_MS), duration = 3000 * NS_PER_MS + noise % (1000 * NS_PER_MS);
        if (strcmp(kind, "cold") == 0)
            ttft += 900 * NS_PER_MS / (1 + (int64_t)k / 4);
        if (strcmp(kind, "overload") == 0) {
            ttft += 20 * NS_PER_MS * (int64_t)k;
            duration += 20 * NS_PER_MS * (int64_t)k;
        }
        samples[k] = (struct level_sample){sent, sent, sent + ttft, sent + duration, OUTCOME_OK, FAILURE_NONE};
    }
    return samples;
}

static struct steady_cut warm_up(const struct level_sample *samples, size_t count, bool open_loop, int64_t from, int64_t to)
{
    struct steady_window window = {.start = from, .end = to};
    steady_find(&window, samples, count, &(struct steady_level){.open_loop = open_loop, .warmup = true});
    assert_int_equal(window.start, from + window.warmup.ns);
    assert_int_equal(window.end, to);
    assert_int_equal(window.cooldown.rule, STEADY_NONE);
    return window.warmup;
}

/* ---- what numpy says ---- */

#define FIELDS_MAX 7

static int64_t integer(const char *field)
{
    char *end;
    long long value = strtoll(field, &end, 10);
    assert_true(end != field && *end == '\0');
    return value;
}

/* kind, seed, count, observations to cut, 1 where the minimum lies at the half */
static void check_series(char *const *field)
{
    size_t count = (size_t)integer(field[3]);
    double *values = make_series(field[1], (uint64_t)integer(field[2]), count);
    bool drifts;
    assert_int_equal(steady_mser5(values, count, &drifts), integer(field[4]));
    assert_int_equal(drifts, integer(field[5]));
    free(values);
}

/* kind, requests, from, to, ns to cut, the series that decided */
static void check_level(char *const *field)
{
    size_t count = (size_t)integer(field[2]);
    int64_t from = integer(field[3]), to = integer(field[4]);
    struct level_sample *samples = make_level(field[1], count);
    struct steady_cut cut = warm_up(samples, count, true, from, to);
    assert_true(llabs(cut.ns - integer(field[5])) <= 1); /* a bin's width is no whole number of ns */
    const char *series = steady_series_name(cut.by);
    assert_string_equal(cut.rule == STEADY_TOO_FEW ? "too_few" : series ? series : "neither", field[6]);
    free(samples);
}

static void split(char *line, char *field[FIELDS_MAX])
{
    line[strcspn(line, "\n")] = '\0';
    for (int k = 0; k < FIELDS_MAX; k++)
        field[k] = line ? strsep(&line, "\t") : line;
}

static void test_what_is_cut_is_what_numpy_says(void **state)
{
    (void)state;
    FILE *file = fopen(EXPECTED, "r");
    char line[256], *field[FIELDS_MAX];
    int series = 0, levels = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        split(line, field);
        if (strcmp(field[0], "series") == 0) {
            check_series(field);
            series++;
        } else if (strcmp(field[0], "level") == 0) {
            check_level(field);
            levels++;
        }
    }
    fclose(file);
    assert_int_equal(series, 72);
    assert_int_equal(levels, 15);
}

/* ---- both ends ---- */

static void test_a_hung_server_is_seen_by_the_time_waited(void **state)
{
    (void)state;
    struct level_sample *samples = make_level("even", 200);
    for (size_t k = 0; k < 40; k++) { /* the first fifth never gets a token, and is cancelled after 9 s */
        samples[k].first_token = TIME_NEVER;
        samples[k].end = samples[k].sent + 9 * NS_PER_S;
        samples[k].outcome = OUTCOME_INCOMPLETE;
        samples[k].failure = FAILURE_CANCELLED;
    }
    struct steady_cut cut = warm_up(samples, 200, false, 0, 20 * NS_PER_S);
    assert_int_equal(cut.rule, STEADY_MSER5);
    assert_true(cut.ns >= 4 * NS_PER_S && cut.ns < 10 * NS_PER_S);
    free(samples);
}

static struct steady_cut cool_down(const struct level_sample *samples, size_t count, bool max_requests_ended, int64_t to)
{
    struct steady_window window = {.end = to};
    steady_find(&window, samples, count, &(struct steady_level){.max_requests_ended = max_requests_ended, .cooldown = true});
    assert_int_equal(window.end, to - window.cooldown.ns);
    return window.cooldown;
}

static void test_cooldown_is_what_comes_after_the_last_request(void **state)
{
    (void)state;
    struct level_sample *samples = make_level("even", 100); /* the last is sent at 9.9 s */
    struct steady_cut cut = cool_down(samples, 100, true, 14 * NS_PER_S);
    assert_int_equal(cut.rule, STEADY_LAST_REQUEST);
    assert_int_equal(cut.ns, 4100 * NS_PER_MS - 1);
    cut = cool_down(samples, 100, false, 14 * NS_PER_S);
    assert_int_equal(cut.rule, STEADY_FULL_LOAD);
    assert_int_equal(cut.ns, 0);
    cut = cool_down(samples, 100, true, 30 * NS_PER_S);
    assert_int_equal(cut.rule, STEADY_BURST);
    assert_int_equal(cut.ns, 0);
    cut = cool_down(samples, 0, true, 0);
    assert_int_equal(cut.ns, 0);
    free(samples);
}

static void test_both_ends_leave_half_of_the_level(void **state)
{
    (void)state;
    struct level_sample *samples = make_level("overload", 200); /* the last is sent at 19.9 s */
    struct steady_window window = {.start = 0, .end = 28 * NS_PER_S};
    steady_find(&window, samples, 200, &(struct steady_level){.max_requests_ended = true, .warmup = true, .cooldown = true});
    assert_int_equal(window.cooldown.rule, STEADY_LAST_REQUEST);
    assert_int_equal(window.warmup.rule, STEADY_HALF);
    assert_int_equal(window.warmup.ns + window.cooldown.ns, 14 * NS_PER_S);
    assert_int_equal(window.end - window.start, 14 * NS_PER_S);
    free(samples);
}

static void test_what_is_to_change_is_left_whole(void **state)
{
    (void)state;
    struct level_sample *samples = make_level("overload", 200);
    struct steady_window window = {.start = 0, .end = 20 * NS_PER_S};
    steady_find(&window, samples, 200, &(struct steady_level){.open_loop = true, .changes = true, .warmup = true, .cooldown = true});
    assert_int_equal(window.warmup.rule, STEADY_CHANGING);
    assert_true(window.start == 0 && window.end == 20 * NS_PER_S);
    free(samples);
}

/* ---- on queues ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct cuts {
    double share[QUEUES];              /* of the level, sorted */
    double whole, rest;                /* mean of completions a second / arrivals a second: of the whole levels, and of what is left */
};

static double rate(const struct level_sample *samples, int64_t from, int64_t to)
{
    double ended = 0;
    for (size_t k = 0; k < REQUESTS; k++)
        ended += samples[k].end >= from && samples[k].end < to;
    return ended / ((double)(to - from) / (double)NS_PER_S);
}

static void cut_queues(struct queue queue, struct cuts *cuts)
{
    struct level_sample samples[REQUESTS];
    double arrivals = queue_arrivals_per_s(&queue);
    int64_t to = llround(REQUESTS / arrivals * (double)NS_PER_S);
    *cuts = (struct cuts){.whole = 0};
    for (int k = 0; k < QUEUES; k++) {
        queue.seed = (uint64_t)k + 1;
        queue_run(&queue, samples, REQUESTS);
        struct steady_cut cut = warm_up(samples, REQUESTS, true, 0, to);
        cuts->share[k] = (double)cut.ns / (double)to;
        cuts->whole += rate(samples, 0, to) / arrivals / QUEUES;
        cuts->rest += rate(samples, cut.ns, to) / arrivals / QUEUES;
    }
    qsort(cuts->share, QUEUES, sizeof cuts->share[0], compare_doubles);
}

static void print_cuts(const char *what, const struct cuts *cuts)
{
    double mean = 0;
    for (int k = 0; k < QUEUES; k++)
        mean += cuts->share[k] / QUEUES;
    print_message("# %s: cut p10 %.3f, median %.3f, mean %.3f, p90 %.3f; throughput / arrivals %.3f whole, %.3f of the rest\n", what,
                  cuts->share[QUEUES / 10], cuts->share[QUEUES / 2], mean, cuts->share[QUEUES * 9 / 10], cuts->whole, cuts->rest);
}

static void test_steady_levels_keep_most(void **state)
{
    (void)state;
    struct cuts cuts;
    cut_queues((struct queue){.servers = 8, .load = 0.5, .service_s = 10, .prefill_s = 0.3, .served = 2000}, &cuts);
    print_cuts("steady", &cuts);
    assert_true(cuts.share[QUEUES / 2] <= 0.15 && cuts.share[QUEUES - 1] <= 0.5);
    assert_true(fabs(cuts.rest - 1) <= 0.03);
}

/* Nothing ends within the first 10 s of 94: all of the level has too low a throughput, the rest has not. */
static void test_the_time_until_the_first_answers_is_cut(void **state)
{
    (void)state;
    struct cuts cuts;
    cut_queues((struct queue){.servers = 64, .load = 0.5, .service_s = 10, .fixed = true, .prefill_s = 0.3}, &cuts);
    print_cuts("from idle", &cuts);
    assert_true(cuts.whole <= 0.92);
    assert_true(fabs(cuts.rest - 1) <= 0.02);
    assert_true(cuts.share[QUEUES / 10] >= 0.06);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_cut_is_what_numpy_says),
        cmocka_unit_test(test_a_hung_server_is_seen_by_the_time_waited),
        cmocka_unit_test(test_cooldown_is_what_comes_after_the_last_request),
        cmocka_unit_test(test_both_ends_leave_half_of_the_level),
        cmocka_unit_test(test_what_is_to_change_is_left_whole),
        cmocka_unit_test(test_steady_levels_keep_most),
        cmocka_unit_test(test_the_time_until_the_first_answers_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
