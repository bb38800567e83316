#include "serve/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"

/* Costs that can be told apart in a sum: 1000 a step, 100 a sequence, 1 a context token, 10 a prefill token. */
static const struct scheduler_cost COST = {.base = 1000, .sequence = 100, .context_token = 1, .prefill_token = 10};

/* Generated tokens that tell nothing of the request: equal prompts go on equally. */
static uint32_t output_id(const struct scheduler_request *request, int64_t index)
{
    (void)request;
    return 1000 + (uint32_t)index;
}

static struct scheduler_settings settings(int64_t seqs, int64_t batched, int64_t blocks, int64_t block_size)
{
    return (struct scheduler_settings){.cost = COST, .max_num_seqs = seqs, .max_num_batched_tokens = batched,
                                       .kv_blocks = blocks, .block_size = block_size, .prefix_caching = true,
                                       .output_id = output_id};
}

static struct scheduler *make(int64_t seqs, int64_t batched, int64_t blocks, int64_t block_size)
{
    struct scheduler_settings made = settings(seqs, batched, blocks, block_size);
    return scheduler_new(&made);
}

static struct scheduler_request request(int64_t prompt, int64_t output)
{
    return (struct scheduler_request){.prompt_tokens = prompt, .output_limit = output};
}

/* One step; returns how many got a token. */
static size_t step(struct scheduler *scheduler, int64_t expected_duration)
{
    size_t count;
    assert_int_equal(scheduler_begin(scheduler, 0), expected_duration);
    scheduler_end(scheduler, &count);
    return count;
}

static void idle_engine_has_no_step(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 16);
    assert_int_equal(scheduler_begin(scheduler, 0), -1);
    assert_false(scheduler_in_step(scheduler));
    scheduler_free(scheduler);
}

static void one_request_costs_prefill_then_decode(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 16);
    struct scheduler_request a = request(20, 3);
    scheduler_add(scheduler, &a);
    assert_int_equal(scheduler_waiting(scheduler), 1);
    assert_int_equal(step(scheduler, 1000 + 100 + 20 * 10), 1); /* prompt, nothing in the cache */
    assert_int_equal(a.output_tokens, 1);
    assert_int_equal(step(scheduler, 1000 + 100 + 20), 1);
    assert_int_equal(a.state, SCHEDULER_RUNNING);
    assert_int_equal(step(scheduler, 1000 + 100 + 21), 1);
    assert_int_equal(a.state, SCHEDULER_OUTSIDE);
    assert_int_equal(a.output_tokens, 3);
    assert_int_equal(scheduler_begin(scheduler, 0), -1);
    assert_true(scheduler_kv_usage(scheduler) == 0);
    scheduler_free(scheduler);
}

/* 4 x 10^6 tokens of 10^12 ns, and a base of as much: more than 64 bits hold. */
static void the_longest_step_has_an_end(void **state)
{
    (void)state;
    struct scheduler_settings slow = settings(8, 100000000, 100000000, 16);
    slow.cost = (struct scheduler_cost){1e12, 1e12, 1e12, 1e13};
    struct scheduler *scheduler = scheduler_new(&slow);
    struct scheduler_request a = request(4000000, 2);
    scheduler_add(scheduler, &a);
    assert_int_equal(step(scheduler, 1000000000000000), 1);
    scheduler_free(scheduler);
}

static void first_scheduled_is_the_steps_beginning(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(1, 2048, 100, 16);
    struct scheduler_request a = request(20, 2), b = request(20, 1);
    size_t count;
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    for (int64_t now = 5; scheduler_begin(scheduler, now) >= 0; now += 5)
        scheduler_end(scheduler, &count);
    assert_int_equal(a.first_scheduled, 5);
    assert_int_equal(b.first_scheduled, 15); /* after a's two steps: max_num_seqs is 1 */
    scheduler_free(scheduler);
}

static void long_prompt_is_cut_by_the_budget(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 100, 100, 16);
    struct scheduler_request a = request(250, 1);
    scheduler_add(scheduler, &a);
    assert_int_equal(step(scheduler, 1000 + 100 + 100 * 10), 0);
    assert_int_equal(step(scheduler, 1000 + 100 + 100 + 100 * 10), 0);
    assert_int_equal(step(scheduler, 1000 + 100 + 200 + 50 * 10), 1);
    assert_int_equal(a.state, SCHEDULER_OUTSIDE);
    scheduler_free(scheduler);
}

