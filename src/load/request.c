#include "load/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/plan.h"
#include "record/record_writer.h"
#include "wire/openai.h"

#define STATUS_OK 200
#define STATUS_TOO_MANY_REQUESTS 429
#define STATUS_CLIENT_ERROR 400
#define STATUS_SERVER_ERROR 500
#define STATUS_END 600
#define REQUEST_BODY_CEILING ((size_t)64 << 20)
#define CHUNK_TOKENS_MAX ((int64_t)1 << 24) /* what a lying server can put into one chunk */

_Static_assert(PLAN_TOKENS_MAX <= TOKEN_ARRIVALS_MAX, "what a request may hold can be written");

static struct request *request_of(struct transfer *transfer)
{
    return (struct request *)transfer; /* its first member */
}

/* Nothing comes back before a request was sent. Where the transport did not say so, it was at the latest now. */
static void assume_sent(struct request *request, int64_t time)
{
    if (request->record.sent != TIME_NEVER)
        return;
    request->record.sent = request->last_arrival = time - request->anchor;
}

static void on_sent(struct transfer *transfer, int64_t time, int64_t connected, bool reused)
{
    struct request *request = request_of(transfer);
    struct record *record = &request->record;
    if (record->sent != TIME_NEVER)
        record->reconnected++;
    record->sent = time - request->anchor;
    record->connected = connected == TIME_NEVER ? TIME_NEVER : connected - request->anchor;
    record->reused = reused;
    request->last_arrival = record->sent;
}

static void on_headers(struct transfer *transfer, int64_t time, int status)
{
    struct request *request = request_of(transfer);
    assume_sent(request, time);
    request->record.headers = time - request->anchor;
    request->record.status = status;
}

/* What came with the same time stamp is one arrival: nothing can be said about gaps inside it. */
static void add_arrival(struct request *request, int64_t n)
{
    struct record *record = &request->record;
    int64_t time = request->now;
    if (record->arrivals > 0 && time == request->last_arrival) {
        if (__builtin_add_overflow(request->n[record->arrivals - 1], (int32_t)n, &request->n[record->arrivals - 1]))
            request->n[record->arrivals - 1] = INT32_MAX;
        record->coalesced++;
    } else {
        size_t k = (size_t)record->arrivals;
        MEM_GROW(request->gaps, request->gap_capacity, k + 1);
        MEM_GROW(request->n, request->n_capacity, k + 1);
        request->gaps[k] = time - request->last_arrival;
        request->n[k] = (int32_t)n;
        record->arrivals++;
        request->last_arrival = time;
    }
    if (record->first_token == TIME_NEVER)
        record->first_token = time;
    record->last_token = time;
    if (record->arrivals == 1)
        record->first_tokens = request->n[0];
    request->counted += n;
    request->tokens(request->context, request, n, time + request->anchor);
}

/* From 0 to what one chunk and one record can hold. */
static int64_t bounded(const struct request *request, int64_t n)
{
    int64_t room = RECORD_COUNT_MAX - request->counted;
    int64_t most = room < CHUNK_TOKENS_MAX ? room : CHUNK_TOKENS_MAX;
    return n < 0 ? 0 : n > most ? most : n;
}

/* The tokens of a chunk, in the order of trust of docs/metrics.md; *exact: the server said so. */
static int64_t chunk_token_count(const struct request *request, const struct openai_chunk *chunk, bool *exact)
{
    *exact = true;
    if (request->continuous_usage && chunk->completion_tokens > request->counted)
        return bounded(request, chunk->completion_tokens - request->counted);
    if (chunk->token_ids >= 0)
        return bounded(request, chunk->token_ids);
    *exact = false;
    /* llama.cpp's last chunk repeats the total beside an empty text that may or may not be a token. Beside a text that is there,
     * a total that stands still (0 until the end, with some servers) says nothing. */
    if (chunk->text_empty && chunk->completion_tokens >= 0)
        return chunk->completion_tokens > request->counted;
    return bounded(request, 1);
}

/* More than a record can say is no count. */
static bool is_count(int64_t tokens)
{
    return tokens >= 0 && tokens <= RECORD_COUNT_MAX;
}

