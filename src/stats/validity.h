/* Is the measurement itself valid? Only trouble of the client's own making, and too few samples, count here. */
#ifndef ROIBENCH_STATS_VALIDITY_H
#define ROIBENCH_STATS_VALIDITY_H

#include "base/arena.h"
#include "plan/plan.h"
#include "stats/run_data.h"

/* Fills out->validity from a level that is measured and judged. */
void validity_judge(struct level_summary *out, const struct run_data *data, const struct run_level *level, const struct plan *plan,
                    const struct sla *sla, struct arena *arena);

#endif
