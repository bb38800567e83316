#include "serve/kv_cache.h"

#include <stdlib.h>

#include "base/mem.h"

/* Links are numbers of blocks. */
struct kv_block {
    uint64_t hash;
    uint32_t references;
    bool named;
    uint32_t older, newer;         /* free and named: by when it became free; free without a name: `older` is a stack's link */
    uint32_t next_twin, last_twin; /* a ring of those with the same name, in the order of naming */
    uint32_t next_in_bucket;       /* of a ring's first */
};

struct kv_cache {
    struct kv_block *blocks;
    uint32_t count, untouched; /* blocks from number `untouched` on were never taken */
    uint32_t free;
    uint32_t nameless;         /* the top of the stack */
    uint32_t oldest, newest;
    uint32_t *buckets;
    uint64_t bucket_mask;
};

struct kv_cache *kv_cache_new(int64_t blocks)
{
    struct kv_cache *cache = mem_alloc(sizeof *cache);
    size_t buckets = 1;
    while (buckets < (size_t)blocks)
        buckets *= 2;
    cache->blocks = mem_calloc((size_t)blocks + 1, sizeof *cache->blocks);
    cache->buckets = mem_calloc(buckets, sizeof *cache->buckets);
    cache->bucket_mask = buckets - 1;
    cache->count = cache->free = (uint32_t)blocks;
    cache->untouched = 1;
    return cache;
}

void kv_cache_free(struct kv_cache *cache)
{
    if (!cache)
        return;
    free(cache->blocks);
    free(cache->buckets);
    free(cache);
}

int64_t kv_cache_blocks(const struct kv_cache *cache)
{
    return cache->count;
}

int64_t kv_cache_free_blocks(const struct kv_cache *cache)
{
    return cache->free;
}

uint32_t kv_cache_references(const struct kv_cache *cache, uint32_t block)
{
    return cache->blocks[block].references;
}

/* A multiplication by an odd number spreads upwards, the shift brings it back down: every id changes the bits that choose
 * a bucket. 64 bits: a million blocks have the same name by chance once in 40 million runs. */
uint64_t kv_cache_hash(uint64_t before, const uint32_t *ids, size_t count)
{
    uint64_t hash = before ^ UINT64_C(0x6a09e667f3bcc909);
    for (size_t k = 0; k < count; k++) {
        hash = (hash ^ ids[k]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

/* --- names -------------------------------------------------------------------------------- */

/* What points, or would point, to the first block of that name. */
static uint32_t *name_place(const struct kv_cache *cache, uint64_t hash)
{
    uint32_t *place = &cache->buckets[hash & cache->bucket_mask];
    while (*place != KV_BLOCK_NONE && cache->blocks[*place].hash != hash)
        place = &cache->blocks[*place].next_in_bucket;
    return place;
}

uint32_t kv_cache_find(const struct kv_cache *cache, uint64_t hash)
{
    return *name_place(cache, hash);
}

void kv_cache_name(struct kv_cache *cache, uint32_t block, uint64_t hash)
{
    struct kv_block *named = &cache->blocks[block];
    uint32_t *place = name_place(cache, hash);
    if (*place == KV_BLOCK_NONE) {
        *place = named->next_twin = named->last_twin = block;
        named->next_in_bucket = KV_BLOCK_NONE;
    } else {
        struct kv_block *first = &cache->blocks[*place];
        named->next_twin = *place;
        named->last_twin = first->last_twin;
        cache->blocks[first->last_twin].next_twin = block;
        first->last_twin = block;
    }
    named->hash = hash;
    named->named = true;
}

static void forget_name(struct kv_cache *cache, uint32_t block)
{
    struct kv_block *forgotten = &cache->blocks[block];
    uint32_t *place = name_place(cache, forgotten->hash), next = forgotten->next_twin;
    forgotten->named = false;
    if (next == block) {
        *place = forgotten->next_in_bucket;
        return;
    }
    cache->blocks[next].last_twin = forgotten->last_twin;
    cache->blocks[forgotten->last_twin].next_twin = next;
    if (*place == block) {
        cache->blocks[next].next_in_bucket = forgotten->next_in_bucket;
        *place = next;
    }
}

/* --- free ones ----------------------------------------------------------------------------- */

static void leave_queue(struct kv_cache *cache, uint32_t block)
{
    const struct kv_block *leaving = &cache->blocks[block];
    *(leaving->older ? &cache->blocks[leaving->older].newer : &cache->oldest) = leaving->newer;
    *(leaving->newer ? &cache->blocks[leaving->newer].older : &cache->newest) = leaving->older;
}

static void enter_queue(struct kv_cache *cache, uint32_t block)
{
    struct kv_block *entering = &cache->blocks[block];
    entering->older = cache->newest;
    entering->newer = KV_BLOCK_NONE;
    *(cache->newest ? &cache->blocks[cache->newest].newer : &cache->oldest) = block;
    cache->newest = block;
}

void kv_cache_share(struct kv_cache *cache, uint32_t block)
{
    if (cache->blocks[block].references++ > 0)
        return;
    leave_queue(cache, block);
    cache->free--;
}

uint32_t kv_cache_take(struct kv_cache *cache)
{
    uint32_t block = cache->nameless;
    if (block != KV_BLOCK_NONE) {
        cache->nameless = cache->blocks[block].older;
    } else if (cache->untouched <= cache->count) {
        block = cache->untouched++;
    } else {
        block = cache->oldest;
        leave_queue(cache, block);
        forget_name(cache, block);
    }
    cache->blocks[block].references = 1;
    cache->free--;
    return block;
}

void kv_cache_release(struct kv_cache *cache, uint32_t block)
{
    struct kv_block *released = &cache->blocks[block];
    if (--released->references > 0)
        return;
    cache->free++;
    if (released->named) {
        enter_queue(cache, block);
    } else {
        released->older = cache->nameless;
        cache->nameless = block;
    }
}
