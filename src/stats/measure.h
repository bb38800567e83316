/* From the records of one level to its numbers. Private to the stats layer. */
#ifndef ROIBENCH_STATS_MEASURE_H
#define ROIBENCH_STATS_MEASURE_H

#include "base/arena.h"
#include "plan/plan.h"
#include "stats/run_data.h"

/* slo: NULL, or all zero: no objectives. Fills *out (already initialized) but for verdict and validity. */
void measure_level(struct level_summary *out, const struct run_data *data, const struct run_level *level, const struct sla *sla,
                   const struct slo *slo, struct arena *arena);

#endif
