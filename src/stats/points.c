#include "stats/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "stats/advice.h"

#define KNEE_GAIN 1.10        /* a step that adds less has passed the knee */
#define SWEET_SPOT_SHARE 0.90 /* of the highest power */

struct sweep {
    const struct level_summary **levels; /* ascending loads */
    size_t count;
    const struct sla *sla;
    struct arena *arena;
    const char *unit;
};

const char *capacity_name(enum capacity_set set)
{
    static const char *const names[] = {
#define X(name, key) [CAPACITY_##name] = key,
        CAPACITIES(X)
#undef X
    };
    return names[set];
}

const char *points_load_text(struct arena *arena, double load, const char *unit)
{
    char number[UNITS_TEXT_SIZE];
    return arena_printf(arena, "%s %s", units_format_load(load, number), unit);
}

static int compare_loads(const void *a, const void *b)
{
    const struct level_summary *x = *(const struct level_summary *const *)a, *y = *(const struct level_summary *const *)b;
    if (x->load != y->load)
        return (x->load > y->load) - (x->load < y->load);
    return x->index != y->index ? x->index - y->index : x->repeat - y->repeat;
}

static struct sweep make_sweep(struct arena *arena, const struct level_summary *levels, size_t count, const char *unit,
                               const struct sla *sla)
{
    struct sweep sweep = {ARENA_ARRAY(arena, count + 1, const struct level_summary *), 0, sla, arena, unit};
    for (size_t k = 0; k < count; k++)
        if (strcmp(levels[k].unit, unit) == 0)
            sweep.levels[sweep.count++] = &levels[k];
    qsort(sweep.levels, sweep.count, sizeof *sweep.levels, compare_loads);
    return sweep;
}

/* ---- saturation and breaking ---- */

/* metric < 0: TTFT or errors; else that one. Saturation has a judge of its own. */
enum { JUDGE_SATURATION = -2, JUDGE_BREAKING = -1 };

static struct condition judge(const struct sweep *sweep, const struct level_summary *level, int how)
{
    if (how == JUDGE_SATURATION)
        return saturation_judge(level);
    if (how == JUDGE_BREAKING)
        return breaking_judge(level, sweep->sla);
    return breaking_judge_metric(level, sweep->sla, (enum sla_metric)how);
}

static const char *bracket_text(const struct sweep *sweep, const struct point *point)
{
    char held[UNITS_TEXT_SIZE], broke[UNITS_TEXT_SIZE];
    units_format_load(point->held, held);
    units_format_load(point->broke, broke);
    if (!point->broke_level)
        return arena_printf(sweep->arena, "> %s %s", held, sweep->unit);
    if (!point->held_level)
        return arena_printf(sweep->arena, "<= %s %s", broke, sweep->unit);
    return arena_printf(sweep->arena, "(%s, %s] %s", held, broke, sweep->unit);
}

/* The point is decided when both ends of the bracket are. */
static void decide_point(struct point *point, const struct condition *held, const struct condition *broke)
{
    const struct condition *ends[] = {point->held_level ? held : NULL, point->broke_level ? broke : NULL};
    point->decided = 1;
    for (int k = 0; k < 2; k++) {
        if (!ends[k])
            continue;
        if (ends[k]->decided < point->decided)
            point->decided = ends[k]->decided;
        if (ends[k]->needs_requests > point->needs_requests)
            point->needs_requests = ends[k]->needs_requests;
    }
}

static struct point find_point(const struct sweep *sweep, int how)
{
    struct point point = {.held = NAN, .broke = NAN, .decided = -1, .needs_requests = -1};
    struct condition broke = {0}, held = {0};
    /* From the highest load downwards as long as the condition is satisfied. */
    for (size_t k = sweep->count; k-- > 0 && !point.held_level;) {
        struct condition condition = judge(sweep, sweep->levels[k], how);
        if (condition.answer == ANSWER_YES) {
            point.broke_level = sweep->levels[k];
            broke = condition;
        } else if (condition.answer == ANSWER_NO) {
            point.held_level = sweep->levels[k];
            held = condition;
        }
    }
    if (!point.held_level && !point.broke_level) {
        point.text = how == JUDGE_SATURATION ? "unknown: no level tells a median TTFT or a queue" : "unknown: no level was measured";
        return point;
    }
    if (point.held_level)
        point.held = point.held_level->load;
    if (point.broke_level)
        point.broke = point.broke_level->load;
    point.metric = point.broke_level ? broke.metric : held.metric;
    point.text = bracket_text(sweep, &point);
    decide_point(&point, &held, &broke);
    return point;
}