static void decoding_goes_before_prefill(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 100, 100, 16);
    struct scheduler_request a = request(10, 5), b = request(150, 5);
    scheduler_add(scheduler, &a);
    step(scheduler, 1000 + 100 + 10 * 10);
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 10 + 99 * 10), 1); /* a decodes, b gets the other 99 */
    assert_int_equal(a.output_tokens, 2);
    assert_int_equal(b.computed, 99);
    assert_int_equal(scheduler_last_step(scheduler)->decode_tokens, 1);
    assert_int_equal(scheduler_last_step(scheduler)->prefill_tokens, 99);
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 11 + 99 + 51 * 10), 2);
    scheduler_free(scheduler);
}

static void arrivals_wait_for_the_next_step(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 16);
    struct scheduler_request a = request(10, 5), b = request(10, 5);
    size_t count;
    scheduler_add(scheduler, &a);
    scheduler_begin(scheduler, 0);
    scheduler_add(scheduler, &b);
    struct scheduler_request *const *got = scheduler_end(scheduler, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(got[0], &a);
    assert_int_equal(b.output_tokens, 0);
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 10 + 10 * 10), 2);
    scheduler_free(scheduler);
}

static void at_most_max_num_seqs_run(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(2, 2048, 100, 16);
    struct scheduler_request all[3] = {request(4, 2), request(4, 3), request(4, 1)};
    for (size_t k = 0; k < 3; k++)
        scheduler_add(scheduler, &all[k]);
    step(scheduler, 1000 + 2 * 100 + 8 * 10);
    assert_int_equal(scheduler_running(scheduler), 2);
    assert_int_equal(scheduler_waiting(scheduler), 1);
    step(scheduler, 1000 + 2 * 100 + 8);
    assert_int_equal(all[0].state, SCHEDULER_OUTSIDE);
    step(scheduler, 1000 + 2 * 100 + 5 + 4 * 10); /* the third takes the place that became free */
    assert_int_equal(all[2].output_tokens, 1);
    scheduler_free(scheduler);
}

static void nobody_overtakes_a_prompt_that_does_not_fit(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 4, 16);
    struct scheduler_request a = request(40, 4), b = request(32, 4), c = request(8, 4);
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    scheduler_add(scheduler, &c);
    step(scheduler, 1000 + 100 + 40 * 10); /* a holds 3 of 4 blocks; b needs 2; c would fit */
    assert_int_equal(scheduler_running(scheduler), 1);
    assert_true(scheduler_kv_usage(scheduler) == 0.75);
    assert_int_equal(c.state, SCHEDULER_WAITING);
    scheduler_free(scheduler);
}

static void last_admitted_is_preempted_and_computes_again(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 4, 4);
    struct scheduler_request a = request(7, 8), b = request(7, 4);
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    step(scheduler, 1000 + 2 * 100 + 14 * 10); /* 2 blocks each: the cache is full */
    step(scheduler, 1000 + 2 * 100 + 14);      /* the 8th token still fits */
    assert_int_equal(a.output_tokens, 2);
    step(scheduler, 1000 + 100 + 8); /* a's 9th token needs a third block: b loses its own */
    assert_int_equal(scheduler_preemptions(scheduler), 1);
    assert_int_equal(b.preemptions, 1);
    assert_int_equal(b.state, SCHEDULER_WAITING);
    assert_int_equal(b.output_tokens, 2);
    for (int k = 0; k < 5; k++)
        step(scheduler, 1000 + 100 + 9 + k);
    assert_int_equal(a.state, SCHEDULER_OUTSIDE);
    assert_int_equal(step(scheduler, 1000 + 100 + 9 * 10), 1); /* prompt and two tokens again, as prefill */
    assert_int_equal(b.output_tokens, 3);
    assert_int_equal(step(scheduler, 1000 + 100 + 9), 1);
    assert_int_equal(b.state, SCHEDULER_OUTSIDE);
    assert_true(scheduler_kv_usage(scheduler) == 0);
    scheduler_free(scheduler);
}

