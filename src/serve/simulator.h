/* A server that behaves like vLLM's: OpenAI API, /metrics, and the serving model of serve/scheduler behind it. It can speak as other
 * servers do (serve/dialect.h); what follows is vLLM's dialect.
 *
 * What it answers: POST /v1/chat/completions, /v1/completions, /tokenize, /detokenize; GET /v1/models, /health, /load,
 * /version, /metrics, /sim/truth, which says what was really sent and when, the measure for every client, and
 * /sim/fault, which makes it fail on purpose (serve/fault.h). The shapes are vLLM 0.32's. A generation is words that mean
 * nothing, and has the length asked for, unless a stop or eos_probability ends it.
 *
 * time_scale X makes the model's steps X times shorter; every number it reports is wall time. Steps are scheduled by
 * absolute due times, so lateness does not add up. An engine that is idle waits for INTAKE_QUIET_NS without a
 * new request (vLLM collects prompts to tokenize for 2 ms) before it begins, so that requests sent together are
 * batched together; the preset `instant` waits for nothing. */
#ifndef ROIBENCH_SERVE_SIMULATOR_H
#define ROIBENCH_SERVE_SIMULATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"
#include "serve/dialect.h"
#include "serve/fault.h"
#include "serve/scheduler.h"

#define SIMULATOR_BODY_MAX ((size_t)8 << 20)
#define SIMULATOR_REQUESTS_MAX 65536           /* generations open at the same time; the next request gets 503 */
#define SIMULATOR_TOKENS_MAX ((int64_t)4 << 20) /* that a request of several generations may ask for: their ends are planned when it comes */
#define SIMULATOR_STOPS_MAX 64                 /* stop strings of a request */
#define SIMULATOR_CHOICES_MAX 16384            /* n of a request */
#define SIMULATOR_BACKLOG_MAX ((size_t)64 << 10) /* unread bytes of a client from which its tokens come several a chunk */
#define SIMULATOR_VERSION "0.32.0-simulated"

#define INTAKE_QUIET_NS (2 * NS_PER_MS)        /* model time */
#define INTAKE_QUIET_LEAST_NS (NS_PER_MS / 2)  /* wall time: what a client needs between two requests sent together */
#define INTAKE_TIMES_MAX 8                     /* the wait ends after so many times that */

struct truth_request;

struct simulator_settings {
    const char *listen, *model, *preset; /* borrowed, as everything here */
    const struct dialect *dialect;       /* serve/dialect.h; NULL: vLLM's */
    const char *api_key;                 /* NULL: /v1 is open to everybody */
    const char *truth_file;              /* serve/truth_file; NULL: none */
    /* Told of each request that ended (serve/simulator_truth.h), on the thread of simulator_run; NULL: nobody. */
    void (*request_ended)(void *context, const struct truth_request *request);
    void *context;
    double time_scale;                   /* > 0 */
    struct scheduler_settings scheduler;
    int64_t max_model_len;
    int64_t stream_interval;             /* tokens a chunk after the first, >= 1 */
    double eos_probability;              /* of each token to be the last one, unless ignore_eos; 0: every generation has its full length */
    uint64_t seed;                       /* of what is drawn: ends of generations, faults by rate */
    int64_t frontend_time;               /* ns of wall time that the front end needs a chunk; 0: none */
    int64_t keep_alive;                  /* ns of wall time without a write until a stream gets a comment; 0: none */
    int64_t reasoning_tokens;            /* the first so many of a chat's answer are reasoning */
    bool prompt_tokens_details;          /* usage has cached_tokens */
    bool per_request_metrics;            /* metrics beside usage */
    bool force_include_usage;            /* usage in every chunk of a stream without stream_options, at its end of the others */
    int64_t ready_after;                 /* ns of wall time after the start during which it answers 503 */
    const struct fault *faults;          /* set when it starts; copied */
    size_t fault_count;                  /* <= FAULTS_MAX */
    const struct clock *clock;
};

struct simulator;

/* ERROR_USAGE: settings that contradict each other (a KV cache smaller than one request, what the dialect cannot show), a bad address;
 * ERROR_INTERNAL: the address cannot be bound. */
struct simulator *simulator_new(const struct simulator_settings *settings, struct error *err);
/* Serves until *stop is not 0; then open streams are cut off, as a killed server's are, and the truth file is closed.
 * Only once. ERROR_INTERNAL: the loop broke, or the truth file is not whole. */
int simulator_run(struct simulator *simulator, const stop_flag *stop, struct error *err);
void simulator_free(struct simulator *simulator);

const char *simulator_address(const struct simulator *simulator); /* "127.0.0.1:8000", with the real port */
int simulator_port(const struct simulator *simulator);

#endif