/* ---- knee and sweet spot ---- */

static double throughput(const struct level_summary *level)
{
    return level->rate[RATE_TOTAL_TPS];
}

static struct knee find_knee(const struct sweep *sweep)
{
    const struct level_summary *above = NULL;
    struct knee knee = {NAN, "none: fewer than two loads with a throughput"};
    /* Downwards, as long as the step from here to the next load adds little. */
    for (size_t k = sweep->count; k-- > 0;) {
        const struct level_summary *level = sweep->levels[k];
        if (isnan(throughput(level)))
            continue;
        if (above && !(throughput(above) < throughput(level) * KNEE_GAIN)) {
            if (isnan(knee.load))
                knee.text = arena_printf(sweep->arena, "not reached: the last step, to %s, still adds %.0f %% throughput",
                                         points_load_text(sweep->arena, above->load, sweep->unit),
                                         100 * (throughput(above) / throughput(level) - 1));
            return knee;
        }
        if (above) {
            knee.load = level->load;
            knee.text = points_load_text(sweep->arena, level->load, sweep->unit);
        }
        above = level;
    }
    return knee;
}

/* Kleinrock's power: throughput / time in the system. */
static double power_of(const struct level_summary *level)
{
    return throughput(level) / level->latency[LATENCY_E2E].percentile[P50];
}

static bool is_near_best(const struct level_summary *level, double best)
{
    return power_of(level) >= best * SWEET_SPOT_SHARE;
}

static struct sweet_spot find_sweet_spot(const struct sweep *sweep)
{
    struct sweet_spot spot = {NAN, NAN, "none: no level has a throughput and an end-to-end latency"};
    const struct level_summary *best = NULL;
    for (size_t k = 0; k < sweep->count; k++)
        if (!isnan(power_of(sweep->levels[k])) && (!best || power_of(sweep->levels[k]) > power_of(best)))
            best = sweep->levels[k];
    if (!best)
        return spot;
    for (size_t k = 0; k < sweep->count; k++) {
        const struct level_summary *level = sweep->levels[k];
        if (!is_near_best(level, power_of(best)) || level->verdict.level > SLA_ACCEPTABLE)
            continue;
        if (isnan(spot.low))
            spot.low = level->load;
        spot.high = level->load;
    }
    if (!isnan(spot.low)) {
        spot.none = NULL;
        return spot;
    }
    spot.none = arena_printf(sweep->arena, "none: throughput and latency balance best at %s, but %s there is %s",
                             points_load_text(sweep->arena, best->load, sweep->unit),
                             sweep->sla->row[best->verdict.decided_by].title, sla_class_name(best->verdict.level));
    return spot;
}

/* ---- capacity ---- */

struct objective {
    enum sla_class worst;
    bool all; /* every metric; else TTFT alone */
};
static const struct objective objectives[CAPACITY_COUNT] = {
    [CAPACITY_TTFT] = {SLA_ACCEPTABLE, false},
    [CAPACITY_TTFT_2S] = {SLA_DEGRADED, false},
    [CAPACITY_ALL] = {SLA_ACCEPTABLE, true},
};

/* Metrics that are not known are not held against a level, but for TTFT. */
static bool meets(const struct level_summary *level, const struct objective *objective)
{
    enum sla_class class = objective->all ? level->verdict.level : level->verdict.metric[SLA_TTFT];
    return level->verdict.metric[SLA_TTFT] != SLA_UNKNOWN && class != SLA_UNKNOWN && class <= objective->worst;
}

/* The best value of a metric when it fails at every load where it is known. NULL: it does not. */
static const struct level_summary *best_of_failing(const struct sweep *sweep, enum sla_metric metric, enum sla_class worst)
{
    const struct level_summary *best = NULL;
    double best_value = NAN;
    for (size_t k = 0; k < sweep->count; k++) {
        const struct level_summary *level = sweep->levels[k];
        double values[SLA_METRIC_COUNT];
        level_sla_values(level, values);
        enum sla_class class = sla_classify(&sweep->sla->row[metric], values[metric]);
        if (class == SLA_UNKNOWN)
            continue;
        if (class <= worst)
            return NULL;
        bool better = sweep->sla->row[metric].higher_is_better ? values[metric] > best_value : values[metric] < best_value;
        if (!best || better) {
            best = level;
            best_value = values[metric];
        }
    }
    return best;
}

