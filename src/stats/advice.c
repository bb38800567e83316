#include "stats/advice.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/units.h"
#include "stats/roi.h"

static const char *value_text(struct arena *arena, const struct level_summary *level, const struct sla *sla, int metric)
{
    double values[SLA_METRIC_COUNT];
    level_sla_values(level, values);
    const struct sla_row *row = &sla->row[metric];
    if (metric == SLA_TTFT && isinf(values[metric]))
        return arena_printf(arena, "%s is above %.1f s", row->title, level->ttft_p95_at_least_ms / 1000);
    if (metric == SLA_TTFT)
        return arena_printf(arena, "%s is %.0f ms", row->title, values[metric]);
    if (row->unit[0] == '%')
        return arena_printf(arena, "the %s is %.3g %%", row->title, 100 * values[metric]);
    return arena_printf(arena, "the %s is %.3g%s%s", row->title, values[metric], row->unit[0] ? " " : "", row->unit);
}

static const struct level_summary *next_above(const struct level_summary *const *levels, size_t count, double load)
{
    for (size_t k = 0; k < count; k++)
        if (levels[k]->load > load)
            return levels[k];
    return NULL;
}

/* The metric that kept a level out of a set of objectives, or of any advice; -1: none did. */
static int excluding_metric(const struct verdict *verdict, enum capacity_set set)
{
    enum sla_class worst = set == CAPACITY_TTFT_2S || set == CAPACITY_SLO ? SLA_DEGRADED : SLA_ACCEPTABLE;
    if (set != CAPACITY_ALL && verdict->metric[SLA_TTFT] > worst)
        return SLA_TTFT;
    bool excluded = verdict->level > (set == CAPACITY_ALL ? SLA_ACCEPTABLE : SLA_DEGRADED);
    return excluded ? verdict->decided_by : -1;
}

static bool is_invalid(const struct level_summary *level)
{
    return level->validity.verdict == VALIDITY_INVALID;
}

/* Why its measurement is invalid: the reason that was found first. */
static const char *first_reason(const struct level_summary *level)
{
    for (size_t k = 0; k < level->validity.count; k++)
        if (level->validity.reasons[k].verdict == VALIDITY_INVALID)
            return level->validity.reasons[k].tag;
    return "no reason is known";
}

/* Of a load whose first tokens come too late: what the server's gauges say of why. "": they say nothing. */
static const char *cause_text(struct arena *arena, const struct level_summary *level, const struct sla *sla)
{
    double full = level->server.kv_cache.mean, waiting = level->server.queue_depth.mean;
    if (full > sla->row[SLA_KV_CACHE].bound[SLA_BOUNDS - 1].limit)
        return arena_printf(arena, ", with the KV cache %.0f %% full", 100 * full);
    if (waiting > sla->row[SLA_QUEUE_DEPTH].bound[SLA_ACCEPTABLE - SLA_EXCELLENT].limit)
        return arena_printf(arena, ", with %.3g requests waiting at the server", waiting);
    return waiting <= sla->row[SLA_QUEUE_DEPTH].bound[0].limit ? ", though none waits in the server's queue" : "";
}

/* What goes wrong at the next tested load. */
static const char *limit_text(struct arena *arena, const struct level_summary *chosen, const struct level_summary *next,
                              const struct sla *sla, enum capacity_set set)
{
    if (!next)
        return "it is the highest load tested, so what limits it was not seen";
    const char *load = points_load_text(arena, next->load, chosen->unit);
    if (is_invalid(next))
        return arena_printf(arena, "the measurement at %s is invalid (%s)", load, first_reason(next));
    if (set == CAPACITY_SLO && next->goodput_share < SLO_SHARE)
        return arena_printf(arena, "at %s %.3g %% of the requests do", load, 100 * next->goodput_share);
    int metric = excluding_metric(&next->verdict, set);
    if (metric >= 0)
        return arena_printf(arena, "at %s %s (%s)%s", load, value_text(arena, next, sla, metric),
                            sla_class_name(next->verdict.metric[metric]), metric == SLA_TTFT ? cause_text(arena, next, sla) : "");
    double tps = next->rate[RATE_TOTAL_TPS], chosen_tps = chosen->rate[RATE_TOTAL_TPS];
    if (next->verdict.metric[SLA_TTFT] == SLA_UNKNOWN)
        return arena_printf(arena, "at %s no TTFT was measured", load);
    if (isnan(tps))
        return arena_printf(arena, "the throughput at %s is not known", load);
    if (!(tps > 0))
        return arena_printf(arena, "%s gives no throughput", load);
    return arena_printf(arena, "%s gives %s throughput", load, tps < chosen_tps ? "less" : "no more");
}

