#include "record/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const char *const outcome_names[] = {[OUTCOME_OK] = "ok", [OUTCOME_ERROR] = "error", [OUTCOME_INCOMPLETE] = "incomplete"};

enum blame { BLAME_NOBODY, BLAME_SERVER, BLAME_CLIENT };

static const struct {
    const char *name;
    enum blame blame;
} failures[FAILURE_COUNT] = {
    [FAILURE_NONE] = {"", BLAME_NOBODY},
    [FAILURE_DNS] = {"dns", BLAME_CLIENT},
    [FAILURE_LOCAL] = {"local", BLAME_CLIENT},
    [FAILURE_CONNECT] = {"connect", BLAME_SERVER},
    [FAILURE_TLS] = {"tls", BLAME_CLIENT},
    [FAILURE_TIMEOUT] = {"timeout", BLAME_SERVER},
    [FAILURE_STALL] = {"stall", BLAME_SERVER},
    [FAILURE_RESET] = {"reset", BLAME_SERVER},
    [FAILURE_TRUNCATED] = {"truncated", BLAME_SERVER},
    [FAILURE_PROTOCOL] = {"protocol", BLAME_SERVER},
    [FAILURE_HTTP_4XX] = {"http_4xx", BLAME_CLIENT},
    [FAILURE_HTTP_429] = {"http_429", BLAME_SERVER},
    [FAILURE_HTTP_5XX] = {"http_5xx", BLAME_SERVER},
    [FAILURE_ERROR_EVENT] = {"error_event", BLAME_SERVER},
    [FAILURE_CANCELLED] = {"cancelled", BLAME_NOBODY},
};

static const char *const chunk_tokens_names[] = {
    [CHUNK_TOKENS_NONE] = "",
    [CHUNK_TOKENS_EXACT] = "exact",
    [CHUNK_TOKENS_INFERRED] = "inferred",
    [CHUNK_TOKENS_COUNTED] = "counted",
};

const char *outcome_name(enum outcome outcome)
{
    return outcome_names[outcome];
}

const char *failure_name(enum failure failure)
{
    return failures[failure].name;
}

const char *chunk_tokens_name(enum chunk_tokens how)
{
    return chunk_tokens_names[how];
}

bool failure_by_server(enum failure failure)
{
    return failures[failure].blame == BLAME_SERVER;
}

bool failure_by_client(enum failure failure)
{
    return failures[failure].blame == BLAME_CLIENT;
}

struct record record_empty(void)
{
    return (struct record){
        .stream = -1,
        .intended = TIME_NEVER,
        .sent = TIME_NEVER,
        .connected = TIME_NEVER,
        .headers = TIME_NEVER,
        .first_token = TIME_NEVER,
        .last_token = TIME_NEVER,
        .end = TIME_NEVER,
        .outcome = OUTCOME_INCOMPLETE,
        .prompt_tokens = -1,
        .output_tokens = -1,
        .cached_tokens = -1,
        .conversation = -1,
        .turn = -1,
        .first_tokens = -1,
    };
}

/* By hand, since printf would be most of the time that a record takes. */
static void append_integer(struct buf *out, int64_t number)
{
    char digits[21];
    char *end = digits + sizeof digits, *begin = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        *--begin = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--begin = '-';
    buf_append(out, begin, (size_t)(end - begin));
}

void record_format_id(const struct record *record, char id[RECORD_ID_SIZE])
{
    snprintf(id, RECORD_ID_SIZE, "%d.%d.%" PRId64, record->level, record->repeat, record->i);
}

/* Digits up to `end` or the first other character; at least one; no larger than max. */
static const char *parse_digits(const char *text, const char *end, int64_t max, int64_t *number)
{
    int64_t value = 0;
    const char *at = text;

    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value) || value > max)
            return NULL;
    }
    *number = value;
    return at > text ? at : NULL;
}

int record_parse_id(const char *id, size_t length, int *level, int *repeat, int64_t *i)
{
    const char *end = id + length;
    int64_t parts[3];
    const int64_t max[3] = {INT32_MAX, INT32_MAX, INT64_MAX};

    for (int k = 0; k < 3; k++) {
        if (k > 0 && (id == end || *id++ != '.'))
            return -1;
        id = parse_digits(id, end, max[k], &parts[k]);
        if (!id)
            return -1;
    }
    if (id != end)
        return -1;
    *level = (int)parts[0];
    *repeat = (int)parts[1];
    *i = parts[2];
    return 0;
}

static void append_key(struct buf *out, const char *key)
{
    buf_append_text(out, ",\"");
    buf_append_text(out, key);
    buf_append(out, "\":", 2);
}

static void append_member(struct buf *out, const char *key, int64_t number)
{
    append_key(out, key);
    append_integer(out, number);
}

static void append_time(struct buf *out, const char *key, int64_t time)
{
    if (time != TIME_NEVER)
        append_member(out, key, time);
}

static void append_count(struct buf *out, const char *key, int64_t count)
{
    if (count >= 0)
        append_member(out, key, count);
}

/* A name of ours: nothing in it needs an escape. */
static void append_name(struct buf *out, const char *key, const char *name)
{
    if (!*name)
        return;
    append_key(out, key);
    buf_append_char(out, '"');
    buf_append_text(out, name);
    buf_append_char(out, '"');
}

void record_append_json(const struct record *record, struct buf *out)
{
    char id[RECORD_ID_SIZE];

    record_format_id(record, id);
    buf_append_text(out, "{\"id\":\"");
    buf_append_text(out, id);
    buf_append_char(out, '"');
    append_member(out, "level", record->level);
    append_member(out, "repeat", record->repeat);
    append_member(out, "shard", record->shard);
    append_count(out, "stream", record->stream);
    append_member(out, "i", record->i);
    append_time(out, "intended", record->intended);
    append_time(out, "sent", record->sent);
    append_time(out, "connected", record->connected);
    append_time(out, "headers", record->headers);
    append_time(out, "first_token", record->first_token);
    append_time(out, "last_token", record->last_token);
    append_time(out, "end", record->end);
    if (record->status > 0)
        append_member(out, "status", record->status);
    append_name(out, "outcome", outcome_name(record->outcome));
    append_name(out, "error", failure_name(record->failure));
    append_count(out, "prompt_tokens", record->prompt_tokens);
    append_count(out, "output_tokens", record->output_tokens);
    append_count(out, "cached_tokens", record->cached_tokens);
    append_count(out, "chunks", record->chunks);
    append_count(out, "arrivals", record->arrivals);
    append_count(out, "coalesced", record->coalesced);
    append_count(out, "first_tokens", record->first_tokens);
    append_name(out, "chunk_tokens", chunk_tokens_name(record->chunk_tokens));
    if (*record->finish_reason) {
        append_key(out, "finish_reason");
        json_append_quoted(out, record->finish_reason, strnlen(record->finish_reason, sizeof record->finish_reason));
    }
    append_count(out, "bytes", record->bytes);
    append_key(out, "reused");
    buf_append_text(out, record->reused ? "true" : "false");
    append_member(out, "reconnected", record->reconnected);
    append_member(out, "target", record->target);
    append_count(out, "conversation", record->conversation);
    append_count(out, "turn", record->turn);
    buf_append_char(out, '}');
}
