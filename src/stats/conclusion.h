/* What a comparison comes to, in two sentences: which deployment gives more for its money, and what the money of the dearer one buys of the
 * cheaper one. What speaks against taking a ratio at its word (other workloads, invalid measurements) is said before the ratio. */
#ifndef ROIBENCH_STATS_CONCLUSION_H
#define ROIBENCH_STATS_CONCLUSION_H

#include "stats/compare.h"

/* Of a comparison that is otherwise complete. In its arena. */
const char *conclusion_make(const struct comparison *comparison);

/* What is wrong with the measurements of a run: "2 of 3 levels are invalid (client late), 1 is suspect (few requests)". NULL: nothing. */
const char *conclusion_of_validity(struct arena *arena, const struct run_summary *run);

#endif