static void preempted_one_goes_before_those_that_wait(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 4, 4);
    struct scheduler_request a = request(8, 2), b = request(8, 2), c = request(1, 1);
    size_t count;
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    step(scheduler, 1000 + 2 * 100 + 16 * 10);
    scheduler_add(scheduler, &c);
    step(scheduler, 1000 + 100 + 8); /* a ends; b was preempted, and a step with a preemption admits nobody */
    assert_int_equal(a.state, SCHEDULER_OUTSIDE);
    assert_int_equal(b.state, SCHEDULER_WAITING);
    assert_int_equal(c.state, SCHEDULER_WAITING);
    scheduler_begin(scheduler, 0);
    struct scheduler_request *const *got = scheduler_end(scheduler, &count);
    assert_int_equal(count, 2);
    assert_ptr_equal(got[0], &b);
    scheduler_free(scheduler);
}

static void removal_frees_blocks_wherever_it_was(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(2, 2048, 100, 16);
    struct scheduler_request all[3] = {request(40, 9), request(40, 9), request(40, 9)};
    size_t count;
    for (size_t k = 0; k < 3; k++)
        scheduler_add(scheduler, &all[k]);
    int64_t duration = scheduler_begin(scheduler, 0);
    assert_int_equal(duration, 1000 + 2 * 100 + 80 * 10);
    scheduler_remove(scheduler, &all[0]); /* in the step */
    scheduler_remove(scheduler, &all[2]); /* waiting */
    struct scheduler_request *const *got = scheduler_end(scheduler, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(got[0], &all[1]);
    scheduler_remove(scheduler, &all[1]); /* between steps */
    assert_int_equal(scheduler_running(scheduler) + scheduler_waiting(scheduler), 0);
    assert_true(scheduler_kv_usage(scheduler) == 0);
    assert_int_equal(scheduler_begin(scheduler, 0), -1);
    scheduler_free(scheduler);
}

static void many_finish_whatever_the_cache(void **state)
{
    (void)state;
    for (int64_t blocks = 8; blocks < 40; blocks += 3) { /* one request needs 8 */
        struct scheduler *scheduler = make(16, 24, blocks, 4);
        struct scheduler_request all[20];
        size_t count, tokens = 0;
        for (size_t k = 0; k < 20; k++) {
            all[k] = request(1 + (int64_t)(k * 7 % 20), 1 + (int64_t)(k * 5 % 12));
            scheduler_add(scheduler, &all[k]);
        }
        while (scheduler_begin(scheduler, 0) >= 0) {
            const struct scheduler_step *last = scheduler_last_step(scheduler);
            assert_true(last->prefill_tokens + last->decode_tokens <= 24);
            assert_true(scheduler_kv_usage(scheduler) <= 1);
            scheduler_end(scheduler, &count);
            tokens += count;
        }
        size_t expected = 0;
        for (size_t k = 0; k < 20; k++) {
            assert_int_equal(all[k].output_tokens, all[k].output_limit);
            expected += (size_t)all[k].output_limit;
        }
        assert_int_equal(tokens, expected);
        assert_true(scheduler_kv_usage(scheduler) == 0);
        scheduler_free(scheduler);
    }
}

static void threshold_cuts_prompts_while_others_wait(void **state)
{
    (void)state;
    struct scheduler_settings made = settings(8, 100, 100, 16);
    made.long_prefill_token_threshold = 30;
    struct scheduler *scheduler = scheduler_new(&made);
    struct scheduler_request a = request(70, 2), b = request(50, 2);
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 60 * 10), 0);
    assert_int_equal(a.computed, 30);
    assert_int_equal(b.computed, 30);
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 60 + 50 * 10), 1); /* b has its first token */
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 110 + 10 * 10), 2);
    assert_int_equal(step(scheduler, 1000 + 100 + 70), 1);
    struct scheduler_request alone = request(70, 1);
    scheduler_add(scheduler, &alone);
    assert_int_equal(step(scheduler, 1000 + 100 + 70 * 10), 1); /* nobody to leave budget to */
    scheduler_free(scheduler);
}

/* --- prefix caching --------------------------------------------------------------------------- */

static const uint32_t IDS[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};

static struct scheduler_request request_of(const uint32_t *ids, int64_t prompt, int64_t output)
{
    return (struct scheduler_request){.prompt_tokens = prompt, .output_limit = output, .prompt_ids = ids};
}

