/* The KV cache: a pool of equal blocks, who uses them, and what they hold (prefix caching as vLLM's block pool does it).
 *
 * A block is in use by as many requests as its references say, or free. A block that holds a full piece of some
 * sequence can be named by the hash of that sequence up to its end; it keeps its name when it becomes free, so that a
 * later request with the same beginning finds it, until it is taken for something else:
 *   - kv_cache_take prefers free blocks without a name, and then takes the named one that has been free longest;
 *   - whoever gives the blocks of a sequence back begins with its last one, so that ends are lost before beginnings;
 *   - two blocks may have the same name (both were computed): the one named first is found.
 *
 * Blocks are numbered from 1. Nothing is written for a block before it is taken first: a large pool costs little. */
#ifndef ROIBENCH_SERVE_KV_CACHE_H
#define ROIBENCH_SERVE_KV_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KV_BLOCK_NONE 0

struct kv_cache;

/* 0 < blocks < UINT32_MAX */
struct kv_cache *kv_cache_new(int64_t blocks);
void kv_cache_free(struct kv_cache *cache);

int64_t kv_cache_blocks(const struct kv_cache *cache);
int64_t kv_cache_free_blocks(const struct kv_cache *cache); /* nobody's, named or not */
uint32_t kv_cache_references(const struct kv_cache *cache, uint32_t block);

/* The name of a sequence that is longer than the one of name `before` by the ids. KV_HASH_START: of an empty one. */
#define KV_HASH_START UINT64_C(0)
uint64_t kv_cache_hash(uint64_t before, const uint32_t *ids, size_t count);

/* A block of that name, in use or free, or KV_BLOCK_NONE. */
uint32_t kv_cache_find(const struct kv_cache *cache, uint64_t hash);
/* Uses a block that was found. */
void kv_cache_share(struct kv_cache *cache, uint32_t block);
/* Uses a free block, which loses its name. There must be one. */
uint32_t kv_cache_take(struct kv_cache *cache);
/* Names a block in use that has no name. */
void kv_cache_name(struct kv_cache *cache, uint32_t block, uint64_t hash);
/* One user less. */
void kv_cache_release(struct kv_cache *cache, uint32_t block);

#endif
