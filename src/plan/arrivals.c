#include <math.h>

#include "base/clock.h"
#include "plan/profile.h"

void arrivals_init(struct arrivals *arrivals, const struct plan *plan, const struct level *level, int repeat)
{
    *arrivals = (struct arrivals){.profile = profile_find(level->kind), .plan = plan, .level = *level};
    random_derive(&arrivals->random, plan->seed, "arrivals", (uint64_t)level->index, (uint64_t)repeat);
}

int64_t arrivals_next(struct arrivals *arrivals)
{
    double ns = arrivals->profile->next(arrivals) / arrivals->plan->server.time_scale * (double)NS_PER_S;
    arrivals->number++;
    return ns < (double)(INT64_MAX / 4) ? llround(ns) : INT64_MAX / 4;
}
