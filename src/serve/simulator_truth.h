/* What the simulator really sent, and when: the measure for its clients.
 *
 * A time here is a reading of the clock right after the bytes were handed to the kernel, counted in ns from the
 * moment the request had been read whole. Bytes that the kernel does not take, because the client does not read, wait in a
 * buffer of ours: their tokens have the time when they came there, and are counted as buffered. So are those of a reply
 * that is not streamed: the loop writes it a moment later.
 * Sums are over all requests since the start; the last ones are listed. */
#ifndef ROIBENCH_SERVE_SIMULATOR_TRUTH_H
#define ROIBENCH_SERVE_SIMULATOR_TRUTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lag.h"
#include "serve/fault.h"
#include "serve/truth_file.h"

#define TRUTH_LIST_MAX 1024

struct truth_range {
    uint64_t count;
    int64_t sum, min, max; /* ns */
};

struct truth_request {
    int64_t arrived;             /* of the clock */
    int64_t first_sent, last_sent; /* of the clock; TIME_NEVER */
    int64_t prompt_tokens, tokens; /* tokens: really sent */
    int64_t cached_tokens;       /* of the prompts, not computed for their first choice */
    int64_t gap_max;             /* ns between two writes */
    int64_t buffered;            /* of the tokens: not taken by the kernel at once */
    uint64_t chunks;             /* with tokens */
    bool stream, disconnected;
    const char *fault;           /* that it suffered; NULL */
    bool struck;                 /* the server ended it by that, before its time */
    const char *id;              /* as the client sees it, with its quotes; borrowed until truth_ended */
    size_t id_length;
    struct truth_times times;    /* for the file */
};

/* One hand-over to the kernel. */
struct truth_write {
    int64_t tokens; /* > 0 */
    uint64_t chunks;
    int64_t due;    /* of the newest token, of the clock */
    bool taken;     /* by the kernel, all of it */
};

struct truth {
    uint64_t received;  /* accepted requests; refused ones never count */
    uint64_t completed, disconnected, struck, refused;
    uint64_t faults[FAULT_KINDS]; /* times that each has struck */
    uint64_t prompt_tokens; /* of requests whose first token was sent */
    uint64_t cached_tokens; /* of prompts whose first choice has a token */
    uint64_t generation_tokens, chunks, buffered;
    struct truth_range ttft; /* arrival to the write of the first token */
    struct truth_range itl;  /* from write to write; n tokens in a write are n samples */
    struct truth_range lateness; /* of steps: from when a step was due to when its tokens began to be written */
    struct lag send_lateness;    /* of writes: from when the newest token was due to when the kernel had it */
    uint64_t resynchronized;     /* steps after which the schedule was given up because it was too late */
    struct truth_request list[TRUTH_LIST_MAX];
    uint64_t listed;
    struct truth_file *file; /* NULL: none. Borrowed */
    void (*request_ended)(void *context, const struct truth_request *request); /* NULL: nobody is told */
    void *context;
};

void truth_range_add(struct truth_range *range, int64_t ns, uint64_t times);
/* A prompt's first choice has a token; so many tokens of the prompt did not have to be computed for it. */
void truth_cached(struct truth *truth, struct truth_request *request, int64_t tokens);
/* The engine has made a token of the request, which is due to be sent. */
void truth_due(struct truth *truth, struct truth_request *request, int64_t due);
/* The request's tokens were written at `now`. */
void truth_sent(struct truth *truth, struct truth_request *request, const struct truth_write *write, int64_t now);
/* The request has ended, whole or by the client's going. */
void truth_ended(struct truth *truth, struct truth_request *request);

/* The members of /sim/truth: "requests", "prompt_tokens", ... "recent". */
void truth_write(const struct truth *truth, json_t *object);

#endif
