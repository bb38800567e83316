/* Where an engine puts what it measured. The workspace (sink_workspace) is one; tests have another.
 *
 * Every function returns 0, or -1 with *err; the engine then stops the load and hands the error up.
 * add comes from every worker; tick and flush from one; level_start and level_end while no worker is at work. */
#ifndef ROIBENCH_LOAD_SINK_H
#define ROIBENCH_LOAD_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/lag.h"
#include "plan/plan.h"
#include "record/record.h"

/* Why a level ended. From the run's ceilings on: before its time, with what was under way cancelled. */
enum level_reason {
    LEVEL_MAX_REQUESTS, LEVEL_MAX_SECONDS, LEVEL_MAX_ERROR_RATE, LEVEL_SATURATED,
    LEVEL_MAX_TOKENS_TOTAL, LEVEL_MAX_USD, LEVEL_TARGET_REFUSES, LEVEL_STOPPED,
};
const char *level_reason_name(enum level_reason reason); /* "max_seconds" … */

/* voluntary: it waited; involuntary: the CPU was taken from it. -1: unknown. */
struct context_switches {
    int64_t voluntary, involuntary;
};

/* Times: ns from the run's anchor, wall. */
struct level_end {
    struct level level;
    int repeat;
    int64_t start, end, window_start, window_end;
    int64_t drawn, sent;             /* requests due; of these, those that were tried */
    struct lag_summary lag, slip;    /* event loop, of the worker that was latest; sent - intended, of all */
    const double *cpu;               /* share of one CPU that each worker used; NAN: unknown */
    int workers;
    int64_t throttled_ns;            /* by the cgroup, during the level; -1: unknown */
    struct context_switches switches; /* of all workers */
    int64_t connections_warmed;      /* opened, or found open, before the level's first request; 0 also where nobody asked for it */
    struct lag_summary stamp_delay;  /* of all: our time stamps minus the kernel's, a sample (net/stamp_delay.h) */
    int64_t pause_ns;                /* the longest time for which a worker did nothing though it was due to */
    int64_t record_stall_ns;         /* so long nothing new was sent, because the records were not taken fast enough */
    enum level_reason reason;
};

struct sink {
    /* measure_start: when the start phase will be over */
    int (*level_start)(struct sink *sink, const struct level *level, int repeat, int64_t start, int64_t measure_start,
                       struct error *err);
    int (*level_end)(struct sink *sink, const struct level_end *end, struct error *err);
    /* gaps and n as record_writer_add */
    int (*add)(struct sink *sink, const struct record *record, const int64_t *gaps, const int32_t *n, size_t arrivals,
               struct error *err);
    int (*tick)(struct sink *sink, int64_t t, int64_t tokens, struct error *err);
    /* What was added can be read soon. */
    int (*flush)(struct sink *sink, struct error *err);
    /* More was added than is taken: send nothing new for now. NULL: never. */
    bool (*full)(struct sink *sink);
};

#endif
