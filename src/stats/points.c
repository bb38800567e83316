#include "stats/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "stats/advice.h"
#include "stats/repeats_ratio.h"

#define KNEE_GAIN 1.10        /* a step that adds less has passed the knee */
#define SWEET_SPOT_SHARE 0.90 /* of the highest power */

struct sweep {
    const struct level_summary **levels; /* ascending loads */
    size_t count;
    const struct level_summary **loads; /* one level a load: where several had the same, the worst of them */
    size_t load_count;
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
    int one = load == 1 && strcmp(unit, "streams") == 0; /* "1 stream" */
    return arena_printf(arena, "%s %.*s", units_format_load(load, number), (int)strlen(unit) - one, unit);
}

static int compare_loads(const void *a, const void *b)
{
    const struct level_summary *x = *(const struct level_summary *const *)a, *y = *(const struct level_summary *const *)b;
    if (x->load != y->load)
        return (x->load > y->load) - (x->load < y->load);
    return x->index != y->index ? x->index - y->index : x->repeat - y->repeat;
}

static double throughput(const struct level_summary *level)
{
    return level->rate[RATE_TOTAL_TPS];
}

/* A level in which nothing succeeded has a throughput of 0: it is no step of a sweep and no maximum. */
static bool has_throughput(const struct level_summary *level)
{
    return throughput(level) > 0;
}

static bool is_worse(const struct level_summary *level, const struct level_summary *other)
{
    if (level->verdict.level != other->verdict.level)
        return level->verdict.level > other->verdict.level;
    double ttft = level_ttft_p95(level), other_ttft = level_ttft_p95(other);
    if (ttft > other_ttft || ttft < other_ttft)
        return ttft > other_ttft;
    return throughput(level) < throughput(other);
}

static struct sweep make_sweep(struct arena *arena, const struct level_summary *levels, size_t count, const char *unit,
                               const struct sla *sla)
{
    struct sweep sweep = {.levels = ARENA_ARRAY(arena, count + 1, const struct level_summary *),
                          .loads = ARENA_ARRAY(arena, count + 1, const struct level_summary *),
                          .sla = sla, .arena = arena, .unit = unit};
    for (size_t k = 0; k < count; k++)
        if (strcmp(levels[k].unit, unit) == 0)
            sweep.levels[sweep.count++] = &levels[k];
    qsort(sweep.levels, sweep.count, sizeof *sweep.levels, compare_loads);
    for (size_t k = 0; k < sweep.count; k++) {
        const struct level_summary **last = sweep.load_count > 0 ? &sweep.loads[sweep.load_count - 1] : NULL;
        if (!last || (*last)->load != sweep.levels[k]->load)
            sweep.loads[sweep.load_count++] = sweep.levels[k];
        else if (is_worse(sweep.levels[k], *last))
            *last = sweep.levels[k];
    }
    return sweep;
}

/* ---- saturation and breaking ---- */

/* What is looked for: a judge of a level, and what to say where no level can be judged. */
struct search {
    struct condition (*judge)(const struct search *search, const struct level_summary *level);
    const struct sla *sla;
    enum sla_metric metric; /* of judge_metric */
    const char *unknown;
};

static struct condition judge_saturation(const struct search *search, const struct level_summary *level)
{
    return saturation_judge(level, search->sla);
}

static struct condition judge_breaking(const struct search *search, const struct level_summary *level)
{
    return breaking_judge(level, search->sla);
}

