/* One request: what the transport reports of an answer becomes a record. The handler is called directly. */
#include "load/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "plan/plan.h"
#include "support/captures.h"

#define ANCHOR (100 * NS_PER_S)
#define SENT (ANCHOR + 5)

/* --- what a test sets up ---------------------------------------------------------------------- */

struct bench {
    struct request *request;
    struct record record; /* as it was when the request was finished */
    int64_t gaps[16], finished_at, told_tokens;
    int32_t n[16];
    int finished, hopeless;
};

static void on_finished(void *context, struct request *request, int64_t now)
{
    struct bench *bench = context;
    bench->record = request->record;
    for (int64_t k = 0; k < request->record.arrivals && k < 16; k++) {
        bench->gaps[k] = request->gaps[k];
        bench->n[k] = request->n[k];
    }
    bench->finished_at = now;
    bench->finished++;
}

static void on_tokens(void *context, const struct request *request, int64_t tokens, int64_t now)
{
    struct bench *bench = context;
    (void)request, (void)now;
    bench->told_tokens += tokens;
}

static void on_hopeless(void *context, struct request *request)
{
    struct bench *bench = context;
    assert_ptr_equal(request, bench->request);
    bench->hopeless++;
}

static struct bench *bench_new(bool continuous_usage)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    bench->request = request_new(on_finished, on_tokens, on_hopeless, bench, ANCHOR, continuous_usage);
    buf_append_text(&bench->request->body, "{}");
    return bench;
}

static void bench_free(struct bench *bench)
{
    request_free(bench->request);
    free(bench);
}

static void begin(struct bench *bench)
{
    bench->finished = bench->hopeless = 0;
    bench->told_tokens = 0;
    request_begin(bench->request, 2, 0, 3, 7, 1, "http://server/v1/completions");
}

static void sent(struct bench *bench, int64_t time)
{
    struct transfer *transfer = &bench->request->transfer;
    transfer->handler->sent(transfer, time, TIME_NEVER, true);
}

static void headers(struct bench *bench, int64_t time, int status)
{
    struct transfer *transfer = &bench->request->transfer;
    transfer->handler->headers(transfer, time, status);
}

static void feed(struct bench *bench, int64_t time, const char *bytes, size_t length)
{
    struct transfer *transfer = &bench->request->transfer;
    char *piece = mem_strndup(bytes, length); /* of its own: a read beyond it is seen by the sanitizer */
    transfer->handler->bytes(transfer, time, piece, length);
    free(piece);
}

static void event(struct bench *bench, int64_t time, const char *data)
{
    struct buf text = BUF_INIT(1 << 20);
    buf_printf(&text, "data: %s\n\n", data);
    feed(bench, time, text.data, text.len);
    buf_free(&text);
}

static void ended(struct bench *bench, int64_t time, enum transport_result result, const char *message)
{
    struct transfer *transfer = &bench->request->transfer;
    transfer->handler->ended(transfer, time, result, message);
    assert_int_equal(bench->finished, 1);
    assert_int_equal(bench->finished_at, time);
}

/* A 200 that was sent at SENT; its headers come 10 ns later. */
static void begin_stream(struct bench *bench)
{
    begin(bench);
    sent(bench, SENT);
    headers(bench, SENT + 10, 200);
}

/* What was recorded can be read again. */
static void assert_readable(const struct bench *bench)
{
    cleanup_buf struct buf line = BUF_INIT(1 << 16);
    struct record again;
    struct error err = {.class = ERROR_NONE};
    record_append_json(&bench->record, &line);
    if (record_parse_json(line.data, line.len, &again, &err) < 0)
        fail_msg("%s: %s", err.text, line.data);
}

static void assert_failure(const struct bench *bench, enum failure failure, const char *message)
{
    assert_int_equal(bench->record.failure, failure);
    assert_int_equal(bench->record.outcome, failure == FAILURE_NONE        ? OUTCOME_OK
                                            : failure == FAILURE_CANCELLED ? OUTCOME_INCOMPLETE
                                                                           : OUTCOME_ERROR);
    if (message)
        assert_string_equal(bench->request->message, message);
    assert_readable(bench);
}

