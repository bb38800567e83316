/* A figure of one load against the same of another load, by the repeats of both: how much of the ratio is run-to-run noise.
 *
 * Of two runs whose levels took turns (`run --interleave`) each repeat of one is compared with the same repeat of the other, so what both
 * had in common, a slow hour of the network or of a neighbour, is not in the interval. Else the repeats are taken as independent. With fewer
 * than INTERVAL_VALUES_MIN of either (or pairs) nothing is known: a ratio of single measurements is the caller's matter.
 *
 * Of 4000 drawn comparisons of three repeats (noise of 2 %, hours that differ by 20 %) 95.1 % of the intervals of pairs hold the true ratio, and 96.2 % of
 * the others, which are eight times as wide (tests/unit/stats/repeats_ratio_test.c draws 1000). */
#ifndef ROIBENCH_STATS_REPEATS_RATIO_H
#define ROIBENCH_STATS_REPEATS_RATIO_H

#include "stats/repeats.h"

struct repeats_ratio {
    struct uncertain ratio; /* a / b, of geometric means; value NAN: too few repeats */
    bool paired;            /* repeat by repeat */
};

/* a, b: NULL where the load was not repeated. */
struct repeats_ratio repeats_ratio(const struct repeated_load *a, const struct repeated_load *b, enum figure figure, bool interleaved);

/* The ratio is known with an interval, and that does not contain 1. */
bool uncertain_ratio_is_clear(const struct uncertain *ratio);

/* The load of this level among repeated ones; NULL: it was measured once, or fewer than INTERVAL_VALUES_MIN of its measurements count. */
const struct repeated_load *repeats_of_level(const struct repeated_load *loads, size_t count, const struct level_summary *level);

#endif
