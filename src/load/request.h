/* One request in flight: what the transport reports of it becomes a struct record and its token arrivals.
 *
 * A request belongs to whoever called request_new and is used again and again:
 * its buffers (body, SSE state, arrivals) keep their memory. The owner fills
 * the body, calls request_begin, starts request->transfer, and is told by
 * `finished` when the record is complete.
 *
 * How an answer is judged (docs/metrics.md, "Outcome"):
 *   [DONE], or a finish reason and then the body's end; tokens or usage came, no error event         ok
 *   an error object in the stream, also before a well-formed [DONE]                                  error_event
 *   status 4xx, 429, 5xx, whatever became of the connection behind it                                http_4xx, http_429, http_5xx
 *   200 whose body ends without [DONE] and without a finish reason                                   truncated
 *   200 without a token and without usage, no JSON, tokens without end; another status               protocol
 *   cancelled by us                                                                                  incomplete
 * After [DONE] nothing that happens to the connection matters any more. */
#ifndef ROIBENCH_LOAD_REQUEST_H
#define ROIBENCH_LOAD_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/transport.h"
#include "record/record.h"
#include "wire/openai.h"
#include "wire/sse.h"

#define REQUEST_ERROR_BODY_MAX ((size_t)64 << 10) /* of an error answer that much is kept to find its message */
#define REQUEST_MESSAGE_SIZE 512

struct request;
typedef void (*request_finished)(void *context, struct request *request, int64_t now);
/* Tokens arrived: for ticks and progress. The record and `counted` hold them already. */
typedef void (*request_tokens)(void *context, const struct request *request, int64_t tokens, int64_t now);
/* The answer is broken, whatever comes: the owner may cancel the transfer, now or later. Once a request, from within its bytes. */
typedef void (*request_hopeless)(void *context, struct request *request);

struct request {
    struct transfer transfer;
    request_finished finished;
    request_tokens tokens;
    request_hopeless hopeless;
    void *context;
    struct record record;      /* times are ns of the clock until request_finished; see anchor */
    int64_t anchor;            /* subtracted from every time stamp */
    bool continuous_usage;     /* the plan says that usage in each chunk counts its tokens */
    struct buf body;           /* the JSON that is sent */
    struct buf error_body;     /* first bytes of an answer that is not a stream */
    struct sse sse;
    struct openai_prefix prefix;
    int64_t *gaps;             /* arrivals of this request */
    int32_t *n;
    size_t gap_capacity, n_capacity;
    int64_t now;               /* time stamp of the bytes being fed */
    int64_t last_arrival;      /* time of the newest arrival, or of sent */
    int64_t counted;           /* tokens summed from chunks */
    bool all_exact, final_usage, done, finish_seen, error_event, broken;
    char message[REQUEST_MESSAGE_SIZE]; /* why it failed; "" if it did not */
    struct request *next_free; /* the owner's: free list */
    size_t slot;               /* the owner's: place among those in flight */
};

struct request *request_new(request_finished finished, request_tokens tokens, request_hopeless hopeless, void *context, int64_t anchor,
                            bool continuous_usage);
void request_free(struct request *request); /* must not be in flight */

/* Empties the record and the state of the last answer; the body is the caller's to fill. */
void request_begin(struct request *request, int level, int repeat, int stream, int64_t i, int64_t intended, const char *url);

#endif
