#include "stats/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sort.h"
#include "stats/interval.h"
#include "stats/noise.h"

#define PERMUTATIONS 9999
#define STEP_SEED 1979
#define STEP_RATE 0.01
#define WEEK_RATE 0.05

const enum history_metric trend_metrics[] = {HISTORY_TTFT_P95, HISTORY_USER_TPS, HISTORY_TOTAL_TPS};

/* The runs that have a metric at the load, as logarithms. */
struct values {
    const struct history_run **runs;
    double *values;
    size_t count, never; /* of never it is infinite */
};

/* ---- the step ---- */

/* From 1; equal values share the mean of their ranks. */
static void find_ranks(const double *values, size_t count, double *ranks)
{
    for (size_t k = 0; k < count; k++) {
        size_t below = 0, equal = 0;
        for (size_t j = 0; j < count; j++) {
            below += values[j] < values[k];
            equal += values[j] == values[k];
        }
        ranks[k] = (double)below + ((double)equal + 1) / 2;
    }
}

/* The largest |U| of all cuts; *at: how many are before it. */
static double largest_cut(const double *ranks, size_t count, size_t *at)
{
    double sum = 0, largest = -1;
    for (size_t k = 1; k < count; k++) {
        sum += ranks[k - 1];
        double u = fabs(2 * sum - (double)k * ((double)count + 1));
        if (u > largest) {
            largest = u;
            *at = k;
        }
    }
    return largest;
}

size_t trend_step(const double *values, size_t count, double *p)
{
    double *ranks = mem_calloc(count + 1, sizeof *ranks);
    struct random random;
    size_t at = 0, ignored, as_large = 0;
    find_ranks(values, count, ranks);
    double observed = largest_cut(ranks, count, &at);
    random_seed(&random, STEP_SEED);
    for (int draw = 0; draw < PERMUTATIONS; draw++) {
        for (size_t k = count; k-- > 1;) {
            size_t other = (size_t)random_below(&random, k + 1);
            double swap = ranks[k];
            ranks[k] = ranks[other];
            ranks[other] = swap;
        }
        as_large += largest_cut(ranks, count, &ignored) >= observed;
    }
    free(ranks);
    *p = (double)(as_large + 1) / (PERMUTATIONS + 1);
    return at;
}

static double median_of(const double *values, size_t count)
{
    double *sorted = mem_calloc(count + 1, sizeof *sorted);
    memcpy(sorted, values, count * sizeof *sorted);
    double median = sort_median(sorted, count);
    free(sorted);
    return median;
}

static void find_step(struct arena *arena, struct trend_metric *out, const struct values *of)
{
    if (of->count < TREND_STEP_MIN)
        return;
    size_t at = trend_step(of->values, of->count, &out->step_p);
    if (out->step_p > STEP_RATE)
        return;
    out->since = arena_strdup(arena, of->runs[at]->run_id);
    out->since_started = of->runs[at]->started;
    out->step = expm1(median_of(of->values + at, of->count - at) - median_of(of->values, at));
}

/* ---- the week ---- */

static struct side side_of_runs(const struct values *of, int64_t after, int64_t until)
{
    struct bounded *list = mem_calloc(of->count + 1, sizeof *list);
    size_t count = 0;
    for (size_t k = 0; k < of->count; k++)
        if (of->runs[k]->started > after && of->runs[k]->started <= until)
            list[count++] = (struct bounded){of->values[k], NAN, NAN};
    struct side side = side_of(list, count);
    free(list);
    return side;
}

/* What the runs of one week differ by counts for the other too, where that has too few. */
static struct difference difference_of_weeks(const struct side *now, const struct side *before)
{
    struct difference difference = difference_of_repeats(now, before);
    const struct side *more = now->count >= before->count ? now : before;
    if (!isnan(difference.error_below) || more->count < INTERVAL_VALUES_MIN || now->count == 0 || before->count == 0)
        return difference;
    difference.error_below = difference.error_above = sqrt(more->variance * (1 / (double)now->count + 1 / (double)before->count));
    difference.freedom = (double)(more->count - 1);
    return difference;
}

static void compare_weeks(struct trend_metric *out, const struct values *of, int64_t newest)
{
    const int64_t week = TREND_WEEK_S * NS_PER_S;
    struct side now = side_of_runs(of, newest - week, newest), before = side_of_runs(of, newest - 2 * week, newest - week);
    out->now_runs = now.count;
    out->before_runs = before.count;
    out->now = exp(now.mean);
    out->before = exp(before.mean);
    struct difference difference = difference_of_weeks(&now, &before);
    out->change = expm1(difference.value);
    if (before.count == 0) {
        out->missing = "there is no run of the week before";
    } else if (isnan(difference.error_below)) {
        out->missing = "too few runs: three in one of the two weeks are needed";
    } else {
        difference_bounds(&difference, &out->low, &out->high);
        out->low = expm1(out->low);
        out->high = expm1(out->high);
        out->p = difference_p(&difference);
    }
}

