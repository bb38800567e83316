#include "report/missing.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define PATH_MAX_BYTES 512

struct rule {
    const char *path, *reason; /* NULL ends a list */
};

/* The first that fits counts. */
static const struct rule of_levels[] = {
    {"reason", "no journal tells why it ended"},
    {"goodput_share", "no objectives were given (--slo), or no member tells"},
    {"blocks", "the window is shorter than five median e2e, or no request ended ok in it"},
    {"blocks.output_tps", "neither tokens.bin.gz nor ticks in journal.jsonl"},
    {"slices.*", "too many requests of this slice never got a first token"},
    {"turns.*", "no request of this turn counts, or too many never got a first token"},
    {"interval_95.user_tps.*", "too few samples for this bound of the TPOT p95"},
    {"interval_95.error_rate.*", "there are no blocks, or no failure to tell how much their number varies"},
    {"interval_95.*", "there are no blocks, or the number itself is not known"},
    {"*.interval_95.mean.*", "there are no blocks, or the mean itself is not known or 0"},
    {"server.*.limit", "it has no limit"},
    {"server.*.share_above", "it has no limit"},
    {"server.sums", "there is no scrape both before the window and after it"},
    {"server.sums.client_output_tokens", "there are no token gaps (tokens.bin.gz)"},
    {"server.sums.client_prompt_tokens", "the server did not say how many prompt tokens it counted"},
    {"server.sums.client_ttft_mean_ms", "no first token came between the two scrapes"},
    {"server.sums.client_itl_mean_ms", "no gaps between tokens are known"},
    {"server.sums.client_e2e_mean_ms", "no request ended ok between the two scrapes"},
    {"server.sums.*", "the server does not give its sum or count, set it back, or counted nothing between the two scrapes"},
    {"gpu", "no Prometheus was asked for its GPUs (--prometheus)"},
    {"gpu.*", "Prometheus does not know it of every GPU in this window"},
    {"classes.level", "neither a TTFT nor a failure by the server's doing is known"},
    {"classes.decided_by", "the level has no class"},
    {"classes.*", "the metric is not known"},
    {"ttft_p95_at_least_ms", "no member waited for a first token"},
    {"unfinished_share", "no member waited for a first token"},
    {"ttft_slices_above", "fewer than 100 members waited for a first token"},
    {"*.interval_95.*", "too few samples for this bound"},
    {"*.std", "a single sample has no spread"},
    {"*_ms", "no request of this level has it"},
    {NULL, NULL},
};
/* Levels of other tools: what is said of all of them; everything else is missing because the tool does not tell it (the level's own "*"). */
static const struct rule of_imports[] = {
    {"classes.level", "neither a TTFT nor a failure by the server's doing is known"},
    {"classes.decided_by", "the level has no class"},
    {"classes.*", "the metric is not known"},
    {"interval_95.*", "the samples are not told, or there are no blocks"},
    {"*.interval_95.*", "too few samples for this bound, or the samples are not told"},
    {"*.std", "a single sample has no spread, or it is not told"},
    {NULL, NULL},
};
static const struct rule of_runs[] = {
    {"started", "the records have no header, or an import does not tell it"},
    {"scenario", "none of the named ones"},
    {"simulated", "what served an imported run is not told"},
    {"pair_id", "its levels did not take turns with another run's"},
    {"objectives", "none were given (--slo)"},
    {"*", "not told"},
    {NULL, NULL},
};
static const struct rule of_timelines[] = {
    {"*", "nothing is known of it in this step"},
    {NULL, NULL},
};
static const struct rule of_points[] = {
    {"*.held", "no tested load held, or nothing is known: see text"},
    {"*.broke", "no tested load broke, or nothing is known: see text"},
    {"*.metric", "nothing is known"},
    {"*.decided", "no interval is known"},
    {"*.needs_requests", "it is decided, or no estimate is possible"},
    {"knee", "see knee_text"},
    {"knee_decided", "there is no step, or no interval of its throughputs is known"},
    {"sweet_spot", "see sweet_spot_missing"},
    {"max_throughput", "no level has a throughput"},
    {"advised_load", "see advice"},
    {"*_tps", "see the missing of this level"},
    {NULL, NULL},
};
static const struct rule of_repeats[] = {
    {"*.low", "an interval needs three values, all of them finite"},
    {"*.high", "an interval needs three values, all of them finite"},
    {"*.mean", "no repeat has it, or one is infinite"},
    {NULL, NULL},
};
static const struct rule of_same_loads[] = {
    {"figures.*.b_to_a", "one of them is 0, infinite or not known"},
    {"figures.*", "it is not known, or infinite: see the missing of this level"},
    {NULL, NULL},
};
static const struct rule of_roi[] = {
    {"rows.*.price_per_hour", "no price is known"},
    {"rows.*.gpus", "no number of GPUs is known"},
    {"ratios.*.best", "no deployment has this operating point and a price above 0"},
    {"ratios.*.best_to.*", "it has no such operating point, or no price above 0"},
    {"replicas.*.replicas", "one does not cost less than the other"},
    {"replicas.*.left_over_per_hour", "one does not cost less than the other"},
    {"replicas.*.efficiency_delta", "not both broke"},
    {"replicas.*", "not both have this operating point"},
    {"break_even.*", "see text"},
    {"pareto.*.total_tps_per_usd_hour", "no price above 0 is known, or no throughput"},
    {"pareto.*.total_tps_per_gpu", "no number of GPUs is known, or no throughput"},
    {"statement", "fewer than two deployments have a price above 0"},
    {NULL, NULL},
};

