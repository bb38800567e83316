#include "stats/level_summary.h"

#include <math.h>
#include <string.h>

const char *latency_name(enum latency latency)
{
    static const char *const names[] = {
#define X(name, key, over) [LATENCY_##name] = key,
        LATENCIES(X)
#undef X
    };
    return names[latency];
}

const char *rate_name(enum rate rate)
{
    static const char *const names[] = {
#define X(name, key) [RATE_##name] = key,
        RATES(X)
#undef X
    };
    return names[rate];
}

const char *validity_name(enum validity validity)
{
    static const char *const names[] = {
        [VALIDITY_VALID] = "valid", [VALIDITY_SUSPECT] = "suspect", [VALIDITY_INVALID] = "invalid"};
    return names[validity];
}

const char *reconciled_name(enum reconciled_item item)
{
    static const char *const names[] = {
#define X(name, key, over) [RECONCILED_##name] = key,
        RECONCILED(X)
#undef X
    };
    return names[item];
}

const char *reconciled_over(enum reconciled_item item)
{
    static const char *const times[] = {
#define X(name, key, over) [RECONCILED_##name] = over,
        RECONCILED(X)
#undef X
    };
    return times[item];
}

const char *agreement_name(enum agreement agreement)
{
    static const char *const names[] = {[AGREEMENT_UNKNOWN] = "unknown", [AGREEMENT_AGREES] = "agrees",
                                        [AGREEMENT_EXPLAINED] = "explained", [AGREEMENT_DIFFERS] = "differs"};
    return names[agreement];
}

static const struct gauge gauge_unknown = {.mean = NAN, .max = NAN, .limit = NAN, .share_above = NAN};

void level_summary_init(struct level_summary *level)
{
    *level = (struct level_summary){
        .load = NAN,
        .start_s = NAN,
        .end_s = NAN,
        .window_start_s = NAN,
        .window_end_s = NAN,
        .ttft_p95_at_least_ms = NAN,
        .unfinished_share = NAN,
        .ttft_slices_above = NAN,
        .goodput_share = NAN,
        .server = {.queue_depth = gauge_unknown,
                   .kv_cache = gauge_unknown,
                   .running = gauge_unknown,
                   .sums = {.from_s = NAN, .to_s = NAN, .output_tokens = NAN, .prompt_tokens = NAN, .client_output_tokens = NAN,
                            .client_prompt_tokens = NAN, .queue_time_mean_ms = NAN, .preemptions = NAN, .prefix_cache_hit_share = NAN}},
        .gpu = {.utilization = NAN, .memory_active = NAN, .memory_used_bytes = NAN, .memory_bytes = NAN, .power_w = NAN, .energy_j = NAN,
                .output_tokens_per_joule = NAN, .total_tokens_per_joule = NAN},
        .verdict = {.decided_by = -1},
    };
    for (int k = 0; k < LATENCY_COUNT; k++)
        level->latency[k] = distribution_empty();
    for (int k = 0; k < RATE_COUNT; k++) {
        level->rate[k] = NAN;
        level->rate_interval[k] = interval_unknown;
    }
    for (int k = 0; k < RECONCILED_COUNT; k++)
        level->server.sums.both[k] = (struct reconciled){.server = NAN, .client = NAN};
}

double level_ttft_p95(const struct level_summary *level)
{
    return level->latency[LATENCY_TTFT_CENSORED].percentile[P95];
}

bool request_failures_are_known(const struct request_counts *counts, size_t failure_count)
{
    return failure_count > 0 || counts->error == 0;
}

bool level_is_open_loop(const struct level_summary *level)
{
    return strcmp(level->unit, "req/s") == 0;
}

void level_sla_values(const struct level_summary *level, double values[SLA_METRIC_COUNT])
{
    values[SLA_TTFT] = level->grew ? INFINITY : level_ttft_p95(level);
    values[SLA_USER_TPS] = level->rate[RATE_USER_TPS];
    values[SLA_KV_CACHE] = level->server.kv_cache.mean;
    values[SLA_QUEUE_DEPTH] = level->server.queue_depth.mean;
    values[SLA_ERROR_RATE] = level->rate[RATE_ERROR_RATE];
}

void level_add_reason(struct level_summary *level, enum validity verdict, const char *tag, const char *text)
{
    struct validity_summary *validity = &level->validity;
    if (verdict > validity->verdict)
        validity->verdict = verdict;
    if (validity->count < REASONS_MAX)
        validity->reasons[validity->count++] = (struct validity_reason){verdict, tag, text};
}

void level_add_derived(struct level_summary *level, const char *field, const char *formula)
{
    if (level->derived_count < DERIVED_MAX)
        level->derived[level->derived_count++] = (struct derived){field, formula};
}

void level_add_missing(struct level_summary *level, const char *field, const char *reason)
{
    if (level->missing_count < MISSING_MAX)
        level->missing[level->missing_count++] = (struct missing){field, reason};
}
