/* The engine on a fake clock: every scheduling rule to the nanosecond, hours of load in milliseconds. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/engine_bench.h"

#define HOUR (3600 * NS_PER_S)

/* --- closed loop --------------------------------------------------------------------------- */

static void test_closed_loop_keeps_its_streams_busy(void **state)
{
    struct bench *bench = bench_new("concurrent", 5);
    (void)state;
    assert_int_equal(bench_run(bench), 0);
    /* Sent at 0, 1.9, 3.8 … 58.9 s: 32 requests a stream; the last one ends in the drain at 60.8 s. */
    assert_int_equal(bench->count, 5 * 32);
    assert_int_equal(bench->fake.in_flight_max, 5);
    assert_int_equal(bench_count(bench, OUTCOME_OK, FAILURE_NONE), 5 * 32);
    for (size_t k = 0; k < bench->count; k++) {
        const struct record *record = &bench->records[k];
        int64_t round = record->i / 5;
        assert_int_equal(record->stream, record->i % 5);
        assert_int_equal(record->intended, round * 1900 * NS_PER_MS);
        assert_int_equal(record->sent, record->intended);
        assert_int_equal(record->first_token, record->sent + NS_PER_S);
        assert_int_equal(record->last_token, record->sent + 1900 * NS_PER_MS);
        assert_int_equal(record->end, record->last_token);
        assert_int_equal(record->output_tokens, 10);
        assert_int_equal(record->prompt_tokens, 7);
        assert_int_equal(record->arrivals, 10);
        assert_int_equal(record->first_tokens, 1);
        assert_int_equal(record->chunk_tokens, CHUNK_TOKENS_COUNTED);
        assert_string_equal(record->finish_reason, "length");
    }
    assert_int_equal(bench->end_count, 1);
    assert_int_equal(bench->ends[0].start, 0);
    assert_int_equal(bench->ends[0].end, 60 * NS_PER_S);
    assert_int_equal(bench->ends[0].window_start, 0);
    assert_int_equal(bench->ends[0].window_end, 60 * NS_PER_S);
    assert_int_equal(bench->ends[0].sent, 160);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_SECONDS);
    assert_int_equal(bench->ends[0].slip.max, 0);
    assert_int_equal(bench->ends[0].lag.max, 0);
    assert_int_equal(bench->ends[0].pause_ns, 0);
    assert_int_equal(bench->tick_tokens, 1600);
    assert_int_equal(bench->n_sum, 1600);
    assert_true(bench->flushes >= 120);
    assert_string_equal(bench->seen_url, "http://server/v1/completions");
    bench_free(bench);
}

/* SIGSTOP, or a machine without a CPU for us: whether it came while tokens were waited for, or while they were handled. */
static void test_a_process_that_stood_still_is_told(void **state)
{
    (void)state;
    for (int waiting = 0; waiting < 2; waiting++) {
        struct bench *bench = bench_new("concurrent", 5);
        if (waiting) {
            bench->fake.stopped_from = 1030 * NS_PER_S;
            bench->fake.stopped_for = 5 * NS_PER_S;
        } else {
            bench->hang_from = 30 * NS_PER_S;
            bench->hang_for = 5 * NS_PER_S;
        }
        assert_int_equal(bench_run(bench), 0);
        assert_in_range(bench->ends[0].pause_ns, 4900 * NS_PER_MS, 5 * NS_PER_S);
        bench_free(bench);
    }
}

static void test_spread_start(void **state)
{
    struct bench *bench = bench_new("concurrent", 4);
    (void)state;
    bench->plan.stream_start = STREAM_START_SPREAD;
    bench->plan.calibration.e2e_ns = 2 * NS_PER_S;
    bench_add_level(bench, 2);
    assert_int_equal(bench_run(bench), 0);
    int64_t first[4] = {-1, -1, -1, -1};
    for (size_t k = 0; k < bench->count; k++)
        if (bench->records[k].level == 0 && bench->records[k].i < 4)
            first[bench->records[k].i] = bench->records[k].sent;
    for (int stream = 0; stream < 4; stream++)
        assert_int_equal(first[stream], stream * 500 * NS_PER_MS);
    /* The measured part begins when the last stream has started, and its 60 s count from there. */
    assert_int_equal(bench->ends[0].window_start, 1500 * NS_PER_MS);
    assert_int_equal(bench->measure_starts[0], 1500 * NS_PER_MS);
    assert_int_equal(bench->ends[0].end, 61500 * NS_PER_MS);
    /* The second level spreads over the first one's mean request time. */
    int64_t second = -1, start = bench->ends[1].start;
    for (size_t k = 0; k < bench->count; k++)
        if (bench->records[k].level == 1 && bench->records[k].i == 1)
            second = bench->records[k].sent;
    assert_int_equal(second, start + 950 * NS_PER_MS);
    bench_free(bench);
}

