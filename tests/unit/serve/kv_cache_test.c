#include "serve/kv_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static void blocks_are_taken_until_none_is_left(void **state)
{
    (void)state;
    struct kv_cache *cache = kv_cache_new(3);
    bool seen[4] = {false};
    assert_int_equal(kv_cache_blocks(cache), 3);
    for (int64_t left = 2; left >= 0; left--) {
        uint32_t block = kv_cache_take(cache);
        assert_in_range(block, 1, 3);
        assert_false(seen[block]);
        seen[block] = true;
        assert_int_equal(kv_cache_references(cache, block), 1);
        assert_int_equal(kv_cache_free_blocks(cache), left);
    }
    kv_cache_release(cache, 2);
    assert_int_equal(kv_cache_free_blocks(cache), 1);
    assert_int_equal(kv_cache_take(cache), 2);
    kv_cache_free(cache);
}

static void hash_depends_on_all_before_and_on_every_id(void **state)
{
    (void)state;
    const uint32_t ids[] = {1, 2, 3, 4}, swapped[] = {2, 1, 3, 4}, zeros[] = {0, 0, 0, 0};
    uint64_t whole = kv_cache_hash(KV_HASH_START, ids, 4);
    assert_true(whole == kv_cache_hash(KV_HASH_START, ids, 4));
    assert_true(whole != kv_cache_hash(KV_HASH_START, swapped, 4));
    assert_true(whole != kv_cache_hash(KV_HASH_START, ids, 3));
    assert_true(whole != kv_cache_hash(whole, ids, 4));
    assert_true(kv_cache_hash(KV_HASH_START, zeros, 3) != kv_cache_hash(KV_HASH_START, zeros, 4));
}

static void named_block_is_found_in_use_and_free(void **state)
{
    (void)state;
    struct kv_cache *cache = kv_cache_new(2);
    uint32_t block = kv_cache_take(cache);
    assert_int_equal(kv_cache_find(cache, 77), KV_BLOCK_NONE);
    kv_cache_name(cache, block, 77);
    assert_int_equal(kv_cache_find(cache, 77), block);
    kv_cache_share(cache, block);
    assert_int_equal(kv_cache_references(cache, block), 2);
    kv_cache_release(cache, block);
    assert_int_equal(kv_cache_free_blocks(cache), 1);
    kv_cache_release(cache, block);
    assert_int_equal(kv_cache_free_blocks(cache), 2);
    assert_int_equal(kv_cache_find(cache, 77), block);
    kv_cache_share(cache, block); /* out of the free ones again */
    assert_int_equal(kv_cache_free_blocks(cache), 1);
    assert_int_not_equal(kv_cache_take(cache), block);
    assert_int_equal(kv_cache_find(cache, 77), block);
    kv_cache_free(cache);
}

static void longest_free_loses_its_name_first_and_nameless_go_before(void **state)
{
    (void)state;
    struct kv_cache *cache = kv_cache_new(4);
    uint32_t block[4];
    for (size_t k = 0; k < 4; k++)
        block[k] = kv_cache_take(cache);
    for (size_t k = 0; k < 3; k++)
        kv_cache_name(cache, block[k], 100 + k);
    kv_cache_release(cache, block[1]);
    kv_cache_release(cache, block[0]);
    kv_cache_release(cache, block[2]);
    kv_cache_release(cache, block[3]); /* last, but it holds nothing */
    kv_cache_share(cache, block[1]);
    kv_cache_release(cache, block[1]); /* used again: now the youngest */
    assert_int_equal(kv_cache_take(cache), block[3]);
    assert_int_equal(kv_cache_find(cache, 100), block[0]);
    assert_int_equal(kv_cache_take(cache), block[0]);
    assert_int_equal(kv_cache_find(cache, 100), KV_BLOCK_NONE);
    assert_int_equal(kv_cache_take(cache), block[2]);
    assert_int_equal(kv_cache_find(cache, 101), block[1]);
    assert_int_equal(kv_cache_take(cache), block[1]);
    assert_int_equal(kv_cache_find(cache, 101), KV_BLOCK_NONE);
    kv_cache_free(cache);
}

