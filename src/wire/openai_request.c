#include "wire/openai_request.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"

#define ID_TEXT_MAX 12 /* "-2147483648," */

static void write_text_member(struct buf *out, const char *key, const char *text, size_t length)
{
    buf_printf(out, "\"%s\":", key);
    json_append_quoted(out, text, length);
}

static void write_true(struct buf *out, const char *key, bool wanted)
{
    if (wanted)
        buf_printf(out, ",\"%s\":true", key);
}

/* Digits and a comma behind `at`; returns the length. printf would be most of the cost of a body. */
static size_t format_id(char *at, int32_t id)
{
    char digits[ID_TEXT_MAX];
    size_t count = 0, length = 0;
    uint32_t rest = id < 0 ? 0 - (uint32_t)id : (uint32_t)id;
    do
        digits[count++] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (id < 0)
        at[length++] = '-';
    while (count > 0)
        at[length++] = digits[--count];
    at[length++] = ',';
    return length;
}

static void write_token_ids(struct buf *out, const int32_t *ids, size_t count)
{
    char block[1024];
    size_t used = 0;
    buf_append_text(out, "\"prompt\":[");
    for (size_t i = 0; i < count; i++) {
        if (used + ID_TEXT_MAX > sizeof block) {
            buf_append(out, block, used);
            used = 0;
        }
        used += format_id(block + used, ids[i]);
    }
    if (used > 0)
        buf_append(out, block, used - 1); /* without the last comma */
    buf_append_char(out, ']');
}

static void write_messages(struct buf *out, const struct openai_request *request)
{
    buf_append_text(out, "\"messages\":[{\"role\":\"user\",");
    write_text_member(out, "content", request->text, request->text_length);
    buf_append_text(out, "}]");
}

static void write_prompt(struct buf *out, const struct openai_request *request)
{
    if (request->member)
        buf_append(out, request->member, request->member_length);
    else if (request->chat)
        write_messages(out, request);
    else if (request->token_ids)
        write_token_ids(out, request->token_ids, request->token_count);
    else
        write_text_member(out, "prompt", request->text, request->text_length);
}

/* vLLM answers 400 to stream_options without stream. */
static void write_streaming(struct buf *out, const struct openai_request *request)
{
    write_true(out, "stream", request->stream);
    if (!request->stream || !request->include_usage)
        return;
    buf_append_text(out, ",\"stream_options\":{\"include_usage\":true");
    write_true(out, "continuous_usage_stats", request->continuous_usage);
    buf_append_char(out, '}');
}

int openai_request_write(const struct openai_request *request, struct buf *out)
{
    bool overflowed = out->overflowed;
    out->overflowed = false;
    buf_append_char(out, '{');
    write_text_member(out, "model", request->model, strlen(request->model));
    buf_append_char(out, ',');
    write_prompt(out, request);
    if (request->max_tokens > 0)
        buf_printf(out, ",\"%s\":%" PRId64, request->max_completion_tokens ? "max_completion_tokens" : "max_tokens", request->max_tokens);
    write_true(out, "ignore_eos", request->ignore_eos);
    write_streaming(out, request);
    if (request->no_prompt_cache)
        buf_append_text(out, ",\"cache_prompt\":false");
    buf_append_char(out, '}');
    int result = out->overflowed ? -1 : 0;
    out->overflowed = out->overflowed || overflowed;
    return result;
}