static void test_max_requests_bounds_a_level_by_its_last_end(void **state)
{
    struct bench *bench = bench_new("concurrent", 4);
    (void)state;
    bench->plan.limits.max_requests = 6;
    bench->plan.limits.max_seconds_ns = 0;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->count, 6);
    assert_int_equal(bench->ends[0].end, 3800 * NS_PER_MS + 1);
    assert_int_equal(bench->ends[0].window_end, 3800 * NS_PER_MS + 1);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_REQUESTS);
    bench_free(bench);
}

/* The slowest requests are the ones that are still under way when the last one is sent. */
static void test_max_requests_cancels_nobody(void **state)
{
    struct bench *bench = bench_new("concurrent", 5);
    (void)state;
    bench->plan.limits.max_requests = 10;
    bench->plan.limits.max_seconds_ns = HOUR;
    bench->plan.limits.drain_ns = 0;
    bench->answer = (struct fake_answer){.ttft = NS_PER_S, .itl = NS_PER_S, .tokens = 101};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench_count(bench, OUTCOME_OK, FAILURE_NONE), 10);
    assert_int_equal(bench->count, 10);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_REQUESTS);
    assert_int_equal(bench->ends[0].end, 202 * NS_PER_S + 1);
    bench_free(bench);
}

static void test_max_seconds_ends_a_level_whose_requests_are_all_sent(void **state)
{
    struct bench *bench = bench_new("concurrent", 5);
    (void)state;
    bench->plan.limits.max_requests = 5;
    bench->plan.limits.max_seconds_ns = 7 * NS_PER_S;
    bench->plan.limits.drain_ns = NS_PER_S;
    bench->answer = (struct fake_answer){.ttft = NS_PER_S, .itl = NS_PER_S, .tokens = 101};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench_count(bench, OUTCOME_INCOMPLETE, FAILURE_CANCELLED), 5);
    assert_int_equal(bench->records[0].end, 8 * NS_PER_S);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_SECONDS);
    assert_int_equal(bench->ends[0].end, 7 * NS_PER_S);
    bench_free(bench);
}

static void test_drain_cancels_what_takes_too_long(void **state)
{
    struct bench *bench = bench_new("concurrent", 3);
    (void)state;
    bench->plan.limits.max_seconds_ns = 10 * NS_PER_S;
    bench->plan.limits.drain_ns = 2 * NS_PER_S;
    bench->answer = (struct fake_answer){.ttft = 1 * NS_PER_S, .itl = NS_PER_S, .tokens = 100};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->count, 3);
    assert_int_equal(bench_count(bench, OUTCOME_INCOMPLETE, FAILURE_CANCELLED), 3);
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(bench->records[k].end, 12 * NS_PER_S);
        assert_int_equal(bench->records[k].first_token, NS_PER_S);
        assert_int_equal(bench->records[k].output_tokens, 12);
    }
    assert_int_equal(bench->ends[0].end, 10 * NS_PER_S);
    bench_free(bench);
}

static void test_trims_make_the_window(void **state)
{
    struct bench *bench = bench_new("concurrent", 1);
    (void)state;
    bench->plan.limits.warmup = (struct trim){.kind = TRIM_SHARE, .share = 0.25};
    bench->plan.limits.cooldown = (struct trim){.kind = TRIM_TIME, .ns = 5 * NS_PER_S};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->ends[0].window_start, 15 * NS_PER_S);
    assert_int_equal(bench->ends[0].window_end, 55 * NS_PER_S);
    bench_free(bench);
}

static void test_time_scale_shortens_the_wall_time(void **state)
{
    struct bench *bench = bench_new("concurrent", 2);
    (void)state;
    bench->plan.server.time_scale = 10;
    bench->answer.ttft /= 10;
    bench->answer.itl /= 10;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->ends[0].end, 6 * NS_PER_S);
    assert_int_equal(bench->count, 2 * 32);
    bench_free(bench);
}

static void test_throughput_starts_all_streams_at_once(void **state)
{
    struct bench *bench = bench_new("throughput", 64);
    (void)state;
    bench->plan.stream_start = STREAM_START_SPREAD;
    bench->plan.calibration.e2e_ns = 2 * NS_PER_S;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->fake.in_flight_max, 64);
    assert_int_equal(bench->ends[0].window_start, 0);
    bench_free(bench);
}

/* --- open loop ----------------------------------------------------------------------------- */

static void test_constant_rate_is_sent_when_due(void **state)
{
    struct bench *bench = bench_new("constant", 4);
    (void)state;
    assert_int_equal(bench_run(bench), 0);
    /* Due at 0.25, 0.5, … 59.75 s: an arrival at the very end is outside. */
    assert_int_equal(bench->ends[0].drawn, 239);
    assert_int_equal(bench->count, 239);
    for (size_t k = 0; k < bench->count; k++) {
        assert_int_equal(bench->records[k].intended, (bench->records[k].i + 1) * 250 * NS_PER_MS);
        assert_int_equal(bench->records[k].sent, bench->records[k].intended);
        assert_int_equal(bench->records[k].stream, -1);
    }
    bench_free(bench);
}

