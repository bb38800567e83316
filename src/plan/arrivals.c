#include <math.h>

#include "base/clock.h"
#include "plan/profile.h"

void arrivals_init(struct arrivals *arrivals, const struct plan *plan, const struct level *level, int repeat)
{
    *arrivals = (struct arrivals){
        .profile = profile_find(level->kind),
        .level = *level,
        .time_scale = plan->server.time_scale,
    };
    random_derive(&arrivals->random, plan->seed, "arrivals", (uint64_t)level->index, (uint64_t)repeat);
}

int64_t arrivals_next(struct arrivals *arrivals)
{
    /* Summed in model seconds and turned into ns once an arrival, so that roundings do not add up. */
    arrivals->offset_s += arrivals->profile->gap(&arrivals->level, &arrivals->random);
    double ns = arrivals->offset_s / arrivals->time_scale * (double)NS_PER_S;
    return ns < (double)(INT64_MAX / 4) ? llround(ns) : INT64_MAX / 4;
}
