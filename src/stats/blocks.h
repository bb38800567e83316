/* The window of a level cut into blocks of time: how much its means and rates would differ at another time of the same run.
 *
 * Requests of one level are not independent of each other: they wait for the same queue and share the same batches. But what happens
 * in blocks that are each at least as long as a request takes is nearly so (batch means: B. Schmeiser, Operations Research 30
 * (1982) 556-568, who finds 10 to 30 of them best, whatever the length). So a window is cut into BLOCKS equal ones, or into as many as
 * are each one median e2e long; with fewer than BLOCKS_MIN nothing is said.
 *
 * A rate (tokens a second, requests a second) is the mean of its blocks' rates: its interval is Student's t over these. A ratio of
 * sums (a mean latency, a share) is resampled by whole blocks, BLOCKS_RESAMPLES times from a fixed seed, and its interval made of the
 * percentiles of what comes out, which lie further out than 2.5 % since resampling a few blocks gives too little spread: T. C.
 * Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69 (2015) 371-386, the expanded percentile
 * interval. Single requests are never resampled: equal ones have no variance, however much the next hour's would differ.
 *
 * The intervals are of noise within the run only: a restarted server, another day, another node are not in them.
 *
 * Of 400 levels of a closed loop of 8 streams on a server that is never idle, each 120 times as long as a request
 * (tests/unit/stats/blocks_test.c), the 95 % interval of the rate holds the truth in 93 %, that of the mean e2e in 92 %; one that
 * takes requests as independent in 52 %. */
#ifndef ROIBENCH_STATS_BLOCKS_H
#define ROIBENCH_STATS_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "stats/interval.h"

#define BLOCKS 20
#define BLOCKS_MIN 5
#define BLOCKS_RESAMPLES 2000

struct blocks {
    int64_t start, end; /* ns: the window, [start, end) */
    size_t count;       /* at most BLOCKS; 0: there are none */
};

/* median_e2e: ns; 0 or less: not known, and there are no blocks. */
struct blocks blocks_cut(int64_t start, int64_t end, int64_t median_e2e);
/* k <= count: where block k begins, and block k - 1 ends. */
int64_t blocks_bound(const struct blocks *blocks, size_t k);
/* The block of a time inside the window; count > 0. */
size_t blocks_find(const struct blocks *blocks, int64_t t);
double blocks_seconds(const struct blocks *blocks); /* of one block */

/* Of the mean of one value a block, none of which is negative. */
struct interval blocks_mean_interval(const double *values, size_t count);
/* Of sum(a) / sum(b), one pair a block. Unknown, too, where a is 0 in all of them: then the blocks tell nothing of how rare it is. */
struct interval blocks_ratio_interval(const double *a, const double *b, size_t count);

#endif
