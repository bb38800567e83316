/* The distribution of weighted samples, as formats of other programs tell it: moments of the whole (not of a sample), the mode, and percentiles
 * from 0.1 to 99.9 %.
 *
 * A percentile is the smallest value at which the values up to it have at least that share of all weight; with weights of 1 that is
 * the nearest rank of stats/series.h. Samples without weight do not count. */
#ifndef ROIBENCH_STATS_SPREAD_H
#define ROIBENCH_STATS_SPREAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/sort.h"

/* Per mille, name in GuideLLM's files. */
#define SPREAD_PERCENTILES(X)                                                                                                        \
    X(1, "p001") X(10, "p01") X(50, "p05") X(100, "p10") X(250, "p25") X(500, "p50") X(750, "p75") X(900, "p90") X(950, "p95") X(990, "p99") \
    X(999, "p999")
#define SPREAD_PERCENTILE_COUNT 11
#define SPREAD_MEDIAN 5 /* index of the percentile */

struct weighted_list {
    struct weighted *items; /* weight >= 0; those of whole numbers add up exactly */
    size_t count, cap;
};

void weighted_add(struct weighted_list *list, double value, double weight);
void weighted_free(struct weighted_list *list);

struct spread {
    double count;    /* of observations: by spread_of the sum of the weights */
    double mean, variance, mode, min, max;
    double percentile[SPREAD_PERCENTILE_COUNT];
};

/* Sorts the items. Without any weight: all zero. */
struct spread spread_of(struct weighted_list *list);

#endif
