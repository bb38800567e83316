/* What a plan will take before it is carried out: time, requests, tokens, dollars.
 *
 * Nothing is known of the server but how long one request takes alone (calibration.e2e_ns). Under load it takes longer, so in a closed
 * loop what can be sent is at most streams x time / (request time + think time): an upper bound. In an open loop it is rate x time.
 * Where max_requests ends a level that has no max_seconds, requests are known, and time is at least requests x request time / streams.
 * All in model time; a level that `min_requests` makes longer or a ceiling makes shorter is not foreseen. */
#ifndef ROIBENCH_PLAN_ESTIMATE_H
#define ROIBENCH_PLAN_ESTIMATE_H

#include <stdbool.h>

#include "plan/plan.h"

struct estimate {
    double start_s;         /* in which the streams begin one after the other */
    double load_s, drain_s; /* then; and at most for what hangs at the end */
    double requests, prompt_tokens, output_tokens; /* NAN: unknown (no time of a request is known) */
    bool requests_at_most, seconds_at_least;
};

/* One level, once. */
struct estimate estimate_level(const struct plan *plan, const struct level *level);
/* All levels and repeats. false: the levels are found while it runs, or --find searches: *sum is then of one level of unknown load,
 * only its times are set, times the number of levels of a sweep (--find: 1). */
bool estimate_plan(const struct plan *plan, struct estimate *sum);
/* Micro-dollars for start and load time; -1: no price. */
int64_t estimate_micro_usd(const struct plan *plan, const struct estimate *estimate);

#endif