static void test_full_house_sends_late_and_drops_nothing(void **state)
{
    struct bench *bench = bench_new("constant", 10);
    (void)state;
    bench->plan.limits.max_concurrency = 2;
    bench->plan.limits.max_seconds_ns = 10 * NS_PER_S;
    bench->answer = (struct fake_answer){.ttft = NS_PER_S, .tokens = 1};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->fake.in_flight_max, 2);
    assert_int_equal(bench->ends[0].drawn, 99);
    assert_int_equal(bench->count, 99); /* those never sent have a record too */
    size_t never = 0, late = 0;
    for (size_t k = 0; k < bench->count; k++) {
        const struct record *record = &bench->records[k];
        never += record->sent == TIME_NEVER;
        late += record->sent != TIME_NEVER && record->sent > record->intended;
        if (record->sent == TIME_NEVER)
            assert_int_equal(record->outcome, OUTCOME_INCOMPLETE);
        assert_int_equal(record->intended, (record->i + 1) * 100 * NS_PER_MS);
    }
    /* Two slots, free again each second, first at 0.1 and 0.2 s: 20 are sent in 10 s, two of them on time. */
    assert_int_equal(bench->ends[0].sent, 20);
    assert_int_equal(never, 79);
    assert_int_equal(late, 18);
    assert_true(bench->ends[0].slip.max > 7 * NS_PER_S);
    bench_free(bench);
}

static void test_open_loop_max_requests_waits_for_all_to_be_sent(void **state)
{
    struct bench *bench = bench_new("constant", 10);
    (void)state;
    bench->plan.limits.max_concurrency = 1;
    bench->plan.limits.max_requests = 5;
    bench->answer = (struct fake_answer){.ttft = NS_PER_S, .tokens = 1};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench_count(bench, OUTCOME_OK, FAILURE_NONE), 5);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_REQUESTS);
    assert_int_equal(bench->ends[0].end, 5100 * NS_PER_MS + 1);
    bench_free(bench);
}

/* A client that did not get a CPU just before the end: what was due then was neither sent nor forgotten. */
static void test_arrivals_missed_at_the_end_have_records(void **state)
{
    struct bench *bench = bench_new("constant", 10);
    (void)state;
    bench->hang_from = 58 * NS_PER_S;
    bench->hang_for = 5 * NS_PER_S;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->ends[0].drawn, 599);
    assert_int_equal(bench->count, 599);
    assert_true(bench->ends[0].sent < 585);
    for (size_t k = 0; k < bench->count; k++)
        assert_true(bench->records[k].intended < 60 * NS_PER_S);
    bench_free(bench);
}

static void test_poisson_is_the_same_again(void **state)
{
    struct bench *first = bench_new("poisson", 20), *second = bench_new("poisson", 20);
    (void)state;
    second->answer.ttft = 7 * NS_PER_S; /* a slower server does not change when arrivals are due */
    assert_int_equal(bench_run(first), 0);
    assert_int_equal(bench_run(second), 0);
    assert_int_equal(first->ends[0].drawn, second->ends[0].drawn);
    int64_t sum[2] = {0, 0};
    for (size_t k = 0; k < first->count; k++) {
        sum[0] += first->records[k].intended;
        sum[1] += second->records[k].intended;
    }
    assert_int_equal(sum[0], sum[1]);
    bench_free(first);
    bench_free(second);
}

/* --- an hour each --------------------------------------------------------------------------- */

static void run_an_hour(const char *kind, double load, int64_t expected, int64_t tolerance)
{
    struct bench *bench = bench_new(kind, load);
    static const int64_t trace[] = {0, 0, NS_PER_S, HOUR - 1, HOUR};
    bench->plan.limits.max_seconds_ns = HOUR;
    bench->plan.arrival_shape = (struct arrival_shape){.burstiness = 0.5, .burst_size = 10, .ramp_from = 0, .ramp_to = 2 * load, .replay = trace,
                                                       .replay_count = 5};
    assert_int_equal(bench_run(bench), 0);
    int64_t ok = (int64_t)bench_count(bench, OUTCOME_OK, FAILURE_NONE);
    assert_true(ok >= expected - tolerance && ok <= expected + tolerance);
    assert_int_equal(ok, (int64_t)bench->count);
    assert_int_equal(bench->ends[0].end, HOUR);
    bench_free(bench);
}

