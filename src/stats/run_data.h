/* A run folder read back: records, gaps between tokens, what the server and the client said of themselves.
 *
 * Records are wall time; here, and nowhere else, all times are multiplied by the server's time scale. Whatever is behind
 * this header is model time: ns from the run's anchor, and rates come out right by themselves.
 *
 * Shards of a run are merged here: behind this header there is one run. Requests, gaps and ticks are those of all; a level is what all
 * shards did at the same time (join_parts in run_data.c says how); of the client's health the worst counts; the server's metrics are one
 * shard's.
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
#include "stats/blocks.h"
#include "stats/selection.h"
#include "stats/server_data.h"
#include "stats/steady.h"

#define PODS_CHANGED_SIZE 1024
#define TIME_LIMIT (INT64_MAX / 4) /* of scaled times, so that differences fit */

/* What tokens.bin.gz gives a block of a level's window. Gaps are those of members that ended ok, in the block where their request
 * counts: a gap of n tokens is n samples of itl. */
struct block_tokens {
    double in_window;
    double itl_ns, itl_count, gap_ns, gap_count; /* sums of gaps, and samples */
};

/* What tokens.bin.gz gives a level. */
struct token_sums {
    double in_window;           /* tokens that arrived inside the window */
    double in_span;             /* inside the span of the server's scrapes (server_span), */
    double span_gap_ns, span_gap_tokens, span_gaps; /* and of those that came after a gap: the gaps' sum, their tokens, how many gaps */
    struct selection *gaps; /* of members that ended ok; ns */
    uint64_t requests, frames; /* that got tokens, by their records; whose tokens are in the file */
    struct block_tokens block[BLOCKS]; /* as many as blocks.count */
};

/* What tells a level's output tokens over time: stats/token_source.h. */
enum token_source { TOKENS_NOWHERE, TOKENS_BY_FRAMES, TOKENS_BY_TICKS };

/* The journal's level_end. */
struct client_health {
    bool known;
    int64_t lag_p99;     /* ns of model time; -1 unknown */
    int64_t stamp_delay_p99; /* the same: our time stamps minus the kernel's */
    int64_t pause;       /* ns of model time: the longest for which the client stood still; 0 also when unknown */
    int64_t record_stall; /* ns of model time without a new request, since the records were not taken; 0 also when unknown */
    double cpu;          /* the busiest worker's share of one CPU; NAN unknown */
    int64_t throttled;   /* wall ns inside the level; -1 unknown */
    char reason[24];     /* why the level ended: "max_seconds"; "" unknown */
};

/* A level as one part of the run saw it: a shard, or the only process. */
struct level_part {
    struct level_bounds bounds;  /* as in the files; of a level that it did not live to end, a guess */
    /* Of the journal's level_start: when the level began, and when its start phase was to be over. TIME_NEVER: it does not say. */
    int64_t started, measure_start;
    struct client_health health;
    size_t record_count;
    bool begun;
};

struct run_level {
    struct level_bounds bounds;    /* all times known; ended: as it was in the file; the window: without what `auto` found */
    struct steady_cut warmup, cooldown; /* what was to be cut of the level, and why; the start phase is outside in any case */
    const uint32_t *records;       /* indices of its records, in order of i */
    size_t record_count;
    int64_t drained;               /* when its last request had ended, or the level itself */
    struct blocks blocks;          /* of the window */
    struct server_span span;
    struct token_sums tokens;
    enum token_source token_source;
    bool has_ticks;
    struct client_health health;
    struct level_part *parts;      /* by the parts of the file */
    int parts_missing, parts_cut;  /* shards with a share in it that never came to it; those that did not live to end it */
    int64_t joint_window, longest_window; /* of all parts together, and of one: how long the window is and could have been */
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
    struct level_part *level_parts; /* of all levels */
    bool has_tokens, has_metrics, has_journal;
    struct scrapes scrapes;
    int scrapes_shard;      /* whose they are, where several shards have some; else NO_SHARD */
    struct tick *ticks;     /* ascending */
    size_t tick_count, tick_cap;
    int64_t *last_ticks;    /* of each part of the file; TIME_NEVER: it has none */
    char pods_changed[PODS_CHANGED_SIZE]; /* what became of the model's pods since the plan was made; "": nothing, or nobody looked */
    char truncated[RUN_FILE_NAME_SIZE]; /* name of a file that was cut off; "": none */
};

/* The plan: its time scale, and the window of a level that has no level_end. That lasts from its beginning to its last event, without
 * the start phase, the warm-up (a share is one of the planned length) and what would have been its cool-down. */
int run_data_read(struct run_data *data, const char *folder, const struct plan *plan, struct error *err);
/* The levels' tokens.gaps, once they are described: tens of MB. */
void run_data_drop_gaps(struct run_data *data);
void run_data_free(struct run_data *data);
/* NULL: there is no such level. */
struct run_level *run_data_find_level(const struct run_data *data, int64_t index, int64_t repeat);

bool run_level_is_open_loop(const struct run_level *level);
/* The run ended the level before its time, and gave what was under way no time to end: a signal, an error of its own, a target that
 * refused everything, a ceiling of the run. */
bool run_level_was_stopped(const struct run_level *level);
/* It was ended because its queue grew without end: what it tells is a lower bound. */
bool run_level_grew(const struct run_level *level);
/* The part that sent this request was, before the level's time. */
bool run_data_was_stopped(const struct run_data *data, const struct run_level *level, const struct record *record);
/* When the request counts: sent, in an open loop due. TIME_NEVER: never. */
int64_t run_level_counted_at(const struct run_level *level, const struct record *record);
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
