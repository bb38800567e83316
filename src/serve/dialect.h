/* Whose wire the simulator speaks: routes, headers, what a body may ask for, and the JSON of answers and errors. What is behind
 * the wire - scheduler, texts, truth, faults - is the same for all of them.
 *
 * A dialect is a row of dialects.def and a file simulator_dialect_<identifier>.c, which defines `dialect_<identifier>`. The loop calls a
 * dialect once for each write of a stream; nothing asks per token which dialect it is. */
#ifndef ROIBENCH_SERVE_DIALECT_H
#define ROIBENCH_SERVE_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct answer;
struct generation;
struct httpd_request;
struct reading;
struct simulator;
struct simulator_task;

/* What of simulator_settings a dialect can show; the others must be off. */
enum dialect_ability {
    DIALECT_REASONING = 1,      /* reasoning_tokens */
    DIALECT_FORCED_USAGE = 2,   /* force_include_usage */
    DIALECT_PROMPT_DETAILS = 4, /* prompt_tokens_details: can be switched */
    DIALECT_METRICS = 8,        /* per_request_metrics */
};

struct dialect_route {
    const char *path, *method; /* method NULL: the answer looks at it itself */
    bool needs_model;          /* 503 until the model is loaded */
    void (*answer)(struct simulator *simulator, struct httpd_request *request);
};

struct dialect {
    const char *name;
    unsigned abilities;                 /* of enum dialect_ability */
    const char *json_type, *stream_type; /* content types */
    const char *done;                   /* the event behind the last chunk of a stream */
    bool any_model;                     /* the model that a request names does not matter */
    bool json_only;                     /* a POST of another content type is refused */
    bool late_headers;                  /* a stream's headers come with its first token, else at once */
    bool closes_streams;                /* the connection ends with a stream, unannounced */
    int keep_alive_s, keep_alive_requests; /* a connection without a request is closed after so long, and after so many; 0: the usual */
    const struct dialect_route *routes; /* path NULL: the end */

    bool (*is_open)(const char *path);  /* no key is asked for */
    /* Headers of a reply, the content type (NULL: none) among them. */
    void (*headers)(struct httpd_request *request, int status, const char *type);
    /* Answers 401, 404 (no such path) or 405 (allowed: the method that there is). */
    void (*refuse)(struct simulator *simulator, struct httpd_request *request, int status, const char *allowed);
    /* Appends the body of an error; returns the status that goes with it. type: vLLM's word; param: the member to blame, or NULL. */
    int (*error)(struct buf *reply, int status, const char *type, const char *param, const struct buf *message);
    /* Reads a body's members into a task; task->chat is set. */
    void (*read)(struct reading *reading, struct simulator_task *task);

    /* Fills answer->head with what all its JSON objects share, the id by chunk_append_id; id: without its prefix, NULL: a new one. */
    void (*head)(struct answer *answer, const char *id);
    /* Appends the events of the tokens not sent yet, as one HTTP chunk; chunks before it are queued (httpd_stream_queue). The first call
     * for an answer opens its stream, the last one of a generation ends it. Nothing appended: they wait for more. */
    void (*tokens)(struct generation *generation, struct buf *out);
    /* Appends what comes between the last generation's end and `done`, as one HTTP chunk. */
    void (*end)(struct answer *answer, struct buf *out);
    /* Appends the reply that is not streamed. */
    void (*whole)(struct answer *answer, struct buf *out);
};

#define DIALECT(identifier_) extern const struct dialect dialect_##identifier_;
#include "serve/dialects.def"
#undef DIALECT

/* NULL: there is none of that name. */
const struct dialect *dialect_find(const char *name);

#endif