static void test_an_hour_of_each_profile(void **state)
{
    (void)state;
    run_an_hour("synchronous", 1, 1895, 0);  /* 3600 / 1.9, the last one drained */
    run_an_hour("concurrent", 8, 8 * 1895, 0);
    run_an_hour("throughput", 16, 16 * 1895, 0);
    run_an_hour("constant", 2, 7199, 0);
    run_an_hour("poisson", 2, 7200, 340); /* four standard deviations of a Poisson count */
    run_an_hour("ramp", 2, 7200, 340);
    run_an_hour("gamma", 2, 7200, 480);
    run_an_hour("burst", 2, 7200, 0);
    run_an_hour("replay", 2, 4, 0); /* what is due at the very end is outside */
}

static void test_an_hour_of_a_sweep(void **state)
{
    struct bench *bench = bench_new("sweep", 1);
    (void)state;
    bench->plan.level_count = 0;
    bench->plan.sweep_levels = 6;
    bench->plan.limits.max_concurrency = 8;
    bench->plan.limits.max_seconds_ns = HOUR / 6;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->end_count, 6);
    assert_string_equal(bench->ends[0].level.kind, "synchronous");
    assert_string_equal(bench->ends[1].level.kind, "throughput");
    for (size_t k = 2; k < 6; k++)
        assert_string_equal(bench->ends[k].level.kind, "poisson");
    /* Between the request rates of the two: 1/1.9 and 8/1.9 a second. */
    assert_true(bench->ends[2].level.load > 1 / 1.9 - 0.01);
    assert_true(bench->ends[5].level.load < 8 / 1.9 + 0.01);
    assert_true(bench->ends[3].level.load > bench->ends[2].level.load);
    bench_free(bench);
}

/* Requests that take most of a level: those that end in the drain are no part of its rate. */
static void test_a_sweep_of_slow_requests_asks_for_no_more_than_there_is(void **state)
{
    struct bench *bench = bench_new("sweep", 1);
    (void)state;
    bench->plan.level_count = 0;
    bench->plan.sweep_levels = 4;
    bench->plan.limits.max_concurrency = 100;
    bench->answer = (struct fake_answer){.ttft = 40 * NS_PER_S, .tokens = 1};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->end_count, 4);
    /* One request and a hundred in 60 s; at 40 s a request the server cannot do more than 2.5 a second. */
    assert_true(bench->ends[2].level.load > 1 / 60.0 && bench->ends[2].level.load < 100 / 60.0);
    assert_true(bench->ends[3].level.load <= 100 / 60.0 + 1e-9);
    bench_free(bench);
}

/* --- what a chunk is worth -------------------------------------------------------------------- */

static void test_continuous_usage_counts_tokens_of_a_chunk(void **state)
{
    struct bench *bench = bench_new("synchronous", 1);
    (void)state;
    bench->plan.server.continuous_usage = true;
    bench->plan.limits.max_requests = 1;
    bench->answer.tokens = 12;
    bench->answer.tokens_a_chunk = 4;
    bench->answer.continuous_usage = true;
    bench->answer.cut = 7;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->records[0].arrivals, 3);
    assert_int_equal(bench->records[0].first_tokens, 4);
    assert_int_equal(bench->records[0].output_tokens, 12);
    assert_int_equal(bench->records[0].chunk_tokens, CHUNK_TOKENS_EXACT);
    assert_int_equal(bench->n_sum, 12);
    bench_free(bench);
}

static void test_chunks_of_one_time_stamp_are_one_arrival(void **state)
{
    struct bench *bench = bench_new("synchronous", 1);
    (void)state;
    bench->plan.limits.max_requests = 1;
    bench->answer.itl = 0;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->records[0].arrivals, 1);
    assert_int_equal(bench->records[0].coalesced, 9);
    assert_int_equal(bench->records[0].first_tokens, 10);
    assert_int_equal(bench->records[0].chunks, 11); /* ten tokens, usage; [DONE] is none */
    bench_free(bench);
}

static void test_usage_that_differs_is_inferred(void **state)
{
    struct bench *bench = bench_new("synchronous", 1);
    (void)state;
    bench->plan.limits.max_requests = 1;
    bench->answer.final_usage_extra = 3;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->records[0].output_tokens, 13);
    assert_int_equal(bench->records[0].chunk_tokens, CHUNK_TOKENS_INFERRED);
    bench_free(bench);
}

static void test_without_usage_the_sum_is_taken(void **state)
{
    struct bench *bench = bench_new("synchronous", 1);
    (void)state;
    bench->plan.limits.max_requests = 1;
    bench->answer.no_usage = true;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->records[0].output_tokens, 10);
    assert_int_equal(bench->records[0].prompt_tokens, -1);
    assert_int_equal(bench->records[0].chunk_tokens, CHUNK_TOKENS_COUNTED);
    bench_free(bench);
}

/* --- trouble ---------------------------------------------------------------------------------- */