#define TOKEN "{\"choices\":[{\"index\":0,\"text\":\" w\",\"finish_reason\":null}]}"
#define LAST_TOKEN "{\"choices\":[{\"index\":0,\"text\":\" w\",\"finish_reason\":\"length\",\"stop_reason\":null}]}"
#define TOKEN_WITH_USAGE(total) "{\"choices\":[{\"index\":0,\"text\":\" w\",\"finish_reason\":null}]," USAGE_MEMBER(total) "}"
#define USAGE_MEMBER(total) "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":" total "}"
#define USAGE(total) "{\"choices\":[]," USAGE_MEMBER(total) "}"
#define ERROR_EVENT "{\"error\":{\"message\":\"engine died\",\"code\":500}}"

/* --- times ---------------------------------------------------------------------------------------- */

static void test_times_count_from_the_anchor(void **state)
{
    struct bench *bench = bench_new(false);
    (void)state;
    begin_stream(bench);
    event(bench, SENT + 100, TOKEN);
    event(bench, SENT + 130, LAST_TOKEN);
    event(bench, SENT + 140, USAGE("2"));
    event(bench, SENT + 150, "[DONE]");
    ended(bench, SENT + 900, TRANSPORT_OK, NULL);
    const struct record *record = &bench->record;
    assert_failure(bench, FAILURE_NONE, "");
    assert_int_equal(record->level, 2);
    assert_int_equal(record->stream, 3);
    assert_int_equal(record->i, 7);
    assert_int_equal(record->intended, 1);
    assert_int_equal(record->sent, 5);
    assert_int_equal(record->headers, 15);
    assert_int_equal(record->first_token, 105);
    assert_int_equal(record->last_token, 135);
    assert_int_equal(record->end, 155); /* [DONE], not the end of the connection's part in it */
    assert_int_equal(record->status, 200);
    assert_int_equal(record->chunks, 3); /* [DONE] is none */
    assert_int_equal(record->arrivals, 2);
    assert_int_equal(bench->gaps[0], 100);
    assert_int_equal(bench->gaps[1], 30);
    assert_int_equal(record->output_tokens, 2);
    assert_int_equal(record->prompt_tokens, 7);
    assert_int_equal(record->cached_tokens, -1);
    assert_string_equal(record->finish_reason, "length");
    assert_int_equal(record->chunk_tokens, CHUNK_TOKENS_COUNTED);
    assert_true(record->reused);
    assert_int_equal(record->connected, TIME_NEVER);
    assert_int_equal(bench->told_tokens, 2);
    bench_free(bench);
}

static void test_sent_again_counts_as_reconnected(void **state)
{
    struct bench *bench = bench_new(false);
    struct transfer *transfer = &bench->request->transfer;
    (void)state;
    begin(bench);
    sent(bench, SENT);
    transfer->handler->sent(transfer, SENT + 50, SENT + 49, false);
    headers(bench, SENT + 60, 200);
    event(bench, SENT + 80, LAST_TOKEN);
    event(bench, SENT + 90, "[DONE]");
    ended(bench, SENT + 90, TRANSPORT_OK, NULL);
    assert_int_equal(bench->record.reconnected, 1);
    assert_int_equal(bench->record.sent, 55);
    assert_int_equal(bench->record.connected, 54);
    assert_false(bench->record.reused);
    assert_int_equal(bench->gaps[0], 30); /* since it was really sent */
    bench_free(bench);
}

static void test_a_request_is_used_again_without_a_trace(void **state)
{
    struct bench *bench = bench_new(false);
    (void)state;
    begin_stream(bench);
    event(bench, SENT + 20, TOKEN);
    event(bench, SENT + 20, TOKEN);
    event(bench, SENT + 30, ERROR_EVENT);
    feed(bench, SENT + 40, "data: {\"choices\":[{\"te", 22);
    ended(bench, SENT + 50, TRANSPORT_RESET, "reset");
    assert_failure(bench, FAILURE_ERROR_EVENT, "engine died");
    begin(bench);
    sent(bench, SENT);
    headers(bench, SENT + 10, 503);
    feed(bench, SENT + 11, "full", 4);
    ended(bench, SENT + 12, TRANSPORT_OK, NULL);
    assert_failure(bench, FAILURE_HTTP_5XX, "full");
    assert_int_equal(bench->record.arrivals, 0);
    assert_int_equal(bench->record.bytes, 4);
    begin_stream(bench);
    event(bench, SENT + 20, LAST_TOKEN);
    event(bench, SENT + 30, "[DONE]");
    ended(bench, SENT + 30, TRANSPORT_OK, NULL);
    assert_failure(bench, FAILURE_NONE, "");
    assert_int_equal(bench->record.output_tokens, 1);
    assert_int_equal(bench->record.coalesced, 0);
    bench_free(bench);
}