/* Steps until nobody is left. */
static void drain(struct scheduler *scheduler)
{
    size_t count;
    while (scheduler_begin(scheduler, 0) >= 0)
        scheduler_end(scheduler, &count);
}

static void run_alone(struct scheduler *scheduler, const uint32_t *ids, int64_t prompt, int64_t output)
{
    struct scheduler_request one = request_of(ids, prompt, output);
    scheduler_add(scheduler, &one);
    drain(scheduler);
}

static void repeated_prompt_is_not_computed_again(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 4);
    struct scheduler_request a = request_of(IDS, 10, 2), b = request_of(IDS, 10, 2);
    scheduler_add(scheduler, &a);
    assert_int_equal(step(scheduler, 1000 + 100 + 10 * 10), 1);
    drain(scheduler);
    assert_int_equal(a.cached_tokens, 0);
    assert_true(scheduler_kv_usage(scheduler) == 0); /* what is cached is free */
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 100 + 8 + 2 * 10), 1); /* two full blocks are context, two tokens are computed */
    assert_int_equal(b.cached_tokens, 8);
    assert_int_equal(b.computed, 10);
    assert_true(scheduler_kv_usage(scheduler) == 0.03);
    assert_int_equal(step(scheduler, 1000 + 100 + 10), 1);
    assert_int_equal(scheduler_cache_counts(scheduler)->queries, 20);
    assert_int_equal(scheduler_cache_counts(scheduler)->hits, 8);
    scheduler_free(scheduler);
}

static void last_token_is_always_computed(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 4);
    run_alone(scheduler, IDS, 8, 1);
    struct scheduler_request b = request_of(IDS, 8, 1), c = request_of(IDS, 9, 1);
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 100 + 4 + 4 * 10), 1); /* the whole second block, for its last token */
    assert_int_equal(b.cached_tokens, 4);
    scheduler_add(scheduler, &c);
    assert_int_equal(step(scheduler, 1000 + 100 + 8 + 10), 1); /* one token, but it is no decoding */
    assert_int_equal(scheduler_last_step(scheduler)->prefill_tokens, 1);
    assert_int_equal(scheduler_last_step(scheduler)->decode_tokens, 0);
    scheduler_free(scheduler);
}

static void caching_can_be_off(void **state)
{
    (void)state;
    struct scheduler_settings made = settings(8, 2048, 100, 4);
    made.prefix_caching = false;
    struct scheduler *scheduler = scheduler_new(&made);
    run_alone(scheduler, IDS, 10, 2);
    struct scheduler_request b = request_of(IDS, 10, 1);
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 100 + 10 * 10), 1);
    assert_int_equal(b.cached_tokens, 0);
    assert_int_equal(scheduler_cache_counts(scheduler)->queries, 0);
    scheduler_free(scheduler);
}

static void unknown_prompts_are_never_the_same(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 4);
    run_alone(scheduler, NULL, 10, 2);
    run_alone(scheduler, IDS, 10, 2);
    struct scheduler_request b = request(10, 1);
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 100 + 10 * 10), 1);
    assert_int_equal(scheduler_cache_counts(scheduler)->queries, 10);
    scheduler_free(scheduler);
}

static void another_beginning_changes_every_block(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 4);
    uint32_t ids[20];
    memcpy(ids, IDS, sizeof ids);
    ids[0] = 99;
    run_alone(scheduler, IDS, 20, 1);
    struct scheduler_request b = request_of(ids, 20, 1);
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 100 + 20 * 10), 1);
    assert_int_equal(b.cached_tokens, 0);
    memcpy(ids, IDS, sizeof ids);
    ids[9] = 99; /* in the third block */
    struct scheduler_request c = request_of(ids, 20, 1);
    scheduler_add(scheduler, &c);
    assert_int_equal(step(scheduler, 1000 + 100 + 8 + 12 * 10), 1);
    scheduler_free(scheduler);
}

