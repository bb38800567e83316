#include "import/import_requests.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

struct fixture {
    struct import import;
    struct run_facts facts;
    struct import_requests requests;
    struct level_summary *level;
};

static void begin(struct fixture *f, enum load_unit unit, double load)
{
    *f = (struct fixture){.requests = {.window_start = TIME_NEVER, .window_end = TIME_NEVER, .cut = true}};
    f->import = (struct import){.arena = arena_new(), .facts = &f->facts, .sla = &sla_default};
    f->level = import_add_level(&f->import, unit == LOAD_STREAMS ? "concurrent" : "poisson", load, unit, NULL);
    assert_non_null(f->level);
}

static void end(struct fixture *f)
{
    free(f->import.levels);
    free(f->requests.records);
    arena_free(f->import.arena);
}

/* Times in ms; first 0: no token ever came. */
static struct record *add(struct fixture *f, enum outcome outcome, int64_t sent, int64_t first, int64_t last)
{
    struct record *record = import_add_request(&f->requests);
    assert_non_null(record);
    record->outcome = outcome;
    record->sent = sent * MS;
    record->first_token = first > 0 ? first * MS : TIME_NEVER;
    record->last_token = first > 0 ? last * MS : TIME_NEVER;
    record->end = last * MS;
    record->output_tokens = 11;
    return record;
}

/* Two streams; by hand: 1.5 requests a second in two seconds, of which 0.95 + 0.9 + 0.9 seconds were under way. */
static void test_a_level_is_measured_as_our_own(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, LOAD_STREAMS, 2);
    add(&f, OUTCOME_OK, 1100, 1300, 2000);
    add(&f, OUTCOME_OK, 0, 100, 950);
    add(&f, OUTCOME_OK, 50, 200, 950);
    f.requests.window_end = 2000 * MS + 1;
    import_measure(&f.import, f.level, &f.requests);
    assert_int_equal(f.level->requests.members, 3);
    assert_int_equal(f.level->latency[LATENCY_TTFT].count, 3);
    assert_true(f.level->latency[LATENCY_TTFT].percentile[P50] == 150 && f.level->latency[LATENCY_TTFT].max == 200);
    assert_int_equal(f.level->latency[LATENCY_TTFT_WITHOUT_FIRST].count, 1); /* the two that were sent first are each stream's first */
    assert_true(f.level->latency[LATENCY_TTFT_WITHOUT_FIRST].max == 200);
    assert_true(fabs(f.level->latency[LATENCY_TPOT_VLLM].max - 85) < 1e-9);
    assert_true(fabs(f.level->rate[RATE_REQUEST_RPS] - 1.5) < 1e-6);
    assert_true(fabs(f.level->rate[RATE_CONCURRENCY] - 2.75 / 2) < 1e-6);
    assert_true(f.level->rate[RATE_ERROR_RATE] == 0);
    assert_true(isnan(f.level->rate[RATE_OUTPUT_TPS]));
    assert_int_equal(f.level->latency[LATENCY_TTFT_INTENDED].count, 0);
    assert_string_equal(f.level->reason, "");
    end(&f);
}

/* A tool that ends a level at once: who had waited for less than any class allows says nothing. */
static void test_what_was_cut_off(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, LOAD_STREAMS, 4);
    add(&f, OUTCOME_OK, 0, 100, 900);
    add(&f, OUTCOME_INCOMPLETE, 1000, 0, 4000)->failure = FAILURE_CANCELLED;
    add(&f, OUTCOME_INCOMPLETE, 3500, 0, 4000)->failure = FAILURE_CANCELLED;
    add(&f, OUTCOME_INCOMPLETE, 3000, 3200, 4000)->failure = FAILURE_CANCELLED;
    add(&f, OUTCOME_ERROR, 10, 0, 20)->failure = FAILURE_HTTP_5XX;
    add(&f, OUTCOME_ERROR, 10, 0, 20)->failure = FAILURE_HTTP_4XX;
    import_measure(&f.import, f.level, &f.requests);
    assert_int_equal(f.level->requests.left_out, 1);
    assert_int_equal(f.level->requests.no_first_token, 2); /* late, and failed by the server's doing */
    assert_int_equal(f.level->latency[LATENCY_TTFT].count, 2);
    assert_int_equal(f.level->latency[LATENCY_TTFT_CENSORED].count, 4);
    assert_true(f.level->rate[RATE_ERROR_RATE] == 1.0 / 3);
    end(&f);
}

static void test_an_open_loop_counts_what_was_due(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, LOAD_REQUESTS_PER_S, 2);
    add(&f, OUTCOME_OK, 120, 220, 900)->intended = 20 * MS;
    add(&f, OUTCOME_OK, 620, 720, 900)->intended = 520 * MS;
    add(&f, OUTCOME_OK, 1120, 1220, 1900)->intended = 1020 * MS;
    f.requests.window_end = 1000 * MS;
    import_measure(&f.import, f.level, &f.requests);
    assert_int_equal(f.level->requests.members, 2);
    assert_true(f.level->latency[LATENCY_TTFT].max == 100 && f.level->latency[LATENCY_TTFT_INTENDED].max == 200);
    assert_true(f.level->latency[LATENCY_SCHEDULE_SLIP].min == 100);
    assert_true(fabs(f.level->rate[RATE_DRAWN_RPS] - 2 / 0.98) < 1e-9);
    end(&f);
}

static void test_no_request_at_all(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, LOAD_STREAMS, 4);
    import_measure(&f.import, f.level, &f.requests);
    assert_true(f.level->requests.members == COUNT_UNKNOWN);
    import_add_request(&f.requests); /* of which nothing is known */
    import_measure(&f.import, f.level, &f.requests);
    assert_int_equal(f.level->requests.members, 0);
    assert_true(isnan(f.level->rate[RATE_REQUEST_RPS]));
    end(&f);
}

static void test_failures_by_their_words(void **state)
{
    (void)state;
    assert_int_equal(import_failure("Server error '503 Service Unavailable' for url 'http://x'"), FAILURE_HTTP_5XX);
    assert_int_equal(import_failure("Client error '404 Not Found' for url"), FAILURE_HTTP_4XX);
    assert_int_equal(import_failure("Client error '429 Too Many Requests'"), FAILURE_HTTP_429);
    assert_int_equal(import_failure("httpx.ReadTimeout: timed out"), FAILURE_TIMEOUT);
    assert_int_equal(import_failure("All connection attempts failed"), FAILURE_CONNECT);
    assert_int_equal(import_failure("Connection reset by peer"), FAILURE_RESET);
    assert_int_equal(import_failure("Server disconnected without sending a response."), FAILURE_RESET);
    assert_int_equal(import_failure("stall"), FAILURE_STALL);
    assert_int_equal(import_failure("http_429"), FAILURE_HTTP_429);
    assert_int_equal(import_failure(""), FAILURE_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_level_is_measured_as_our_own),
        cmocka_unit_test(test_what_was_cut_off),
        cmocka_unit_test(test_an_open_loop_counts_what_was_due),
        cmocka_unit_test(test_no_request_at_all),
        cmocka_unit_test(test_failures_by_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