/* --- how an answer is judged ------------------------------------------------------------------------ */

struct verdict_example {
    const char *events[4]; /* one every 10 ns */
    enum transport_result result;
    enum failure failure;
    const char *message;
};

static const struct verdict_example VERDICTS[] = {
    {{LAST_TOKEN, "[DONE]"}, TRANSPORT_OK, FAILURE_NONE, ""},
    /* after [DONE] nothing matters */
    {{LAST_TOKEN, "[DONE]"}, TRANSPORT_RESET, FAILURE_NONE, ""},
    {{LAST_TOKEN, "[DONE]"}, TRANSPORT_CANCELLED, FAILURE_NONE, ""},
    {{LAST_TOKEN, "[DONE]", ERROR_EVENT}, TRANSPORT_OK, FAILURE_NONE, ""},
    {{LAST_TOKEN, "[DONE]", "<html>"}, TRANSPORT_OK, FAILURE_NONE, ""},
    /* without a finish reason [DONE] is enough, without [DONE] a finish reason and an orderly end */
    {{TOKEN, "[DONE]"}, TRANSPORT_OK, FAILURE_NONE, ""},
    {{LAST_TOKEN}, TRANSPORT_OK, FAILURE_NONE, ""},
    {{LAST_TOKEN}, TRANSPORT_RESET, FAILURE_RESET, "why"},
    {{TOKEN}, TRANSPORT_OK, FAILURE_TRUNCATED, "the stream ended without [DONE] and without a finish reason"},
    {{TOKEN}, TRANSPORT_TRUNCATED, FAILURE_TRUNCATED, "why"},
    {{TOKEN}, TRANSPORT_STALL, FAILURE_STALL, "why"},
    {{TOKEN}, TRANSPORT_TIMEOUT, FAILURE_TIMEOUT, "why"},
    {{TOKEN}, TRANSPORT_CANCELLED, FAILURE_CANCELLED, "why"},
    /* usage alone is an answer: no token was asked for, or none can be seen */
    {{USAGE("0"), "[DONE]"}, TRANSPORT_OK, FAILURE_NONE, ""},
    {{"[DONE]"}, TRANSPORT_OK, FAILURE_PROTOCOL, "the answer holds no token and no usage"},
    {{NULL}, TRANSPORT_OK, FAILURE_PROTOCOL, "the answer holds no token and no usage"},
    {{"{\"choices\":[]}", "[DONE]"}, TRANSPORT_OK, FAILURE_PROTOCOL, "the answer holds no token and no usage"},
    /* errors inside the stream */
    {{TOKEN, ERROR_EVENT, "[DONE]"}, TRANSPORT_OK, FAILURE_ERROR_EVENT, "engine died"},
    {{ERROR_EVENT, TOKEN, LAST_TOKEN, "[DONE]"}, TRANSPORT_OK, FAILURE_ERROR_EVENT, "engine died"},
    {{TOKEN, ERROR_EVENT}, TRANSPORT_CANCELLED, FAILURE_ERROR_EVENT, "engine died"},
    {{TOKEN, "<html>", LAST_TOKEN, "[DONE]"}, TRANSPORT_OK, FAILURE_PROTOCOL, "an event of the stream is no JSON object"},
    {{TOKEN, "[1,2]", "[DONE]"}, TRANSPORT_OK, FAILURE_PROTOCOL, "an event of the stream is no JSON object"},
    {{LAST_TOKEN, "[DONE]", "[DONE]", "[DONE]"}, TRANSPORT_OK, FAILURE_NONE, ""},
};

