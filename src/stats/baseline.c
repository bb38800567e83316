#include "stats/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/baseline_text.h"
#include "stats/noise.h"

#define RATE 0.05          /* of false discoveries */
#define P_APART 0.0056     /* of two 95 % intervals that do not touch */

const char *noise_name(enum noise noise)
{
    static const char *const names[] = {
        [NOISE_WITHIN_RUN] = "within run", [NOISE_REPEATS] = "repeats", [NOISE_EARLIER_RUNS] = "earlier runs"};
    return names[noise];
}

const char *change_name(enum change change)
{
    static const char *const names[] = {
        [CHANGE_UNKNOWN] = "unknown", [CHANGE_NONE] = "same", [CHANGE_BETTER] = "better", [CHANGE_WORSE] = "worse"};
    return names[change];
}

struct comparing {
    struct arena *arena;
    const struct history_run *was, *is;
    const struct history_run **earlier; /* of the series, the oldest first */
    size_t earlier_count;
};

/* ---- a side of a row: the levels of one run at one load ---- */

struct levels {
    struct bounded *values; /* logarithms */
    size_t count, invalid;
    uint64_t failed, ended;
    struct history_value first;
    double lowest, highest; /* bounds of the numbers as they are */
    bool infinite, unknown; /* one of them is */
};

/* NAN where one of them is. */
static double lower_of(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : fmin(a, b);
}

static struct levels pick(const struct comparing *comparing, const struct history_run *run, const struct baseline_row *row)
{
    struct levels levels = {.values = ARENA_ARRAY(comparing->arena, run->level_count + 1, struct bounded), .lowest = INFINITY, .highest = 0};
    for (size_t k = 0; k < run->level_count; k++) {
        const struct history_level *level = &run->levels[k];
        const struct history_value *value = &level->value[row->metric];
        if (level->load != row->load || strcmp(level->unit, row->unit) != 0)
            continue;
        if (level->validity == VALIDITY_INVALID) {
            levels.invalid++;
            continue;
        }
        levels.first = levels.count == 0 ? *value : levels.first;
        levels.failed += level->failed;
        levels.ended += level->ended;
        levels.unknown |= isnan(value->value);
        levels.infinite |= isinf(value->value);
        levels.lowest = lower_of(levels.lowest, value->low);
        levels.highest = -lower_of(-levels.highest, -value->high);
        levels.values[levels.count++] = (struct bounded){log(value->value), log(value->low), log(value->high)};
    }
    return levels;
}

static const char *missing_of(const struct levels *levels)
{
    if (levels->count == 0)
        return levels->invalid > 0 ? "the measurement at this load is invalid" : "this load was not measured";
    return levels->unknown ? "it is not known of both runs" : NULL;
}

/* ---- a row ---- */

/* The earlier runs' logarithms of the row's number, the oldest first. */
static size_t list_earlier(const struct comparing *comparing, const struct baseline_row *row, double *list)
{
    size_t count = 0;
    for (size_t k = 0; k < comparing->earlier_count; k++) {
        double value = history_run_value(comparing->earlier[k], row->unit, row->load, row->metric);
        if (value > 0 && isfinite(value))
            list[count++] = log(value);
    }
    return count;
}

/* Of what is known the one by which the change is most likely to be chance; within the runs only, where no more is. (Not the widest interval: few
 * earlier runs may happen to differ by little, and then it is their few degrees of freedom that tell how little is known.) */