static void take_usage(struct request *request, const struct openai_chunk *chunk)
{
    struct record *record = &request->record;
    if (is_count(chunk->prompt_tokens))
        record->prompt_tokens = chunk->prompt_tokens;
    if (is_count(chunk->cached_tokens))
        record->cached_tokens = chunk->cached_tokens;
    if (is_count(chunk->completion_tokens)) {
        record->output_tokens = chunk->completion_tokens;
        request->final_usage = true;
    }
}

static int break_off(struct request *request, const char *message)
{
    request->broken = true;
    snprintf(request->message, sizeof request->message, "%s", message);
    return 1;
}

static int on_event(void *context, const char *data, size_t length)
{
    struct request *request = context;
    struct record *record = &request->record;
    MEM_UNINITIALIZED struct openai_chunk chunk;
    if (request->done)
        return 0;
    if (openai_chunk_read_next(&request->prefix, data, length, &chunk) < 0)
        return break_off(request, "an event of the stream is no JSON object");
    if (chunk.done) {
        request->done = true;
        record->end = request->now;
        return 0;
    }
    record->chunks++;
    if (chunk.error) {
        request->error_event = true;
        snprintf(request->message, sizeof request->message, "%s", chunk.message);
        return 0;
    }
    if (chunk.token) {
        bool exact;
        int64_t n = chunk_token_count(request, &chunk, &exact);
        if (n > 0) {
            if (record->arrivals == PLAN_TOKENS_MAX && request->now != request->last_arrival)
                return break_off(request, "the stream holds more tokens than can be asked for");
            add_arrival(request, n);
            request->all_exact = request->all_exact && exact;
        }
    }
    take_usage(request, &chunk);
    if (chunk.finish_reason[0]) {
        request->finish_seen = true;
        memcpy(record->finish_reason, chunk.finish_reason, sizeof record->finish_reason);
    }
    return 0;
}

static void on_bytes(struct transfer *transfer, int64_t time, const char *bytes, size_t length)
{
    struct request *request = request_of(transfer);
    struct record *record = &request->record;
    assume_sent(request, time);
    record->bytes += (int64_t)length;
    if (record->status != STATUS_OK) {
        size_t room = REQUEST_ERROR_BODY_MAX - request->error_body.len;
        buf_append(&request->error_body, bytes, length < room ? length : room);
        return;
    }
    if (request->done || request->broken)
        return;
    request->now = time - request->anchor;
    if (sse_feed(&request->sse, bytes, length) == -1 && !request->broken) {
        request->broken = true;
        snprintf(request->message, sizeof request->message, "an event of the stream is larger than %zu bytes", SSE_EVENT_MAX);
    }
    if (request->broken)
        request->hopeless(request->context, request);
}

static enum failure failure_of_transport(enum transport_result result)
{
    switch (result) {
    case TRANSPORT_OK: return FAILURE_NONE;
    case TRANSPORT_DNS: return FAILURE_DNS;
    case TRANSPORT_LOCAL: return FAILURE_LOCAL;
    case TRANSPORT_CONNECT: return FAILURE_CONNECT;
    case TRANSPORT_TLS: return FAILURE_TLS;
    case TRANSPORT_TIMEOUT: return FAILURE_TIMEOUT;
    case TRANSPORT_STALL: return FAILURE_STALL;
    case TRANSPORT_RESET: return FAILURE_RESET;
    case TRANSPORT_TRUNCATED: return FAILURE_TRUNCATED;
    case TRANSPORT_PROTOCOL: return FAILURE_PROTOCOL;
    case TRANSPORT_CANCELLED: return FAILURE_CANCELLED;
    }
    return FAILURE_PROTOCOL;
}

static enum failure failure_of_status(int status)
{
    if (status == STATUS_TOO_MANY_REQUESTS)
        return FAILURE_HTTP_429;
    if (status >= STATUS_CLIENT_ERROR && status < STATUS_SERVER_ERROR)
        return FAILURE_HTTP_4XX;
    if (status >= STATUS_SERVER_ERROR && status < STATUS_END)
        return FAILURE_HTTP_5XX;
    return FAILURE_PROTOCOL;
}

