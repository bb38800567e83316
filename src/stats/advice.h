/* Two plain sentences: which level to run in production and what limits it; what it costs, what is not good even there, and on what this rests. */
#ifndef ROIBENCH_STATS_ADVICE_H
#define ROIBENCH_STATS_ADVICE_H

#include "stats/points.h"

/* Fills points->advised and points->advice; the other points are found already. levels: ascending. */
void advice_give(struct points *points, struct arena *arena, const struct level_summary *const *levels, size_t count,
                 const struct sla *sla);
/* Fills points->assurance. price_micro_usd: an hour, -1 not known. */
void advice_assure(struct points *points, struct arena *arena, int64_t price_micro_usd, const struct sla *sla);

#endif
