#include "stats/saturation.h"

#include <math.h>

#define Z_95 1.959963984540054 /* the 97.5 % point of the normal distribution */
#define NEEDS_MAX 1e7          /* beyond that the estimate says nothing */

double saturation_limit_ms(const struct sla *sla)
{
    return sla->row[SLA_TTFT].bound[SLA_ACCEPTABLE - SLA_EXCELLENT].limit;
}

double saturation_slices_above(double *ttft_ms, size_t count, double limit_ms)
{
    if (count < (size_t)SLICES * SLICE_MIN)
        return NAN;
    int above = 0;
    for (size_t k = 0; k < SLICES; k++) {
        size_t from = count * k / SLICES, to = count * (k + 1) / SLICES;
        above += series_select(ttft_ms + from, to - from, percentile_per_mille(P95)) > limit_ms;
    }
    return (double)above / SLICES;
}

/* An interval shrinks with the square root of the count: how many would leave the limit outside? */
static int64_t estimate_needed(const struct distribution *samples, int interval, double limit)
{
    enum percentile percentile = interval_percentile(interval);
    uint64_t least = series_samples_needed(percentile_per_mille(percentile));
    if (samples->count < least)
        return (int64_t)least;
    double half = (samples->interval[interval].high - samples->interval[interval].low) / 2;
    double distance = fabs(samples->percentile[percentile] - limit);
    double needed = ceil((double)samples->count * (half / distance) * (half / distance));
    return isfinite(needed) && needed > (double)samples->count && needed < NEEDS_MAX ? (int64_t)needed : -1;
}

/* Enough samples for an interval of the median, and none: another tool saw them. */
static bool is_described(const struct distribution *samples)
{
    bool known = false;
    for (int k = 0; k < INTERVAL_COUNT; k++)
        known |= !isnan(samples->interval[k].low) || !isnan(samples->interval[k].high);
    return !known && samples->count >= series_samples_needed(percentile_per_mille(P50));
}

static void decide_by_interval(struct condition *condition, const struct distribution *samples, int interval, double limit)
{
    struct interval bounds = samples->interval[interval];
    if (samples->count == 0 || is_described(samples))
        return;
    bool above = bounds.low > limit, below = bounds.high <= limit; /* false where a bound is not known */
    condition->decided = condition->answer == ANSWER_YES ? above : below;
    if (!condition->decided)
        condition->needs_requests = estimate_needed(samples, interval, limit);
}

struct condition saturation_judge(const struct level_summary *level, const struct sla *sla)
{
    const double limit_ms = saturation_limit_ms(sla);
    const struct distribution *ttft = &level->latency[LATENCY_TTFT_CENSORED];
    double median = ttft->percentile[P50], queue = level->server.queue_depth.share_above;
    struct condition condition = {ANSWER_UNKNOWN, NULL, -1, -1};
    bool by_median = !isnan(median);
    if (level->grew)
        return (struct condition){ANSWER_YES, "growing_queue", 1, -1};
    if (by_median || !isnan(queue))
        condition.answer = ANSWER_NO;
    if (by_median && median > limit_ms) {
        condition.answer = ANSWER_YES;
    } else if (level->ttft_slices_above >= SATURATION_SLICES_SHARE) {
        condition = (struct condition){ANSWER_YES, "ttft_slices", -1, -1};
        return condition;
    } else if (queue >= SATURATION_QUEUE_SHARE) {
        condition = (struct condition){ANSWER_YES, "queue_depth", -1, -1};
        return condition;
    }
    if (condition.answer != ANSWER_UNKNOWN)
        condition.metric = by_median ? "ttft_p50" : "queue_depth";
    if (by_median)
        decide_by_interval(&condition, ttft, INTERVAL_P50, limit_ms);
    return condition;
}

struct condition ttft_judge(const struct level_summary *level, double limit_ms)
{
    struct condition condition = {ANSWER_UNKNOWN, NULL, -1, -1};
    double p95 = level_ttft_p95(level);
    if (level->grew)
        return (struct condition){ANSWER_YES, "growing_queue", 1, -1};
    if (isnan(p95))
        return condition;
    condition.answer = p95 > limit_ms ? ANSWER_YES : ANSWER_NO;
    condition.metric = "ttft";
    decide_by_interval(&condition, &level->latency[LATENCY_TTFT_CENSORED], INTERVAL_P95, limit_ms);
    return condition;
}

/* Wilson's score interval of the share of failures. */
static void decide_error_rate(struct condition *condition, const struct level_summary *level, double limit)
{
    double n = (double)(level->requests.ok + level->requests.error), p = level->rate[RATE_ERROR_RATE];
    if (n <= 0 || isnan(p))
        return;
    double z2 = Z_95 * Z_95, centre = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = Z_95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    condition->decided = condition->answer == ANSWER_YES ? centre - half > limit : centre + half <= limit;
}

struct condition breaking_judge_metric(const struct level_summary *level, const struct sla *sla, enum sla_metric metric)
{
    double values[SLA_METRIC_COUNT];
    level_sla_values(level, values);
    struct condition condition = {ANSWER_UNKNOWN, NULL, -1, -1};
    enum sla_class class = sla_classify(&sla->row[metric], values[metric]);
    if (class == SLA_UNKNOWN)
        return condition;
    condition.answer = class == SLA_BREAKING ? ANSWER_YES : ANSWER_NO;
    condition.metric = sla->row[metric].name;
    double limit = sla->row[metric].bound[SLA_BOUNDS - 1].limit;
    if (metric == SLA_TTFT && level->grew)
        return (struct condition){ANSWER_YES, level_ttft_p95(level) > limit ? condition.metric : "growing_queue", 1, -1};
    if (metric == SLA_TTFT)
        decide_by_interval(&condition, &level->latency[LATENCY_TTFT_CENSORED], INTERVAL_P95, limit);
    else if (metric == SLA_ERROR_RATE)
        decide_error_rate(&condition, level, limit);
    return condition;
}

struct condition breaking_judge(const struct level_summary *level, const struct sla *sla)
{
    struct condition ttft = breaking_judge_metric(level, sla, SLA_TTFT);
    struct condition errors = breaking_judge_metric(level, sla, SLA_ERROR_RATE);
    /* A p95 that is infinite because requests failed says less than that they failed. */
    bool failed = errors.answer == ANSWER_YES && isinf(level_ttft_p95(level));
    if (!failed && (ttft.answer == ANSWER_YES || errors.answer != ANSWER_YES))
        return ttft.answer == ANSWER_UNKNOWN ? errors : ttft;
    return errors;
}