/* A client that was in the way has not measured the server. Returns how many are left in *kept. */
static size_t keep_valid(const struct level_summary *const *levels, size_t count, const struct level_summary **kept)
{
    size_t left = 0;
    for (size_t k = 0; k < count; k++)
        if (!is_invalid(levels[k]))
            kept[left++] = levels[k];
    return left;
}

/* By the objectives that were given; else by the strictest set of classes that any level meets. Never a level that some metric calls breaking. */
static const struct level_summary *choose(const struct points *points, const struct level_summary *const *levels, size_t count, enum capacity_set *set)
{
    static const enum capacity_set order[] = {CAPACITY_ALL, CAPACITY_TTFT, CAPACITY_TTFT_2S};
    const struct level_summary *chosen = NULL;
    if (points->has_objectives) {
        *set = CAPACITY_SLO;
        return points->slo_advisable;
    }
    for (size_t k = 0; k < sizeof order / sizeof order[0] && !chosen; k++) {
        *set = order[k];
        chosen = points_best_level(levels, count, *set, SLA_DEGRADED);
    }
    return chosen;
}

/* Why nothing is advised: no level meets the mildest objectives, or the best that does breaks by another metric. */
static const char *refusal_text(struct arena *arena, const struct points *points, const struct sla *sla)
{
    const struct capacity *mildest = &points->capacity[points->has_objectives ? CAPACITY_SLO : CAPACITY_TTFT_2S];
    if (!mildest->level)
        return mildest->none;
    if (is_invalid(mildest->level))
        return arena_printf(arena, "the measurement at %s, which would be it, is invalid", points_load_text(arena, mildest->level->load, mildest->level->unit));
    return arena_printf(arena, "at %s %s: %s", points_load_text(arena, mildest->level->load, mildest->level->unit),
                        value_text(arena, mildest->level, sla, mildest->level->verdict.decided_by),
                        sla_class_name(mildest->level->verdict.level));
}

/* " (mean of 3 repeats)" */
static const char *mean_text(struct arena *arena, const struct points *points, const struct level_summary *level)
{
    const struct repeated_load *repeats = points_repeats(points, level);
    return repeats ? arena_printf(arena, " (mean of %zu repeats)", repeats->count) : "";
}

/* "95 % of the requests wait less than 1 s for their first token" */
static const char *promise_text(struct arena *arena, const struct sla *sla, enum capacity_set set)
{
    const struct sla_row *row = &sla->row[SLA_TTFT];
    const struct sla_bound *bound = &row->bound[(set == CAPACITY_TTFT ? SLA_ACCEPTABLE : SLA_DEGRADED) - SLA_EXCELLENT];
    if (set == CAPACITY_ALL)
        return "every metric stays acceptable";
    if (set == CAPACITY_SLO)
        return "95 % of the requests meet all objectives";
    return arena_printf(arena, "95 %% of the requests wait %s %s for their first token", bound->included ? "at most" : "less than",
                        sla_limit_text(row, bound->limit, arena));
}

void advice_give(struct points *points, struct arena *arena, const struct level_summary *const *levels, size_t count,
                 const struct sla *sla)
{
    enum capacity_set set = CAPACITY_ALL;
    const struct level_summary **valid = ARENA_ARRAY(arena, count + 1, const struct level_summary *);
    size_t valid_count = keep_valid(levels, count, valid);
    if (count > 0 && valid_count == 0) {
        points->advice = arena_printf(arena, "No load can be advised for production: the measurement is invalid at each of them (%s).",
                                      first_reason(levels[0]));
        return;
    }
    const struct level_summary *chosen = choose(points, valid, valid_count, &set);
    if (!chosen) {
        points->advice = arena_printf(arena, "No tested load can be advised for production (%s).", refusal_text(arena, points, sla));
        return;
    }
    const struct level_summary *next = next_above(levels, count, chosen->load);
    points->advised = chosen;
    points->advice = arena_printf(arena, "Run %s in production: there %s, at %.0f tok/s in and out%s; %s.",
                                  points_load_text(arena, chosen->load, chosen->unit), promise_text(arena, sla, set),
                                  points_figure(points, chosen, FIGURE_TOTAL_TPS), mean_text(arena, points, chosen), limit_text(arena, chosen, next, sla, set));
}