static struct difference choose_noise(const struct comparing *comparing, struct baseline_row *row, const struct side *is, const struct side *was)
{
    double *earlier = ARENA_ARRAY(comparing->arena, comparing->earlier_count + 1, double);
    size_t count = list_earlier(comparing, row, earlier);
    struct difference repeats = difference_of_repeats(is, was), within = difference_within(is, was);
    const struct {
        enum noise noise;
        struct difference difference;
    } known[] = {{NOISE_WITHIN_RUN, within}, {NOISE_REPEATS, repeats}, {NOISE_EARLIER_RUNS, difference_by_history(is, was, earlier, count)}};
    size_t chosen = 0;
    row->within_run_only = true;
    for (size_t k = 1; k < sizeof known / sizeof known[0]; k++) {
        if (isnan(known[k].difference.error_below))
            continue;
        row->within_run_only = false;
        if (!(difference_p(&known[k].difference) <= difference_p(&known[chosen].difference)))
            chosen = k;
    }
    row->noise = known[chosen].noise;
    return known[chosen].difference;
}

static void compare_numbers(const struct comparing *comparing, struct baseline_row *row, const struct levels *is, const struct levels *was)
{
    struct side of_is = side_of(is->values, is->count), of_was = side_of(was->values, was->count);
    row->was = exp(of_was.mean);
    row->is = exp(of_is.mean);
    if (!(row->was > 0) || !(row->is > 0)) {
        row->missing = "there is no quotient with 0";
        return;
    }
    struct difference difference = choose_noise(comparing, row, &of_is, &of_was);
    double low, high;
    difference_bounds(&difference, &low, &high);
    row->change = expm1(difference.value);
    row->low = expm1(low);
    row->high = expm1(high);
    row->p = difference_p(&difference);
    if (row->within_run_only)
        row->missing = BASELINE_ALONE;
    if (isnan(row->p))
        row->noise = NOISE_UNKNOWN;
}

/* Where requests never got a first token there is no quotient and no chance of one as large: only whether both intervals touch. */
static void compare_infinite(struct baseline_row *row, const struct levels *is, const struct levels *was)
{
    row->was = was->infinite ? INFINITY : exp(side_of(was->values, was->count).mean);
    row->is = is->infinite ? INFINITY : exp(side_of(is->values, is->count).mean);
    row->noise = NOISE_WITHIN_RUN;
    if (is->infinite && was->infinite) {
        row->change = 0;
        row->p = 1;
        return;
    }
    const struct levels *more = is->infinite ? is : was, *less = is->infinite ? was : is;
    row->change = is->infinite ? INFINITY : -INFINITY;
    row->p = isnan(more->lowest) || isnan(less->highest) ? NAN : more->lowest > less->highest ? P_APART : 1;
    if (isnan(row->p)) {
        row->noise = NOISE_UNKNOWN;
        row->missing = "too few requests to tell noise";
    }
}

static struct history_value error_rate_of(const struct levels *levels)
{
    if (levels->count == 1)
        return levels->first;
    return history_proportion(levels->failed, levels->ended);
}

/* Counts of all repeats together. Where nothing failed in both runs, nothing is asked of chance. */
static void compare_errors(struct baseline_row *row, const struct levels *is, const struct levels *was)
{
    struct history_value a = error_rate_of(is), b = error_rate_of(was);
    struct bounded of_is = {a.value, a.low, a.high}, of_was = {b.value, b.low, b.high};
    struct side is_side = side_of(&of_is, 1), was_side = side_of(&of_was, 1);
    struct difference difference = difference_within(&is_side, &was_side);
    row->was = b.value;
    row->is = a.value;
    row->noise = NOISE_WITHIN_RUN;
    row->change = difference.value;
    difference_bounds(&difference, &row->low, &row->high);
    if (is->failed + was->failed > 0)
        row->p = difference_p(&difference);
}

static void compare_row(const struct comparing *comparing, struct baseline_row *row)
{
    struct levels was = pick(comparing, comparing->was, row), is = pick(comparing, comparing->is, row);
    row->was = row->is = row->change = row->low = row->high = row->p = NAN;
    row->missing = missing_of(&was) ? missing_of(&was) : missing_of(&is);
    if (row->missing)
        return;
    if (row->metric == HISTORY_ERROR_RATE)
        compare_errors(row, &is, &was);
    else if (is.infinite || was.infinite)
        compare_infinite(row, &is, &was);
    else
        compare_numbers(comparing, row, &is, &was);
}