static void test_how_a_stream_is_judged(void **state)
{
    struct bench *bench = bench_new(false);
    (void)state;
    for (size_t k = 0; k < sizeof VERDICTS / sizeof VERDICTS[0]; k++) {
        const struct verdict_example *example = &VERDICTS[k];
        begin_stream(bench);
        for (int at = 0; at < 4 && example->events[at]; at++)
            event(bench, SENT + 20 + 10 * at, example->events[at]);
        ended(bench, SENT + 1000, example->result, example->result == TRANSPORT_OK ? NULL : "why");
        if (bench->record.failure != example->failure || strcmp(bench->request->message, example->message) != 0)
            fail_msg("row %zu: %s \"%s\"", k, failure_name(bench->record.failure), bench->request->message);
        assert_failure(bench, example->failure, example->message);
    }
    bench_free(bench);
}

static void test_the_first_done_is_the_end(void **state)
{
    struct bench *bench = bench_new(false);
    (void)state;
    begin_stream(bench);
    event(bench, SENT + 20, LAST_TOKEN);
    event(bench, SENT + 30, "[DONE]");
    event(bench, SENT + 40, TOKEN);
    event(bench, SENT + 50, "[DONE]");
    ended(bench, SENT + 60, TRANSPORT_OK, NULL);
    assert_int_equal(bench->record.end, 35);
    assert_int_equal(bench->record.output_tokens, 1);
    assert_int_equal(bench->record.chunks, 1);
    bench_free(bench);
}

struct status_example {
    int status;
    const char *body;
    enum transport_result result;
    enum failure failure;
    const char *message;
};

static const struct status_example STATUSES[] = {
    {400, "{\"error\":{\"message\":\"too long\"}}", TRANSPORT_OK, FAILURE_HTTP_4XX, "too long"},
    {404, "{\"object\":\"error\",\"message\":\"no such model\"}", TRANSPORT_OK, FAILURE_HTTP_4XX, "no such model"},
    {429, "{\"error\":\"slow down\"}", TRANSPORT_OK, FAILURE_HTTP_429, "slow down"},
    {499, "", TRANSPORT_OK, FAILURE_HTTP_4XX, ""},
    {500, "<html><title>Bad Gateway</title></html>", TRANSPORT_OK, FAILURE_HTTP_5XX, "Bad Gateway"},
    {599, "", TRANSPORT_OK, FAILURE_HTTP_5XX, ""},
    {600, "", TRANSPORT_OK, FAILURE_PROTOCOL, ""},
    {204, "", TRANSPORT_OK, FAILURE_PROTOCOL, ""},
    {302, "", TRANSPORT_OK, FAILURE_PROTOCOL, ""},
    /* A stream under another status is no answer. */
    {201, "data: " LAST_TOKEN "\n\ndata: [DONE]\n\n", TRANSPORT_OK, FAILURE_PROTOCOL, NULL},
    /* Servers that refuse before they have read the body often close on us: the status says more. */
    {401, "{\"error\":\"Unauthorized\"}", TRANSPORT_RESET, FAILURE_HTTP_4XX, "Unauthorized"},
    {503, "", TRANSPORT_TRUNCATED, FAILURE_HTTP_5XX, "why"},
    {503, "{\"error\":\"full\"}", TRANSPORT_CANCELLED, FAILURE_CANCELLED, "why"},
    {302, "", TRANSPORT_RESET, FAILURE_RESET, "why"},
};

static void test_how_a_status_is_judged(void **state)
{
    struct bench *bench = bench_new(false);
    (void)state;
    for (size_t k = 0; k < sizeof STATUSES / sizeof STATUSES[0]; k++) {
        const struct status_example *example = &STATUSES[k];
        begin(bench);
        sent(bench, SENT);
        headers(bench, SENT + 10, example->status);
        if (example->body[0])
            feed(bench, SENT + 20, example->body, strlen(example->body));
        ended(bench, SENT + 30, example->result, example->result == TRANSPORT_OK ? NULL : "why");
        assert_failure(bench, example->failure, example->message);
        assert_int_equal(bench->record.status, example->status);
        assert_int_equal(bench->record.end, 35);
        assert_int_equal(bench->record.output_tokens, -1);
    }
    bench_free(bench);
}

