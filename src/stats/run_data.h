/* A run folder read back: records, gaps between tokens, what the server and the client said of themselves.
 *
 * Records are wall time; here, and nowhere else, all times are multiplied by the server's time scale. Whatever is behind
 * this header is model time: ns from the run's anchor, and rates come out right by themselves.
 *
 * Memory is one struct record a request; gaps are streamed (twice, for exact percentiles). */
#ifndef ROIBENCH_STATS_RUN_DATA_H
#define ROIBENCH_STATS_RUN_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "plan/plan.h"
#include "record/record_reader.h"
#include "stats/selection.h"
#include "stats/server_data.h"
#include "stats/steady.h"

#define TIME_LIMIT (INT64_MAX / 4) /* of scaled times, so that differences fit */

/* What tokens.bin.gz gives a level. */
struct token_sums {
    double in_window;           /* tokens that arrived inside the window */
    double in_span;             /* inside the span of the server's scrapes (server_span) */
    struct selection *itl, *gap; /* of members that ended ok; ns */
};

/* The journal's level_end. */
struct client_health {
    bool known;
    int64_t lag_p99;     /* ns of model time; -1 unknown */
    double cpu;          /* the busiest worker's share of one CPU; NAN unknown */
    int64_t throttled;   /* wall ns inside the level; -1 unknown */
    char reason[24];     /* why the level ended: "max_seconds"; "" unknown */
};

struct run_level {
    struct level_bounds bounds;    /* all times known; ended: as it was in the file; the window: without what `auto` found */
    struct steady_cut warmup, cooldown; /* what was to be cut of the level, and why; the start phase is outside in any case */
    /* Of the journal's level_start: when the level began, and when its start phase was to be over. TIME_NEVER: it does not say. */
    int64_t started, measure_start;
    const uint32_t *records;       /* indices of its records, in order of i */
    size_t record_count;
    struct server_span span;
    struct token_sums tokens;
    struct client_health health;
};

struct tick {
    int64_t t, tokens; /* tokens since the tick before */
};

struct run_data {
    struct record_file file;
    double time_scale;
    uint32_t *order;        /* of records by (level, repeat, i) */
    bool *member;           /* by record: sent (open loop: due) inside its level's window */
    struct run_level *levels;
    size_t level_count;
    bool has_tokens, has_metrics, has_journal;
    struct scrapes scrapes;
    struct tick *ticks;     /* ascending */
    size_t tick_count, tick_cap;
    const char *truncated;  /* name of a file that was cut off; NULL: none */
};

/* The plan: its time scale, and the window of a level that has no level_end. That lasts from its beginning to its last event, without
 * the start phase, the warm-up (a share is one of the planned length) and what would have been its cool-down. */
int run_data_read(struct run_data *data, const char *folder, const struct plan *plan, struct error *err);
void run_data_free(struct run_data *data);
/* NULL: there is no such level. */
struct run_level *run_data_find_level(const struct run_data *data, int64_t index, int64_t repeat);

bool run_level_is_open_loop(const struct run_level *level);
/* The run ended the level before its time, and gave what was under way no time to end: a signal, an error of its own, a target that
 * refused everything, a ceiling of the run. */
bool run_level_was_stopped(const struct run_level *level);
/* It was ended because its queue grew without end: what it tells is a lower bound. */
bool run_level_grew(const struct run_level *level);
/* A time inside [window_start, window_end). */
static inline bool run_level_in_window(const struct run_level *level, int64_t t)
{
    return t >= level->bounds.window_start && t < level->bounds.window_end;
}
/* Between the server's two scrapes around the window. */
static inline bool run_level_in_span(const struct run_level *level, int64_t t)
{
    return level->span.known && t >= level->span.from && t < level->span.to;
}

#endif
