/* Which part of a load is ours: workers of one process and shards of one plan own streams and arrivals by their numbers.
 *
 * Number j belongs to part j % count. The load is the same whatever the count: streams have the same numbers and bodies, and every
 * part of an open loop draws the whole arrival process and sends its own. */
#ifndef ROIBENCH_LOAD_SHARE_H
#define ROIBENCH_LOAD_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct share {
    int index, count; /* 0 <= index < count */
};

static inline bool share_has(struct share share, int64_t number)
{
    return number % share.count == share.index;
}

/* How many of the numbers 0 to total - 1 are ours. */
static inline int64_t share_of(struct share share, int64_t total)
{
    return total > share.index ? (total - 1 - share.index) / share.count + 1 : 0;
}

/* Worker `worker` of `workers` of this shard. */
static inline struct share share_of_worker(struct share shard, int worker, int workers)
{
    return (struct share){.index = shard.index + shard.count * worker, .count = shard.count * workers};
}

#endif