static void expect_failure(const struct fake_answer *answer, enum failure failure, const char *message)
{
    struct bench *bench = bench_new("synchronous", 1);
    bench->plan.limits.max_seconds_ns = NS_PER_S;
    bench->plan.limits.max_requests = 1;
    bench->answer = *answer;
    bench_run(bench);
    assert_int_equal(bench->count, 1);
    assert_int_equal(bench->records[0].failure, failure);
    assert_int_equal(bench->records[0].outcome, failure == FAILURE_NONE ? OUTCOME_OK : OUTCOME_ERROR);
    if (message)
        assert_string_equal(bench->result.last_error, message);
    bench_free(bench);
}

static void test_nobody_waits_for_the_end_of_a_broken_stream(void **state)
{
    struct bench *bench = bench_new("synchronous", 1);
    (void)state;
    bench->plan.limits.max_requests = 1;
    bench->answer = (struct fake_answer){.ttft = NS_PER_S, .tokens = 2, .not_json = true, .itl = 3600 * NS_PER_S};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->records[0].failure, FAILURE_PROTOCOL);
    assert_int_equal(bench->records[0].end - bench->records[0].sent, NS_PER_S);
    bench_free(bench);
}

static void test_each_kind_of_failure(void **state)
{
    (void)state;
    expect_failure(&(struct fake_answer){.result = TRANSPORT_CONNECT, .message = "refused"}, FAILURE_CONNECT, "refused");
    expect_failure(&(struct fake_answer){.tokens = 2, .no_done = true, .result = TRANSPORT_TRUNCATED}, FAILURE_TRUNCATED, NULL);
    expect_failure(&(struct fake_answer){.tokens = 2, .no_done = true, .result = TRANSPORT_RESET}, FAILURE_RESET, NULL);
    expect_failure(&(struct fake_answer){.tokens = 2, .no_done = true, .result = TRANSPORT_STALL}, FAILURE_STALL, NULL);
    expect_failure(&(struct fake_answer){.tokens = 2, .no_done = true, .result = TRANSPORT_OK}, FAILURE_TRUNCATED,
                   "the stream ended without [DONE] and without a finish reason");
    expect_failure(&(struct fake_answer){.tokens = 2, .error_event = true}, FAILURE_ERROR_EVENT, "engine died");
    expect_failure(&(struct fake_answer){.tokens = 2, .not_json = true}, FAILURE_PROTOCOL, NULL);
    expect_failure(&(struct fake_answer){.tokens = 0, .no_usage = true}, FAILURE_PROTOCOL, "the answer holds no token and no usage");
    expect_failure(&(struct fake_answer){.status = 429, .error_body = "{\"error\":{\"message\":\"slow down\"}}"}, FAILURE_HTTP_429,
                   "HTTP 429: slow down");
    expect_failure(&(struct fake_answer){.status = 503, .error_body = "{\"error\":{\"message\":\"full\"}}"}, FAILURE_HTTP_5XX,
                   "HTTP 503: full");
    expect_failure(&(struct fake_answer){.status = 302}, FAILURE_PROTOCOL, NULL);
    /* What happens to the connection after [DONE] does not matter. */
    expect_failure(&(struct fake_answer){.tokens = 2, .result = TRANSPORT_RESET}, FAILURE_NONE, NULL);
}

static void test_the_key_is_not_repeated(void **state)
{
    (void)state;
    expect_failure(&(struct fake_answer){.status = 503, .error_body = "{\"error\":{\"message\":\"bad key sesame\"}}"},
                   FAILURE_HTTP_5XX, "HTTP 503: (the answer holds the API key or a header and is not shown)");
}

static void test_refusals_end_the_run(void **state)
{
    struct bench *bench = bench_new("concurrent", 4);
    (void)state;
    bench_add_level(bench, 8);
    bench->answer = (struct fake_answer){.status = 400, .error_body = "{\"error\":\"no such model\"}"};
    assert_int_equal(bench_run(bench), -1);
    assert_int_equal(bench->err.class, ERROR_TARGET);
    assert_non_null(strstr(bench->err.text, "HTTP 400: no such model"));
    assert_int_equal(bench->end_count, 1); /* the second level was not tried */
    assert_true(bench->count >= REFUSALS_MAX && bench->count < REFUSALS_MAX + 4);
    bench_free(bench);
}

static void test_a_missing_key_ends_the_run_at_once(void **state)
{
    struct bench *bench = bench_new("concurrent", 1);
    (void)state;
    bench->answer = (struct fake_answer){.status = 401, .error_body = "{\"error\":\"Unauthorized\"}"};
    assert_int_equal(bench_run(bench), -1);
    assert_int_equal(bench->err.class, ERROR_TARGET);
    assert_non_null(strstr(bench->err.text, "(HTTP 401: Unauthorized); nothing was measured. It needs an API key: --api-key-file or "
                                            "ROIBENCH_API_KEY"));
    assert_int_equal(bench->count, 1);
    bench_free(bench);
}