static void fail_with(struct request *request, const char *message)
{
    if (!request->message[0])
        snprintf(request->message, sizeof request->message, "%s", message);
}

static enum failure judge(struct request *request, enum transport_result result, const char *message)
{
    const struct record *record = &request->record;
    if (request->error_event)
        return FAILURE_ERROR_EVENT;
    if (request->broken)
        return FAILURE_PROTOCOL;
    if (request->done && (record->arrivals > 0 || request->final_usage))
        return FAILURE_NONE;
    if (result == TRANSPORT_CANCELLED || (result != TRANSPORT_OK && record->status < STATUS_CLIENT_ERROR)) {
        fail_with(request, message ? message : "");
        return failure_of_transport(result);
    }
    if (record->status != STATUS_OK) {
        openai_error_message(buf_text(&request->error_body), request->error_body.len, request->message, sizeof request->message);
        fail_with(request, message ? message : "");
        return failure_of_status(record->status);
    }
    if (record->arrivals == 0 && !request->final_usage) {
        fail_with(request, "the answer holds no token and no usage");
        return FAILURE_PROTOCOL;
    }
    if (!request->finish_seen) {
        fail_with(request, "the stream ended without [DONE] and without a finish reason");
        return FAILURE_TRUNCATED;
    }
    return FAILURE_NONE;
}

static void settle_tokens(struct request *request)
{
    struct record *record = &request->record;
    if (record->arrivals == 0)
        return;
    if (!request->final_usage)
        record->output_tokens = request->counted;
    if (record->output_tokens != request->counted)
        record->chunk_tokens = CHUNK_TOKENS_INFERRED;
    else
        record->chunk_tokens = request->all_exact ? CHUNK_TOKENS_EXACT : CHUNK_TOKENS_COUNTED;
}

static void on_ended(struct transfer *transfer, int64_t time, enum transport_result result, const char *message)
{
    struct request *request = request_of(transfer);
    struct record *record = &request->record;
    if (!request->done)
        record->end = time - request->anchor;
    record->failure = judge(request, result, message);
    record->outcome = record->failure == FAILURE_NONE        ? OUTCOME_OK
                      : record->failure == FAILURE_CANCELLED ? OUTCOME_INCOMPLETE
                                                             : OUTCOME_ERROR;
    settle_tokens(request);
    request->finished(request->context, request, time);
}

static const struct transfer_handler handler = {
    .sent = on_sent,
    .headers = on_headers,
    .bytes = on_bytes,
    .ended = on_ended,
};

struct request *request_new(request_finished finished, request_tokens tokens, request_hopeless hopeless, void *context, int64_t anchor,
                            bool continuous_usage)
{
    struct request *request = mem_alloc(sizeof *request);
    request->transfer.handler = &handler;
    request->finished = finished;
    request->tokens = tokens;
    request->hopeless = hopeless;
    request->context = context;
    request->anchor = anchor;
    request->continuous_usage = continuous_usage;
    request->body = BUF_INIT(REQUEST_BODY_CEILING);
    request->error_body = BUF_INIT(REQUEST_ERROR_BODY_MAX);
    sse_init(&request->sse, on_event, request);
    return request;
}

void request_free(struct request *request)
{
    if (!request)
        return;
    buf_free(&request->body);
    buf_free(&request->error_body);
    sse_free(&request->sse);
    free(request->gaps);
    free(request->n);
    free(request);
}

void request_begin(struct request *request, int level, int repeat, int stream, int64_t i, int64_t intended, const char *url)
{
    struct record *record = &request->record;
    *record = record_empty();
    record->level = level;
    record->repeat = repeat;
    record->stream = stream;
    record->i = i;
    record->intended = intended;
    record->chunks = record->arrivals = record->coalesced = record->bytes = 0;
    buf_reset(&request->error_body);
    sse_reset(&request->sse);
    request->last_arrival = TIME_NEVER;
    request->counted = 0;
    request->all_exact = true;
    request->final_usage = request->done = request->finish_seen = request->error_event = request->broken = false;
    request->message[0] = '\0';
    request->transfer.url = url;
    request->transfer.body = buf_text(&request->body);
    request->transfer.body_length = request->body.len;
}
