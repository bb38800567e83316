#include "serve/simulator_truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

static struct truth_request arrived_at(int64_t time)
{
    return (struct truth_request){.arrived = time, .first_sent = TIME_NEVER, .last_sent = TIME_NEVER, .prompt_tokens = 20};
}

static void writes_are_summed(void **state)
{
    (void)state;
    struct truth *truth = mem_alloc(sizeof *truth);
    struct truth_request request = arrived_at(1000);
    truth_cached(truth, &request, 16);
    truth_sent(truth, &request, &(struct truth_write){.tokens = 1, .chunks = 1, .taken = true, .due = 1490}, 1500);
    truth_sent(truth, &request, &(struct truth_write){.tokens = 1, .chunks = 1, .taken = true, .due = 1580}, 1600);
    truth_sent(truth, &request, &(struct truth_write){.tokens = 4, .chunks = 1, .taken = false, .due = 1900}, 2000); /* four tokens after 400 ns: four samples of 100 */
    truth_ended(truth, &request);
    assert_int_equal(truth->ttft.sum, 500);
    assert_int_equal(truth->itl.count, 5);
    assert_int_equal(truth->itl.sum, 500);
    assert_int_equal(truth->itl.max, 100);
    assert_int_equal(truth->generation_tokens, 6);
    assert_int_equal(truth->chunks, 3);
    assert_int_equal(truth->prompt_tokens, 20);
    assert_int_equal(truth->cached_tokens, 16);
    assert_int_equal(truth->list[0].cached_tokens, 16);
    assert_int_equal(truth->completed, 1);
    assert_int_equal(truth->list[0].gap_max, 400);
    assert_int_equal(truth->buffered, 4);
    struct lag_summary lateness = lag_summarize(&truth->send_lateness);
    assert_int_equal(truth->send_lateness.total, 3);
    assert_int_equal(lateness.p50, 20);
    assert_int_equal(lateness.max, 100);
    free(truth);
}

static void list_keeps_the_latest(void **state)
{
    (void)state;
    struct truth *truth = mem_alloc(sizeof *truth);
    for (int64_t k = 0; k < TRUTH_LIST_MAX + 3; k++) {
        struct truth_request request = arrived_at(k);
        request.disconnected = k % 2;
        truth_sent(truth, &request, &(struct truth_write){.tokens = 1, .chunks = 1, .taken = true, .due = k}, k + 10 + k);
        truth_ended(truth, &request);
    }
    json_t *document = json_object();
    truth_write(truth, document);
    json_t *recent = json_object_get(document, "recent");
    assert_int_equal(json_array_size(recent), TRUTH_LIST_MAX);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(recent, 0), "first_token_ns")), 13);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(recent, TRUTH_LIST_MAX - 1), "first_token_ns")),
                     TRUTH_LIST_MAX + 2 + 10);
    json_t *requests = json_object_get(document, "requests");
    assert_int_equal(json_integer_value(json_object_get(requests, "disconnected")), (TRUTH_LIST_MAX + 3) / 2);
    json_decref(document);
    free(truth);
}

static void what_never_happened_is_null(void **state)
{
    (void)state;
    struct truth *truth = mem_alloc(sizeof *truth);
    struct truth_request request = arrived_at(5);
    truth_ended(truth, &request);
    json_t *document = json_object();
    truth_write(truth, document);
    assert_true(json_is_null(json_object_get(json_object_get(document, "ttft_ns"), "min")));
    assert_true(json_is_null(json_object_get(json_object_get(document, "send_lateness_ns"), "p99")));
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(document, "recent"), 0), "first_token_ns")));
    json_decref(document);
    free(truth);
}

/* A request has one end: whole, by the client, or by a fault that ended it. */
static void faults_are_counted_by_kind(void **state)
{
    (void)state;
    struct truth *truth = mem_alloc(sizeof *truth);
    struct truth_request whole = arrived_at(1), cut = arrived_at(2), left = arrived_at(3);
    cut.fault = fault_name(FAULT_reset);
    cut.struck = true;
    left.fault = fault_name(FAULT_stall);
    left.disconnected = true;
    truth->faults[FAULT_reset] = truth->faults[FAULT_stall] = 1;
    truth_ended(truth, &whole);
    truth_ended(truth, &cut);
    truth_ended(truth, &left);
    json_t *document = json_object(), *faults, *recent;
    truth_write(truth, document);
    faults = json_object_get(document, "faults");
    recent = json_object_get(document, "recent");
    assert_int_equal(json_object_size(faults), 2);
    assert_int_equal(json_integer_value(json_object_get(faults, "stall")), 1);
    assert_int_equal(truth->completed, 1);
    assert_int_equal(truth->disconnected, 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(document, "requests"), "struck")), 1);
    assert_null(json_object_get(json_array_get(recent, 0), "fault"));
    assert_string_equal(json_string_value(json_object_get(json_array_get(recent, 1), "fault")), "reset");
    json_decref(document);
    free(truth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_are_summed),
        cmocka_unit_test(list_keeps_the_latest),
        cmocka_unit_test(faults_are_counted_by_kind),
        cmocka_unit_test(what_never_happened_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