static void test_a_certificate_that_is_not_believed_ends_the_run(void **state)
{
    struct bench *bench = bench_new("concurrent", 2);
    (void)state;
    bench_add_level(bench, 4);
    bench->plan.limits.max_requests = 3;
    bench->answer = (struct fake_answer){.result = TRANSPORT_TLS, .message = "self-signed certificate"};
    assert_int_equal(bench_run(bench), -1);
    assert_int_equal(bench->err.class, ERROR_TARGET);
    assert_non_null(strstr(bench->err.text, "could not be reached during the whole of level 1 (self-signed certificate)"));
    assert_int_equal(bench->end_count, 1);
    bench_free(bench);
}

static void test_a_refusal_is_not_the_end_of_a_run(void **state)
{
    struct bench *bench = bench_new("concurrent", 1);
    (void)state;
    bench_add_level(bench, 2);
    bench->plan.limits.max_requests = 1;
    bench->refuse_until = NS_PER_MS;
    bench->answer = (struct fake_answer){.ttft = NS_PER_S, .tokens = 1};
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->end_count, 2);
    assert_int_equal(bench_count(bench, OUTCOME_ERROR, FAILURE_HTTP_4XX), 1);
    assert_int_equal(bench_count(bench, OUTCOME_OK, FAILURE_NONE), 1);
    bench_free(bench);
}

static void test_a_run_of_refusals_only_is_refused(void **state)
{
    struct bench *bench = bench_new("concurrent", 1);
    (void)state;
    bench->plan.limits.max_requests = 3;
    bench->answer = (struct fake_answer){.status = 404, .error_body = "{\"error\":{\"message\":\"no such model\"}}"};
    assert_int_equal(bench_run(bench), -1);
    assert_int_equal(bench->err.class, ERROR_TARGET);
    assert_non_null(strstr(bench->err.text, "no such model"));
    bench_free(bench);
}

static void test_failures_back_off(void **state)
{
    struct bench *bench = bench_new("synchronous", 1);
    (void)state;
    bench->answer = (struct fake_answer){.status = 503};
    assert_int_equal(bench_run(bench), 0);
    /* 0, 0.1, 0.3, 0.7, 1.5, 2.5, 3.5 … 59.5 s */
    assert_int_equal(bench->count, 5 + 58);
    assert_int_equal(bench->records[1].sent, 100 * NS_PER_MS);
    assert_int_equal(bench->records[2].sent, 300 * NS_PER_MS);
    assert_int_equal(bench->records[4].sent, 1500 * NS_PER_MS);
    assert_int_equal(bench->records[5].sent, 2500 * NS_PER_MS);
    bench_free(bench);
}

static void test_a_server_that_is_gone_ends_the_run(void **state)
{
    struct bench *bench = bench_new("concurrent", 2);
    (void)state;
    bench_add_level(bench, 4);
    bench_add_level(bench, 6);
    bench->down_from = 30 * NS_PER_S;
    assert_int_equal(bench_run(bench), -1);
    assert_int_equal(bench->err.class, ERROR_TARGET);
    assert_non_null(strstr(bench->err.text, "could not be reached during the whole of level 2"));
    assert_int_equal(bench->end_count, 2);
    assert_true(bench_count(bench, OUTCOME_OK, FAILURE_NONE) > 0);
    bench_free(bench);
}

static void test_a_signal_stops_at_once_and_loses_nothing(void **state)
{
    struct bench *bench = bench_new("concurrent", 3);
    (void)state;
    bench_add_level(bench, 5);
    bench->stop_at = 5 * NS_PER_S;
    assert_int_equal(bench_run(bench), 0);
    /* Sent at 0, 1.9, 3.8 s; the third round is under way at 5 s. */
    assert_int_equal(bench->count, 9);
    assert_int_equal(bench_count(bench, OUTCOME_OK, FAILURE_NONE), 6);
    assert_int_equal(bench_count(bench, OUTCOME_INCOMPLETE, FAILURE_CANCELLED), 3);
    assert_int_equal(bench->end_count, 1);
    assert_int_equal(bench->ends[0].reason, LEVEL_STOPPED);
    assert_true(bench->ends[0].end >= 5 * NS_PER_S && bench->ends[0].end <= 5100 * NS_PER_MS);
    assert_int_equal(bench->result.levels_done, 0);
    bench_free(bench);
}

/* At 60 s the level ends with a request under way; the signal comes before it had the time to drain. */
static void test_a_signal_in_the_drain_is_the_reason_too(void **state)
{
    struct bench *bench = bench_new("concurrent", 3);
    (void)state;
    bench->stop_at = 60 * NS_PER_S + 100 * NS_PER_MS;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench_count(bench, OUTCOME_INCOMPLETE, FAILURE_CANCELLED), 3);
    assert_int_equal(bench->ends[0].end, 60 * NS_PER_S);
    assert_int_equal(bench->ends[0].reason, LEVEL_STOPPED);
    bench_free(bench);
}

