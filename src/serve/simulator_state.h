/* What the simulator's files share. Not for others. */
#ifndef ROIBENCH_SERVE_SIMULATOR_STATE_H
#define ROIBENCH_SERVE_SIMULATOR_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/error.h"
#include "serve/fault.h"
#include "serve/httpd.h"
#include "serve/scheduler.h"
#include "serve/simulator.h"
#include "serve/simulator_metrics.h"
#include "serve/simulator_truth.h"

/* A prompt as the model is given it. */
struct simulator_prompt {
    uint32_t *ids; /* owned, as text */
    size_t count;
    char *text;    /* what echo sends, not NUL-terminated; NULL: nothing */
    size_t text_length;
};

/* What a body of /v1/completions or /v1/chat/completions asks for. */
struct simulator_task {
    bool chat, stream, include_usage, continuous_usage;
    bool echo, return_token_ids;
    struct simulator_prompt *prompts; /* owned; a chat has one */
    size_t prompt_count;
    int64_t prompt_tokens;            /* of all prompts */
    int64_t choices;                  /* a prompt */
    int64_t max_tokens;               /* a choice */
};

/* One choice of a request: what the scheduler runs. */
struct generation {
    struct scheduler_request scheduled; /* first: the scheduler's pointer is the generation's */
    struct answer *answer;
    const struct simulator_prompt *prompt; /* one of the answer's task */
    int64_t index;       /* of the choice */
    uint64_t seed;       /* tells its text from that of others */
    int64_t sent_tokens; /* in chunks so far */
    bool finished;       /* its last token has been taken from the engine */
    struct metrics_times times;
};

/* A request that is being answered. Choices of one prompt are neighbours. */
struct answer {
    struct simulator *simulator;
    struct httpd_request *request;
    struct simulator_task task; /* owned */
    struct buf head;            /* the members that begin each of its JSON objects */
    uint64_t serial;
    bool opened;                /* the roles of a chat's stream are sent */
    struct truth_request truth;
    struct fault *fault;        /* what it will suffer: held; NULL: nothing, or it has */
    struct httpd_timer *fault_timer;
    int64_t fault_bytes;        /* still to come of an endless line */
    bool burying;               /* is in the simulator's list `struck`; its request is NULL when it has ended */
    TAILQ_ENTRY(answer) open, struck_link;
    size_t unfinished, count;
    struct generation generations[]; /* count of them */
};

TAILQ_HEAD(answer_list, answer);

struct simulator {
    struct simulator_settings settings;
    struct httpd *httpd;
    struct scheduler *scheduler;
    struct httpd_timer *step_timer;
    int64_t started, started_realtime;
    int64_t step_due;
    int64_t intake_since;     /* TIME_NEVER: the engine is not waiting for company */
    struct answer_list open;
    size_t open_count;        /* generations */
    uint64_t serials;
    struct buf model_json;    /* the model's name as a JSON string */
    struct buf scratch;
    struct metrics metrics;
    struct truth truth;
    struct fault_list faults;
    struct httpd_timer *fault_timer;
    struct answer_list struck;     /* to leave the engine as soon as it may be touched */
    int64_t down_until, loading_until; /* of the clock, after a restart */
    bool hangs;                    /* as after SIGTERM; ends with down_until */
    struct error fault_error;      /* the port is lost */
};

/* simulator.c: answers begin, and what holds them ends. */
void simulator_begin(struct answer *answer);
void simulator_forget(struct answer *answer);
void simulator_abort(struct answer *answer); /* it leaves the engine; not while a step's result is being walked */

/* simulator_fault.c. A function that returns true has taken the request over or ended it: hands off. */
bool simulator_fault_handle(struct simulator *simulator, struct httpd_request *request); /* for every request first */
bool simulator_fault_refuse(struct simulator *simulator, struct httpd_request *request, struct fault *fault); /* instead of an answer */
bool simulator_fault_begin(struct answer *answer); /* before its headers are sent */
bool simulator_fault_sent(struct answer *answer);  /* after each write, and behind the headers */
bool simulator_fault_end(struct answer *answer);   /* before [DONE] */
void simulator_fault_bury(struct simulator *simulator);    /* the engine may be touched: lets go of whom faults have struck */
void simulator_fault_look(void *context);               /* the simulator: does what is due, and sets the timer for what comes next */
void simulator_fault_api(struct simulator *simulator, struct httpd_request *request);

/* simulator_api.c: the handler given to httpd. */
void simulator_handle(void *context, struct httpd_request *request);

/* simulator.c: takes request and task over; answers 503 when there are too many. id: without its prefix, or NULL: a new one. */
void simulator_generate(struct simulator *simulator, struct httpd_request *request, struct simulator_task *task, const char *id);

/* simulator_task.c: reads a body. Returns 0, or the status of the error whose JSON it has put into *reply; then *task is empty. */
int simulator_task_read(const struct simulator *simulator, bool chat, const char *body, size_t length,
                        struct simulator_task *task, struct buf *reply);
void simulator_task_free(struct simulator_task *task);

/* simulator_tokenize.c and simulator_body.c. */
/* The same for a body of /tokenize; on success *reply is the answer. */
int simulator_tokenize(const struct simulator *simulator, const char *body, size_t length, struct buf *reply);
/* {"error":{...}} with vLLM's members; param NULL: null. Returns status. */
int simulator_error(struct buf *reply, int status, const char *type, const char *param, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* simulator_chunk.c: appends what is sent. */
void chunk_head(struct answer *answer, const char *id);
void chunk_role(const struct generation *generation, struct buf *out);
void chunk_tokens(const struct generation *generation, struct buf *out); /* those after sent_tokens */
void chunk_usage(const struct answer *answer, struct buf *out);
void chunk_whole(const struct answer *answer, struct buf *out);          /* the reply that is not streamed */

#endif
