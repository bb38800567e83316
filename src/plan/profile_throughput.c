/* As many streams as --max-concurrency allows, all at once: the most the server can do. */
#include "plan/profile.h"

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    (void)rates;
    if (count > 0)
        return error_set(err, ERROR_USAGE, "--profile throughput takes no --rate: --max-concurrency says how many streams it has");
    return profile_add_level(plan, &profile_throughput, (double)plan->limits.max_concurrency, "--max-concurrency", err);
}

const struct profile profile_throughput = {
    .name = "throughput",
    .summary = "as many streams as --max-concurrency, all at once",
    .make_levels = make_levels,
    .is_kind = true,
    .max_streams = PLAN_STREAMS_MAX,
};