static void test_a_full_disk_stops_the_load(void **state)
{
    struct bench *bench = bench_new("concurrent", 3);
    (void)state;
    bench->fail_add_at = 4;
    assert_int_equal(bench_run(bench), -1);
    assert_int_equal(bench->err.class, ERROR_INTERNAL);
    assert_non_null(strstr(bench->err.text, "no space left"));
    assert_int_equal(bench->count, 3);
    assert_int_equal(bench->fake.in_flight, 0);
    bench_free(bench);
}

static void test_a_broken_transport_ends_the_run(void **state)
{
    struct bench *bench = bench_new("concurrent", 3);
    (void)state;
    bench->fake.broken_from = 1005 * NS_PER_S;
    assert_int_equal(bench_run(bench), -1);
    assert_string_equal(bench->err.text, "cannot wait for the network");
    /* Two rounds ended; the third one, still held by the transport, is recorded all the same. */
    assert_int_equal(bench_count(bench, OUTCOME_OK, FAILURE_NONE), 6);
    assert_int_equal(bench_count(bench, OUTCOME_INCOMPLETE, FAILURE_CANCELLED), 3);
    assert_int_equal(bench->fake.in_flight, 3);
    transport_free(&bench->fake.transport); /* and lets them go: the sanitizer sees what is left */
    assert_int_equal(bench->fake.in_flight, 0);
    assert_int_equal(bench->count, 9);
    bench_free(bench);
}

static void test_a_hanging_server_is_cancelled_by_the_drain(void **state)
{
    struct bench *bench = bench_new("concurrent", 2);
    (void)state;
    bench->plan.limits.drain_ns = 3 * NS_PER_S;
    bench->answer.hang = true;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->count, 2);
    assert_int_equal(bench->records[0].failure, FAILURE_CANCELLED);
    assert_int_equal(bench->records[0].first_token, TIME_NEVER);
    assert_int_equal(bench->records[0].headers, 0);
    assert_int_equal(bench->result.ended, 0);
    bench_free(bench);
}

static void test_connection_time_lies_before_sent(void **state)
{
    struct bench *bench = bench_new("synchronous", 1);
    (void)state;
    bench->plan.limits.max_requests = 1;
    bench->answer.connect = 3 * NS_PER_MS;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->records[0].intended, 0);
    assert_int_equal(bench->records[0].connected, 3 * NS_PER_MS);
    assert_int_equal(bench->records[0].sent, 3 * NS_PER_MS);
    assert_int_equal(bench->records[0].first_token, NS_PER_S + 3 * NS_PER_MS);
    assert_false(bench->records[0].reused);
    bench_free(bench);
}

static void test_connections_are_opened_before_each_level(void **state)
{
    struct bench *bench = bench_new("concurrent", 5);
    (void)state;
    bench->warm = true;
    bench_add_level(bench, 3);
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->gets, 5 + 3);
    assert_int_equal(bench->ends[0].connections_warmed, 5);
    assert_int_equal(bench->ends[1].connections_warmed, 3);
    /* They are no part of the load: no record, and the level starts behind them. */
    assert_int_equal(bench->ends[0].sent, 160);
    assert_true(bench->ends[0].start >= NS_PER_MS);
    assert_int_equal(bench->ends[0].slip.max, 0);
    bench_free(bench);
}

/* Five requests a second of 1.9 s: ten in flight, twice as many in a crowd, and one. */
static void test_an_open_loop_opens_what_it_will_need(void **state)
{
    struct bench *bench = bench_new("constant", 5);
    (void)state;
    bench->warm = true;
    bench->plan.calibration.e2e_ns = 1900 * NS_PER_MS;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->gets, 20);
    bench->plan.limits.max_concurrency = 4;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->gets, 24);
    bench_free(bench);
}

static void test_a_server_that_does_not_answer_holds_up_no_level(void **state)
{
    struct bench *bench = bench_new("concurrent", 2);
    (void)state;
    bench->warm = bench->get_fails = true;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->ends[0].connections_warmed, 0);
    assert_in_range(bench->ends[0].start, 10 * NS_PER_S, 11 * NS_PER_S);
    assert_true(bench_count(bench, OUTCOME_OK, FAILURE_NONE) > 0);
    bench_free(bench);
}

