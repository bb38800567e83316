/* One pass over a chunk, no allocation. Whatever is not plainly what vLLM and llama.cpp send - a key that is
 * escaped or given twice, a value of another type, an error, broken JSON - makes it give up (false) and jansson decides.
 * It must never accept what jansson, with the flags of openai.c, would refuse. */
#include <string.h>

#include "wire/openai_chunk.h"
#include "wire/scan.h"

#define COUNT_DIGITS_MAX 15 /* below OPENAI_COUNT_MAX */

_Static_assert(SCAN_DEPTH_MAX + 8 < OPENAI_DEPTH_MAX, "what the scanner skips must not be too deep for jansson");

/* jansson takes the last of two equal keys; the scanner cannot take back. */
static bool mark_seen(unsigned *seen, unsigned bit)
{
    bool first = (*seen & bit) == 0;
    *seen |= bit;
    return first;
}

static bool count_element(struct scan_cursor *cursor, void *context)
{
    int64_t *count = context;
    ++*count;
    return scan_skip_value(cursor);
}

/* The length of an array; null: *count stays. */
static bool take_array_length(struct scan_cursor *cursor, int64_t *count)
{
    if (scan_take_null(cursor))
        return true;
    *count = 0;
    return scan_each_element(cursor, count_element, count);
}

static bool take_count(struct scan_cursor *cursor, int64_t *count)
{
    if (scan_take_null(cursor))
        return true;
    const unsigned char *start = cursor->at;
    size_t digits = scan_skip_digits(cursor);
    if (digits == 0 || digits > COUNT_DIGITS_MAX || (digits > 1 && *start == '0') || scan_is_any(cursor, '.', '.') ||
        scan_is_any(cursor, 'e', 'E'))
        return false;
    *count = 0;
    for (const unsigned char *digit = start; digit < cursor->at; digit++)
        *count = *count * 10 + (*digit - '0');
    return true;
}

static bool take_text(struct scan_cursor *cursor, struct openai_choice *choice)
{
    struct scan_span text;
    if (scan_take_null(cursor))
        return true;
    if (!scan_take_string(cursor, &text))
        return false;
    choice->text = true;
    choice->text_filled = choice->text_filled || text.length > 0;
    return true;
}

/* --- the chunk --- */

struct choice_scan {
    struct openai_choice facts;
    struct openai_chunk *chunk;
    unsigned seen, delta_seen;
};

static bool take_tool_calls(struct scan_cursor *cursor, struct openai_choice *choice)
{
    int64_t count = 0;
    if (!take_array_length(cursor, &count))
        return false;
    choice->text = choice->text || count > 0;
    choice->text_filled = choice->text_filled || count > 0;
    return true;
}

static bool take_role(struct scan_cursor *cursor, struct openai_choice *choice)
{
    struct scan_span role;
    if (scan_take_null(cursor))
        return true;
    choice->role = true;
    return scan_take_string(cursor, &role);
}

static bool take_delta_member(struct scan_cursor *cursor, struct scan_span key, void *context)
{
    struct choice_scan *scan = context;
    if (SCAN_IS(key, "content"))
        return mark_seen(&scan->delta_seen, 1) && take_text(cursor, &scan->facts);
    if (SCAN_IS(key, "role"))
        return mark_seen(&scan->delta_seen, 2) && take_role(cursor, &scan->facts);
    if (SCAN_IS(key, "reasoning"))
        return mark_seen(&scan->delta_seen, 4) && take_text(cursor, &scan->facts);
    if (SCAN_IS(key, "reasoning_content"))
        return mark_seen(&scan->delta_seen, 8) && take_text(cursor, &scan->facts);
    if (SCAN_IS(key, "tool_calls"))
        return mark_seen(&scan->delta_seen, 16) && take_tool_calls(cursor, &scan->facts);
    return scan_skip_value(cursor);
}

struct logprobs_scan {
    int64_t content, tokens;
    unsigned seen;
};

static bool take_logprobs_member(struct scan_cursor *cursor, struct scan_span key, void *context)
{
    struct logprobs_scan *scan = context;
    if (SCAN_IS(key, "content"))
        return mark_seen(&scan->seen, 1) && take_array_length(cursor, &scan->content);
    if (SCAN_IS(key, "tokens"))
        return mark_seen(&scan->seen, 2) && take_array_length(cursor, &scan->tokens);
    return scan_skip_value(cursor);
}

static bool take_logprobs(struct scan_cursor *cursor, int64_t *count)
{
    struct logprobs_scan scan = {-1, -1, 0};
    if (scan_take_null(cursor))
        return true;
    if (!scan_each_member(cursor, take_logprobs_member, &scan))
        return false;
    *count = scan.content >= 0 ? scan.content : scan.tokens;
    return true;
}

static bool take_finish_reason(struct scan_cursor *cursor, struct choice_scan *scan)
{
    struct scan_span reason;
    if (scan_take_null(cursor))
        return true;
    if (!scan_take_string(cursor, &reason) || reason.escaped)
        return false;
    scan->facts.finished = reason.length > 0;
    if (scan->facts.finished)
        openai_copy_line(scan->chunk->finish_reason, sizeof scan->chunk->finish_reason, reason.bytes, reason.length);
    return true;
}