static void test_each_result_of_the_transport_has_its_failure(void **state)
{
    static const enum failure failures[] = {
        [TRANSPORT_DNS] = FAILURE_DNS, [TRANSPORT_LOCAL] = FAILURE_LOCAL, [TRANSPORT_CONNECT] = FAILURE_CONNECT,
        [TRANSPORT_TLS] = FAILURE_TLS, [TRANSPORT_TIMEOUT] = FAILURE_TIMEOUT, [TRANSPORT_STALL] = FAILURE_STALL,
        [TRANSPORT_RESET] = FAILURE_RESET, [TRANSPORT_TRUNCATED] = FAILURE_TRUNCATED, [TRANSPORT_PROTOCOL] = FAILURE_PROTOCOL,
        [TRANSPORT_CANCELLED] = FAILURE_CANCELLED,
    };
    struct bench *bench = bench_new(false);
    (void)state;
    for (enum transport_result result = TRANSPORT_DNS; result <= TRANSPORT_CANCELLED; result++) {
        begin(bench);
        ended(bench, SENT, result, "why");
        assert_failure(bench, failures[result], "why");
        assert_int_equal(bench->record.sent, TIME_NEVER);
        assert_int_equal(bench->record.chunk_tokens, CHUNK_TOKENS_NONE);
    }
    begin(bench);
    ended(bench, SENT, TRANSPORT_CONNECT, NULL);
    assert_failure(bench, FAILURE_CONNECT, "");
    bench_free(bench);
}

/* --- tokens -------------------------------------------------------------------------------------------- */

static void test_one_time_stamp_is_one_arrival(void **state)
{
    struct bench *bench = bench_new(false);
    (void)state;
    begin_stream(bench);
    feed(bench, SENT + 20, "data: " TOKEN "\n\ndata: " TOKEN "\n\ndata: " TOKEN "\n\n", 3 * (strlen(TOKEN) + 8));
    event(bench, SENT + 20, TOKEN);
    event(bench, SENT + 25, LAST_TOKEN);
    event(bench, SENT + 25, "[DONE]");
    ended(bench, SENT + 25, TRANSPORT_OK, NULL);
    assert_int_equal(bench->record.arrivals, 2);
    assert_int_equal(bench->record.coalesced, 3);
    assert_int_equal(bench->record.first_tokens, 4);
    assert_int_equal(bench->n[0], 4);
    assert_int_equal(bench->n[1], 1);
    assert_int_equal(bench->gaps[1], 5);
    assert_int_equal(bench->record.output_tokens, 5);
    bench_free(bench);
}

struct tokens_example {
    bool continuous;
    const char *events[4];
    int64_t counted, output_tokens; /* the sum of all n; what the record says */
    enum chunk_tokens how;
};

