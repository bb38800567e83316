/* Series of samples, and what is said of them: exact percentiles, moments, intervals.
 *
 * Percentiles are nearest rank with ranks in integers: of n sorted samples, the one with rank
 * ceil(n x p / 1000), p in per mille, is the smallest with at least p per mille of the samples <= it.
 * Samples may be +infinity (a request that never got its first token): percentiles then can be
 * +infinity too, mean and std are not known.
 *
 * A distribution-free 95 % interval of a percentile is made of two ranks: `low` is the highest rank whose
 * sample lies above the true percentile with at most 2.5 %, `high` the lowest that lies below it with at
 * most 2.5 % (the count of samples below it is binomial; David and Nagaraja, Order Statistics, 7.1). Too
 * few samples have no such rank: p95 has no upper bound below 72, p99 none below 368.
 *
 * NAN is "not known" throughout, and becomes null in files. */
#ifndef ROIBENCH_STATS_SERIES_H
#define ROIBENCH_STATS_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/interval.h"

enum percentile { P1, P5, P10, P25, P50, P75, P90, P95, P99, P999, PERCENTILE_COUNT };

uint64_t percentile_per_mille(enum percentile percentile);
const char *percentile_name(enum percentile percentile); /* "p95", "p99.9" */

/* The four whose intervals are given: p50, p90, p95, p99. */
enum { INTERVAL_P50, INTERVAL_P90, INTERVAL_P95, INTERVAL_P99, INTERVAL_COUNT };
enum percentile interval_percentile(int interval);

struct distribution {
    uint64_t count;
    double mean, std; /* std: of the sample (n - 1); NAN for n < 2 */
    struct interval mean_interval; /* within-run noise only, by blocks (stats/blocks.h): whoever has these fills it in */
    double min, max;
    double percentile[PERCENTILE_COUNT];
    struct interval interval[INTERVAL_COUNT]; /* NAN: too few samples for this bound */
};

/* No samples: count 0, everything else NAN. */
struct distribution distribution_empty(void);
/* Is anything known of it? Another tool's may have a percentile and no samples: its count may be 0 then, its intervals are NAN. */
bool distribution_is_known(const struct distribution *distribution);

/* The rank (from 1) of a percentile among n > 0 samples. */
uint64_t series_rank(uint64_t count, uint64_t per_mille);
/* Ranks of the 95 % interval; 0: there is none. */
void series_interval_ranks(uint64_t count, uint64_t per_mille, uint64_t *low, uint64_t *high);
/* The fewest samples for which the percentile has an upper bound (72 for p95, 368 for p99). */
uint64_t series_samples_needed(uint64_t per_mille);

/* A growing list. All zero is an empty one. */
struct series {
    double *values;
    size_t count, cap;
};

void series_add(struct series *series, double value);
void series_free(struct series *series);
/* Sorts the values (so that sums do not depend on their order) and describes them. */
struct distribution series_describe(struct series *series);
/* The nearest-rank percentile of count > 0 values, which are left partly sorted: by selection. */
double series_select(double *values, size_t count, uint64_t per_mille);
/* The value of a rank, 1 <= rank <= count, likewise. */
double series_select_rank(double *values, size_t count, uint64_t rank);

#endif
