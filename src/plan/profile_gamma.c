/* Open loop: distances from a gamma distribution, so that arrivals come in bursts or are evened out. Its shape is the burstiness as
 * vLLM's benchmark says it: below 1 they come in bursts, 1 is a Poisson process, above 1 they are more regular. The variation of the
 * distances is 1 / sqrt(shape). */
#include "plan/profile.h"

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    return profile_levels_of_rates(plan, &profile_gamma, rates, count, err);
}

static const char *fault(const struct plan *plan, const struct level *level)
{
    double shape = plan->arrival_shape.burstiness;
    (void)level;
    return shape >= PROFILE_BURSTINESS_MIN && shape <= PROFILE_BURSTINESS_MAX ? NULL : "gamma needs a burstiness from 0.01 to 1000 (1: as poisson)";
}

static double next(struct arrivals *arrivals)
{
    double shape = arrivals->plan->arrival_shape.burstiness;
    return arrivals->sum += random_gamma(&arrivals->random, shape, 1 / (arrivals->level.load * shape));
}

const struct profile profile_gamma = {
    .name = "gamma",
    .summary = "requests at random, in bursts or evened out",
    .rate_help = "requests/s",
    .make_levels = make_levels,
    .is_kind = true,
    .open_loop = true,
    .takes_loads = true,
    .fault = fault,
    .next = next,
};
