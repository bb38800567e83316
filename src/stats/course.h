/* A run over time: what its reports draw, in a bounded number of points whatever its length.
 *
 * Every level is cut into equal steps from its start to its end (the drain is a part of it). Steps are as long as the run's length
 * over COURSE_POINTS_MAX, rounded up to 1, 2 or 5 times a power of ten seconds, and never shorter than a look at the server's metrics: so
 * there are no more than COURSE_POINTS_MAX and one for each level. Time between levels has no point.
 *
 * All times are model time. NAN is not known. */
#ifndef ROIBENCH_STATS_COURSE_H
#define ROIBENCH_STATS_COURSE_H

#include "base/arena.h"
#include "stats/level_summary.h"

struct run_data;

#define COURSE_POINTS_MAX 240

/* Columns: enum, name in files. Of gauges the time-weighted mean; of counters what was added in the step. */
#define COURSE_COLUMNS(X)                                                                                               \
    X(QUEUE_DEPTH, "queue_depth")                                                                                         \
    X(RUNNING, "running")                                                                                                 \
    X(KV_CACHE, "kv_cache")                                                                                               \
    X(PREEMPTIONS, "preemptions")                                                                                         \
    X(CACHE_HIT_SHARE, "prefix_cache_hit_share") /* of the tokens looked up in the step */                                \
    X(CONCURRENCY, "concurrency")                                                                                         \
    X(OUTPUT_TPS, "output_tps")                  /* by the ticks of the journal */                                        \
    X(TTFT_P50, "ttft_p50_ms")                   /* of the requests sent (never sent: due) in the step; one without a */  \
    X(TTFT_P95, "ttft_p95_ms")                   /* first token counts with the time it was waited for: at least that */  \
    X(GPU_UTILIZATION, "gpu_utilization")                                                                                 \
    X(GPU_POWER, "gpu_power_w")                  /* of all GPUs together */

enum course_column {
#define X(name, key) COURSE_##name,
    COURSE_COLUMNS(X)
#undef X
        COURSE_COLUMN_COUNT
};
const char *course_column_name(enum course_column column); /* "kv_cache" */

struct course_point {
    size_t level;    /* place among the run's levels */
    double start_s, end_s; /* from the run's anchor */
    double value[COURSE_COLUMN_COUNT];
};

struct course {
    struct course_point *points; /* ascending in time; of the arena */
    size_t count;
};

/* levels: those of the run's summary, with their times. The columns of GPUs are left unknown. */
void course_find(struct course *course, const struct run_data *data, const struct level_summary *levels, size_t count, struct arena *arena);

/* Whether any point knows it. */
bool course_has(const struct course *course, enum course_column column);

#endif
