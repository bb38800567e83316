/* Closed loop: a number of streams, each sends its next request when its last one ended. */
#include "plan/profile.h"

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    return profile_levels_of_rates(plan, &profile_concurrent, rates, count, err);
}

const struct profile profile_concurrent = {
    .name = "concurrent",
    .summary = "streams that send one request after the other",
    .rate_help = "streams",
    .make_levels = make_levels,
    .is_kind = true,
    .takes_loads = true,
    .max_streams = PLAN_STREAMS_MAX,
};
