/* What the simulator's files share. Not for others. */
#ifndef ROIBENCH_SERVE_SIMULATOR_STATE_H
#define ROIBENCH_SERVE_SIMULATOR_STATE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "serve/httpd.h"
#include "serve/scheduler.h"
#include "serve/simulator.h"
#include "serve/simulator_metrics.h"
#include "serve/simulator_truth.h"

/* What a body of /v1/completions or /v1/chat/completions asks for. */
struct simulator_task {
    bool chat, stream, include_usage, continuous_usage;
    int64_t prompt_tokens, max_tokens;
};

/* A request that is being answered. */
struct generation {
    struct scheduler_request scheduled; /* first: the scheduler's pointer is the generation's */
    struct simulator *simulator;
    struct httpd_request *request;
    struct simulator_task task;
    struct buf head;     /* the members that begin each of its JSON objects */
    uint64_t serial;
    int64_t sent_tokens; /* in chunks so far */
    struct metrics_times times;
    struct truth_request truth;
    TAILQ_ENTRY(generation) open;
};

TAILQ_HEAD(generation_list, generation);

struct simulator {
    struct simulator_settings settings;
    struct httpd *httpd;
    struct scheduler *scheduler;
    struct httpd_timer *step_timer;
    int64_t started, started_realtime;
    int64_t step_due;
    int64_t intake_since;     /* TIME_NEVER: the engine is not waiting for company */
    struct generation_list open;
    size_t open_count;
    uint64_t serials;
    struct buf model_json;    /* the model's name as a JSON string */
    struct buf scratch;
    struct metrics metrics;
    struct truth truth;
};

/* simulator_api.c: the handler given to httpd. */
void simulator_handle(void *context, struct httpd_request *request);

/* simulator.c: takes the request over; answers 503 when there are too many. id: without its prefix, or NULL: a new one. */
void simulator_generate(struct simulator *simulator, struct httpd_request *request, const struct simulator_task *task,
                        const char *id);

/* simulator_task.c: reads a body. Returns 0, or the status of the error whose JSON it has put into *reply. */
int simulator_task_read(const struct simulator *simulator, bool chat, const char *body, size_t length,
                        struct simulator_task *task, struct buf *reply);
/* The same for /tokenize; on success *reply is the answer. */
int simulator_tokenize(const struct simulator *simulator, const char *body, size_t length, struct buf *reply);
/* {"error":{...}} with vLLM's members; param NULL: null. Returns status. */
int simulator_error(struct buf *reply, int status, const char *type, const char *param, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* simulator_chunk.c: appends what is sent. */
void chunk_head(struct generation *generation, const char *id);
void chunk_role(const struct generation *generation, struct buf *out);
void chunk_tokens(const struct generation *generation, struct buf *out); /* those after sent_tokens */
void chunk_usage(const struct generation *generation, struct buf *out);
void chunk_whole(const struct generation *generation, struct buf *out);  /* the reply that is not streamed */

#endif