double baseline_row_loss(const struct baseline_row *row)
{
    return history_metric_more_is_better(row->metric) ? -row->change : row->change;
}

/* ---- all rows ---- */

static int compare_rows(const void *a, const void *b)
{
    const struct baseline_row *x = a, *y = b;
    int units = strcmp(x->unit, y->unit);
    if (units != 0 || x->load != y->load)
        return units != 0 ? units : (x->load > y->load) - (x->load < y->load);
    return (int)x->metric - (int)y->metric;
}

static bool has_load(const struct history_level *levels, size_t count, const struct history_level *wanted)
{
    for (size_t k = 0; k < count; k++)
        if (levels[k].load == wanted->load && strcmp(levels[k].unit, wanted->unit) == 0)
            return true;
    return false;
}

static void list_rows(const struct comparing *comparing, struct baseline *baseline)
{
    const struct history_run *is = comparing->is, *was = comparing->was;
    baseline->rows = ARENA_ARRAY(comparing->arena, is->level_count * HISTORY_METRIC_COUNT + 1, struct baseline_row);
    for (size_t k = 0; k < is->level_count; k++) {
        if (has_load(is->levels, k, &is->levels[k]) || !has_load(was->levels, was->level_count, &is->levels[k]))
            continue;
        for (int metric = 0; metric < HISTORY_METRIC_COUNT; metric++)
            baseline->rows[baseline->row_count++] = (struct baseline_row){
                .metric = (enum history_metric)metric, .load = is->levels[k].load, .unit = arena_strdup(comparing->arena, is->levels[k].unit)};
    }
    if (baseline->row_count > 0)
        qsort(baseline->rows, baseline->row_count, sizeof *baseline->rows, compare_rows);
}

/* Up to which chance a row is significant; those that know noise between runs are one family, those that do not another. */
static double find_limit(const struct baseline *baseline, bool within_run_only)
{
    double *p = mem_calloc(baseline->row_count + 1, sizeof *p);
    for (size_t k = 0; k < baseline->row_count; k++) {
        const struct baseline_row *row = &baseline->rows[k];
        p[k] = isinf(row->change) || row->within_run_only != within_run_only ? NAN : row->p;
    }
    double limit = discovery_limit(p, baseline->row_count, RATE);
    free(p);
    return limit;
}

static void judge_rows(struct baseline *baseline)
{
    double limit = find_limit(baseline, false), within_limit = find_limit(baseline, true);
    for (size_t k = 0; k < baseline->row_count; k++) {
        struct baseline_row *row = &baseline->rows[k];
        row->beyond_within_run = row->within_run_only && row->p <= within_limit;
        if (row->missing)
            row->verdict = CHANGE_UNKNOWN;
        else if (!(row->p <= (isinf(row->change) ? P_APART : limit))) /* NAN: nothing was asked */
            row->verdict = CHANGE_NONE;
        else
            row->verdict = baseline_row_loss(row) > 0 ? CHANGE_WORSE : CHANGE_BETTER;
        baseline->within_run_only += row->within_run_only;
        baseline->beyond_within_run += row->beyond_within_run;
        baseline->worse += row->verdict == CHANGE_WORSE;
        baseline->better += row->verdict == CHANGE_BETTER;
        baseline->same += row->verdict == CHANGE_NONE;
        baseline->unknown += row->verdict == CHANGE_UNKNOWN;
    }
}

/* ---- points ---- */

/* A load that held clearly in one run is clearly beyond the point in the other. */
static bool fell(const struct history_point *from, const struct history_point *to)
{
    return from->decided == 1 && to->decided == 1 && to->broke <= from->held;
}

