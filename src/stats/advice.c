#include "stats/advice.h"

#include <math.h>

#define FEW_REQUESTS 20

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
    enum sla_class worst = set == CAPACITY_TTFT_2S ? SLA_DEGRADED : SLA_ACCEPTABLE;
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

/* What goes wrong at the next tested load. */
static const char *limit_text(struct arena *arena, const struct level_summary *chosen, const struct level_summary *next,
                              const struct sla *sla, enum capacity_set set)
{
    if (!next)
        return "it is the highest load tested, so what limits it was not seen";
    const char *load = points_load_text(arena, next->load, chosen->unit);
    if (is_invalid(next))
        return arena_printf(arena, "the measurement at %s is invalid (%s)", load, first_reason(next));
    int metric = excluding_metric(&next->verdict, set);
    if (metric >= 0)
        return arena_printf(arena, "at %s %s (%s)", load, value_text(arena, next, sla, metric),
                            sla_class_name(next->verdict.metric[metric]));
    double tps = next->rate[RATE_TOTAL_TPS], chosen_tps = chosen->rate[RATE_TOTAL_TPS];
    if (next->verdict.metric[SLA_TTFT] == SLA_UNKNOWN)
        return arena_printf(arena, "at %s no TTFT was measured", load);
    if (!(tps > 0))
        return arena_printf(arena, "at %s no throughput was measured", load);
    return arena_printf(arena, "%s gives %s throughput", load, tps < chosen_tps ? "less" : "no more");
}

/* What is not acceptable even at the level advised, and on how little the advice rests. */
static const char *reservation_text(struct arena *arena, const struct level_summary *level, const struct sla *sla)
{
    const char *class = "", *few = "";
    if (level->verdict.level > SLA_ACCEPTABLE)
        class = arena_printf(arena, " Even at %s %s: %s.", points_load_text(arena, level->load, level->unit),
                             value_text(arena, level, sla, level->verdict.decided_by), sla_class_name(level->verdict.level));
    if (level->requests.members > 0 && level->requests.members < FEW_REQUESTS)
        few = arena_printf(arena, " It rests on %llu request%s only.", (unsigned long long)level->requests.members,
                           level->requests.members == 1 ? "" : "s");
    return arena_printf(arena, "%s%s", class, few);
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

/* By the strictest set of objectives that any level meets, but never one that some other metric calls breaking. */
static const struct level_summary *choose(const struct level_summary *const *levels, size_t count, enum capacity_set *set)
{
    static const enum capacity_set order[] = {CAPACITY_ALL, CAPACITY_TTFT, CAPACITY_TTFT_2S};
    const struct level_summary *chosen = NULL;
    for (size_t k = 0; k < sizeof order / sizeof order[0] && !chosen; k++) {
        *set = order[k];
        chosen = points_best_level(levels, count, *set, SLA_DEGRADED);
    }
    return chosen;
}

/* Why nothing is advised: no level meets the mildest objectives, or the best that does breaks by another metric. */
static const char *refusal_text(struct arena *arena, const struct points *points, const struct sla *sla)
{
    const struct capacity *mildest = &points->capacity[CAPACITY_TTFT_2S];
    if (!mildest->level)
        return mildest->none;
    return arena_printf(arena, "at %s %s: %s", points_load_text(arena, mildest->level->load, mildest->level->unit),
                        value_text(arena, mildest->level, sla, mildest->level->verdict.decided_by),
                        sla_class_name(mildest->level->verdict.level));
}

void advice_give(struct points *points, struct arena *arena, const struct level_summary *const *levels, size_t count,
                 const struct sla *sla)
{
    static const char *const promise[CAPACITY_COUNT] = {
        [CAPACITY_ALL] = "every metric stays acceptable",
        [CAPACITY_TTFT] = "95 % of the requests wait less than 1 s for their first token",
        [CAPACITY_TTFT_2S] = "95 % of the requests wait at most 2 s for their first token",
    };
    enum capacity_set set;
    const struct level_summary **valid = ARENA_ARRAY(arena, count + 1, const struct level_summary *);
    size_t valid_count = keep_valid(levels, count, valid);
    if (count > 0 && valid_count == 0) {
        points->advice = arena_printf(arena, "No load can be advised for production: the measurement is invalid at each of them (%s).",
                                      first_reason(levels[0]));
        return;
    }
    const struct level_summary *chosen = choose(valid, valid_count, &set);
    if (!chosen) {
        points->advice = arena_printf(arena, "No tested load can be advised for production (%s).", refusal_text(arena, points, sla));
        return;
    }
    const struct level_summary *next = next_above(levels, count, chosen->load);
    points->advised = chosen;
    points->advice = arena_printf(arena, "Run %s in production: there %s, at %.0f tok/s in and out; %s.%s",
                                  points_load_text(arena, chosen->load, chosen->unit), promise[set],
                                  chosen->rate[RATE_TOTAL_TPS], limit_text(arena, chosen, next, sla, set),
                                  reservation_text(arena, chosen, sla));
}
