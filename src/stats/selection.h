/* Exact percentiles of more samples than fit in memory: they are read twice.
 *
 * The first pass counts samples in narrow bins (4,096 for every doubling, made where they are needed). Between the
 * passes the bins that hold a wanted rank are picked. The second pass keeps only the values in these, and
 * so finds each rank's very sample. Both passes must bring the same samples, in any order.
 *
 * A sample is `gap / n`: n samples each of this value, as when n tokens arrive together after a gap. Moments are
 * summed in integers, so that they too do not depend on the order.
 *
 *     first pass:  selection_count(s, gap, n)
 *                  selection_choose(s)
 *     second pass: selection_collect(s, gap, n)
 *                  selection_describe(s, unit) */
#ifndef ROIBENCH_STATS_SELECTION_H
#define ROIBENCH_STATS_SELECTION_H

#include <stdint.h>

#include "stats/series.h"

/* Gaps are cut at this many ns (73 minutes): so the sum of squares of 2^36 samples fits in 128 bits. */
#define SELECTION_GAP_MAX ((int64_t)1 << 42)

struct selection;

struct selection *selection_new(void);
void selection_free(struct selection *selection); /* NULL is fine */

/* gap >= 0 (a negative one is taken as 0), n > 0. */
void selection_count(struct selection *selection, int64_t gap, uint32_t n);
void selection_choose(struct selection *selection);
void selection_collect(struct selection *selection, int64_t gap, uint32_t n);
/* Every value is divided by unit (1e6: ns to ms). */
struct distribution selection_describe(struct selection *selection, double unit);

#endif