static void equal_prompts_of_one_step_share_blocks(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 4);
    struct scheduler_request a = request_of(IDS, 10, 2), b = request_of(IDS, 10, 2), c = request_of(IDS, 6, 2);
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    scheduler_add(scheduler, &c);
    assert_int_equal(step(scheduler, 1000 + 3 * 100 + (8 + 4) + (10 + 2 + 2) * 10), 3);
    assert_int_equal(b.cached_tokens, 8);
    assert_int_equal(c.cached_tokens, 4);
    assert_true(scheduler_kv_usage(scheduler) == 0.05); /* two shared, three of their own */
    scheduler_remove(scheduler, &a);
    assert_true(scheduler_kv_usage(scheduler) == 0.04);
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 16), 2);
    assert_true(scheduler_kv_usage(scheduler) == 0);
    scheduler_free(scheduler);
}

/* The next turn of a conversation brings the last answer back. */
static void output_is_cached_too(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 100, 4);
    run_alone(scheduler, IDS, 6, 7); /* 12 tokens were computed; the last output token never is */
    uint32_t ids[20];
    memcpy(ids, IDS, sizeof ids);
    for (uint32_t k = 6; k < 20; k++)
        ids[k] = 1000 + k - 6;
    struct scheduler_request b = request_of(ids, 20, 1);
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 100 + 12 + 8 * 10), 1);
    assert_int_equal(b.cached_tokens, 12);
    scheduler_free(scheduler);
}

static void ends_are_evicted_before_beginnings(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 5, 4);
    static const uint32_t other[] = {50, 51, 52, 53, 54, 55, 56, 57};
    run_alone(scheduler, IDS, 12, 1);  /* three blocks cached, two have held nothing */
    run_alone(scheduler, other, 8, 1); /* takes those */
    struct scheduler_request b = request_of(IDS, 13, 1);
    scheduler_add(scheduler, &b);
    assert_int_equal(step(scheduler, 1000 + 100 + 12 + 1 * 10), 1); /* all three were there; a fourth cost the end of the other */
    struct scheduler_request c = request_of(other, 8, 1);
    scheduler_add(scheduler, &c);
    assert_int_equal(step(scheduler, 1000 + 100 + 4 + 4 * 10), 1);
    static const uint32_t third[] = {60, 61, 62, 63};
    struct scheduler_request d = request_of(third, 4, 1), e = request_of(IDS, 13, 1);
    scheduler_add(scheduler, &d);
    scheduler_add(scheduler, &e);
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 8 + (4 + 5) * 10), 2);
    scheduler_free(scheduler);
}

static void cached_blocks_count_for_admission(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 6, 4);
    struct scheduler_request a = request_of(IDS, 12, 9), b = request_of(IDS, 20, 1), c = request_of(IDS, 20, 1);
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    step(scheduler, 1000 + 2 * 100 + 12 + (12 + 8) * 10); /* b shares three of a's blocks and needs two more: one is left */
    assert_int_equal(b.state, SCHEDULER_OUTSIDE);
    struct scheduler_request d = request_of(IDS + 8, 12, 1);
    scheduler_add(scheduler, &d);
    assert_int_equal(step(scheduler, 1000 + 100 + 12), 1); /* a takes its fourth; two are free, d needs three */
    assert_int_equal(d.state, SCHEDULER_WAITING);
    scheduler_remove(scheduler, &d);
    scheduler_add(scheduler, &c);
    assert_int_equal(step(scheduler, 1000 + 2 * 100 + 13 + 16 + 4 * 10), 2); /* b's fourth is one of the two: found, but not free any more */
    assert_int_equal(c.cached_tokens, 16);
    scheduler_free(scheduler);
}

static void preempted_one_finds_its_own_blocks(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(8, 2048, 5, 4);
    static const uint32_t other[] = {50, 51, 52, 53, 54, 55, 56};
    struct scheduler_request a = request_of(other, 7, 3), b = request_of(IDS, 10, 5);
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    step(scheduler, 1000 + 2 * 100 + 17 * 10); /* two and three blocks: full */
    step(scheduler, 1000 + 2 * 100 + 17);
    step(scheduler, 1000 + 100 + 8);           /* a's ninth token takes a block of b's: the third, which is not cached */
    assert_int_equal(b.preemptions, 1);
    assert_int_equal(a.state, SCHEDULER_OUTSIDE);
    assert_int_equal(b.computed, 0);
    step(scheduler, 1000 + 100 + 8 + 4 * 10);  /* b has 12 tokens: 8 are found */
    assert_int_equal(b.output_tokens, 3);
    assert_int_equal(b.cached_tokens, 0);      /* this is about its first admission */
    assert_int_equal(scheduler_cache_counts(scheduler)->queries, 17);
    scheduler_free(scheduler);
}

