/* One worker's part of one level: from its first request to the end of its last one. Private to the load layer.
 *
 * level.c is what both loops have in common: limits, draining, records; level_periodic.c what worker 0 does now and then.
 * Who sends next is a struct source: closed_loop.c or open_loop.c.
 * engine.c starts the workers of a level together and puts together what they found.
 * All times in these files are wall ns from the run's anchor. */
#ifndef ROIBENCH_LOAD_LEVEL_H
#define ROIBENCH_LOAD_LEVEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "load/engine.h"
#include "base/lag.h"
#include "load/oversight.h"
#include "load/request.h"
#include "load/share.h"
#include "plan/profile.h"

#define LEVEL_RECENT 64 /* newest latencies kept for the progress line */

struct level_run;

struct source {
    /* When the next request is due, TIME_FOREVER: none before one ends. Not asked when all are drawn out. */
    int64_t (*next_due)(const struct source *source, const struct level_run *run);
    /* Sends whatever is due at `now` through level_send. */
    void (*send_due)(struct source *source, struct level_run *run, int64_t now);
    void (*ended)(struct source *source, struct level_run *run, const struct request *request, int64_t now);
    /* Requests that are due and wait for their turn. */
    int64_t (*waiting)(const struct source *source);
    /* The level takes no new requests: whatever was due before run->end and was not sent gets a record as never sent, also
     * what was due while nobody looked. */
    void (*give_up)(struct source *source, struct level_run *run);
    void (*free)(struct source *source);
};

struct source *closed_loop_new(const struct level_run *run);
struct source *open_loop_new(const struct level_run *run);

/* What a worker has done in this level, for others to look at: worker 0 adds them up. One writer, so no locked instructions. */
struct worker_counts {
    _Atomic int64_t drawn, sent, ended, failed, in_flight, tokens;
    _Atomic int64_t by_server;     /* of the failed: by the server's doing */
    _Atomic int64_t prompt_tokens; /* of what was sent: asked for, and corrected when the server has counted them */
};

/* One thread of load. Worker 0 is the caller's. */
struct worker {
    struct engine *engine;
    int index;
    struct transport *transport;
    void *body_context;
    struct level_run *run;         /* the level under way */
    struct request *free_requests; /* of finished ones: used again */
    struct lag lag, slip;          /* of the level under way */
    _Alignas(64) struct worker_counts counts;
};

#define LEVEL_GOES_ON (-1)

/* The level under way, as all workers see it. */
struct level_shared {
    struct level level;
    int repeat;
    size_t levels_done;
    int64_t start, measure_start;  /* measure_start: end of the start phase */
    int64_t planned_end;           /* by max_seconds; TIME_FOREVER: none */
    _Atomic int64_t deadline;      /* the same, but later as long as there are fewer than min_requests (closed loop: until they are there) */
    _Atomic int ended_by;          /* a level_reason that worker 0 saw; LEVEL_GOES_ON: none. ended_at holds then */
    _Atomic int64_t ended_at;
    int64_t mean_e2e_ns;           /* that streams are spread over, wall; 0: they start together */
    int workers;                   /* that take part */
    _Atomic int64_t counted;       /* closed loop: drawn after the start phase, against max_requests and min_requests */
};

/* What the levels of a run share. */
struct engine {
    const struct engine_settings *settings;
    struct worker *workers;
    struct level_shared level;
    struct oversight oversight;
    pthread_mutex_t lock;          /* of what follows up to `failed` */
    struct error failure;          /* the first that ends the run; class ERROR_NONE: none */
    char last_error[ENGINE_ERROR_SIZE];
    int64_t refusals;              /* 4xx so far, as long as nothing else has ended (answered) */
    int refusal_status;            /* of the newest */
    atomic_bool failed;            /* failure is set */
    atomic_bool refused;           /* so many refusals that the run ends */
    atomic_bool answered;          /* something else than a refusal ended */
    struct engine_result result;
    struct level_result *done;     /* levels of the first repeat */
    size_t done_count, done_capacity;
    int64_t *mean_e2e;             /* of these: mean time of the requests that ended ok, wall; 0: none did */
    size_t mean_e2e_capacity;
    int repeat;                    /* under way */
    size_t *order, position;       /* of a later repeat: places in `done`, and the next one's in them */
    int64_t slot;                  /* with start_at: when the next level starts */
};