static const struct tokens_example TOKENS[] = {
    {false, {TOKEN, LAST_TOKEN}, 2, 2, CHUNK_TOKENS_COUNTED},
    {false, {TOKEN, LAST_TOKEN, USAGE("2")}, 2, 2, CHUNK_TOKENS_COUNTED},
    {false, {TOKEN, LAST_TOKEN, USAGE("3")}, 2, 3, CHUNK_TOKENS_INFERRED},
    {true, {TOKEN_WITH_USAGE("2"), TOKEN_WITH_USAGE("5"), USAGE("5")}, 5, 5, CHUNK_TOKENS_EXACT},
    {true, {TOKEN_WITH_USAGE("2"), TOKEN, USAGE("3")}, 3, 3, CHUNK_TOKENS_COUNTED},
    /* the last token had no chunk of its own */
    {true, {TOKEN_WITH_USAGE("2"), TOKEN_WITH_USAGE("3"), USAGE("4")}, 3, 4, CHUNK_TOKENS_INFERRED},
    /* usage that was not announced is a total at the end: no n by it */
    {false, {TOKEN, TOKEN_WITH_USAGE("9")}, 2, 9, CHUNK_TOKENS_INFERRED},
    /* usage that goes backwards: what was counted stays counted, a text is still a token, the last word is believed */
    {true, {TOKEN_WITH_USAGE("5"), TOKEN_WITH_USAGE("2"), USAGE("2")}, 6, 2, CHUNK_TOKENS_INFERRED},
    /* usage that is 0 until the end, announced as continuous or not */
    {true, {TOKEN_WITH_USAGE("0"), TOKEN_WITH_USAGE("0"), USAGE("2")}, 2, 2, CHUNK_TOKENS_COUNTED},
    {false, {TOKEN_WITH_USAGE("0"), TOKEN_WITH_USAGE("0"), USAGE("2")}, 2, 2, CHUNK_TOKENS_COUNTED},
    {true, {TOKEN_WITH_USAGE("0"), TOKEN_WITH_USAGE("0"), USAGE("9")}, 2, 9, CHUNK_TOKENS_INFERRED},
    {true, {"{\"choices\":[{\"text\":\"a b\",\"token_ids\":[4,5]}]," USAGE_MEMBER("0") "}", USAGE("2")}, 2, 2, CHUNK_TOKENS_EXACT},
    /* usage that stands still: beside a text it lags behind, beside none it says that there was no token */
    {true, {TOKEN_WITH_USAGE("1"), TOKEN_WITH_USAGE("1"), TOKEN_WITH_USAGE("3")}, 3, 3, CHUNK_TOKENS_COUNTED},
    {true, {TOKEN_WITH_USAGE("1"), "{\"choices\":[{\"text\":\"\"}]," USAGE_MEMBER("1") "}", USAGE("1")}, 1, 1, CHUNK_TOKENS_EXACT},
    /* a billion at once */
    {true, {TOKEN_WITH_USAGE("1000000000"), USAGE("1000000000")}, 1 << 24, 1000000000, CHUNK_TOKENS_INFERRED},
    /* more than a record can say is no count */
    {true, {TOKEN_WITH_USAGE("999999999999999")}, 1 << 24, 1 << 24, CHUNK_TOKENS_EXACT},
    {false, {TOKEN, USAGE("100000000001")}, 1, 1, CHUNK_TOKENS_COUNTED},
    {false, {TOKEN, USAGE("-5")}, 1, 1, CHUNK_TOKENS_COUNTED},
    {false, {TOKEN, USAGE("100000000000")}, 1, RECORD_COUNT_MAX, CHUNK_TOKENS_INFERRED},
    {false, {"{\"choices\":[{\"text\":\"a b\",\"token_ids\":[4,5,6]}]}", USAGE("3")}, 3, 3, CHUNK_TOKENS_EXACT},
};

static void test_tokens_of_chunks(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof TOKENS / sizeof TOKENS[0]; k++) {
        const struct tokens_example *example = &TOKENS[k];
        struct bench *bench = bench_new(example->continuous);
        begin_stream(bench);
        for (int at = 0; at < 4 && example->events[at]; at++)
            event(bench, SENT + 20 + 10 * at, example->events[at]);
        event(bench, SENT + 100, "[DONE]");
        ended(bench, SENT + 100, TRANSPORT_OK, NULL);
        if (bench->told_tokens != example->counted || bench->record.output_tokens != example->output_tokens ||
            bench->record.chunk_tokens != example->how)
            fail_msg("row %zu: counted %lld, N %lld, %s", k, (long long)bench->told_tokens, (long long)bench->record.output_tokens,
                     chunk_tokens_name(bench->record.chunk_tokens));
        assert_failure(bench, FAILURE_NONE, "");
        bench_free(bench);
    }
}

static void test_a_liar_with_many_chunks_stays_within_a_record(void **state)
{
    struct bench *bench = bench_new(true);
    (void)state;
    begin_stream(bench);
    for (int k = 0; k < 7000; k++) /* 7000 x 2^24 is beyond 10^11 */
        event(bench, SENT + 20, TOKEN_WITH_USAGE("999999999999999"));
    event(bench, SENT + 30, "[DONE]");
    ended(bench, SENT + 30, TRANSPORT_OK, NULL);
    assert_int_equal(bench->record.output_tokens, RECORD_COUNT_MAX);
    assert_int_equal(bench->record.arrivals, 1);
    assert_int_equal(bench->n[0], INT32_MAX); /* not wrapped around */
    assert_readable(bench);
    bench_free(bench);
}

/* --- servers that do what they should not ------------------------------------------------------------------ */

