/* What the simulator's files share. Not for others. */
#ifndef ROIBENCH_SERVE_SIMULATOR_STATE_H
#define ROIBENCH_SERVE_SIMULATOR_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/error.h"
#include "serve/dialect.h"
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

/* A text that ends a generation. */
struct simulator_stop {
    char *text; /* owned */
    size_t length;
};

/* What a body of /v1/completions or /v1/chat/completions asks for. */
struct simulator_task {
    bool chat, stream, include_usage, continuous_usage;
    bool echo, return_token_ids;
    bool no_prompt_cache;             /* it neither finds nor leaves anything in the prefix cache */
    bool timings_per_token, return_progress; /* llama.cpp's */
    bool plain_sizes;                 /* OpenAI's: no obfuscation */
    bool ignore_eos, include_stop;    /* include_stop: what stopped it is sent too */
    bool tokens_as_ids;               /* log probabilities name tokens by their ids */
    struct simulator_prompt *prompts; /* owned; a chat has one */
    size_t prompt_count;
    int64_t prompt_tokens;            /* of all prompts */
    int64_t choices;                  /* a prompt */
    int64_t max_tokens, min_tokens;   /* a choice */
    struct simulator_stop *stops;     /* owned, as stop_ids and tool */
    size_t stop_count, stop_longest;  /* stop_longest: bytes */
    uint32_t *stop_ids;               /* ascending */
    size_t stop_id_count;
    bool logprobs;
    int64_t top_logprobs;             /* candidates a token */
    char *tool;                       /* the function to be called, as a JSON string; NULL: none */
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
    /* Its end, from output_plan; scheduled.output_limit is where. */
    bool stopped, eos, calls_tool;     /* stopped: not just by its length */
    const struct simulator_stop *stop; /* the string, or */
    uint32_t stop_id;                  /* the token that stopped it; 0: none */
    int64_t reasoning_tokens;          /* the first so many are reasoning */
    /* What of its text has been sent, for output_append_text: the next token, and with stop strings bytes too. */
    int64_t text_token, made_token;
    size_t text_end, text_made, text_sent, text_before;
    size_t logprobs_offset;            /* characters of the names of tokens so far */
    int64_t due;                       /* when its newest token was due to be sent */
    bool in_line;                      /* it waits for the front end */
    TAILQ_ENTRY(generation) line;
    struct metrics_times times;
};

/* A request that is being answered. Choices of one prompt are neighbours. */
struct answer {
    struct simulator *simulator;
    struct httpd_request *request;
    struct simulator_task task; /* owned */
    struct buf head;            /* the members that all its JSON objects share */
    size_t id_at;               /* where its id begins in it */
    uint64_t serial;
    bool streaming;             /* its stream's headers are sent */
    bool opened;                /* so is what goes before its first token */
    bool begun;                 /* the engine has had it */
    struct truth_request truth;
    struct truth_write kept_back; /* chunks that wait for others to be written with them */
    struct fault *fault;        /* what it will suffer: held; NULL: nothing, or it has */
    struct httpd_timer *fault_timer;
    int64_t fault_bytes;        /* still to come of an endless line */
    bool burying;               /* is in the simulator's list `struck`; its request is NULL when it has ended */
    int64_t written;            /* when something was, last; while it is_quiet, in the simulator's list `quiet` */
    bool is_quiet;
    TAILQ_ENTRY(answer) open, struck_link, quiet_link;
    size_t unfinished, count;
    struct generation generations[]; /* count of them */
};

TAILQ_HEAD(answer_list, answer);
TAILQ_HEAD(generation_list, generation);

struct simulator {
    struct simulator_settings settings;
    const struct dialect *dialect;
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
    struct generation_list line;   /* streams with tokens that the front end has not come to */
    struct httpd_timer *line_timer;
    int64_t turn;                  /* when the first of them is sent */
    struct answer_list quiet;      /* streams, the one first that nothing was written to for longest; empty without keep_alive */
    struct httpd_timer *comment_timer;
    struct vocabulary *vocabulary; /* NULL until it is asked for */
};

/* simulator.c: answers begin, and what holds them ends. */
void simulator_begin(struct answer *answer);
void simulator_forget(struct answer *answer);
void simulator_deliver(struct generation *generation); /* what can be sent now; may end the answer */
void simulator_open_stream(struct answer *answer); /* sends its headers, unless they are sent */
void simulator_abort(struct answer *answer); /* it leaves the engine; not while a step's result is being walked */

/* simulator_pace.c: when it is sent. */
void pace_init(struct simulator *simulator);
void pace_free(struct simulator *simulator);
void pace_deliver(struct generation *generation, int64_t now); /* simulator_deliver, now or when the front end comes to it */
void pace_written(struct answer *answer, int64_t now);         /* something was written to its stream */
void pace_forget(struct answer *answer);                       /* it ends, or nothing may be written to it any more */

