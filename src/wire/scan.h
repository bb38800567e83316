/* Reads JSON in one pass, without a document and without allocation, for those who know what they look for.
 *
 * All functions step over what they read and return false when it is not what they expect, which includes everything
 * that jansson would refuse: broken UTF-8, half surrogates, numbers that overflow a double. They are stricter where that is cheap (a NUL
 * in a string, values nested deeper than SCAN_DEPTH_MAX): false means that somebody else has to look at the text. */
#ifndef ROIBENCH_WIRE_SCAN_H
#define ROIBENCH_WIRE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SCAN_DEPTH_MAX 32 /* of a value that is skipped */

struct scan_cursor {
    const unsigned char *at, *end;
};

/* What stands between two quotes, not unescaped. */
struct scan_span {
    const char *bytes;
    size_t length;
    bool escaped;
};

/* Each sees the value at the cursor and must step behind it. */
typedef bool (*scan_member)(struct scan_cursor *cursor, struct scan_span key, void *context);
typedef bool (*scan_element)(struct scan_cursor *cursor, void *context);

static inline bool scan_span_is(struct scan_span span, const char *text, size_t length)
{
    return span.length == length && memcmp(span.bytes, text, length) == 0;
}
#define SCAN_IS(span, literal) scan_span_is((span), (literal), sizeof(literal) - 1)

static inline void scan_skip_blank(struct scan_cursor *cursor)
{
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\t' || *cursor->at == '\r'))
        cursor->at++;
}

/* The next byte that is not blank; 0 at the end. */
static inline unsigned char scan_peek(struct scan_cursor *cursor)
{
    scan_skip_blank(cursor);
    return cursor->at < cursor->end ? *cursor->at : 0;
}

static inline bool scan_take_byte(struct scan_cursor *cursor, unsigned char byte)
{
    if (scan_peek(cursor) != byte)
        return false;
    cursor->at++;
    return true;
}

static inline bool scan_is_any(const struct scan_cursor *cursor, char one, char other)
{
    return cursor->at < cursor->end && (*cursor->at == (unsigned char)one || *cursor->at == (unsigned char)other);
}

bool scan_take_null(struct scan_cursor *cursor);
size_t scan_skip_digits(struct scan_cursor *cursor); /* how many */
bool scan_take_string(struct scan_cursor *cursor, struct scan_span *span);
bool scan_skip_value(struct scan_cursor *cursor);

/* Objects and arrays: the function is called for each member or element. A key with an escape is refused. */
bool scan_each_member(struct scan_cursor *cursor, scan_member take, void *context);
/* The same from behind a member's value on. */
bool scan_more_members(struct scan_cursor *cursor, scan_member take, void *context);
bool scan_each_element(struct scan_cursor *cursor, scan_element take, void *context);

#endif
