#include "wire/scan.h"

#include <stdint.h>

#include "base/utf8.h"

#define INTEGER_DIGITS_MAX 200
#define EXPONENT_DIGITS_MAX 2 /* with the former below the largest double: jansson refuses what overflows */

/* --- literals and numbers --- */

static bool take_literal(struct scan_cursor *cursor, const char *text, size_t length)
{
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, text, length) != 0)
        return false;
    cursor->at += length;
    return true;
}
#define TAKE_LITERAL(cursor, literal) take_literal((cursor), (literal), sizeof(literal) - 1)

bool scan_take_null(struct scan_cursor *cursor)
{
    scan_skip_blank(cursor);
    return TAKE_LITERAL(cursor, "null");
}

size_t scan_skip_digits(struct scan_cursor *cursor)
{
    const unsigned char *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
        cursor->at++;
    return (size_t)(cursor->at - start);
}

static bool skip_number(struct scan_cursor *cursor)
{
    if (scan_is_any(cursor, '-', '-'))
        cursor->at++;
    bool zero = scan_is_any(cursor, '0', '0');
    size_t digits = scan_skip_digits(cursor);
    if (digits == 0 || digits > INTEGER_DIGITS_MAX || (zero && digits > 1))
        return false;
    if (scan_is_any(cursor, '.', '.')) {
        cursor->at++;
        if (scan_skip_digits(cursor) == 0)
            return false;
    }
    if (scan_is_any(cursor, 'e', 'E')) {
        cursor->at++;
        if (scan_is_any(cursor, '+', '-'))
            cursor->at++;
        digits = scan_skip_digits(cursor);
        return digits > 0 && digits <= EXPONENT_DIGITS_MAX;
    }
    return true;
}

/* --- strings --- */

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Of the next eight bytes, how many come before the first quote, backslash, control character or byte beyond ASCII; 8: there is
 * none. The subtractions borrow only from bytes behind a true hit, so the first one is exact. */
static size_t count_plain(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t quote = word ^ EACH_BYTE('"'), backslash = word ^ EACH_BYTE('\\');
    uint64_t control = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t found = ((quote - EACH_BYTE(1)) & ~quote) | ((backslash - EACH_BYTE(1)) & ~backslash);
    uint64_t marks = (found | control | word) & EACH_BYTE(0x80);
    return marks ? (size_t)__builtin_ctzll(marks) / 8 : 8;
}

static bool is_plain_byte(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static void skip_plain(struct scan_cursor *cursor)
{
    while (cursor->end - cursor->at >= 8) {
        size_t plain = count_plain(cursor->at);
        cursor->at += plain;
        if (plain < 8)
            return;
    }
    while (cursor->at < cursor->end && is_plain_byte(*cursor->at))
        cursor->at++;
}

/* Four hexadecimal digits; -1: not these. */
static int take_code_unit(struct scan_cursor *cursor)
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
static bool skip_escape(struct scan_cursor *cursor)
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

bool scan_take_string(struct scan_cursor *cursor, struct scan_span *span)
{
    if (!scan_take_byte(cursor, '"'))
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
            size_t size = *cursor->at < 0x80 ? 0 : utf8_character(cursor->at, (size_t)(cursor->end - cursor->at));
            if (size == 0)
                return false;
            cursor->at += size;
        }
    }
    span->bytes = (const char *)start;
    span->length = (size_t)(cursor->at++ - start);
    return true;
}

static bool take_key(struct scan_cursor *cursor, struct scan_span *key)
{
    return scan_take_string(cursor, key) && scan_take_byte(cursor, ':');
}

/* --- values that nobody asks for --- */

static bool skip_scalar(struct scan_cursor *cursor)
{
    struct scan_span ignored;
    switch (scan_peek(cursor)) {
    case '"':
        return scan_take_string(cursor, &ignored);
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

static bool close_container(struct scan_cursor *cursor, struct nesting *nesting)
{
    if (!scan_take_byte(cursor, in_object(nesting) ? '}' : ']'))
        return false;
    nesting->objects >>= 1;
    nesting->depth--;
    return true;
}

/* Steps into the container at the cursor, up to its first value if it has one (*empty: it has none and is closed again). */
static bool open_container(struct scan_cursor *cursor, struct nesting *nesting, bool *empty)
{
    struct scan_span key;
    if (nesting->depth == SCAN_DEPTH_MAX)
        return false;
    nesting->objects = (nesting->objects << 1) | (*cursor->at++ == '{' ? 1 : 0);
    nesting->depth++;
    *empty = close_container(cursor, nesting);
    return *empty || !in_object(nesting) || take_key(cursor, &key);
}

/* Behind a value: closes what ends here and steps to the next value, if there is one. */
static bool next_value(struct scan_cursor *cursor, struct nesting *nesting)
{
    struct scan_span key;
    while (nesting->depth > 0) {
        if (scan_take_byte(cursor, ','))
            return !in_object(nesting) || take_key(cursor, &key);
        if (!close_container(cursor, nesting))
            return false;
    }
    return true;
}

bool scan_skip_value(struct scan_cursor *cursor)
{
    struct nesting nesting = {0, 0};
    do {
        unsigned char first = scan_peek(cursor);
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

/* --- objects and arrays --- */

static bool take_member(struct scan_cursor *cursor, scan_member take, void *context)
{
    struct scan_span key;
    return take_key(cursor, &key) && !key.escaped && take(cursor, key, context);
}

bool scan_each_member(struct scan_cursor *cursor, scan_member take, void *context)
{
    if (!scan_take_byte(cursor, '{'))
        return false;
    if (scan_take_byte(cursor, '}'))
        return true;
    return take_member(cursor, take, context) && scan_more_members(cursor, take, context);
}

bool scan_more_members(struct scan_cursor *cursor, scan_member take, void *context)
{
    while (scan_take_byte(cursor, ',')) {
        if (!take_member(cursor, take, context))
            return false;
    }
    return scan_take_byte(cursor, '}');
}

bool scan_each_element(struct scan_cursor *cursor, scan_element take, void *context)
{
    if (!scan_take_byte(cursor, '['))
        return false;
    if (scan_take_byte(cursor, ']'))
        return true;
    do {
        if (!take(cursor, context))
            return false;
    } while (scan_take_byte(cursor, ','));
    return scan_take_byte(cursor, ']');
}
