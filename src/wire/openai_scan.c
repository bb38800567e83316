/* One pass over a chunk, no allocation. Whatever is not plainly what vLLM and llama.cpp send - a key that is
 * escaped or given twice, a value of another type, an error, broken JSON - makes it give up (false) and jansson decides.
 * It must never accept what jansson, with the flags of openai.c, would refuse. */
#include <string.h>

#include "wire/openai_chunk.h"

#define SKIP_DEPTH_MAX 32 /* with what is around it below OPENAI_DEPTH_MAX */
#define INTEGER_DIGITS_MAX 200
#define EXPONENT_DIGITS_MAX 2 /* with the former below the largest double: jansson refuses what overflows */
#define COUNT_DIGITS_MAX 15   /* below OPENAI_COUNT_MAX */

_Static_assert(SKIP_DEPTH_MAX + 8 < OPENAI_DEPTH_MAX, "what the scanner skips must not be too deep for jansson");

struct cursor {
    const unsigned char *at, *end;
};

/* What stands between two quotes, not unescaped. */
struct span {
    const char *bytes;
    size_t length;
    bool escaped;
};

/* Each sees the value at the cursor and must step behind it. */
typedef bool (*take_member)(struct cursor *cursor, struct span key, void *context);
typedef bool (*take_element)(struct cursor *cursor, void *context);

static bool span_is(struct span span, const char *text, size_t length)
{
    return span.length == length && memcmp(span.bytes, text, length) == 0;
}
#define SPAN_IS(span, literal) span_is((span), (literal), sizeof(literal) - 1)

/* jansson takes the last of two equal keys; the scanner cannot take back. */
static bool mark_seen(unsigned *seen, unsigned bit)
{
    bool first = (*seen & bit) == 0;
    *seen |= bit;
    return first;
}

/* --- white space, literals, numbers --- */

static void skip_blank(struct cursor *cursor)
{
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\t' || *cursor->at == '\r'))
        cursor->at++;
}

/* The next byte that is not blank; 0 at the end. */
static unsigned char peek(struct cursor *cursor)
{
    skip_blank(cursor);
    return cursor->at < cursor->end ? *cursor->at : 0;
}

static bool take_byte(struct cursor *cursor, unsigned char byte)
{
    if (peek(cursor) != byte)
        return false;
    cursor->at++;
    return true;
}

static bool take_literal(struct cursor *cursor, const char *text, size_t length)
{
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, text, length) != 0)
        return false;
    cursor->at += length;
    return true;
}
#define TAKE_LITERAL(cursor, literal) take_literal((cursor), (literal), sizeof(literal) - 1)

static bool take_null(struct cursor *cursor)
{
    skip_blank(cursor);
    return TAKE_LITERAL(cursor, "null");
}

static size_t skip_digits(struct cursor *cursor)
{
    const unsigned char *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
        cursor->at++;
    return (size_t)(cursor->at - start);
}

static bool at_any(const struct cursor *cursor, char one, char other)
{
    return cursor->at < cursor->end && (*cursor->at == (unsigned char)one || *cursor->at == (unsigned char)other);
}

static bool skip_number(struct cursor *cursor)
{
    if (at_any(cursor, '-', '-'))
        cursor->at++;
    bool zero = at_any(cursor, '0', '0');
    size_t digits = skip_digits(cursor);
    if (digits == 0 || digits > INTEGER_DIGITS_MAX || (zero && digits > 1))
        return false;
    if (at_any(cursor, '.', '.')) {
        cursor->at++;
        if (skip_digits(cursor) == 0)
            return false;
    }
    if (at_any(cursor, 'e', 'E')) {
        cursor->at++;
        if (at_any(cursor, '+', '-'))
            cursor->at++;
        digits = skip_digits(cursor);
        return digits > 0 && digits <= EXPONENT_DIGITS_MAX;
    }
    return true;
}

/* --- strings --- */

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes without a quote, a backslash, a control character or a byte beyond ASCII. */
static bool is_plain_word(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t quote = word ^ EACH_BYTE('"'), backslash = word ^ EACH_BYTE('\\');
    uint64_t control = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t found = ((quote - EACH_BYTE(1)) & ~quote) | ((backslash - EACH_BYTE(1)) & ~backslash);
    return ((found | control | word) & EACH_BYTE(0x80)) == 0;
}

