/* Open loop: a Poisson process, the arrivals of many users who know nothing of each other. The distances
 * are exponentially distributed; one process for the whole level, whatever carries it out. */
#include "plan/profile.h"

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    return profile_levels_of_rates(plan, &profile_poisson, rates, count, err);
}

static double next(struct arrivals *arrivals)
{
    return arrivals->sum += random_exponential(&arrivals->random, 1 / arrivals->level.load);
}

const struct profile profile_poisson = {
    .name = "poisson",
    .summary = "requests at random, as independent users send them",
    .rate_help = "requests/s",
    .make_levels = make_levels,
    .is_kind = true,
    .open_loop = true,
    .takes_loads = true,
    .next = next,
};