static bool take_choice_member(struct scan_cursor *cursor, struct scan_span key, void *context)
{
    struct choice_scan *scan = context;
    if (SCAN_IS(key, "text"))
        return mark_seen(&scan->seen, 1) && take_text(cursor, &scan->facts);
    if (SCAN_IS(key, "delta"))
        return mark_seen(&scan->seen, 2) && (scan_take_null(cursor) || scan_each_member(cursor, take_delta_member, scan));
    if (SCAN_IS(key, "token_ids"))
        return mark_seen(&scan->seen, 4) && take_array_length(cursor, &scan->facts.token_ids);
    if (SCAN_IS(key, "logprobs"))
        return mark_seen(&scan->seen, 8) && take_logprobs(cursor, &scan->facts.logprobs);
    if (SCAN_IS(key, "finish_reason"))
        return mark_seen(&scan->seen, 16) && take_finish_reason(cursor, scan);
    if (SCAN_IS(key, "message")) /* no chunk: a whole response */
        return false;
    if (SCAN_IS(key, "stop_reason"))
        scan->facts.stop_reason = true;
    return scan_skip_value(cursor);
}

static bool take_choice(struct scan_cursor *cursor, void *context)
{
    struct choice_scan scan = {.chunk = context};
    openai_choice_clear(&scan.facts);
    if (!scan_each_member(cursor, take_choice_member, &scan))
        return false;
    openai_chunk_add_choice(scan.chunk, &scan.facts, false);
    return true;
}

enum { SEEN_CHOICES = 1, SEEN_USAGE = 2, SEEN_OBJECT = 4, SEEN_ERROR = 8, SEEN_PROGRESS = 16 };

struct chunk_scan {
    struct openai_chunk *chunk;
    struct openai_prefix *prefix; /* NULL: none */
    const char *start;
    unsigned seen, usage_seen, details_seen;
};

static bool take_details_member(struct scan_cursor *cursor, struct scan_span key, void *context)
{
    struct chunk_scan *scan = context;
    if (SCAN_IS(key, "cached_tokens"))
        return mark_seen(&scan->details_seen, 1) && take_count(cursor, &scan->chunk->cached_tokens);
    return scan_skip_value(cursor);
}

static bool take_usage_member(struct scan_cursor *cursor, struct scan_span key, void *context)
{
    struct chunk_scan *scan = context;
    if (SCAN_IS(key, "completion_tokens"))
        return mark_seen(&scan->usage_seen, 1) && take_count(cursor, &scan->chunk->completion_tokens);
    if (SCAN_IS(key, "prompt_tokens"))
        return mark_seen(&scan->usage_seen, 2) && take_count(cursor, &scan->chunk->prompt_tokens);
    if (SCAN_IS(key, "prompt_tokens_details"))
        return mark_seen(&scan->usage_seen, 4) && (scan_take_null(cursor) || scan_each_member(cursor, take_details_member, scan));
    return scan_skip_value(cursor);
}

static bool take_object_name(struct scan_cursor *cursor)
{
    struct scan_span name;
    return scan_take_string(cursor, &name) && !name.escaped && !SCAN_IS(name, "error");
}

/* --- the prefix --- */

/* The cursor is before the value of `choices`. What came before it must have left nothing in the chunk: of all members only usage does.
 * Which keys they were is forgotten: one of them given again counts as the later one, which is jansson's rule. */
static void keep_prefix(struct chunk_scan *scan, const struct scan_cursor *cursor)
{
    struct openai_prefix *prefix = scan->prefix;
    size_t length = (size_t)((const char *)cursor->at - scan->start);
    if (!prefix || length > sizeof prefix->bytes || (scan->seen & SEEN_USAGE) != 0)
        return;
    memcpy(prefix->bytes, scan->start, length);
    prefix->length = length;
}

static bool begins_as_before(const struct openai_prefix *prefix, const char *data, size_t length)
{
    return prefix && prefix->length > 0 && length > prefix->length && memcmp(data, prefix->bytes, prefix->length) == 0;
}

/* --- the whole --- */

static bool take_choices(struct scan_cursor *cursor, struct chunk_scan *scan)
{
    return mark_seen(&scan->seen, SEEN_CHOICES) && scan_each_element(cursor, take_choice, scan->chunk);
}

static bool take_chunk_member(struct scan_cursor *cursor, struct scan_span key, void *context)
{
    struct chunk_scan *scan = context;
    if (SCAN_IS(key, "choices")) {
        keep_prefix(scan, cursor);
        return take_choices(cursor, scan);
    }
    if (SCAN_IS(key, "usage"))
        return mark_seen(&scan->seen, SEEN_USAGE) && (scan_take_null(cursor) || scan_each_member(cursor, take_usage_member, scan));
    if (SCAN_IS(key, "object"))
        return mark_seen(&scan->seen, SEEN_OBJECT) && take_object_name(cursor);
    if (SCAN_IS(key, "error"))
        return mark_seen(&scan->seen, SEEN_ERROR) && scan_take_null(cursor);
    if (SCAN_IS(key, "prompt_progress"))
        return mark_seen(&scan->seen, SEEN_PROGRESS) && scan_take_null(cursor);
    return scan_skip_value(cursor);
}

static bool take_document(struct scan_cursor *cursor, size_t length, struct chunk_scan *scan)
{
    if (!begins_as_before(scan->prefix, scan->start, length))
        return scan_each_member(cursor, take_chunk_member, scan);
    cursor->at += scan->prefix->length;
    return take_choices(cursor, scan) && scan_more_members(cursor, take_chunk_member, scan);
}

int openai_scan_chunk(struct openai_prefix *prefix, const char *data, size_t length, struct openai_chunk *chunk)
{
    struct scan_cursor cursor = {(const unsigned char *)data, (const unsigned char *)data + length};
    struct chunk_scan scan = {.chunk = chunk, .prefix = prefix, .start = data};
    openai_chunk_clear(chunk);
    if (!take_document(&cursor, length, &scan))
        return -1;
    scan_skip_blank(&cursor);
    return cursor.at == cursor.end ? 0 : -1;
}