/* ---- the second sentence ---- */

static const char *cost_text(struct arena *arena, double total_tps, int64_t price_micro_usd)
{
    double usd = roi_usd_per_million(price_micro_usd, total_tps);
    char text[UNITS_TEXT_SIZE];
    if (!(usd < UNITS_USD_MAX))
        return "";
    return arena_printf(arena, "a million tokens cost %s there; ", units_format_usd_rounded(usd, text));
}

/* What is not acceptable even at the level advised. */
static const char *reservation_text(struct arena *arena, const struct level_summary *level, const struct sla *sla)
{
    if (level->verdict.level <= SLA_ACCEPTABLE)
        return "";
    return arena_printf(arena, "even there %s (%s); ", value_text(arena, level, sla, level->verdict.decided_by),
                        sla_class_name(level->verdict.level));
}

/* On how little it rests. */
static const char *footing_text(struct arena *arena, const struct points *points, const struct level_summary *level)
{
    const char *tags = "", *worst = points_repeats(points, level) ? ", the worst of its repeats" : "";
    if (level->imported)
        return "it rests on what another tool reported";
    for (size_t k = 0; k < level->validity.count; k++)
        if (level->validity.reasons[k].verdict == VALIDITY_SUSPECT)
            tags = arena_printf(arena, "%s%s%s", tags, tags[0] ? ", " : "", level->validity.reasons[k].tag);
    unsigned long long members = level->requests.members;
    const char *plural = members == 1 ? "" : "s";
    if (tags[0])
        return arena_printf(arena, "it rests on %llu request%s of a suspect measurement (%s)%s", members, plural, tags, worst);
    return arena_printf(arena, "it rests on %llu request%s of a valid measurement%s", members, plural, worst);
}

static const char *missing_reason(const struct level_summary *level, const char *field)
{
    for (size_t k = 0; k < level->missing_count; k++)
        if (strcmp(level->missing[k].field, field) == 0)
            return level->missing[k].reason;
    return NULL;
}

/* Nothing came, or it is not known how much. */
static const char *no_throughput_text(struct arena *arena, const struct points *points)
{
    for (size_t k = 0; k < points->load_count; k++) {
        const struct level_summary *level = points->loads[k];
        const char *output = missing_reason(level, "output_tps"), *total = missing_reason(level, "total_tps"), *why = output ? output : total;
        bool answered = level->requests.ok != COUNT_UNKNOWN && level->requests.ok > 0;
        if (isnan(level->rate[RATE_TOTAL_TPS]) && (why || answered))
            return arena_printf(arena, "%sow many tokens a second came is not known%s%s.", answered ? "Requests were answered, but h" : "H",
                                why ? ": " : "", why ? why : "");
    }
    return "Not one request brought a token: see what failed.";
}

static const char *what_to_do_text(struct arena *arena, const struct points *points)
{
    size_t invalid = 0;
    for (size_t k = 0; k < points->load_count; k++)
        invalid += is_invalid(points->loads[k]);
    if (points->load_count == 0)
        return "";
    if (!points->max_throughput)
        return no_throughput_text(arena, points);
    if (invalid == points->load_count)
        return "Measure again where the client keeps up: roibench run --self-test says what a machine can do.";
    const char *lowest = points_load_text(arena, points->loads[0]->load, points->unit);
    if (points->loads[0]->load == 1 && !level_is_open_loop(points->loads[0]))
        return arena_printf(arena, "Less than %s cannot be asked of it, so this deployment does not do what the classes ask for.", lowest);
    return arena_printf(arena, "The lowest load tested was %s: try less.", lowest);
}

void advice_assure(struct points *points, struct arena *arena, int64_t price_micro_usd, const struct sla *sla)
{
    const struct level_summary *level = points->advised;
    if (!level) {
        points->assurance = what_to_do_text(arena, points);
        return;
    }
    char *text = arena_printf(arena, "%s%s%s.", cost_text(arena, points_figure(points, level, FIGURE_TOTAL_TPS), price_micro_usd), reservation_text(arena, level, sla),
                              footing_text(arena, points, level));
    text[0] = (char)toupper((unsigned char)text[0]);
    points->assurance = text;
}
