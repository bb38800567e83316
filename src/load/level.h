/* One level of the load: from its first request to the end of its last one. Private to the load layer.
 *
 * level.c is what both loops have in common: limits, draining, records, ticks.
 * Who sends next is a struct source: closed_loop.c or open_loop.c.
 * All times in these files are wall ns from the run's anchor. */
#ifndef ROIBENCH_LOAD_LEVEL_H
#define ROIBENCH_LOAD_LEVEL_H

#include <stdbool.h>

#include "load/engine.h"
#include "base/lag.h"
#include "load/request.h"
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

struct source *closed_loop_new(const struct level_run *run, int64_t mean_e2e_ns);
struct source *open_loop_new(const struct level_run *run);

/* What the levels of a run share. */
struct engine {
    const struct engine_settings *settings;
    struct engine_result *result;
    struct level_run *run;         /* the level under way */
    struct request *free_requests; /* of finished ones: used again */
    struct lag lag, slip;          /* of the level under way */
    int64_t refusals;              /* 4xx so far when nothing else ended yet; -1: something else did */
    int refusal_status;            /* of the newest */
    struct error failure;          /* the first that ends the run; class ERROR_NONE: none */
    int64_t next_flush, next_tick, next_progress;
};

enum level_phase { LEVEL_SENDING, LEVEL_DRAINING, LEVEL_CANCELLED };

struct level_run {
    struct engine *engine;
    const struct plan *plan;
    const struct profile *profile;
    struct source *source;
    struct level level;
    int repeat;
    double time_scale;
    enum level_phase phase;
    bool drawn_out;                /* max_requests are drawn; some of them may still wait to be sent */
    enum level_reason reason;
    int64_t start, measure_start;  /* measure_start: end of the start phase */
    int64_t deadline;              /* end by max_seconds; TIME_FOREVER: none */
    int64_t end;                   /* TIME_NEVER while sending */
    int64_t drain_deadline, last_ended;
    struct request **in_flight;
    size_t in_flight_count, in_flight_capacity;
    int64_t drawn, sent;           /* of the whole level */
    int64_t counted;               /* against max_requests: drawn after the start phase */
    int64_t ended, ok, failed, connect_failures, tokens, tick_tokens;
    int64_t e2e_sum;               /* of those ok */
    int64_t ok_inside;             /* of those ok: ended between measure_start and the level's end */
    int64_t recent_ttft[LEVEL_RECENT];
    size_t recent_count;
    int64_t turn_stamp;            /* first time stamp of this turn of the loop; TIME_NEVER: none */
    size_t levels_done;
};

/* Sends one request (i of body(i)); the source has drawn it. */
void level_send(struct level_run *run, int stream, int64_t i, int64_t intended);
/* Counts a request that was due at `now` or before against max_requests; false: the level takes no more. */
bool level_draw(struct level_run *run, int64_t now);
/* A record of a request that was due and never sent. */
void level_never_sent(struct level_run *run, int64_t i, int64_t intended, int64_t now);

/* What engine.c needs of a level that is over. */
struct level_facts {
    int64_t ok, ended, connect_failures;
    int64_t mean_e2e_ns; /* of those that ended ok, wall; 0: none */
    double request_rps;  /* ended ok between the end of the start phase and the level's end / that time; model time */
    enum level_reason reason;
};

/* Runs one level. mean_e2e_ns: the request time that a spread start uses, wall; 0: streams start together.
 * Returns 0, or -1 when engine->failure was set; *facts is filled in any case. */
int level_run_whole(struct engine *engine, const struct level *level, int repeat, int64_t mean_e2e_ns, size_t levels_done,
                    struct level_facts *facts);

#endif
