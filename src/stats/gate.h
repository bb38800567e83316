/* --fail-on: which runs are not good enough to go on with.
 *
 *   breaking         no tested load can be advised for production, or the one that is is of class breaking (a sweep goes on until it
 *                    breaks: that some load breaks is no fault)
 *   degraded         the load advised for production is degraded, or worse
 *   invalid          a level is invalid as a measurement
 *   regression=5%    something is worse than in the baseline beyond noise (stats/baseline.h), by 5 % or more; an error rate that is
 *                    worse counts when its class fell; a breaking or saturation point that fell counts always
 *
 * What nothing is known of meets every condition (of regression: no latency and no throughput could be compared): a gate does not open for what
 * was not measured. But the first runs of a series, each compared with the newest one before it, have no noise yet: they pass. */
#ifndef ROIBENCH_STATS_GATE_H
#define ROIBENCH_STATS_GATE_H

#include "base/error.h"
#include "stats/baseline.h"

#define GATE_CHOICES "breaking|degraded|invalid|regression=5%"

struct gate {
    bool breaking, degraded, invalid;
    double regression; /* a share; NAN: not asked for */
};
extern const struct gate gate_open; /* asks for nothing */

/* Adds one condition, as it is written above; the share is above 0 and at most 1000 %, and its % has to be there. ERROR_USAGE. */
int gate_add(struct gate *gate, const char *text, struct error *err);
bool gate_asks(const struct gate *gate);

#define GATE_CONDITIONS 4
struct gate_answer {
    const char *condition; /* "breaking", "regression=5%" */
    bool met;
    const char *text;      /* what the run is: for both answers */
};
/* One answer a condition that is asked for. baseline: NULL with no regression asked for, or where there is no earlier run to be worse than. Returns
 * how many. */
size_t gate_judge(const struct gate *gate, struct arena *arena, const struct history_run *run, const struct baseline *baseline,
                  struct gate_answer answers[GATE_CONDITIONS]);

/* The same of no more than the run's verdict (history_run_verdict). A run whose measurement is invalid meets breaking and degraded too, since its
 * class is not told. ERROR_USAGE: it is no verdict, or regression is asked for, which it does not tell. */
int gate_judge_verdict(const struct gate *gate, const char *verdict, struct gate_answer answers[GATE_CONDITIONS], size_t *count, struct error *err);

#endif
