/* One stream: a request, its answer, the next request. What the server does when nobody else is there. */
#include "plan/profile.h"

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    (void)rates;
    if (count > 0)
        return error_set(err, ERROR_USAGE, "--profile synchronous takes no --rate: it is one stream");
    return profile_add_level(plan, &profile_synchronous, 1, "--profile", err);
}

const struct profile profile_synchronous = {
    .name = "synchronous",
    .summary = "one stream",
    .make_levels = make_levels,
    .is_kind = true,
    .max_streams = 1,
};
