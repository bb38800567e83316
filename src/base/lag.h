/* How late things were: a histogram of nanoseconds with a bounded relative error.
 *
 * Buckets are log-linear (64 to an octave, so a percentile is at most 1.6 % too
 * high, never too low); memory is constant whatever the length of the run. Only the
 * own lateness of client and simulator is kept this way: latencies of requests are stored samples. */
#ifndef ROIBENCH_BASE_LAG_H
#define ROIBENCH_BASE_LAG_H

#include <stdint.h>

#define LAG_SUB_BITS 6
#define LAG_BUCKETS ((64 - LAG_SUB_BITS + 1) << LAG_SUB_BITS)

struct lag {
    uint64_t counts[LAG_BUCKETS];
    uint64_t total;
    int64_t max;
};

struct lag_summary {
    int64_t p50, p99, max; /* ns; -1: no sample */
};

void lag_reset(struct lag *lag);
void lag_add(struct lag *lag, int64_t ns); /* negative counts as 0 */
/* Adds the samples of `other`. */
void lag_merge(struct lag *lag, const struct lag *other);
struct lag_summary lag_summarize(const struct lag *lag);

#endif