static void of_twins_the_first_is_found(void **state)
{
    (void)state;
    struct kv_cache *cache = kv_cache_new(3);
    uint32_t first = kv_cache_take(cache), second = kv_cache_take(cache), third = kv_cache_take(cache);
    kv_cache_name(cache, first, 7);
    kv_cache_name(cache, second, 7);
    kv_cache_name(cache, third, 7);
    assert_int_equal(kv_cache_find(cache, 7), first);
    kv_cache_release(cache, first);
    assert_int_equal(kv_cache_take(cache), first);
    assert_int_equal(kv_cache_find(cache, 7), second);
    kv_cache_name(cache, first, 7); /* now the last */
    kv_cache_release(cache, third);
    assert_int_equal(kv_cache_take(cache), third);
    kv_cache_release(cache, second);
    assert_int_equal(kv_cache_take(cache), second);
    assert_int_equal(kv_cache_find(cache, 7), first);
    kv_cache_free(cache);
}

/* --- against a model that searches lists ------------------------------------------------------ */

#define BLOCKS 24
#define ROUNDS 20000

struct naive {
    uint32_t references[BLOCKS + 1];
    uint64_t name[BLOCKS + 1];       /* 0: none */
    int named_at[BLOCKS + 1], free_since[BLOCKS + 1];
};

static uint32_t naive_find(const struct naive *naive, uint64_t name)
{
    uint32_t found = KV_BLOCK_NONE;
    for (uint32_t k = 1; k <= BLOCKS; k++)
        if (naive->name[k] == name && (found == KV_BLOCK_NONE || naive->named_at[k] < naive->named_at[found]))
            found = k;
    return found;
}

static int64_t naive_free(const struct naive *naive)
{
    int64_t free = 0;
    for (uint32_t k = 1; k <= BLOCKS; k++)
        free += naive->references[k] == 0;
    return free;
}

/* Returns whether a name was lost. */
static bool check_take(struct kv_cache *cache, struct naive *naive)
{
    bool nameless = false;
    uint32_t oldest = KV_BLOCK_NONE;
    for (uint32_t k = 1; k <= BLOCKS; k++) {
        if (naive->references[k] > 0)
            continue;
        nameless |= naive->name[k] == 0;
        if (oldest == KV_BLOCK_NONE || naive->free_since[k] < naive->free_since[oldest])
            oldest = k;
    }
    if (oldest == KV_BLOCK_NONE)
        return false;
    uint32_t taken = kv_cache_take(cache);
    assert_int_equal(naive->references[taken], 0);
    if (nameless)
        assert_int_equal(naive->name[taken], 0);
    else
        assert_int_equal(taken, oldest);
    naive->references[taken] = 1;
    naive->name[taken] = 0;
    return !nameless;
}

static void random_use_agrees_with_lists(void **state)
{
    (void)state;
    struct kv_cache *cache = kv_cache_new(BLOCKS);
    struct naive naive = {0};
    struct random random;
    int evictions = 0, shares = 0;
    random_seed(&random, 4);
    for (int now = 1; now < ROUNDS; now++) {
        uint32_t block = 1 + (uint32_t)random_below(&random, BLOCKS);
        uint64_t name = 1 + random_below(&random, 5) + 32 * random_below(&random, 4); /* four meet in each bucket */
        switch (random_below(&random, 6)) {
        case 0:
            evictions += check_take(cache, &naive);
            break;
        case 1:
            if (naive.references[block] > 0 && naive.name[block] == 0) {
                kv_cache_name(cache, block, name);
                naive.name[block] = name;
                naive.named_at[block] = now;
            }
            break;
        case 2:
            block = kv_cache_find(cache, name);
            assert_int_equal(block, naive_find(&naive, name));
            if (block != KV_BLOCK_NONE) {
                kv_cache_share(cache, block);
                shares += naive.references[block]++ == 0;
            }
            break;
        default:
            if (naive.references[block] > 0) {
                kv_cache_release(cache, block);
                naive.references[block]--;
                naive.free_since[block] = now;
            }
        }
        assert_int_equal(kv_cache_free_blocks(cache), naive_free(&naive));
    }
    for (uint32_t k = 1; k <= BLOCKS; k++)
        assert_int_equal(kv_cache_references(cache, k), naive.references[k]);
    assert_true(evictions > 200 && shares > 200);
    kv_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_taken_until_none_is_left),
        cmocka_unit_test(hash_depends_on_all_before_and_on_every_id),
        cmocka_unit_test(named_block_is_found_in_use_and_free),
        cmocka_unit_test(longest_free_loses_its_name_first_and_nameless_go_before),
        cmocka_unit_test(of_twins_the_first_is_found),
        cmocka_unit_test(random_use_agrees_with_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