static const char *failing_text(const struct sweep *sweep, const struct level_summary *best, enum sla_metric metric,
                                enum sla_class worst)
{
    const struct sla_row *row = &sweep->sla->row[metric];
    double values[SLA_METRIC_COUNT], limit = row->bound[worst - SLA_EXCELLENT].limit;
    level_sla_values(best, values);
    double value = values[metric];
    const char *sign = value < limit ? "<" : value > limit ? ">" : "=";
    if (isinf(value))
        return arena_printf(sweep->arena, "none: %s is not known to be below %.0f ms at any load: too few requests got a first token",
                            row->title, limit);
    if (metric == SLA_TTFT)
        return arena_printf(sweep->arena, "none: ttft %.0f ms %s %.0f ms at every load", value, sign, limit);
    if (row->unit[0] == '%')
        return arena_printf(sweep->arena, "none: %s %.3g %% %s %g %% at every load", row->name, 100 * value, sign, 100 * limit);
    return arena_printf(sweep->arena, "none: %s %.3g %s %g at every load", row->name, value, sign, limit);
}

static const char *why_none(const struct sweep *sweep, const struct objective *objective)
{
    for (int metric = 0; metric < (objective->all ? SLA_METRIC_COUNT : SLA_TTFT + 1); metric++) {
        const struct level_summary *best = best_of_failing(sweep, (enum sla_metric)metric, objective->worst);
        if (best)
            return failing_text(sweep, best, (enum sla_metric)metric, objective->worst);
    }
    for (size_t k = 0; k < sweep->count; k++)
        if (sweep->levels[k]->verdict.metric[SLA_TTFT] != SLA_UNKNOWN)
            return "none: no load meets all objectives at once";
    return "none: no TTFT was measured";
}

const struct level_summary *points_best_level(const struct level_summary *const *levels, size_t count, enum capacity_set set,
                                              enum sla_class worst)
{
    const struct level_summary *best = NULL;
    for (size_t k = 0; k < count; k++)
        if (meets(levels[k], &objectives[set]) && levels[k]->verdict.level <= worst && !isnan(throughput(levels[k])) &&
            (!best || throughput(levels[k]) > throughput(best)))
            best = levels[k];
    return best;
}

static struct capacity find_capacity(const struct sweep *sweep, enum capacity_set set)
{
    struct capacity capacity = {.level = points_best_level(sweep->levels, sweep->count, set, SLA_BREAKING)};
    if (!capacity.level)
        capacity.none = why_none(sweep, &objectives[set]);
    return capacity;
}

static const struct level_summary *find_max_throughput(const struct sweep *sweep)
{
    const struct level_summary *best = NULL;
    for (size_t k = 0; k < sweep->count; k++)
        if (!isnan(throughput(sweep->levels[k])) && (!best || throughput(sweep->levels[k]) > throughput(best)))
            best = sweep->levels[k];
    return best;
}

void points_find(struct points *points, struct arena *arena, const struct level_summary *levels, size_t count, const char *unit,
                 const struct sla *sla)
{
    struct sweep sweep = make_sweep(arena, levels, count, unit, sla);
    *points = (struct points){.unit = unit, .level_count = sweep.count};
    points->saturation = find_point(&sweep, JUDGE_SATURATION);
    points->breaking = find_point(&sweep, JUDGE_BREAKING);
    for (int k = 0; k < SLA_METRIC_COUNT; k++)
        points->breaking_by[k] = find_point(&sweep, k);
    points->knee = find_knee(&sweep);
    points->sweet_spot = find_sweet_spot(&sweep);
    for (int k = 0; k < CAPACITY_COUNT; k++)
        points->capacity[k] = find_capacity(&sweep, (enum capacity_set)k);
    points->max_throughput = find_max_throughput(&sweep);
    advice_give(points, arena, sweep.levels, sweep.count, sla);
}
