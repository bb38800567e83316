/* Open loop: several requests at once, again and again. The rate is that of the requests: N at once come every N / rate seconds, the
 * first ones at the level's start. */
#include "plan/profile.h"

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    return profile_levels_of_rates(plan, &profile_burst, rates, count, err);
}

static const char *fault(const struct plan *plan, const struct level *level)
{
    int64_t size = plan->arrival_shape.burst_size;
    (void)level;
    return size >= 1 && size <= PROFILE_BURST_MAX ? NULL : "burst needs a burst size from 1 to 1000000 requests";
}

static double next(struct arrivals *arrivals)
{
    int64_t before = arrivals->number - arrivals->number % arrivals->plan->arrival_shape.burst_size; /* requests of earlier bursts */
    return (double)before / arrivals->level.load;
}

const struct profile profile_burst = {
    .name = "burst",
    .summary = "requests in groups that come at once",
    .rate_help = "requests/s",
    .make_levels = make_levels,
    .is_kind = true,
    .open_loop = true,
    .takes_loads = true,
    .fault = fault,
    .next = next,
};
