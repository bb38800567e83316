/* What a load is worth where one turn of a conversation makes several model calls: a guardrail before and one behind, an agent's steps.
 *
 * A stream always has one call under way. As many conversations as keep the same number of calls under way are streams / calls; they get
 * their turns at the rate of requests / calls. How long a turn takes is said for calls that follow each other. Nothing is rounded. */
#ifndef ROIBENCH_STATS_CONVERSATIONS_H
#define ROIBENCH_STATS_CONVERSATIONS_H

#include "stats/level_summary.h"

#define CALLS_PER_TURN_MAX 1000

struct conversations {
    double at_once;           /* NAN: an open loop, whose load is a rate */
    double turns_per_s;       /* of an open loop what was served, too, not what was due */
    double turn_ms;           /* median e2e x calls */
    double usd_per_1000_turns; /* NAN: no price above 0, or no rate */
};

/* calls: at least 1. price_micro_usd: an hour; -1: not known. */
struct conversations conversations_of(const struct level_summary *level, int64_t calls, int64_t price_micro_usd);

#endif
