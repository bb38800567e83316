/* Which loads of which deployment are worth considering: no other one gives more a dollar (or a GPU) and more speed. */
#ifndef ROIBENCH_STATS_PARETO_H
#define ROIBENCH_STATS_PARETO_H

#include "stats/roi.h"

/* Fills roi->pareto from roi->rows: every load of the unit with a throughput and a user speed, in order of rows and loads. */
void pareto_find(struct roi *roi, struct arena *arena);

#endif
