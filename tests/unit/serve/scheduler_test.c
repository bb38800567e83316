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

/* Costs that can be told apart in a sum: 1000 a step, 100 a sequence, 1 a context token, 10 a prefill token. */
static const struct scheduler_cost COST = {.base = 1000, .sequence = 100, .context_token = 1, .prefill_token = 10};

static struct scheduler_settings settings(int64_t seqs, int64_t batched, int64_t blocks, int64_t block_size)
{
    return (struct scheduler_settings){.cost = COST, .max_num_seqs = seqs, .max_num_batched_tokens = batched,
                                       .kv_blocks = blocks, .block_size = block_size};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_engine_has_no_step),
        cmocka_unit_test(one_request_costs_prefill_then_decode),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
