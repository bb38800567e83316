/* Gives the body of a captured HTTP/1.1 response or request, piece by piece, however the capture is cut. For tests: it
 * believes what it reads; the program itself leaves heads and ends to libcurl. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_HTTP_BODY_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the body, as they came; valid during the call. Non-zero stops. */
typedef int (*http_body_piece)(void *context, const char *bytes, size_t length);

struct http_body {
    http_body_piece piece;
    void *context;
    enum { HTTP_HEAD, HTTP_SIZE, HTTP_DATA, HTTP_DATA_END, HTTP_REST, HTTP_END } part;
    char line[1024];
    size_t line_length;
    size_t left;    /* bytes of the chunk */
    size_t head_lines;
    int status;     /* 200; 0 for a request */
    bool chunked;
};

void http_body_init(struct http_body *body, http_body_piece piece, void *context);
/* 0, or what `piece` returned. */
int http_body_feed(struct http_body *body, const char *bytes, size_t length);

#endif