static void freed_scheduler_takes_requests_out(void **state)
{
    (void)state;
    struct scheduler *scheduler = make(1, 2048, 100, 4);
    struct scheduler_request a = request_of(IDS, 10, 5), b = request_of(IDS, 10, 5);
    scheduler_add(scheduler, &a);
    scheduler_add(scheduler, &b);
    scheduler_begin(scheduler, 0);
    scheduler_free(scheduler);
    assert_int_equal(a.state, SCHEDULER_OUTSIDE);
    assert_int_equal(b.state, SCHEDULER_OUTSIDE);
}

/* --- whatever comes ------------------------------------------------------------------------------ */

#define REQUESTS 60
#define TREE 64 /* ids of a prompt: prefixes of a few sequences, so that they meet */

struct rules {
    struct scheduler_settings settings;
    struct scheduler_request requests[REQUESTS];
    size_t arrived, tokens;
    int64_t order[REQUESTS]; /* step of first admission, by arrival; 0: not yet */
    int64_t steps, hits, preemptions;
};

/* Blocks in use are exactly those that somebody holds, and none is held for more tokens than its holder needs. */
static void check_blocks(struct scheduler *scheduler, const struct rules *rules)
{
    bool held[256] = {false};
    int64_t distinct = 0;
    for (size_t k = 0; k < rules->arrived; k++) {
        const struct scheduler_request *one = &rules->requests[k];
        int64_t end = one->computed + one->in_step, size = rules->settings.block_size;
        assert_int_equal(one->blocks, one->state == SCHEDULER_RUNNING ? (end + size - 1) / size : 0);
        for (int64_t block = 0; block < one->blocks; block++) {
            uint32_t number = one->table[block].number;
            assert_in_range(number, 1, rules->settings.kv_blocks);
            distinct += !held[number];
            held[number] = true;
        }
    }
    double used = scheduler_kv_usage(scheduler) * (double)rules->settings.kv_blocks;
    assert_true(used > (double)distinct - 1e-6 && used < (double)distinct + 1e-6);
}

static void check_step(struct scheduler *scheduler, struct rules *rules, int64_t duration)
{
    const struct scheduler_step *last = scheduler_last_step(scheduler);
    struct scheduler_step sum = {0};
    rules->steps++;
    for (size_t k = 0; k < rules->arrived; k++) {
        const struct scheduler_request *one = &rules->requests[k];
        if (one->in_step == 0)
            continue;
        bool decodes = one->output_tokens > 0 && one->prompt_tokens + one->output_tokens - one->computed == 1;
        sum.sequences++;
        sum.context_tokens += one->computed;
        *(decodes ? &sum.decode_tokens : &sum.prefill_tokens) += one->in_step;
        if (rules->order[k] == 0)
            rules->order[k] = rules->steps;
    }
    assert_memory_equal(&sum, last, sizeof sum);
    assert_true(sum.prefill_tokens + sum.decode_tokens <= rules->settings.max_num_batched_tokens);
    assert_true((int64_t)scheduler_running(scheduler) <= rules->settings.max_num_seqs);
    assert_int_equal(duration, 1000 + 100 * sum.sequences + sum.context_tokens + 10 * sum.prefill_tokens);
    check_blocks(scheduler, rules);
}

