#include "plan/estimate.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "plan/profile.h"

#define SECONDS_PER_HOUR 3600.0

static double seconds_of(int64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

/* Model time from one request of a stream to its next; 0: unknown. */
static double cycle_s(const struct plan *plan)
{
    if (plan->calibration.e2e_ns <= 0)
        return 0;
    return seconds_of(plan->calibration.e2e_ns + plan_mean_think_ns(plan)) * plan->server.time_scale;
}

static double start_s(const struct plan *plan, const struct level *level)
{
    bool at_once = plan->stream_start == STREAM_START_TOGETHER || strcmp(level->kind, "throughput") == 0;
    return level->unit != LOAD_STREAMS || at_once || level->load <= 1 ? 0 : cycle_s(plan) * (level->load - 1) / level->load;
}

/* Requests a second of model time; NAN: unknown. */
static double request_rate(const struct plan *plan, const struct level *level)
{
    if (level->unit == LOAD_REQUESTS_PER_S)
        return level->load;
    return cycle_s(plan) > 0 ? level->load / cycle_s(plan) : NAN;
}

/* Of the two limits the one that is met first; NAN: neither is known. */
static double first_limit(double by_time, double by_count)
{
    return isinf(by_count) ? by_time : fmin(by_time, by_count);
}

struct estimate estimate_level(const struct plan *plan, const struct level *level)
{
    const struct limits *limits = &plan->limits;
    bool closed = level->unit == LOAD_STREAMS, timed = limits->max_seconds_ns > 0;
    double rate = request_rate(plan, level), by_count = limits->max_requests > 0 ? (double)limits->max_requests : INFINITY;
    struct estimate estimate = {.start_s = start_s(plan, level), .drain_s = seconds_of(limits->drain_ns)};
    estimate.load_s = timed ? seconds_of(limits->max_seconds_ns) : by_count / rate;
    estimate.seconds_at_least = !timed && closed;
    /* While streams begin one after the other, half of them are at work on average. */
    estimate.requests = first_limit(timed ? rate * (estimate.load_s + estimate.start_s / 2) : NAN, by_count);
    estimate.requests_at_most = timed && (closed || !isinf(by_count));
    estimate.prompt_tokens = estimate.requests * plan_mean_prompt_tokens(plan);
    estimate.output_tokens = estimate.requests * (double)plan->workload.output.mean;
    return estimate;
}

static void add(struct estimate *sum, const struct estimate *level, double times)
{
    sum->start_s += times * level->start_s;
    sum->load_s += times * level->load_s;
    sum->drain_s += times * level->drain_s;
    sum->requests += times * level->requests;
    sum->prompt_tokens += times * level->prompt_tokens;
    sum->output_tokens += times * level->output_tokens;
    sum->requests_at_most = sum->requests_at_most || level->requests_at_most;
    sum->seconds_at_least = sum->seconds_at_least || level->seconds_at_least;
}

bool estimate_plan(const struct plan *plan, struct estimate *sum)
{
    const struct limits *limits = &plan->limits;
    *sum = (struct estimate){0};
    if (plan->level_count > 0 && plan->find == FIND_NOTHING) {
        for (size_t k = 0; k < plan->level_count; k++) {
            struct estimate level = estimate_level(plan, &plan->levels[k]);
            add(sum, &level, (double)plan->repeat);
        }
        return true;
    }
    double levels = (double)((plan->find == FIND_NOTHING ? plan->sweep_levels : 1) * plan->repeat);
    sum->load_s = limits->max_seconds_ns > 0 ? levels * seconds_of(limits->max_seconds_ns) : NAN;
    sum->drain_s = levels * seconds_of(limits->drain_ns);
    sum->requests = sum->prompt_tokens = sum->output_tokens = NAN;
    return false;
}

int64_t estimate_micro_usd(const struct plan *plan, const struct estimate *estimate)
{
    double hours = (estimate->start_s + estimate->load_s) / SECONDS_PER_HOUR;
    double micro_usd = (double)plan->deployment.price_micro_usd * hours;
    return plan->deployment.price_micro_usd < 0 || !(micro_usd < (double)(INT64_MAX / 2)) ? -1 : llround(micro_usd);
}