static void test_an_answer_before_the_request_was_sent(void **state)
{
    struct bench *bench = bench_new(false);
    (void)state;
    begin(bench);
    headers(bench, SENT, 200);
    event(bench, SENT + 10, LAST_TOKEN);
    event(bench, SENT + 20, "[DONE]");
    ended(bench, SENT + 20, TRANSPORT_OK, NULL);
    assert_failure(bench, FAILURE_NONE, "");
    assert_int_equal(bench->record.sent, 5); /* at the latest then */
    assert_int_equal(bench->gaps[0], 10);
    begin(bench);
    feed(bench, SENT, "noise", 5); /* without headers either */
    ended(bench, SENT + 10, TRANSPORT_PROTOCOL, "not HTTP");
    assert_failure(bench, FAILURE_PROTOCOL, "not HTTP");
    assert_int_equal(bench->record.sent, 5);
    assert_int_equal(bench->record.bytes, 5);
    bench_free(bench);
}

/* An endless stream of tokens ends this request, not the run: what is recorded can be written. */
static void test_an_answer_without_end_has_a_ceiling(void **state)
{
    struct bench *bench = bench_new(false);
    struct transfer *transfer = &bench->request->transfer;
    (void)state;
    begin_stream(bench);
    for (int64_t k = 0; k < PLAN_TOKENS_MAX + 2; k++)
        transfer->handler->bytes(transfer, SENT + 20 + k, "data: " TOKEN "\n\n", strlen("data: " TOKEN "\n\n"));
    ended(bench, SENT + 2 * PLAN_TOKENS_MAX, TRANSPORT_CANCELLED, "cancelled");
    assert_failure(bench, FAILURE_PROTOCOL, "the stream holds more tokens than can be asked for");
    assert_int_equal(bench->record.arrivals, PLAN_TOKENS_MAX);
    bench_free(bench);
}

static void test_a_long_error_body_is_not_kept(void **state)
{
    struct bench *bench = bench_new(false);
    char *megabyte = mem_alloc(1 << 20);
    (void)state;
    memset(megabyte, 'x', 1 << 20);
    begin(bench);
    sent(bench, SENT);
    headers(bench, SENT + 10, 500);
    for (int k = 0; k < 10; k++)
        feed(bench, SENT + 20 + k, megabyte, 1 << 20);
    assert_true(bench->request->error_body.len <= REQUEST_ERROR_BODY_MAX);
    ended(bench, SENT + 100, TRANSPORT_OK, NULL);
    assert_failure(bench, FAILURE_HTTP_5XX, NULL);
    assert_int_equal(bench->record.bytes, 10 << 20);
    assert_true(strlen(bench->request->message) > 100);
    free(megabyte);
    bench_free(bench);
}

static void test_an_event_without_end_has_a_ceiling(void **state)
{
    struct bench *bench = bench_new(false);
    char *megabyte = mem_alloc(1 << 20);
    (void)state;
    memset(megabyte, 'x', 1 << 20);
    begin_stream(bench);
    feed(bench, SENT + 20, "data: ", 6);
    for (int k = 0; k < 10; k++) {
        feed(bench, SENT + 30 + k, megabyte, 1 << 20);
        assert_int_equal(bench->hopeless, k >= 4); /* told once */
    }
    ended(bench, SENT + 100, TRANSPORT_CANCELLED, "cancelled");
    assert_failure(bench, FAILURE_PROTOCOL, "an event of the stream is larger than 4194304 bytes");
    assert_int_equal(bench->record.bytes, (10 << 20) + 6);
    free(megabyte);
    bench_free(bench);
}

/* --- cut anywhere --------------------------------------------------------------------------------------------- */

static void play(struct bench *bench, const struct buf *body, size_t cut, size_t piece)
{
    begin_stream(bench);
    if (cut > 0)
        feed(bench, SENT + 20, body->data, cut);
    for (size_t at = cut; at < body->len; at += piece)
        feed(bench, SENT + 20, body->data + at, body->len - at < piece ? body->len - at : piece);
    ended(bench, SENT + 30, TRANSPORT_OK, NULL);
}