static void run_rules(struct rules *rules, struct random *random, const uint32_t (*trees)[TREE])
{
    struct scheduler *scheduler = scheduler_new(&rules->settings);
    size_t count, expected = 0, removed = 0;
    int64_t duration = 0;
    while (rules->arrived < REQUESTS || duration >= 0) {
        while (rules->arrived < REQUESTS && random_below(random, 3) == 0) {
            struct scheduler_request *next = &rules->requests[rules->arrived++];
            *next = request_of(trees[random_below(random, 3)], 1 + (int64_t)random_below(random, TREE),
                               1 + (int64_t)random_below(random, 30));
            scheduler_add(scheduler, next);
        }
        duration = scheduler_begin(scheduler, 0);
        if (duration < 0)
            continue;
        check_step(scheduler, rules, duration);
        struct scheduler_request *gone = &rules->requests[random_below(random, rules->arrived)];
        if (random_below(random, 40) == 0 && gone->state != SCHEDULER_OUTSIDE) {
            rules->tokens -= (size_t)gone->output_tokens;
            gone->output_limit = 0;
            scheduler_remove(scheduler, gone);
            removed++;
        }
        scheduler_end(scheduler, &count);
        rules->tokens += count;
        check_blocks(scheduler, rules);
    }
    for (size_t k = 0; k < REQUESTS; k++) {
        if (rules->requests[k].output_limit > 0)
            assert_int_equal(rules->requests[k].output_tokens, rules->requests[k].output_limit);
        expected += (size_t)rules->requests[k].output_limit;
        rules->hits += rules->requests[k].cached_tokens;
        if (k > 0 && rules->order[k] > 0 && rules->order[k - 1] > 0)
            assert_true(rules->order[k] >= rules->order[k - 1]);
    }
    assert_int_equal(rules->tokens, expected);
    assert_true(scheduler_kv_usage(scheduler) == 0);
    rules->preemptions = scheduler_preemptions(scheduler);
    scheduler_free(scheduler);
}

static void random_loads_keep_the_rules(void **state)
{
    (void)state;
    static struct rules rules;
    uint32_t trees[3][TREE];
    int64_t hits = 0, preemptions = 0;
    struct random random;
    random_seed(&random, 20);
    for (size_t k = 0; k < 3 * TREE; k++)
        trees[k / TREE][k % TREE] = k % TREE < 11 ? (uint32_t)(k % TREE) : (uint32_t)k;
    for (int round = 0; round < 300; round++) {
        int64_t size = 1 + (int64_t)random_below(&random, 9), least = (TREE + 30 + size - 1) / size;
        memset(&rules, 0, sizeof rules);
        rules.settings = settings(1 + (int64_t)random_below(&random, 12), 1 + (int64_t)random_below(&random, 80),
                                  least + (int64_t)random_below(&random, 100), size);
        rules.settings.prefix_caching = random_below(&random, 4) > 0;
        rules.settings.long_prefill_token_threshold = (int64_t)random_below(&random, 2) * 17;
        run_rules(&rules, &random, (const uint32_t(*)[TREE])trees);
        if (!rules.settings.prefix_caching)
            assert_int_equal(rules.hits, 0);
        hits += rules.hits;
        preemptions += rules.preemptions;
    }
    assert_true(hits > 10000 && preemptions > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_engine_has_no_step),
        cmocka_unit_test(one_request_costs_prefill_then_decode),
        cmocka_unit_test(the_longest_step_has_an_end),
        cmocka_unit_test(first_scheduled_is_the_steps_beginning),
        cmocka_unit_test(long_prompt_is_cut_by_the_budget),
        cmocka_unit_test(decoding_goes_before_prefill),
        cmocka_unit_test(arrivals_wait_for_the_next_step),
        cmocka_unit_test(at_most_max_num_seqs_run),
        cmocka_unit_test(nobody_overtakes_a_prompt_that_does_not_fit),
        cmocka_unit_test(last_admitted_is_preempted_and_computes_again),
        cmocka_unit_test(preempted_one_goes_before_those_that_wait),
        cmocka_unit_test(removal_frees_blocks_wherever_it_was),
        cmocka_unit_test(many_finish_whatever_the_cache),
        cmocka_unit_test(threshold_cuts_prompts_while_others_wait),
        cmocka_unit_test(repeated_prompt_is_not_computed_again),
        cmocka_unit_test(last_token_is_always_computed),
        cmocka_unit_test(caching_can_be_off),
        cmocka_unit_test(unknown_prompts_are_never_the_same),
        cmocka_unit_test(another_beginning_changes_every_block),
        cmocka_unit_test(equal_prompts_of_one_step_share_blocks),
        cmocka_unit_test(output_is_cached_too),
        cmocka_unit_test(ends_are_evicted_before_beginnings),
        cmocka_unit_test(cached_blocks_count_for_admission),
        cmocka_unit_test(preempted_one_finds_its_own_blocks),
        cmocka_unit_test(freed_scheduler_takes_requests_out),
        cmocka_unit_test(random_loads_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