static bool is_plain_byte(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static void skip_plain(struct cursor *cursor)
{
    while (cursor->end - cursor->at >= 8 && is_plain_word(cursor->at))
        cursor->at += 8;
    while (cursor->at < cursor->end && is_plain_byte(*cursor->at))
        cursor->at++;
}

/* Four hexadecimal digits; -1: not these. */
static int take_code_unit(struct cursor *cursor)
{
    if (cursor->end - cursor->at < 4)
        return -1;
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = *cursor->at++;
        if (digit >= '0' && digit <= '9')
            digit -= '0';
        else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
            digit = (digit | 0x20) - 'a' + 10;
        else
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Behind the backslash. A NUL is left to jansson, which takes it in values and refuses it in keys. */
static bool skip_escape(struct cursor *cursor)
{
    if (cursor->at == cursor->end)
        return false;
    unsigned char kind = *cursor->at++;
    if (kind != 'u')
        return kind != 0 && strchr("\"\\/bfnrt", kind) != NULL;
    int unit = take_code_unit(cursor);
    if (unit < 0xD800 || unit > 0xDFFF)
        return unit > 0;
    if (unit > 0xDBFF || !TAKE_LITERAL(cursor, "\\u"))
        return false;
    unit = take_code_unit(cursor);
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static bool take_string(struct cursor *cursor, struct span *span)
{
    if (!take_byte(cursor, '"'))
        return false;
    const unsigned char *start = cursor->at;
    span->escaped = false;
    for (;;) {
        skip_plain(cursor);
        if (cursor->at == cursor->end)
            return false;
        if (*cursor->at == '"')
            break;
        if (*cursor->at == '\\') {
            cursor->at++;
            span->escaped = true;
            if (!skip_escape(cursor))
                return false;
        } else {
            size_t size = *cursor->at < 0x80 ? 0 : openai_character(cursor->at, (size_t)(cursor->end - cursor->at));
            if (size == 0)
                return false;
            cursor->at += size;
        }
    }
    span->bytes = (const char *)start;
    span->length = (size_t)(cursor->at++ - start);
    return true;
}

static bool take_key(struct cursor *cursor, struct span *key)
{
    return take_string(cursor, key) && take_byte(cursor, ':');
}

/* --- values that nobody asks for --- */

static bool skip_scalar(struct cursor *cursor)
{
    struct span ignored;
    switch (peek(cursor)) {
    case '"':
        return take_string(cursor, &ignored);
    case 'n':
        return TAKE_LITERAL(cursor, "null");
    case 't':
        return TAKE_LITERAL(cursor, "true");
    case 'f':
        return TAKE_LITERAL(cursor, "false");
    default:
        return skip_number(cursor);
    }
}

/* The containers that are open around the cursor: a bit each, 1 for an object. */
struct nesting {
    uint32_t objects;
    int depth;
};

static bool in_object(const struct nesting *nesting)
{
    return (nesting->objects & 1) != 0;
}

static bool close_container(struct cursor *cursor, struct nesting *nesting)
{
    if (!take_byte(cursor, in_object(nesting) ? '}' : ']'))
        return false;
    nesting->objects >>= 1;
    nesting->depth--;
    return true;
}

/* Steps into the container at the cursor, up to its first value if it has one (*empty: it has none and is closed again). */
static bool open_container(struct cursor *cursor, struct nesting *nesting, bool *empty)
{
    struct span key;
    if (nesting->depth == SKIP_DEPTH_MAX)
        return false;
    nesting->objects = (nesting->objects << 1) | (*cursor->at++ == '{' ? 1 : 0);
    nesting->depth++;
    *empty = close_container(cursor, nesting);
    return *empty || !in_object(nesting) || take_key(cursor, &key);
}

/* Behind a value: closes what ends here and steps to the next value, if there is one. */
static bool next_value(struct cursor *cursor, struct nesting *nesting)
{
    struct span key;
    while (nesting->depth > 0) {
        if (take_byte(cursor, ','))
            return !in_object(nesting) || take_key(cursor, &key);
        if (!close_container(cursor, nesting))
            return false;
    }
    return true;
}

static bool skip_value(struct cursor *cursor)
{
    struct nesting nesting = {0, 0};
    do {
        unsigned char first = peek(cursor);
        bool empty = false;
        if (first != '{' && first != '[') {
            if (!skip_scalar(cursor))
                return false;
        } else {
            if (!open_container(cursor, &nesting, &empty))
                return false;
            if (!empty)
                continue;
        }
        if (!next_value(cursor, &nesting))
            return false;
    } while (nesting.depth > 0);
    return true;
}

/* --- values that are looked at --- */

static bool each_member(struct cursor *cursor, take_member take, void *context)
{
    if (!take_byte(cursor, '{'))
        return false;
    if (take_byte(cursor, '}'))
        return true;
    do {
        struct span key;
        if (!take_key(cursor, &key) || key.escaped || !take(cursor, key, context))
            return false;
    } while (take_byte(cursor, ','));
    return take_byte(cursor, '}');
}

static bool each_element(struct cursor *cursor, take_element take, void *context)
{
    if (!take_byte(cursor, '['))
        return false;
    if (take_byte(cursor, ']'))
        return true;
    do {
        if (!take(cursor, context))
            return false;
    } while (take_byte(cursor, ','));
    return take_byte(cursor, ']');
}

static bool count_element(struct cursor *cursor, void *context)
{
    int64_t *count = context;
    ++*count;
    return skip_value(cursor);
}

/* The length of an array; null: *count stays. */
static bool take_array_length(struct cursor *cursor, int64_t *count)
{
    if (take_null(cursor))
        return true;
    *count = 0;
    return each_element(cursor, count_element, count);
}

static bool take_count(struct cursor *cursor, int64_t *count)
{
    if (take_null(cursor))
        return true;
    const unsigned char *start = cursor->at;
    size_t digits = skip_digits(cursor);
    if (digits == 0 || digits > COUNT_DIGITS_MAX || (digits > 1 && *start == '0') || at_any(cursor, '.', '.') ||
        at_any(cursor, 'e', 'E'))
        return false;
    *count = 0;
    for (const unsigned char *digit = start; digit < cursor->at; digit++)
        *count = *count * 10 + (*digit - '0');
    return true;
}

static bool take_text(struct cursor *cursor, struct openai_choice *choice)
{
    struct span text;
    if (take_null(cursor))
        return true;
    if (!take_string(cursor, &text))
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

static bool take_tool_calls(struct cursor *cursor, struct openai_choice *choice)
{
    int64_t count = 0;
    if (!take_array_length(cursor, &count))
        return false;
    choice->text = choice->text || count > 0;
    choice->text_filled = choice->text_filled || count > 0;
    return true;
}

static bool take_role(struct cursor *cursor, struct openai_choice *choice)
{
    struct span role;
    if (take_null(cursor))
        return true;
    choice->role = true;
    return take_string(cursor, &role);
}

static bool take_delta_member(struct cursor *cursor, struct span key, void *context)
{
    struct choice_scan *scan = context;
    if (SPAN_IS(key, "content"))
        return mark_seen(&scan->delta_seen, 1) && take_text(cursor, &scan->facts);
    if (SPAN_IS(key, "role"))
        return mark_seen(&scan->delta_seen, 2) && take_role(cursor, &scan->facts);
    if (SPAN_IS(key, "reasoning"))
        return mark_seen(&scan->delta_seen, 4) && take_text(cursor, &scan->facts);
    if (SPAN_IS(key, "reasoning_content"))
        return mark_seen(&scan->delta_seen, 8) && take_text(cursor, &scan->facts);
    if (SPAN_IS(key, "tool_calls"))
        return mark_seen(&scan->delta_seen, 16) && take_tool_calls(cursor, &scan->facts);
    return skip_value(cursor);
}

struct logprobs_scan {
    int64_t content, tokens;
    unsigned seen;
};

static bool take_logprobs_member(struct cursor *cursor, struct span key, void *context)
{
    struct logprobs_scan *scan = context;
    if (SPAN_IS(key, "content"))
        return mark_seen(&scan->seen, 1) && take_array_length(cursor, &scan->content);
    if (SPAN_IS(key, "tokens"))
        return mark_seen(&scan->seen, 2) && take_array_length(cursor, &scan->tokens);
    return skip_value(cursor);
}

static bool take_logprobs(struct cursor *cursor, int64_t *count)
{
    struct logprobs_scan scan = {-1, -1, 0};
    if (take_null(cursor))
        return true;
    if (!each_member(cursor, take_logprobs_member, &scan))
        return false;
    *count = scan.content >= 0 ? scan.content : scan.tokens;
    return true;
}

static bool take_finish_reason(struct cursor *cursor, struct choice_scan *scan)
{
    struct span reason;
    if (take_null(cursor))
        return true;
    if (!take_string(cursor, &reason) || reason.escaped)
        return false;
    scan->facts.finished = reason.length > 0;
    if (scan->facts.finished)
        openai_copy_line(scan->chunk->finish_reason, sizeof scan->chunk->finish_reason, reason.bytes, reason.length);
    return true;
}

static bool take_choice_member(struct cursor *cursor, struct span key, void *context)
{
    struct choice_scan *scan = context;
    if (SPAN_IS(key, "text"))
        return mark_seen(&scan->seen, 1) && take_text(cursor, &scan->facts);
    if (SPAN_IS(key, "delta"))
        return mark_seen(&scan->seen, 2) && (take_null(cursor) || each_member(cursor, take_delta_member, scan));
    if (SPAN_IS(key, "token_ids"))
        return mark_seen(&scan->seen, 4) && take_array_length(cursor, &scan->facts.token_ids);
    if (SPAN_IS(key, "logprobs"))
        return mark_seen(&scan->seen, 8) && take_logprobs(cursor, &scan->facts.logprobs);
    if (SPAN_IS(key, "finish_reason"))
        return mark_seen(&scan->seen, 16) && take_finish_reason(cursor, scan);
    if (SPAN_IS(key, "message")) /* no chunk: a whole response */
        return false;
    if (SPAN_IS(key, "stop_reason"))
        scan->facts.stop_reason = true;
    return skip_value(cursor);
}

static bool take_choice(struct cursor *cursor, void *context)
{
    struct choice_scan scan = {.chunk = context};
    openai_choice_clear(&scan.facts);
    if (!each_member(cursor, take_choice_member, &scan))
        return false;
    openai_chunk_add_choice(scan.chunk, &scan.facts, false);
    return true;
}

struct chunk_scan {
    struct openai_chunk *chunk;
    unsigned seen, usage_seen, details_seen;
};

static bool take_details_member(struct cursor *cursor, struct span key, void *context)
{
    struct chunk_scan *scan = context;
    if (SPAN_IS(key, "cached_tokens"))
        return mark_seen(&scan->details_seen, 1) && take_count(cursor, &scan->chunk->cached_tokens);
    return skip_value(cursor);
}

static bool take_usage_member(struct cursor *cursor, struct span key, void *context)
{
    struct chunk_scan *scan = context;
    if (SPAN_IS(key, "completion_tokens"))
        return mark_seen(&scan->usage_seen, 1) && take_count(cursor, &scan->chunk->completion_tokens);
    if (SPAN_IS(key, "prompt_tokens"))
        return mark_seen(&scan->usage_seen, 2) && take_count(cursor, &scan->chunk->prompt_tokens);
    if (SPAN_IS(key, "prompt_tokens_details"))
        return mark_seen(&scan->usage_seen, 4) && (take_null(cursor) || each_member(cursor, take_details_member, scan));
    return skip_value(cursor);
}

static bool take_object_name(struct cursor *cursor)
{
    struct span name;
    return take_string(cursor, &name) && !name.escaped && !SPAN_IS(name, "error");
}

static bool take_chunk_member(struct cursor *cursor, struct span key, void *context)
{
    struct chunk_scan *scan = context;
    if (SPAN_IS(key, "choices"))
        return mark_seen(&scan->seen, 1) && each_element(cursor, take_choice, scan->chunk);
    if (SPAN_IS(key, "usage"))
        return mark_seen(&scan->seen, 2) && (take_null(cursor) || each_member(cursor, take_usage_member, scan));
    if (SPAN_IS(key, "object"))
        return mark_seen(&scan->seen, 4) && take_object_name(cursor);
    if (SPAN_IS(key, "error"))
        return mark_seen(&scan->seen, 8) && take_null(cursor);
    if (SPAN_IS(key, "prompt_progress"))
        return mark_seen(&scan->seen, 16) && take_null(cursor);
    return skip_value(cursor);
}

int openai_scan_chunk(const char *data, size_t length, struct openai_chunk *chunk)
{
    struct cursor cursor = {(const unsigned char *)data, (const unsigned char *)data + length};
    struct chunk_scan scan = {.chunk = chunk};
    openai_chunk_clear(chunk);
    if (!each_member(&cursor, take_chunk_member, &scan))
        return -1;
    skip_blank(&cursor);
    return cursor.at == cursor.end ? 0 : -1;
}