/* A point moves with one level of one run, and by chance as well as that level's numbers do: so these must have changed beyond noise, too. */
static bool is_confirmed(const struct baseline *baseline, const char *unit, double load, enum change verdict)
{
    for (size_t k = 0; k < baseline->row_count; k++) {
        const struct baseline_row *row = &baseline->rows[k];
        bool of_points = row->metric == HISTORY_TTFT_P50 || row->metric == HISTORY_TTFT_P95 || row->metric == HISTORY_ERROR_RATE;
        if (of_points && row->verdict == verdict && row->load == load && strcmp(row->unit, unit) == 0)
            return true;
    }
    return false;
}

static struct baseline_point compare_point(const struct comparing *comparing, const struct baseline *baseline, const char *name,
                                           const struct history_point *was, const struct history_point *is)
{
    struct baseline_point point = {.name = name, .verdict = CHANGE_NONE};
    const char *none = "no level was measured";
    bool known = comparing->was->unit && comparing->is->unit;
    point.was = comparing->was->unit ? arena_strdup(comparing->arena, was->text) : none;
    point.is = comparing->is->unit ? arena_strdup(comparing->arena, is->text) : none;
    if (!known || baseline->sla_note || strcmp(comparing->was->unit, comparing->is->unit) != 0)
        point.verdict = CHANGE_UNKNOWN;
    else if (fell(was, is))
        point.verdict = is_confirmed(baseline, comparing->is->unit, is->broke, CHANGE_WORSE) ? CHANGE_WORSE : CHANGE_UNKNOWN;
    else if (fell(is, was))
        point.verdict = is_confirmed(baseline, comparing->is->unit, was->broke, CHANGE_BETTER) ? CHANGE_BETTER : CHANGE_UNKNOWN;
    return point;
}

/* ---- the whole ---- */

/* Of the series, from before, the newest of them; the oldest first. */
static void choose_earlier(struct comparing *comparing, const struct history_run *const *runs, size_t count)
{
    const struct history_run **list = ARENA_ARRAY(comparing->arena, count + 1, const struct history_run *);
    size_t kept = 0;
    for (size_t k = 0; k < count; k++)
        if (strcmp(runs[k]->series, comparing->is->series) == 0 && strcmp(runs[k]->run_id, comparing->is->run_id) != 0 &&
            runs[k]->started < comparing->is->started && runs[k]->level_count > 0)
            list[kept++] = runs[k];
    if (kept > 0)
        qsort(list, kept, sizeof *list, history_run_compare);
    size_t left_out = kept > BASELINE_RUNS_MAX ? kept - BASELINE_RUNS_MAX : 0;
    comparing->earlier = list + left_out;
    comparing->earlier_count = kept - left_out;
}

struct baseline *baseline_compare(struct arena *arena, const struct history_run *was, const struct history_run *is,
                                  const struct history_run *const *earlier, size_t earlier_count)
{
    struct comparing comparing = {.arena = arena, .was = was, .is = is};
    struct baseline *baseline = ARENA_NEW(arena, struct baseline);
    baseline->run_id = arena_strdup(arena, was->run_id);
    baseline->started = was->started;
    baseline->sla = sla_copy(is->sla, arena);
    if (!sla_equal(is->sla, was->sla))
        baseline->sla_note = arena_printf(arena, "%s was judged by other SLA classes (%s; this run by %s): points are not compared", was->run_id,
                                          sla_title(was->sla, arena), sla_title(is->sla, arena));
    choose_earlier(&comparing, earlier, earlier_count);
    baseline->earlier_runs = comparing.earlier_count >= NOISE_RUNS_MIN ? comparing.earlier_count : 0;
    list_rows(&comparing, baseline);
    for (size_t k = 0; k < baseline->row_count; k++)
        compare_row(&comparing, &baseline->rows[k]);
    judge_rows(baseline);
    baseline->points[0] = compare_point(&comparing, baseline, "breaking", &was->breaking, &is->breaking);
    baseline->points[1] = compare_point(&comparing, baseline, "saturation", &was->saturation, &is->saturation);
    baseline_describe(baseline, arena, was, is);
    return baseline;
}