/* The first failure ends the run. From any worker. */
void engine_fail(struct engine *engine, const struct error *err);
/* Of all repeats; 0: unknown. */
size_t engine_levels_total(const struct engine *engine);

enum level_phase { LEVEL_SENDING, LEVEL_DRAINING, LEVEL_CANCELLED };

struct level_run {
    struct engine *engine;
    struct worker *worker;
    const struct plan *plan;
    const struct profile *profile;
    struct source *source;
    struct share share;
    struct level level;
    int repeat;
    double time_scale;
    enum level_phase phase;
    bool drawn_out;                /* max_requests are drawn; some of them may still wait to be sent */
    enum level_reason reason;
    int64_t start, measure_start, deadline; /* as in level_shared */
    int64_t end;                   /* TIME_NEVER while sending, and where max_requests ends the level */
    int64_t drain_deadline, last_ended;
    struct request **in_flight;
    size_t in_flight_count, in_flight_capacity;
    int64_t counted_max;           /* max_requests, or this shard's part of them; 0: none */
    int64_t counted_min;           /* min_requests; 0: none */
    int64_t counted;               /* open loop: arrivals of all workers against them */
    int64_t ok, connect_failures;
    int64_t e2e_sum;               /* of those ok */
    int64_t ok_inside;             /* of those ok: ended between measure_start and the level's end */
    int64_t recent_ttft[LEVEL_RECENT];
    size_t recent_count;
    int64_t turn_stamp;            /* first time stamp of this turn of the loop; TIME_NEVER: none */
    int64_t next_tick, next_flush, next_progress;
    int64_t next_look;             /* worker 0: for what ends a level early; TIME_FOREVER: nothing does */
    int64_t look_interval;
    int64_t ticked_tokens;         /* worker 0: those of all workers that ticks have told */
    int64_t held_since;            /* no new request is sent because the records are not taken; TIME_NEVER: they are */
    int64_t held_ns;               /* so far */
    int64_t pause_ns;              /* the longest time for which it was to look and did not: stopped, without a CPU, or busy */
    int64_t over;                  /* when the worker was through */
    int64_t cpu_ns;                /* -1: unknown */
    struct context_switches switches;
};

/* What the engine needs of a level that is over. */
struct level_facts {
    int64_t sent, ok, ended, connect_failures;
    int64_t tokens;      /* of prompts and answers */
    int64_t mean_e2e_ns; /* of those that ended ok, wall; 0: none */
    double request_rps;  /* ended ok between the end of the start phase and the level's end / that time; model time */
    enum level_reason reason;
};

static inline int64_t counter_look(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Wall ns from the run's anchor. */
static inline int64_t level_now(const struct level_run *run)
{
    return clock_now(run->engine->settings->clock) - run->engine->settings->anchor;
}

/* Sends one request (i of body(i)); the source has drawn it. target: number of one of the targets, any size. */
void level_send(struct level_run *run, int stream, int64_t i, int64_t target, int64_t intended);
/* Counts a request that was due at `now` or before against max_requests; false: the level takes no more.
 * Closed loop: requests of all workers count. Open loop: every worker draws all arrivals, `ours` are its own. */
bool level_draw(struct level_run *run, int64_t now, bool ours);
/* A record of a request that was due and never sent. */
void level_never_sent(struct level_run *run, int64_t i, int64_t intended, int64_t now);
/* The records are not taken as fast as requests end: nothing new is sent until they are. */
bool level_is_held(struct level_run *run, int64_t now);

/* Runs this worker's part of engine->level, on the calling thread. */
void level_run_part(struct level_run *run, struct worker *worker);
void level_run_free(struct level_run *run);
/* Ticks, progress, early ends (level_periodic.c). All workers wake up for it, to see what worker 0 has decided. */
void level_begin_periodic(struct level_run *run);
void level_do_periodic(struct level_run *run, int64_t now);
/* The last tick, and the progress line, when all workers are through. */
void level_report_last(struct level_run *first);

#endif