static struct buf line_of(const struct bench *bench)
{
    struct buf line = BUF_INIT(1 << 16);
    record_append_json(&bench->record, &line);
    buf_printf(&line, " %d \"%s\"", bench->n[0], bench->request->message);
    return line;
}

static void assert_same(const struct bench *bench, const struct buf *expected, size_t cut)
{
    struct buf line = line_of(bench);
    if (strcmp(line.data, expected->data) != 0)
        fail_msg("cut at byte %zu: %s instead of %s", cut, line.data, expected->data);
    buf_free(&line);
}

/* All bytes have one time stamp, so wherever the stream is cut the record is the same to the last byte. */
static void test_the_cut_changes_nothing(void **state)
{
    static const char *const captures[] = {
        "tests/data/wire/vllm/cmpl-stream-contusage.raw",
        "tests/data/wire/vllm/chat-stream-tokids.raw",
        "tests/data/wire/vllm-v3/interval4-stream.raw",
        "tests/data/wire/vllm-faults/enginecore-kill9.raw",
        "tests/data/wire/vllm-faults/client-disconnect.raw",
        "tests/data/wire/llamacpp/chat-stream-usage.raw",
    };
    (void)state;
    for (size_t k = 0; k < sizeof captures / sizeof captures[0]; k++) {
        struct buf body = capture_read_body(captures[k], NULL);
        struct bench *bench = bench_new(strstr(captures[k], "contusage") != NULL);
        play(bench, &body, 0, body.len);
        struct buf expected = line_of(bench);
        assert_true(bench->record.chunks > 4);
        for (size_t cut = 1; cut < body.len; cut++) {
            play(bench, &body, cut, body.len);
            assert_same(bench, &expected, cut);
        }
        play(bench, &body, 0, 1);
        assert_same(bench, &expected, 0);
        buf_free(&expected);
        buf_free(&body);
        bench_free(bench);
    }
}

/* Cut off instead: never more tokens than the whole has, never ok before its end was seen. */
static void test_what_is_missing_is_missed(void **state)
{
    struct buf body = capture_read_body("tests/data/wire/vllm/cmpl-stream-contusage.raw", NULL);
    struct bench *bench = bench_new(true);
    (void)state;
    play(bench, &body, 0, body.len);
    assert_failure(bench, FAILURE_NONE, "");
    int64_t whole = bench->record.output_tokens, before = 0;
    const char *finish = strstr(body.data, "\"finish_reason\":\"length\"");
    assert_non_null(finish);
    size_t seen = (size_t)(strstr(finish, "\n\n") + 2 - body.data);
    for (size_t length = 1; length < body.len; length++) {
        begin_stream(bench);
        feed(bench, SENT + 20, body.data, length);
        ended(bench, SENT + 30, TRANSPORT_OK, NULL);
        assert_int_equal(bench->record.outcome == OUTCOME_OK, length >= seen);
        int64_t tokens = bench->record.output_tokens < 0 ? 0 : bench->record.output_tokens;
        assert_true(tokens >= before && tokens <= whole);
        before = tokens;
    }
    assert_int_equal(before, whole);
    buf_free(&body);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_count_from_the_anchor),
        cmocka_unit_test(test_sent_again_counts_as_reconnected),
        cmocka_unit_test(test_a_request_is_used_again_without_a_trace),
        cmocka_unit_test(test_how_a_stream_is_judged),
        cmocka_unit_test(test_the_first_done_is_the_end),
        cmocka_unit_test(test_how_a_status_is_judged),
        cmocka_unit_test(test_each_result_of_the_transport_has_its_failure),
        cmocka_unit_test(test_one_time_stamp_is_one_arrival),
        cmocka_unit_test(test_tokens_of_chunks),
        cmocka_unit_test(test_a_liar_with_many_chunks_stays_within_a_record),
        cmocka_unit_test(test_an_answer_before_the_request_was_sent),
        cmocka_unit_test(test_an_answer_without_end_has_a_ceiling),
        cmocka_unit_test(test_a_long_error_body_is_not_kept),
        cmocka_unit_test(test_an_event_without_end_has_a_ceiling),
        cmocka_unit_test(test_the_cut_changes_nothing),
        cmocka_unit_test(test_what_is_missing_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
