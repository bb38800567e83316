/* What a reader of published figures has to know beside a comparison: that figures of two operating points make no ratio, and at which load,
 * if any, this measurement has the figure that was published. All of it comes from the levels compared. */
#ifndef ROIBENCH_STATS_FOOTNOTES_H
#define ROIBENCH_STATS_FOOTNOTES_H

#include "stats/roi.h"

#define CLAIM_TOLERANCE 0.02 /* published figures are rounded */

/* Fills roi->footnotes; everything else of it is found already. */
void footnotes_make(struct roi *roi, struct arena *arena);

#endif
