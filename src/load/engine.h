/* The load engine: sends a plan's requests when they are due and measures what comes back.
 *
 *     clock, arrivals, bodies, transport -> engine -> struct record -> sink
 *
 * An engine has workers: threads with a transport each, that share a level's
 * streams or arrivals by their numbers (load/share.h) and nothing on the path of
 * a token. Worker 0 runs on the caller's thread; with one worker there is no other.
 * No clock is read but the one given, so with a fake clock and a fake transport an hour
 * of load takes milliseconds, and every scheduling rule is tested to the nanosecond.
 *
 * The rules (docs/metrics.md has the definitions; engine.c runs the levels one after the other, level.c runs one):
 *   closed loop  `load` streams; each sends its next request when its last one ended. Stream j of n starts with the others
 *                (together) or j/n of a mean request time later (spread). i = stream + k x streams.
 *   open loop    request i is sent when arrival i is due, or, with max_concurrency in flight, as soon as one ends: late, never dropped.
 *   limits       no new request after max_seconds or max_requests, which count from the end of the start phase. A level that
 *                max_requests ends waits for its last request, as long as max_seconds lets it; what max_seconds ends is
 *                drained for `drain`, then cancelled. Arrivals that were due and never sent have a record.
 *   min_requests a level that has had fewer when max_seconds are over goes on until it has them, for at most PLAN_LONGER_MAX x
 *                max_seconds.
 *   early ends   max_error_rate, stop_when_saturated: as when its time is over; the run goes on. max_tokens_total, max_usd: the run
 *                ends, and what is under way is cancelled. load/limits.h and stats/growth.h have the rules.
 *   a failure    a stream whose request failed waits before its next one: 0.1 s, doubled with each failure in a row up to 1 s (wall
 *                time), so that a dead server is not hammered.
 *   a refusal    when the first REFUSALS_MAX ended requests of the run all got 4xx (not 429), load will not mend it: the run
 *                stops: at the very first one if that is 401 (a key is missing). So does it, at its end, when there were fewer
 *                and all were refused.
 *   a dead server when a whole level got nothing but failures to find, to reach or (TLS) to believe it: the run stops after it.
 *   stop         a signal: no new requests, those in flight are cancelled at once, everything is recorded.
 * Durations and rates of the plan are model time and are scaled here, once; times handed to the sink are wall ns from the anchor. */
#ifndef ROIBENCH_LOAD_ENGINE_H
#define ROIBENCH_LOAD_ENGINE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stop.h"
#include "load/share.h"
#include "load/sink.h"
#include "net/transport.h"
#include "plan/plan.h"
#include "plan/prompts.h"

#define REFUSALS_MAX 10
#define ENGINE_ERROR_SIZE 512
#define ENGINE_WORKERS_MAX 256

/* What a person watching sees. Times named _model are what the server would show at time scale 1. */
struct engine_progress {
    struct level level;
    size_t levels_done, levels_total;  /* total 0: unknown */
    double elapsed_s, planned_s;       /* of the level, model time; planned 0: bounded by requests only */
    int64_t planned_requests;          /* 0: bounded by time only */
    int64_t sent, ended, failed, in_flight, tokens; /* of the level so far */
    double tokens_per_s;               /* output tokens since the level's start, model time */
    double ttft_ms;                    /* median of the newest requests, model time; NAN: none yet */
    bool draining;
    const char *last_error;            /* NULL, or the newest failure's sentence */
};

/* What the load costs: asked at each level's start and end, by each worker of itself. NULL functions: unknown. */
struct engine_costs {
    int64_t (*cpu_ns)(void *context);       /* CPU time of the calling thread */
    int64_t (*throttled_ns)(void *context); /* of the cgroup; -1: unknown */
    struct context_switches (*switches)(void *context); /* of the calling thread */
    void *context;
};

/* Eyes on the server between levels. NULL functions: none. */
struct engine_watch {
    void (*level_start)(void *context);                     /* before a level's first request */
    /* After a level's last request: waits until the server has nothing running, at most until `deadline`.
     * 1: idle, 0: still busy (foreign traffic), -1: the server does not tell. */
    int (*level_end)(void *context, int64_t deadline);
    /* Share of [from, to), wall ns from the anchor, in which requests waited at the server; NAN: not known. */
    double (*queue_share)(void *context, int64_t from, int64_t to);
    void *context;
};

struct engine_worker {
    struct transport *transport;
    void *body_context;
};

struct engine_settings {
    const struct plan *plan;
    const struct clock *clock;
    const struct engine_worker *workers;
    int worker_count;
    struct sink *sink; /* with several workers it is called from several threads at once */
    const struct log *log;
    const char *const *urls; /* the requests': of every target */
    const char *const *warm_urls; /* a small GET of every target, by which connections are opened before each level; NULL: they are not */
    int url_count;
    int64_t anchor;    /* clock_now() of time 0 */
    struct share shard;  /* of the plan; count 1: all of it */
    int64_t start_at;    /* when the first level starts, wall ns from the anchor; TIME_NEVER: at once. Given, every level has its slot. */
    /* Fills *out with the body of request i: prompts_body, or a test's. context: the worker's. */
    int (*body)(void *context, int level, int repeat, int64_t i, struct buf *out, struct error *err);
    struct engine_costs costs;
    struct engine_watch watch;
    const stop_flag *stop;
    void (*progress)(void *context, const struct engine_progress *progress); /* NULL: none */
    void *progress_context;
    int64_t progress_interval_ns;
    const char *const *secrets; /* never repeated in a message: the API key, values of headers */
    size_t secret_count;
};

struct engine_result {
    size_t levels_done;   /* that ended by their limits */
    int64_t tokens;       /* of prompts and answers, as --max-tokens-total counts them */
    enum level_reason ceiling; /* that ended the run before its plan was carried out (load/limits.h); LEVEL_MAX_SECONDS: none did */
    int64_t sent;         /* requests that were sent */
    int64_t ended;        /* those that ended, ok or failed; the others were cut off */
    int64_t ok;
    char last_error[ENGINE_ERROR_SIZE]; /* "" none */
};

struct engine;
/* settings are borrowed until engine_free. */
struct engine *engine_new(const struct engine_settings *settings);
/* Runs the next level. 1: it did, and there may be more; 0: the plan was carried out, or a signal stopped it; -1 with *err: the sink failed
 * (ERROR_INTERNAL), a transport broke, or the target refuses or is gone (ERROR_TARGET): no more levels. */
int engine_next(struct engine *engine, struct error *err);
/* So far; what was measured is in the sink in any case. */
const struct engine_result *engine_result(const struct engine *engine);
/* A transport that broke may hold transfers until it is freed: free it after the engine. */
void engine_free(struct engine *engine);

/* All levels, one after the other: 0 or -1 as engine_next. */
int engine_run(const struct engine_settings *settings, struct engine_result *result, struct error *err);

#endif
