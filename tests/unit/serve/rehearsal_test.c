#include "serve/rehearsal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

/* A step of 10 ms, 1 ms more for each prompt token. */
static const struct scheduler_settings settings = {
    .cost = {.base = 10e6, .prefill_token = 1e6},
    .max_num_seqs = 8, .max_num_batched_tokens = 100, .kv_blocks = 100, .block_size = 16,
};

static void requests_are_served_from_when_they_were_sent(void **state)
{
    (void)state;
    struct rehearsal_request requests[] = {
        {.sent = 0, .prompt_tokens = 20, .output_tokens = 3},
        {.sent = 35 * NS_PER_MS, .prompt_tokens = 5, .output_tokens = 1},
        {.sent = NS_PER_S, .prompt_tokens = 10, .output_tokens = 2}, /* finds an idle engine */
    };
    rehearsal_replay(&settings, requests, 3);
    assert_int_equal(requests[0].first_token, 30 * NS_PER_MS);
    assert_int_equal(requests[0].last_token, 55 * NS_PER_MS); /* a step of 10 ms, then one that computes the second one's prompt */
    assert_int_equal(requests[1].first_token, 55 * NS_PER_MS);
    assert_int_equal(requests[1].last_token, 55 * NS_PER_MS);
    assert_int_equal(requests[2].first_token, NS_PER_S + 20 * NS_PER_MS);
    assert_int_equal(requests[2].last_token, NS_PER_S + 30 * NS_PER_MS);
}

static void streams_send_again_when_a_request_has_ended(void **state)
{
    (void)state;
    const struct rehearsal_loop loop = {.streams = 2, .prompt_tokens = 10, .output_tokens = 2, .duration_ns = 100 * NS_PER_MS,
                                        .turnaround_ns = 5 * NS_PER_MS, .stagger_ns = 1000 * NS_PER_MS};
    size_t count;
    struct rehearsal_request *requests = rehearsal_run(&settings, &loop, &count);
    /* 20 + 10 ms a request, 5 ms between two: sent at 0, 35 and 70 ms; the second stream would begin after the end. */
    assert_int_equal(count, 3);
    assert_int_equal(requests[2].sent, 70 * NS_PER_MS);
    assert_int_equal(requests[2].last_token, 100 * NS_PER_MS);
    free(requests);
}

static void a_number_of_requests_ends_a_loop(void **state)
{
    (void)state;
    const struct rehearsal_loop loop = {.streams = 4, .prompt_tokens = 10, .output_tokens = 5, .duration_ns = TIME_FOREVER, .requests_max = 10};
    size_t count;
    struct rehearsal_request *requests = rehearsal_run(&settings, &loop, &count);
    assert_int_equal(count, 10);
    for (size_t k = 0; k < count; k++)
        assert_true(requests[k].last_token > requests[k].first_token && requests[k].first_token > requests[k].sent);
    free(requests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_served_from_when_they_were_sent),
        cmocka_unit_test(streams_send_again_when_a_request_has_ended),
        cmocka_unit_test(a_number_of_requests_ends_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
