/* A run, summarized: what was measured, every level, and the points of its sweep. All that a report shows.
 *
 * A summary owns everything in it (its arena, its plan); levels of the points point into `levels`. It is made from files
 * alone and says the same however often it is made. */
#ifndef ROIBENCH_STATS_SUMMARY_H
#define ROIBENCH_STATS_SUMMARY_H

#include <jansson.h>

#include "base/arena.h"
#include "base/error.h"
#include "plan/plan.h"
#include "stats/level_summary.h"
#include "stats/points.h"
#include "stats/course.h"
#include "stats/repeats.h"

#define SUMMARY_SCHEMA "roibench/summary/v1"
#define SUMMARY_NOTES_MAX 16
#define SUMMARY_UNITS_MAX 2 /* streams, req/s */

/* Where an imported run comes from. */
struct import_origin {
    const char *format; /* of imports.def */
    const char *tool;   /* "GuideLLM 0.8.1" */
    struct import_file {
        const char *name; /* without folders */
        uint64_t size;
        char sha256[65];
    } *files;
    size_t file_count;
};

/* Texts of an imported run that its file does not tell are "", and it has no plan. */
struct run_facts {
    const struct import_origin *imported; /* NULL: measured by roibench */
    const char *run_id, *model, *target;
    bool free_answers;         /* the server does not heed ignore_eos: answers may be shorter than asked */
    bool insecure;             /* nobody verified that the target is who it says */
    size_t other_targets;      /* that were asked in turn with this one */
    const char *server;        /* "vllm 0.11.0", "simulator of preset l4-int4": for people */
    bool simulated;
    double time_scale;
    const char *profile;
    const char *stream_start;  /* "spread", "together" */
    const char *arrivals;      /* "burstiness 0.5", "": their rate says it all */
    const char *think_time;    /* "exponential, mean 2.0 s", "none" */
    const char *scenario, *endpoint; /* scenario "": none of the named ones */
    const char *tokens;        /* "256 + 256 tokens"; where lengths are drawn "256 (std 64, 1 to 512) + 256 tokens" */
    const char *limits;        /* "60 s a level" */
    const char *warmup, *cooldown; /* "10 %", "5 s", "none" */
    const char *drain;         /* "60 s" */
    const char *objectives;    /* of a request: "ttft at most 1000 ms and tpot at most 100 ms"; "": none */
    const struct sla *planned_sla; /* by which the plan would have it judged; NULL: imported */
    int64_t max_concurrency;
    struct mean_tokens {
        uint64_t requests;     /* members that ended ok and whose tokens the server counted; 0: the others are NAN */
        double mean, std_error;
    } prompt, output;          /* as measured, over all levels: a server may have stopped short of what was asked for */
    int64_t prompt_tokens, output_tokens; /* means asked for */
    const char *hardware;      /* "" unknown */
    int64_t gpus;              /* 0 unknown */
    int64_t price_micro_usd;   /* -1 unknown */
    const char *price_source;  /* "" unknown */
    int64_t anchor_realtime_ns; /* of time 0 */
    const char *quality, *quality_source; /* as supplied with it, and by whom: nothing is computed of it. "": none, not told */
    double claim;              /* a published figure of total tokens a second per dollar-hour, to be looked for; 0: none */
    const char *pair_id;       /* of two runs whose levels took turns; "": it was run alone */
    const struct kubernetes_facts *kubernetes; /* what it ran on; NULL: Kubernetes was not asked */
    json_t *plan;              /* plan.json as it was used (prices and GPUs may have been replaced); owned; NULL: imported */
};

/* All levels together: what became of their members. */
struct run_totals {
    struct request_counts requests;
    struct failure_count failures[FAILURE_CLASSES_MAX]; /* by class */
    size_t failure_count;
    double window_s; /* sum of the windows; NAN: not all are known */
};
struct baseline; /* stats/baseline.h */
struct trend;    /* stats/trend.h */

struct run_summary {
    struct arena *arena;
    struct run_facts facts;
    const struct sla *sla; /* by which it was judged */
    struct level_summary *levels; /* in the order of the run */
    size_t level_count;
    const struct level_endings **endings; /* of each level (stats/endings.h); NULL: nobody asked, or there are no records */
    struct points points[SUMMARY_UNITS_MAX]; /* of each unit with a level; the one with more levels first */
    size_t points_count;
    struct course course;
    struct run_totals totals;
    struct repeated_load *repeated; /* loads that were measured several times */
    size_t repeated_count;
    const char *notes[SUMMARY_NOTES_MAX]; /* about the run as a whole */
    size_t note_count;
    int64_t calls_per_turn;       /* of a conversation, stats/conversations.h; 1: requests are what counts */
    bool any_ended;               /* at least one request ended, ok or not */
    /* Beside earlier runs, where that was asked for; else NULL. Of the arena. */
    const struct baseline *baseline;
    const struct trend *trend;
};

/* What a plan tells: all but what was measured. Texts are the arena's; facts->plan is a reference that the caller lets go. */
void run_facts_fill(struct run_facts *facts, struct arena *arena, const struct plan *plan);

/* Reads the records beside the plan; sla: usually the plan's. NULL with *err: no records, or files that cannot be read. */
struct run_summary *run_summary_make(const char *folder, const struct plan *plan, const struct sla *sla, struct error *err);
/* The same with `endings`, and so many requests of each ending and level kept. */
struct run_summary *run_summary_make_with_endings(const char *folder, const struct plan *plan, const struct sla *sla, size_t keep,
                                                  struct error *err);
void run_summary_free(struct run_summary *summary); /* NULL is fine */

/* As many as are made in this layer fit; one more is a mistake in the program. note: of the summary's arena. */
void run_summary_add_note(struct run_summary *summary, const char *note);
/* Finds the points, repeats and totals anew from summary->levels, and sets summary->sla: for summaries that were put together by hand (imports, tests). */
void run_summary_find_points(struct run_summary *summary, const struct sla *sla);
/* The points of a unit; NULL: no level has it. */
const struct points *run_summary_points(const struct run_summary *summary, const char *unit);

#endif
