/* Server-sent events (WHATWG HTML, section 9.2), fed in pieces cut anywhere.
 *
 * Lines end in LF, CR or CRLF; an event ends at an empty line; its `data:`
 * lines are joined by LF; lines that begin with ':' are comments; other fields
 * (event, id, retry) are skipped; a byte order mark at the very start is too.
 * A data line that lies whole in the piece, with the empty line behind it, is
 * handed out without a copy. How the stream was cut never changes what is
 * delivered. One event (or any one line) larger than SSE_EVENT_MAX is an
 * error: no server sends that, and memory has a ceiling. An event cut off by
 * the end of the stream is not delivered (as the standard says). */
#ifndef ROIBENCH_WIRE_SSE_H
#define ROIBENCH_WIRE_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define SSE_EVENT_MAX ((size_t)4 << 20)

/* data is not NUL-terminated and valid only during the call. Return non-zero to stop the feeding. */
typedef int (*sse_event)(void *context, const char *data, size_t length);

struct sse {
    sse_event event;
    void *context;
    struct buf data;   /* the event so far, when it came in several pieces */
    struct buf line;   /* the line so far */
    bool has_data, skip_lf;
    bool begun;        /* the first line, which may carry a byte order mark, is over */
};

void sse_init(struct sse *sse, sse_event event, void *context);
void sse_reset(struct sse *sse); /* for the next response; keeps the memory */
void sse_free(struct sse *sse);

/* 0; the handler's non-zero value; or -1: an event beyond SSE_EVENT_MAX. After a non-zero value the rest of the
 * piece is lost: only sse_reset and sse_free make sense then. The handler must not feed the same struct. */
int sse_feed(struct sse *sse, const char *bytes, size_t length);

#endif