/* Every repeat has all levels; the later ones in orders of their own, the same for the same seed. */
static void test_levels_are_repeated_in_other_orders(void **state)
{
    struct bench *bench = bench_new("concurrent", 1);
    int counts[4][4] = {{0}};
    bool other_order = false;
    (void)state;
    for (int k = 2; k <= 4; k++)
        bench_add_level(bench, k);
    bench->plan.repeat = 4;
    bench->plan.limits.max_seconds_ns = 5 * NS_PER_S;
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->end_count, 16);
    for (int k = 0; k < 16; k++) {
        const struct level_end *end = &bench->ends[k];
        assert_int_equal(end->repeat, k / 4);
        counts[end->repeat][end->level.index]++;
        other_order = other_order || end->level.index != k % 4;
        if (k < 4)
            assert_int_equal(end->level.index, k);
    }
    for (int k = 0; k < 16; k++)
        assert_int_equal(counts[k / 4][k % 4], 1);
    assert_true(other_order);
    assert_int_equal(bench->result.levels_done, 16);
    for (size_t k = 0; k < bench->count; k++)
        assert_in_range(bench->records[k].repeat, 0, 3);
    bench_free(bench);
}

static void test_a_repeated_level_spreads_over_its_own_request_time(void **state)
{
    struct bench *bench = bench_new("concurrent", 4);
    (void)state;
    bench->plan.repeat = 2;
    bench->plan.stream_start = STREAM_START_SPREAD;
    bench->plan.calibration.e2e_ns = 10 * NS_PER_S; /* what prepare timed; really they take 1.9 s */
    assert_int_equal(bench_run(bench), 0);
    assert_int_equal(bench->measure_starts[0], 7500 * NS_PER_MS);
    assert_int_equal(bench->measure_starts[1] - bench->ends[1].start, 1425 * NS_PER_MS);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_are_repeated_in_other_orders),
        cmocka_unit_test(test_a_repeated_level_spreads_over_its_own_request_time),
        cmocka_unit_test(test_connections_are_opened_before_each_level),
        cmocka_unit_test(test_an_open_loop_opens_what_it_will_need),
        cmocka_unit_test(test_a_server_that_does_not_answer_holds_up_no_level),
        cmocka_unit_test(test_closed_loop_keeps_its_streams_busy),
        cmocka_unit_test(test_a_process_that_stood_still_is_told),
        cmocka_unit_test(test_spread_start),
        cmocka_unit_test(test_max_requests_bounds_a_level_by_its_last_end),
        cmocka_unit_test(test_max_requests_cancels_nobody),
        cmocka_unit_test(test_max_seconds_ends_a_level_whose_requests_are_all_sent),
        cmocka_unit_test(test_drain_cancels_what_takes_too_long),
        cmocka_unit_test(test_trims_make_the_window),
        cmocka_unit_test(test_time_scale_shortens_the_wall_time),
        cmocka_unit_test(test_throughput_starts_all_streams_at_once),
        cmocka_unit_test(test_constant_rate_is_sent_when_due),
        cmocka_unit_test(test_full_house_sends_late_and_drops_nothing),
        cmocka_unit_test(test_open_loop_max_requests_waits_for_all_to_be_sent),
        cmocka_unit_test(test_arrivals_missed_at_the_end_have_records),
        cmocka_unit_test(test_poisson_is_the_same_again),
        cmocka_unit_test(test_an_hour_of_each_profile),
        cmocka_unit_test(test_an_hour_of_a_sweep),
        cmocka_unit_test(test_a_sweep_of_slow_requests_asks_for_no_more_than_there_is),
        cmocka_unit_test(test_continuous_usage_counts_tokens_of_a_chunk),
        cmocka_unit_test(test_chunks_of_one_time_stamp_are_one_arrival),
        cmocka_unit_test(test_usage_that_differs_is_inferred),
        cmocka_unit_test(test_without_usage_the_sum_is_taken),
        cmocka_unit_test(test_nobody_waits_for_the_end_of_a_broken_stream),
        cmocka_unit_test(test_each_kind_of_failure),
        cmocka_unit_test(test_the_key_is_not_repeated),
        cmocka_unit_test(test_refusals_end_the_run),
        cmocka_unit_test(test_a_missing_key_ends_the_run_at_once),
        cmocka_unit_test(test_a_certificate_that_is_not_believed_ends_the_run),
        cmocka_unit_test(test_a_refusal_is_not_the_end_of_a_run),
        cmocka_unit_test(test_a_run_of_refusals_only_is_refused),
        cmocka_unit_test(test_failures_back_off),
        cmocka_unit_test(test_a_server_that_is_gone_ends_the_run),
        cmocka_unit_test(test_a_signal_stops_at_once_and_loses_nothing),
        cmocka_unit_test(test_a_signal_in_the_drain_is_the_reason_too),
        cmocka_unit_test(test_a_full_disk_stops_the_load),
        cmocka_unit_test(test_a_broken_transport_ends_the_run),
        cmocka_unit_test(test_a_hanging_server_is_cancelled_by_the_drain),
        cmocka_unit_test(test_connection_time_lies_before_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