struct search {
    json_t *missing;
    const struct rule *rules;
    const struct level_summary *level; /* NULL: the nulls are not a level's */
};

/* A latency that counts requests without a first token as +infinity has neither moments nor high percentiles. */
static bool is_infinite(const struct level_summary *level, const char *path)
{
    static const enum latency censored[] = {LATENCY_TTFT_CENSORED, LATENCY_TTFT_WITHOUT_FIRST};
    for (size_t k = 0; k < sizeof censored / sizeof censored[0]; k++) {
        const char *name = latency_name(censored[k]);
        size_t length = strlen(name);
        if (strncmp(path, name, length) == 0 && path[length] == '.' && isinf(level->latency[censored[k]].max))
            return true;
    }
    return false;
}

static void explain(const struct search *search, const char *path)
{
    const struct level_summary *level = search->level;
    if (json_object_get(search->missing, path))
        return;
    if (level && is_infinite(level, path)) {
        const char *reason = strstr(path, "interval_95") ? "too few samples for this bound, or it lies among the requests without a first token"
                             : strstr(path, ".p")        ? "too many requests never got a first token: see ttft_p95_at_least_ms"
                                                         : "a request without a first token counts as +infinity";
        json_set_text(search->missing, path, reason);
        return;
    }
    if (level && level_is_open_loop(level) && strcmp(path, latency_name(LATENCY_TTFT_WITHOUT_FIRST)) == 0) {
        json_set_text(search->missing, path, "an open loop has no streams");
        return;
    }
    for (const struct rule *rule = search->rules; rule->path; rule++)
        if (fnmatch(rule->path, path, 0) == 0) {
            json_set_text(search->missing, rule->path, rule->reason);
            return;
        }
    if (!json_object_get(search->missing, "*"))
        json_set_text(search->missing, path, MISSING_UNEXPLAINED);
}

static void walk(const struct search *search, const json_t *value, const char *path);

static void walk_member(const struct search *search, const char *path, const char *key, const json_t *member)
{
    char inner[PATH_MAX_BYTES];
    if (snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "." : "", key) >= (int)sizeof inner)
        abort();
    if (json_is_null(member))
        explain(search, inner);
    else
        walk(search, member, inner);
}

static void walk(const struct search *search, const json_t *value, const char *path)
{
    const char *key;
    json_t *member;
    size_t index;
    char number[24];
    if (path[0] && json_object_get(value, "missing"))
        return;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        walk_member(search, path, key, member);
    }
    json_array_foreach(value, index, member)
    {
        snprintf(number, sizeof number, "%zu", index);
        walk_member(search, path, number, member);
    }
}

/* The reasons are collected beside the object: it must not change while it is walked. */
static void explain_all(json_t *object, const struct rule *rules, const struct level_summary *level)
{
    struct search search = {json_object(), rules, level};
    for (size_t k = 0; level && k < level->missing_count; k++)
        json_set_text(search.missing, level->missing[k].field, level->missing[k].reason);
    walk(&search, object, "");
    if (level || json_object_size(search.missing) > 0)
        json_object_set(object, "missing", search.missing);
    json_decref(search.missing);
}

void missing_explain_level(json_t *object, const struct level_summary *level)
{
    explain_all(object, level->imported ? of_imports : of_levels, level);
}

void missing_explain_run(json_t *run)
{
    explain_all(run, of_runs, NULL);
}

void missing_explain_timeline(json_t *timeline)
{
    explain_all(timeline, of_timelines, NULL);
}

void missing_explain_totals(json_t *totals)
{
    static const struct rule of_totals[] = {{"*", "not every level of an import tells it"}, {NULL, NULL}};
    explain_all(totals, of_totals, NULL);
}

void missing_explain_points(json_t *points)
{
    explain_all(points, of_points, NULL);
}

void missing_explain_repeats(json_t *load)
{
    explain_all(load, of_repeats, NULL);
}

void missing_explain_roi(json_t *roi)
{
    explain_all(roi, of_roi, NULL);
}

void missing_explain_same_load(json_t *load)
{
    explain_all(load, of_same_loads, NULL);
}
