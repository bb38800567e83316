/* A body with Transfer-Encoding: chunked (RFC 9112, 7.1), taken out of its chunks as it comes, cut anywhere.
 *
 * As lenient as libcurl, which looks at the same bytes and says how the response ended: extensions and trailers are stepped
 * over, and what is broken ends the body without a word. */
#ifndef ROIBENCH_WIRE_HTTP_CHUNKS_H
#define ROIBENCH_WIRE_HTTP_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CHUNKS_DIGITS_MAX 16 /* of a size */

struct http_chunks {
    enum { HTTP_CHUNKS_SIZE, HTTP_CHUNKS_SIZE_END, HTTP_CHUNKS_DATA, HTTP_CHUNKS_DATA_END, HTTP_CHUNKS_OVER } part;
    int digits;
    uint64_t left; /* bytes of the open chunk's data */
};

/* A piece of the body; valid only during the call. */
typedef void (*http_chunks_piece)(void *context, const char *bytes, size_t length);

void http_chunks_begin(struct http_chunks *chunks);
void http_chunks_feed(struct http_chunks *chunks, const char *bytes, size_t length, http_chunks_piece piece, void *context);

/* The next byte begins a chunk, or the last one. */
bool http_chunks_is_between(const struct http_chunks *chunks);
/* How many of the bytes that come next are whole chunks with data: 0 unless the next byte begins one. Ends before the last chunk (size 0),
 * before one that is not there to its end, and before all that is unusual. */
size_t http_chunks_whole_length(const struct http_chunks *chunks, const char *bytes, size_t length);

#endif
