#include "base/lag.h"

#include <string.h>

#define SUB_COUNT (1U << LAG_SUB_BITS)

/* Values below 2 x SUB_COUNT have a bucket each; above, an octave has SUB_COUNT buckets. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < SUB_COUNT)
        return (unsigned)ns;
    unsigned shift = 63U - (unsigned)__builtin_clzll(ns) - LAG_SUB_BITS;
    return (shift + 1) * SUB_COUNT + (unsigned)((ns >> shift) - SUB_COUNT);
}

/* The largest value that falls into the bucket. */
static int64_t bucket_top(unsigned bucket)
{
    if (bucket < SUB_COUNT)
        return (int64_t)bucket;
    unsigned shift = bucket / SUB_COUNT - 1;
    uint64_t low = (uint64_t)(SUB_COUNT + bucket % SUB_COUNT) << shift;
    return (int64_t)(low + ((UINT64_C(1) << shift) - 1));
}

void lag_reset(struct lag *lag)
{
    memset(lag, 0, sizeof *lag);
}

void lag_add(struct lag *lag, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    lag->counts[bucket_of((uint64_t)ns)]++;
    lag->total++;
    if (ns > lag->max)
        lag->max = ns;
}

void lag_merge(struct lag *lag, const struct lag *other)
{
    for (unsigned bucket = 0; bucket < LAG_BUCKETS; bucket++)
        lag->counts[bucket] += other->counts[bucket];
    lag->total += other->total;
    if (other->max > lag->max)
        lag->max = other->max;
}

/* Nearest rank: the smallest value with at least per_mille of the samples at or below it. */
static int64_t lag_percentile(const struct lag *lag, uint64_t per_mille)
{
    uint64_t rank = (lag->total * per_mille + 999) / 1000;
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < LAG_BUCKETS; bucket++) {
        seen += lag->counts[bucket];
        if (seen >= rank) {
            int64_t top = bucket_top(bucket);
            return top < lag->max ? top : lag->max;
        }
    }
    return lag->max;
}

struct lag_summary lag_summarize(const struct lag *lag)
{
    if (lag->total == 0)
        return (struct lag_summary){.p50 = -1, .p99 = -1, .max = -1};
    return (struct lag_summary){
        .p50 = lag_percentile(lag, 500),
        .p99 = lag_percentile(lag, 990),
        .max = lag->max,
    };
}
