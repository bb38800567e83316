/* Open loop: a Poisson process whose rate changes evenly from one number to another over the level's --max-seconds T, and stays there.
 *
 * By inversion: the n-th arrival t is where the integral of the rate reaches the n-th arrival s of a Poisson process of rate 1:
 * a t + (b - a) t^2 / (2 T) = s, so t = 2 s / (a + sqrt(a^2 + 2 (b - a) s / T)), the form without cancellation. */
#include <math.h>

#include "base/clock.h"
#include "plan/profile.h"

static double seconds_of(const struct plan *plan)
{
    return (double)plan->limits.max_seconds_ns / (double)NS_PER_S;
}

static double mean_rate(const struct plan *plan)
{
    return (plan->arrival_shape.ramp_from + plan->arrival_shape.ramp_to) / 2;
}

static int make_levels(struct plan *plan, const double *rates, size_t count, struct error *err)
{
    if (count != 2)
        return error_set(err, ERROR_USAGE, "--profile ramp needs --rate FROM,TO, two numbers of requests/s, as in --rate 1,20");
    plan->arrival_shape.ramp_from = rates[0];
    plan->arrival_shape.ramp_to = rates[1];
    return profile_add_level(plan, &profile_ramp, mean_rate(plan), "--rate", err);
}

static const char *fault(const struct plan *plan, const struct level *level)
{
    const struct arrival_shape *shape = &plan->arrival_shape;
    if (!(shape->ramp_from >= 0 && shape->ramp_to >= 0 && shape->ramp_from <= PROFILE_RATE_MAX && shape->ramp_to <= PROFILE_RATE_MAX))
        return "the rates of a ramp are from 0 to 1e+06 requests a second";
    if (fabs(level->load - mean_rate(plan)) > 1e-9 * level->load)
        return "the load of a ramp is the mean of its two rates";
    return plan->limits.max_seconds_ns > 0 ? NULL : "a ramp needs --max-seconds: that is how long it rises or falls";
}

static double next(struct arrivals *arrivals)
{
    const struct arrival_shape *shape = &arrivals->plan->arrival_shape;
    double from = shape->ramp_from, to = shape->ramp_to, length = seconds_of(arrivals->plan);
    double sum = arrivals->sum += random_exponential(&arrivals->random, 1), whole = mean_rate(arrivals->plan) * length;
    if (sum > whole)
        return to > 0 ? length + (sum - whole) / to : INFINITY;
    double square = from * from + 2 * (to - from) * sum / length;
    return 2 * sum / (from + sqrt(square > 0 ? square : 0)); /* below 0 by a rounding, at the end of a fall to 0 */
}

const struct profile profile_ramp = {
    .name = "ramp",
    .summary = "requests at random, at a rate that rises or falls over the level",
    .rate_help = "from,to in requests/s",
    .make_levels = make_levels,
    .is_kind = true,
    .open_loop = true,
    .fault = fault,
    .next = next,
};
