/* Open loop: requests at equal distances. */
#include "plan/profile.h"

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    return profile_levels_of_rates(plan, &profile_constant, rates, count, err);
}

static double gap(const struct level *level, struct random *random)
{
    (void)random;
    return 1 / level->load;
}

const struct profile profile_constant = {
    .name = "constant",
    .summary = "requests at equal distances",
    .rate_help = "requests/s",
    .make_levels = make_levels,
    .is_kind = true,
    .open_loop = true,
    .gap = gap,
};
