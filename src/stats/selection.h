/* Exact percentiles of more gaps than fit in memory: they are read twice.
 *
 * The first pass counts samples in narrow bins (4,096 for every doubling, made where they are needed). Between the
 * passes the bins that hold a wanted rank are picked. The second pass keeps only the values in these, and
 * so finds each rank's very sample. Both passes must bring the same samples, in any order.
 *
 * A gap before an arrival of n tokens is a sample of two distributions: of the gaps as they are, and of what tokens waited
 * (ITL), where it is n samples gap / n. Nearly always n is 1, and both are the same: such gaps are counted once, for both. One of n = 0
 * tokens is a gap only. Moments are summed in integers, so that they too do not depend on the order.
 *
 *     first pass:  selection_count(s, gaps, n, count)
 *                  selection_choose(s)
 *     second pass: selection_collect(s, gaps, n, count)
 *                  selection_describe(s, SELECTION_ITL, unit) */
#ifndef ROIBENCH_STATS_SELECTION_H
#define ROIBENCH_STATS_SELECTION_H

#include <stddef.h>
#include <stdint.h>

#include "stats/series.h"

/* Gaps are cut at this many ns (73 minutes): so the sum of squares of 2^36 samples fits in 128 bits. */
#define SELECTION_GAP_MAX ((int64_t)1 << 42)

struct selection;
enum selection_of { SELECTION_GAPS, SELECTION_ITL, SELECTION_OF_COUNT };

struct selection *selection_new(void);
void selection_free(struct selection *selection); /* NULL is fine */

/* gaps >= 0 (a negative one is taken as 0), n >= 0. */
void selection_count(struct selection *selection, const int64_t *gaps, const int32_t *n, size_t count);
void selection_choose(struct selection *selection);
void selection_collect(struct selection *selection, const int64_t *gaps, const int32_t *n, size_t count);
/* Every value is divided by unit (1e6: ns to ms). */
struct distribution selection_describe(struct selection *selection, enum selection_of of, double unit);

#endif