static struct condition judge_metric(const struct search *search, const struct level_summary *level)
{
    return breaking_judge_metric(level, search->sla, search->metric);
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

/* The condition at the load of levels[*k], downwards: satisfied where any level of that load satisfies it. *k is then the lowest of
 * them, *level the one that decided. */
static struct condition judge_load(const struct sweep *sweep, const struct search *search, size_t *k, const struct level_summary **level)
{
    struct condition worst = {0};
    *level = NULL;
    for (double load = sweep->levels[*k]->load;; (*k)--) {
        struct condition condition = search->judge(search, sweep->levels[*k]);
        if (!*level || condition.answer > worst.answer) { /* unknown < no < yes */
            worst = condition;
            *level = sweep->levels[*k];
        }
        if (*k == 0 || sweep->levels[*k - 1]->load != load)
            return worst;
    }
}

static struct point find_point(const struct sweep *sweep, const struct search *search)
{
    struct point point = {.held = NAN, .broke = NAN, .decided = -1, .needs_requests = -1};
    struct condition broke = {0}, held = {0};
    /* From the highest load downwards as long as the condition is satisfied. */
    for (size_t k = sweep->count; k-- > 0 && !point.held_level;) {
        const struct level_summary *level;
        struct condition condition = judge_load(sweep, search, &k, &level);
        if (condition.answer == ANSWER_YES) {
            point.broke_level = level;
            broke = condition;
        } else if (condition.answer == ANSWER_NO) {
            point.held_level = level;
            held = condition;
        }
    }
    if (!point.held_level && !point.broke_level) {
        point.text = search->unknown;
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

static void find_points(struct points *points, const struct sweep *sweep)
{
    struct search search = {judge_saturation, sweep->sla, SLA_TTFT, "unknown: no level tells a median TTFT or a queue"};
    points->saturation = find_point(sweep, &search);
    search.unknown = "unknown: no level was measured";
    search.judge = judge_breaking;
    points->breaking = find_point(sweep, &search);
    search.judge = judge_metric;
    for (int k = 0; k < SLA_METRIC_COUNT; k++) {
        search.metric = (enum sla_metric)k;
        points->breaking_by[k] = find_point(sweep, &search);
    }
}

/* ---- knee and sweet spot ---- */

/* Does the step from one load to the next add as little, or as much, as it seems, whatever the intervals of both allow? -1: not known. */
static int decide_step(const struct level_summary *level, const struct level_summary *above)
{
    const struct interval *from = &level->rate_interval[RATE_TOTAL_TPS], *to = &above->rate_interval[RATE_TOTAL_TPS];
    if (!interval_is_known(from) || !interval_is_known(to) || !(from->low > 0))
        return -1;
    bool small = throughput(above) < throughput(level) * KNEE_GAIN;
    return small ? to->high / from->low < KNEE_GAIN : to->low / from->high >= KNEE_GAIN;
}

static struct knee find_knee(const struct sweep *sweep)
{
    const struct level_summary *above = NULL;
    struct knee knee = {NAN, "none: fewer than two loads with a throughput", -1};
    size_t steps = 0;
    /* Downwards, as long as the step from here to the next load adds little. */
    for (size_t k = sweep->load_count; k-- > 0;) {
        const struct level_summary *level = sweep->loads[k];
        if (!has_throughput(level))
            continue;
        if (above) {
            int decided = decide_step(level, above);
            knee.decided = steps++ == 0 || decided < knee.decided ? decided : knee.decided;
        }
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
    for (size_t k = 0; k < sweep->load_count; k++)
        if (power_of(sweep->loads[k]) > 0 && (!best || power_of(sweep->loads[k]) > power_of(best)))
            best = sweep->loads[k];
    if (!best)
        return spot;
    for (size_t k = 0; k < sweep->load_count; k++) {
        const struct level_summary *level = sweep->loads[k];
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
    for (size_t k = 0; k < sweep->load_count; k++) {
        const struct level_summary *level = sweep->loads[k];
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

/* "19.3", "1200 ms", "7.5 %" */
static const char *value_text(struct arena *arena, const struct sla_row *row, enum sla_metric metric, double value)
{
    if (metric == SLA_TTFT)
        return arena_printf(arena, "%.0f ms", value);
    return row->unit[0] == '%' ? arena_printf(arena, "%.3g %%", 100 * value) : arena_printf(arena, "%.3g", value);
}

static const char *failing_text(const struct sweep *sweep, const struct level_summary *best, enum sla_metric metric,
                                enum sla_class worst)
{
    const struct sla_row *row = &sweep->sla->row[metric];
    const struct sla_bound *bound = &row->bound[worst - SLA_EXCELLENT];
    double values[SLA_METRIC_COUNT];
    level_sla_values(best, values);
    if (isinf(values[metric]) && best->grew)
        return "none: the queue grew without end at every load";
    if (isinf(values[metric]))
        return arena_printf(sweep->arena, "none: %s is not known to be below %.0f ms at any load: too few requests got a first token",
                            row->title, bound->limit);
    const char *value = value_text(sweep->arena, row, metric, values[metric]);
    const char *limit = value_text(sweep->arena, row, metric, bound->limit);
    if (strcmp(value, limit) == 0) /* the limit itself, or as near as the digits shown tell */
        return arena_printf(sweep->arena, "none: %s %s at every load, needs %s%s %s", row->name, value,
                            row->higher_is_better ? ">" : "<", bound->included ? "=" : "", limit);
    return arena_printf(sweep->arena, "none: %s %s %s %s at every load", row->name, value, row->higher_is_better ? "<" : ">", limit);
}

/* Of loads that meet their objectives: what kept them from being the one with the most throughput. */
static const char *unranked_text(const struct level_summary *level)
{
    return isnan(throughput(level)) ? "none: the throughput of the loads that meet it is not known" : "none: the loads that meet it have no throughput";
}

static const char *why_none(const struct sweep *sweep, const struct objective *objective)
{
    for (size_t k = 0; k < sweep->load_count; k++)
        if (meets(sweep->loads[k], objective))
            return unranked_text(sweep->loads[k]);
    for (int metric = 0; metric < (objective->all ? SLA_METRIC_COUNT : SLA_TTFT + 1); metric++) {
        const struct level_summary *best = best_of_failing(sweep, (enum sla_metric)metric, objective->worst);
        if (best)
            return failing_text(sweep, best, (enum sla_metric)metric, objective->worst);
    }
    for (size_t k = 0; k < sweep->load_count; k++)
        if (sweep->loads[k]->verdict.metric[SLA_TTFT] != SLA_UNKNOWN)
            return "none: no load meets all objectives at once";
    return "none: no TTFT was measured";
}

const struct level_summary *points_best_level(const struct level_summary *const *levels, size_t count, enum capacity_set set,
                                              enum sla_class worst)
{
    const struct level_summary *best = NULL;
    for (size_t k = 0; k < count; k++)
        if (meets(levels[k], &objectives[set]) && levels[k]->verdict.level <= worst && has_throughput(levels[k]) &&
            (!best || throughput(levels[k]) > throughput(best)))
            best = levels[k];
    return best;
}

/* The place of the first level of this load, or of the first above it. */
static size_t first_of_load(const struct sweep *sweep, double load)
{
    size_t low = 0, high = sweep->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sweep->levels[middle]->load < load)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of all levels of the load the one in which the fewest requests met their objectives; NULL: none tells. */
static const struct level_summary *worst_by_goodput(const struct sweep *sweep, double load)
{
    const struct level_summary *worst = NULL;
    for (size_t k = first_of_load(sweep, load); k < sweep->count && sweep->levels[k]->load == load; k++) {
        const struct level_summary *level = sweep->levels[k];
        if (!isnan(level->goodput_share) && (!worst || level->goodput_share < worst->goodput_share))
            worst = level;
    }
    return worst;
}

static bool has_objectives(const struct sweep *sweep)
{
    for (size_t k = 0; k < sweep->count; k++)
        if (!isnan(sweep->levels[k]->goodput_share))
            return true;
    return false;
}

static bool meets_goals(const struct level_summary *level)
{
    return level && level->goodput_share >= SLO_SHARE && has_throughput(level);
}

static const struct level_summary *find_slo_advisable(const struct sweep *sweep)
{
    const struct level_summary *best = NULL;
    for (size_t k = 0; k < sweep->load_count; k++) {
        const struct level_summary *level = worst_by_goodput(sweep, sweep->loads[k]->load), *worst = sweep->loads[k];
        bool advisable = worst->validity.verdict != VALIDITY_INVALID && worst->verdict.level <= SLA_DEGRADED;
        if (meets_goals(level) && level->validity.verdict != VALIDITY_INVALID && advisable && (!best || throughput(level) > throughput(best)))
            best = level;
    }
    return best;
}

static struct capacity find_capacity_of_goodput(const struct sweep *sweep)
{
    struct capacity capacity = {.none = "none: no objectives were given (--slo), or no request tells", .decided = -1, .needs_requests = -1};
    if (!has_objectives(sweep))
        return capacity;
    const struct level_summary *nearest = NULL;
    for (size_t k = 0; k < sweep->load_count; k++) {
        const struct level_summary *level = worst_by_goodput(sweep, sweep->loads[k]->load);
        if (!level)
            continue;
        if (!nearest || level->goodput_share > nearest->goodput_share)
            nearest = level;
        if (meets_goals(level) && (!capacity.level || throughput(level) > throughput(capacity.level)))
            capacity.level = level;
    }
    if (nearest && !capacity.level && nearest->goodput_share >= SLO_SHARE)
        capacity.none = unranked_text(nearest);
    else if (nearest && !capacity.level)
        capacity.none = arena_printf(sweep->arena, "none: %.3g %% of the requests met all objectives at %s, and at no load more; %g %% have to",
                                     100 * nearest->goodput_share, points_load_text(sweep->arena, nearest->load, sweep->unit), 100 * SLO_SHARE);
    return capacity;
}

static void decide_capacity(struct capacity *capacity, const struct sweep *sweep, const struct objective *objective)
{
    double limit = sweep->sla->row[SLA_TTFT].bound[objective->worst - SLA_EXCELLENT].limit;
    const struct level_summary *next = NULL;
    for (size_t k = 0; k < sweep->load_count && !next; k++)
        if (sweep->loads[k]->load > capacity->level->load)
            next = sweep->loads[k];
    struct condition ends[] = {ttft_judge(capacity->level, limit), {.decided = 1, .needs_requests = -1}};
    if (next && next->verdict.metric[SLA_TTFT] > objective->worst)
        ends[1] = ttft_judge(next, limit);
    capacity->decided = ends[0].decided < ends[1].decided ? ends[0].decided : ends[1].decided;
    capacity->needs_requests = ends[0].needs_requests > ends[1].needs_requests ? ends[0].needs_requests : ends[1].needs_requests;
}

static struct capacity find_capacity(const struct sweep *sweep, enum capacity_set set)
{
    if (set == CAPACITY_SLO)
        return find_capacity_of_goodput(sweep);
    struct capacity capacity = {.level = points_best_level(sweep->loads, sweep->load_count, set, SLA_BREAKING), .decided = -1, .needs_requests = -1};
    if (!capacity.level)
        capacity.none = why_none(sweep, &objectives[set]);
    else if (!objectives[set].all)
        decide_capacity(&capacity, sweep, &objectives[set]);
    return capacity;
}

static const struct level_summary *find_max_throughput(const struct sweep *sweep)
{
    const struct level_summary *best = NULL;
    for (size_t k = 0; k < sweep->load_count; k++)
        if (has_throughput(sweep->loads[k]) && (!best || throughput(sweep->loads[k]) > throughput(best)))
            best = sweep->loads[k];
    return best;
}

const struct repeated_load *points_repeats(const struct points *points, const struct level_summary *level)
{
    return repeats_of_level(points->repeated, points->repeated_count, level);
}

double points_figure(const struct points *points, const struct level_summary *level, enum figure figure)
{
    const struct repeated_load *repeats = points_repeats(points, level);
    return repeats && repeats->figure[figure].count >= INTERVAL_VALUES_MIN ? repeats->figure[figure].value : figure_of(level, figure);
}

void points_find(struct points *points, struct arena *arena, const struct level_summary *levels, size_t count, const char *unit,
                 const struct sla *sla)
{
    struct sweep sweep = make_sweep(arena, levels, count, unit, sla);
    *points = (struct points){.unit = unit, .sla = sla, .load_count = sweep.load_count, .loads = sweep.loads, .assurance = ""};
    points->repeated = repeats_find(arena, levels, count, &points->repeated_count);
    find_points(points, &sweep);
    points->knee = find_knee(&sweep);
    points->sweet_spot = find_sweet_spot(&sweep);
    for (int k = 0; k < CAPACITY_COUNT; k++)
        points->capacity[k] = find_capacity(&sweep, (enum capacity_set)k);
    points->has_objectives = has_objectives(&sweep);
    points->slo_advisable = points->has_objectives ? find_slo_advisable(&sweep) : NULL;
    points->max_throughput = find_max_throughput(&sweep);
    advice_give(points, arena, sweep.loads, sweep.load_count, sla);
}
