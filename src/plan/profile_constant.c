/* Open loop: requests at equal distances. */
#include "plan/profile.h"

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    return profile_levels_of_rates(plan, &profile_constant, rates, count, err);
}

static double next(struct arrivals *arrivals)
{
    return (double)(arrivals->number + 1) / arrivals->level.load;
}

const struct profile profile_constant = {
    .name = "constant",
    .summary = "requests at equal distances",
    .rate_help = "requests/s",
    .make_levels = make_levels,
    .is_kind = true,
    .open_loop = true,
    .takes_loads = true,
    .next = next,
};
