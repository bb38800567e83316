/* From idle to overload. With --levels these are the sweep; without, it finds its own: synchronous, then throughput, then
 * rates evenly between the request rates of the two. */
#include <math.h>
#include <stdio.h>

#include "plan/profile.h"

#define SWEEP_LEVELS_DEFAULT 10
#define SWEEP_LEVELS_MIN 3

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    double levels = count > 0 ? rates[0] : SWEEP_LEVELS_DEFAULT;
    if (count > 1 || levels != floor(levels) || levels < SWEEP_LEVELS_MIN || levels > PLAN_LEVELS_MAX)
        return error_set(err, ERROR_USAGE, "--rate of a sweep is its number of levels, one whole number from %d to %d", SWEEP_LEVELS_MIN,
                         PLAN_LEVELS_MAX);
    plan->sweep_levels = (int64_t)levels;
    return 0;
}

static void set_level(struct level *level, const char *kind, double load, enum load_unit unit)
{
    snprintf(level->kind, sizeof level->kind, "%s", kind);
    level->load = load;
    level->unit = unit;
}

/* A server whose one stream does nothing has no rates to lie between. */
static int next_level(const struct plan *plan, const struct level_result *done, size_t done_count, struct level *next)
{
    if (done_count >= (size_t)plan->sweep_levels)
        return 0;
    *next = (struct level){.index = (int)done_count};
    if (done_count == 0) {
        set_level(next, "synchronous", 1, LOAD_STREAMS);
        return 1;
    }
    if (done_count == 1) {
        set_level(next, "throughput", (double)plan->limits.max_concurrency, LOAD_STREAMS);
        return 1;
    }
    double low = done[0].request_rps, high = done[1].request_rps;
    double share = (double)(done_count - 1) / (double)(plan->sweep_levels - 1);
    set_level(next, plan->sweep_arrivals, profile_round_rate(low + (high - low) * share), LOAD_REQUESTS_PER_S);
    return next->load > 0;
}

const struct profile profile_sweep = {
    .name = "sweep",
    .summary = "from one stream to overload; --levels says which loads",
    .rate_help = "number of levels",
    .make_levels = make_levels,
    .next_level = next_level,
};
