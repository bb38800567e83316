/* Open loop: requests come when somebody's came, out of a trace (plan/trace.h). The level ends with the trace, unless --max-seconds or
 * --max-requests end it before; its load is the mean rate of what it takes of the trace. */
#include <math.h>

#include "base/clock.h"
#include "plan/profile.h"
#include "plan/trace.h"

/* How many arrivals the limits leave, and in which time. */
static int64_t count_taken(const struct plan *plan, double *seconds)
{
    const struct arrival_shape *shape = &plan->arrival_shape;
    int64_t end = plan->limits.max_seconds_ns, taken = 0;
    while (taken < plan->limits.max_requests && (end == 0 || shape->replay[taken] < end))
        taken++;
    bool by_time = taken < plan->limits.max_requests;
    *seconds = (double)(by_time || taken == 0 ? end : shape->replay[taken - 1]) / (double)NS_PER_S;
    return taken;
}

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    const struct arrival_shape *shape = &plan->arrival_shape;
    double seconds;
    (void)rates;
    if (count > 0)
        return error_set(err, ERROR_USAGE, "--profile replay takes no --rate: its requests come when those of the trace came (--replay-speed)");
    if (!shape->replay)
        return error_set(err, ERROR_USAGE, "--profile replay needs --replay-file (or --data with a trace): when did requests come?");
    if (plan->limits.max_requests == 0 || plan->limits.max_requests > shape->replay_count)
        plan->limits.max_requests = shape->replay_count;
    if (plan->limits.min_requests > plan->limits.max_requests)
        return error_set(err, ERROR_USAGE, "--min-requests is more than the %lld of the trace", (long long)shape->replay_count);
    int64_t taken = count_taken(plan, &seconds);
    if (taken < 2 || !(seconds > 0))
        return error_set(err, ERROR_USAGE, "--profile replay: the limits leave %lld request%s of the trace", (long long)taken, taken == 1 ? "" : "s");
    return profile_add_level(plan, &profile_replay, profile_round_rate((double)taken / seconds), "--replay-file", err);
}

static const char *fault(const struct plan *plan, const struct level *level)
{
    const struct arrival_shape *shape = &plan->arrival_shape;
    (void)level;
    if (!shape->replay_file || shape->replay_count < 2 || shape->replay_count > TRACE_MAX)
        return "replay needs a trace of 2 to 10000000 arrivals";
    if (!(shape->replay_speed >= TRACE_SPEED_MIN && shape->replay_speed <= TRACE_SPEED_MAX))
        return "the speed of a replay is from 0.001 to 1000 times the trace's";
    if (plan->limits.max_requests < 1 || plan->limits.max_requests > shape->replay_count)
        return "max_requests of a replay is at most the number of its arrivals";
    return NULL;
}

static double next(struct arrivals *arrivals)
{
    const struct arrival_shape *shape = &arrivals->plan->arrival_shape;
    return arrivals->number < shape->replay_count ? (double)shape->replay[arrivals->number] / (double)NS_PER_S : INFINITY;
}

const struct profile profile_replay = {
    .name = "replay",
    .summary = "requests when somebody's came, out of a trace",
    .make_levels = make_levels,
    .is_kind = true,
    .open_loop = true,
    .fault = fault,
    .next = next,
};
