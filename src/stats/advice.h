/* One plain sentence: which level to run in production, and what limits it. */
#ifndef ROIBENCH_STATS_ADVICE_H
#define ROIBENCH_STATS_ADVICE_H

#include "stats/points.h"

/* Fills points->advised and points->advice; the other points are found already. levels: ascending. */
void advice_give(struct points *points, struct arena *arena, const struct level_summary *const *levels, size_t count,
                 const struct sla *sla);

#endif