/* simulator_fault.c. A function that returns true has taken the request over or ended it: hands off. */
bool simulator_fault_handle(struct simulator *simulator, struct httpd_request *request); /* for every request first */
bool simulator_fault_refuse(struct simulator *simulator, struct httpd_request *request, struct fault *fault); /* instead of an answer */
bool simulator_fault_begin(struct answer *answer); /* before its headers are sent */
bool simulator_fault_sent(struct answer *answer);  /* after each write, and behind the headers */
bool simulator_fault_end(struct answer *answer);   /* before [DONE] */
void simulator_fault_bury(struct simulator *simulator);    /* the engine may be touched: lets go of whom faults have struck */
void simulator_fault_look(void *context);               /* the simulator: does what is due, and sets the timer for what comes next */
void simulator_fault_api(struct simulator *simulator, struct httpd_request *request);

/* simulator_api.c: the handler given to httpd, and what the routes of several dialects share. */
void simulator_handle(void *context, struct httpd_request *request);
void simulator_answer_chat(struct simulator *simulator, struct httpd_request *request);
void simulator_answer_completions(struct simulator *simulator, struct httpd_request *request);
/* A POST that `convert` answers: it appends a JSON reply and returns its status, or 0 for 200. */
void simulator_answer_json(struct simulator *simulator, struct httpd_request *request,
                           int (*convert)(struct simulator *simulator, const char *body, size_t length, struct buf *reply));
void simulator_add_identity(const struct simulator *simulator, json_t *object); /* preset and time scale */
/* Replies with the dialect's headers; the second with the JSON in simulator->scratch. */
void simulator_reply(const struct simulator *simulator, struct httpd_request *request, int status, const char *type, const void *body,
                     size_t length);
void simulator_reply_scratch(const struct simulator *simulator, struct httpd_request *request, int status);

/* simulator.c: takes request and task over; answers 503 when there are too many. id: without its prefix, or NULL: a new one. */
void simulator_generate(struct simulator *simulator, struct httpd_request *request, struct simulator_task *task, const char *id);

/* simulator_task.c: reads a body. Returns 0, or the status of the error whose JSON it has put into *reply; then *task is empty. */
int simulator_task_read(const struct simulator *simulator, bool chat, const char *body, size_t length,
                        struct simulator_task *task, struct buf *reply);
void simulator_task_free(struct simulator_task *task);

/* simulator_tokenize.c and simulator_body.c. */
/* The same for bodies of /tokenize and /detokenize; on success *reply is the answer. */
int simulator_tokenize(struct simulator *simulator, const char *body, size_t length, struct buf *reply);
int simulator_detokenize(struct simulator *simulator, const char *body, size_t length, struct buf *reply);
int simulator_detokenize_as(struct simulator *simulator, const char *body, size_t length, const char *key, struct buf *reply); /* {key: text} */
void simulator_learn(struct simulator *simulator, const json_t *text); /* /detokenize knows its tokens from now on; no string: nothing */
/* Appends an error as the dialect has it; returns its status. */
int simulator_error(const struct simulator *simulator, struct buf *reply, int status, const char *type, const char *param,
                    const char *format, ...) __attribute__((format(printf, 6, 7)));

/* simulator_output.c: what a choice generates. */
void output_plan(struct generation *generation); /* once, when the rest of it is set: its length and why it ends */
const char *output_piece(const struct generation *generation, int64_t index); /* the token's text, below output_limit */
uint32_t output_token_id(const struct generation *generation, int64_t index);
/* Appends the content to be sent with the tokens that there are now: not the reasoning's. Each byte once. */
void output_append_text(struct generation *generation, struct buf *out);

/* simulator_logprobs.c. */
struct logprobs_candidate {
    char name[32]; /* as a reply names it; not NUL-terminated */
    size_t length;
    uint32_t id;
    double logprob;
};
/* rank 0: the token that came; 1 and above: what could have come instead. */
void logprobs_candidate(const struct generation *generation, int64_t index, int64_t rank, struct logprobs_candidate *candidate);
/* Appends one candidate's object without its closing brace. */
typedef void logprobs_candidate_writer(const struct generation *generation, int64_t index, int64_t rank, struct buf *out);
/* Appends {"content":[...]}: each token from `from` on with its candidates. */
void logprobs_append_content(const struct generation *generation, int64_t from, logprobs_candidate_writer *write, struct buf *out);
/* Appends the member "logprobs", of the tokens from `from` on. */
void logprobs_append(struct generation *generation, int64_t from, struct buf *out);

/* simulator_chunk.c: appends what is sent, in vLLM's dialect. */
void chunk_head(struct answer *answer, const char *id);
void chunk_role(const struct generation *generation, struct buf *out);
void chunk_tokens(struct generation *generation, struct buf *out); /* those after sent_tokens */
void chunk_usage(const struct answer *answer, struct buf *out);
void chunk_whole(struct answer *answer, struct buf *out);          /* the reply that is not streamed */
/* What other dialects need of it. chunk_append_id appends prefix + id, a JSON string, to answer->head and notes where. */
void chunk_append_id(struct answer *answer, const char *prefix, const char *id);
void chunk_append_reasoning(const struct generation *generation, int64_t from, struct buf *out); /* of the tokens from `from` on */
void chunk_append_arguments(const struct generation *generation, int64_t from, struct buf *out); /* of a call, as a JSON string */
bool chunk_is_last(const struct generation *generation); /* all its tokens are there */
int64_t chunk_cached_tokens(const struct answer *answer, int64_t *created); /* of each prompt's first choice; created: NULL, or left in the cache */
int64_t chunk_output_tokens(const struct answer *answer); /* of all choices */

#endif