/* All metrics together: three of them find more by chance than one. */
static void judge(struct trend *trend)
{
    double p[TREND_METRICS];
    for (size_t k = 0; k < TREND_METRICS; k++)
        p[k] = trend->metrics[k].p;
    double limit = discovery_limit(p, TREND_METRICS, WEEK_RATE);
    for (size_t k = 0; k < TREND_METRICS; k++) {
        struct trend_metric *of = &trend->metrics[k];
        if (of->missing)
            of->verdict = CHANGE_UNKNOWN;
        else if (of->p > limit)
            of->verdict = CHANGE_NONE;
        else
            of->verdict = (of->change > 0) == history_metric_more_is_better(of->metric) ? CHANGE_BETTER : CHANGE_WORSE;
    }
}

/* ---- words ---- */

static const char *week_text(struct arena *arena, const struct trend_metric *of)
{
    char now[HISTORY_VALUE_SIZE], before[HISTORY_VALUE_SIZE], change[BASELINE_CHANGE_SIZE], low[BASELINE_CHANGE_SIZE], high[BASELINE_CHANGE_SIZE];
    const char *is = history_metric_format(of->metric, of->now, now);
    if (of->missing)
        return arena_printf(arena, "%s (%s)", is, of->missing);
    const char *verdict = of->verdict == CHANGE_NONE ? "as the week before, within noise" : of->verdict == CHANGE_WORSE ? "worse than the week before"
                                                                                                              : "better than the week before";
    return arena_printf(arena, "%s: %s in the last seven days, %s in the seven before, %s (%s to %s; %zu and %zu runs)", verdict, is,
                        history_metric_format(of->metric, of->before, before), baseline_change_text(of->change, change),
                        baseline_change_text(of->low, low), baseline_change_text(of->high, high), of->now_runs, of->before_runs);
}

static const char *step_text(struct arena *arena, const struct trend_metric *of)
{
    char change[BASELINE_CHANGE_SIZE], date[CLOCK_RFC3339_SIZE];
    if (!of->since)
        return "";
    return arena_printf(arena, "; it stepped by %s with %s of %.10s", baseline_change_text(of->step, change), of->since,
                        clock_format_rfc3339(of->since_started, 0, date));
}

static const char *metric_text(struct arena *arena, const struct trend *trend, const struct trend_metric *of)
{
    const char *where = arena_printf(arena, "%s at %s", history_metric_title(of->metric), points_load_text(arena, trend->load, trend->unit));
    if (of->count == 0)
        return arena_printf(arena, "%s is not known", where);
    const char *never = of->never == 0 ? "" : arena_printf(arena, "; %zu more run%s too many requests that never got a first token", of->never,
                                                          of->never == 1 ? " had" : "s had");
    return arena_printf(arena, "%s: %s%s%s", where, week_text(arena, of), step_text(arena, of), never);
}

/* ---- the whole ---- */

static struct values list_values(struct arena *arena, const struct history_run *const *runs, size_t count, const struct trend *trend,
                                 enum history_metric metric)
{
    struct values of = {ARENA_ARRAY(arena, count + 1, const struct history_run *), ARENA_ARRAY(arena, count + 1, double), 0, 0};
    for (size_t k = 0; k < count; k++) {
        double value = history_run_value(runs[k], trend->unit, trend->load, metric);
        of.never += isinf(value) != 0;
        if (!(value > 0) || isinf(value))
            continue;
        of.runs[of.count] = runs[k];
        of.values[of.count++] = log(value);
    }
    return of;
}

static void choose_load(struct arena *arena, struct trend *trend, const struct history_run *newest)
{
    trend->unit = arena_strdup(arena, newest->unit ? newest->unit : newest->levels[0].unit);
    trend->load = newest->advised_load;
    for (size_t k = 0; k < newest->level_count && isnan(newest->advised_load); k++)
        if (strcmp(newest->levels[k].unit, trend->unit) == 0 && !(newest->levels[k].load >= trend->load))
            trend->load = newest->levels[k].load;
}

struct trend *trend_find(struct arena *arena, const struct history_run *const *runs, size_t count)
{
    struct trend *trend = ARENA_NEW(arena, struct trend);
    size_t left_out = count > TREND_RUNS_MAX ? count - TREND_RUNS_MAX : 0;
    runs += left_out;
    count -= left_out;
    const struct history_run *newest = runs[count - 1];
    trend->run_count = count;
    trend->first = runs[0]->started;
    trend->last = newest->started;
    trend->model = arena_strdup(arena, newest->model);
    trend->hardware = arena_strdup(arena, newest->hardware);
    trend->workload = arena_strdup(arena, newest->workload);
    choose_load(arena, trend, newest);
    for (size_t k = 0; k < TREND_METRICS; k++) {
        struct trend_metric *of = &trend->metrics[k];
        *of = (struct trend_metric){.metric = trend_metrics[k], .now = NAN, .before = NAN, .change = NAN, .low = NAN, .high = NAN, .p = NAN,
                                    .step = NAN, .step_p = NAN};
        struct values values = list_values(arena, runs, count, trend, of->metric);
        of->count = values.count;
        of->never = values.never;
        compare_weeks(of, &values, newest->started);
        find_step(arena, of, &values);
    }
    judge(trend);
    for (size_t k = 0; k < TREND_METRICS; k++)
        trend->texts[k] = metric_text(arena, trend, &trend->metrics[k]);
    return trend;
}
