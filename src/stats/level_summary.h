/* One level of a run, summarized: every number of docs/metrics.md.
 *
 * All times are model time: a simulated server that runs faster than its model has been scaled already. Shares are
 * shares of 1. NAN (and count 0) is "not known"; `missing` says why. Texts belong to the run's summary. */
#ifndef ROIBENCH_STATS_LEVEL_SUMMARY_H
#define ROIBENCH_STATS_LEVEL_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/blocks.h"
#include "stats/series.h"
#include "stats/steady.h"
#include "stats/verdict.h"

/* Distributions of a level: enum, name in files, over which requests. All in ms. */
#define LATENCIES(X)                                                                                      \
    X(TTFT, "ttft_ms", "members that got a first token")                                                  \
    X(TTFT_CENSORED, "ttft_censored_ms", "all members; those without a first token as +infinity")         \
    X(TTFT_WITHOUT_FIRST, "ttft_without_first_ms", "as ttft_censored_ms, without each stream's first request") \
    X(TTFT_INTENDED, "ttft_intended_ms", "from when the request was due")                                 \
    X(ITL, "itl_ms", "an arrival of n tokens after a gap g: n samples g/n")                               \
    X(ARRIVAL_GAP, "arrival_gap_ms", "between arrivals")                                                  \
    X(TPOT, "tpot_ms", "(last token - first token) / (N - n of the first arrival)")                       \
    X(TPOT_VLLM, "tpot_vllm_ms", "(last token - first token) / (N - 1)")                                  \
    X(TPOT_WITH_FIRST, "tpot_with_first_ms", "(last token - sent) / N")                                   \
    X(E2E, "e2e_ms", "end - sent")                                                                        \
    X(E2E_INTENDED, "e2e_intended_ms", "end - due")                                                       \
    X(SCHEDULE_SLIP, "schedule_slip_ms", "sent - due")

enum latency {
#define X(name, key, over) LATENCY_##name,
    LATENCIES(X)
#undef X
        LATENCY_COUNT
};
const char *latency_name(enum latency latency); /* "ttft_ms" */

/* Single numbers: enum, name in files. Rates are per second of model time. */
#define RATES(X)                                \
    X(USER_TPS, "user_tps")                     \
    X(OUTPUT_TPS, "output_tps")                 \
    X(TOTAL_TPS, "total_tps")                   \
    X(REQUEST_RPS, "request_rps")               \
    X(GOODPUT_RPS, "goodput_rps")               \
    X(CONCURRENCY, "concurrency")               \
    X(ERROR_RATE, "error_rate")                 \
    X(OFFERED_RPS, "offered_rps")               \
    X(DRAWN_RPS, "drawn_rps")                   \
    X(DELIVERED_RPS, "delivered_rps")           \
    X(SYNCHRONY, "synchrony")

enum rate {
#define X(name, key) RATE_##name,
    RATES(X)
#undef X
        RATE_COUNT
};
const char *rate_name(enum rate rate); /* "output_tps" */

#define COUNT_UNKNOWN UINT64_MAX /* an import does not tell it */

struct request_counts {
    uint64_t members, ok, error, incomplete;
    uint64_t no_first_token; /* members counted as +infinity in ttft_censored_ms */
    uint64_t left_out;       /* members that the run's own stop cut too early to tell anything of their TTFT */
    uint64_t never_sent;     /* open loop: due and not sent before the level ended */
};

/* Failures of members by class, in the order of the classes; only those that happened. */
#define FAILURE_CLASSES_MAX 16
struct failure_count {
    const char *name;
    const char *blame; /* by whose doing: "server", "client", "neither" */
    uint64_t count;
};

/* A tenth of the members that tell of TTFT, in the order of sending: how it changed in the level. Of fewer than SLICES * SLICE_MIN
 * requests as many slices as have SLICE_MIN each. */
#define SLICES 10
#define SLICE_MIN 10
struct level_slice {
    double start_s, end_s; /* sending of its first and its last request */
    uint64_t requests, no_first_token;
    double ttft_p50_ms, ttft_p95_ms; /* censored; may be +infinity */
};

/* Members by the turn of their conversation (--turns): a later one has more said before it, and what of that the server has in its cache.
 * The last of TURNS_TOLD holds the later ones too. */
#define TURNS_TOLD 16
struct level_turn {
    uint64_t requests, no_first_token;
    double ttft_p50_ms, ttft_p95_ms; /* censored; may be +infinity; NAN: no request */
};

/* The window in blocks of equal time (stats/blocks.h): what happened in each, one after the other. */
struct level_blocks {
    size_t count;      /* 0: the window is too short */
    double seconds;    /* of one block */
    double output_tps[BLOCKS], request_rps[BLOCKS], concurrency[BLOCKS]; /* output_tps: NAN where no tokens are known */
};

/* A gauge of the server over the part of the window that its scrapes cover. */
struct gauge {
    double mean, max;
    double limit, share_above; /* share of the time above the limit */
    double covered;            /* share of the window: 0 where nothing is known */
};

/* What server and client both know, each by its own count: enum, name in files, over which time. Of the window: between the last
 * scrape before it and the first after it. Of the level: between the last scrape before its first request and the first after its last,
 * where nothing of ours is under way: counts must be the same there. */
#define RECONCILED(X)                                                                            \
    X(REQUESTS, "requests", "level")           /* that ended ok */                               \
    X(PROMPT_TOKENS, "prompt_tokens", "level")                                                   \
    X(OUTPUT_TOKENS, "output_tokens", "level")                                                   \
    X(TTFT_P95, "ttft_p95_ms", "level")        /* the server's: within a bucket, as dashboards show it */ \
    X(IN_FLIGHT, "in_flight", "window")        /* running and waiting; ours: sent and not ended; means */ \
    X(TTFT_MEAN, "ttft_mean_ms", "window")                                                       \
    X(ITL_MEAN, "itl_mean_ms", "window")                                                         \
    X(E2E_MEAN, "e2e_mean_ms", "window")

enum reconciled_item {
#define X(name, key, over) RECONCILED_##name,
    RECONCILED(X)
#undef X
        RECONCILED_COUNT
};
const char *reconciled_name(enum reconciled_item item); /* "ttft_mean_ms" */
const char *reconciled_over(enum reconciled_item item); /* "window" */

enum agreement { AGREEMENT_UNKNOWN, AGREEMENT_AGREES, AGREEMENT_EXPLAINED, AGREEMENT_DIFFERS };
const char *agreement_name(enum agreement agreement); /* "agrees" */

struct reconciled {
    double server, client; /* NAN: not known */
    enum agreement agreement;
    const char *why;       /* a part of a sentence; NULL: they agree, or one is not known */
};

/* Differences of the server's own sums over the span of the window's scrapes, and the client's counts of the same. */
struct server_sums {
    double from_s, to_s; /* NAN: not enough scrapes */
    double output_tokens, prompt_tokens;
    double client_output_tokens, client_prompt_tokens;
    double queue_time_mean_ms;     /* of requests that ended in it */
    double preemptions;
    double prefix_cache_hit_share; /* of the tokens looked up */
    const char *foreign;           /* of the level: traffic that is not ours, as a sentence; NULL: none that matters */
    struct reconciled both[RECONCILED_COUNT];
};

#define SERVER_COVERED_MIN 0.9 /* below, a gauge of the server is of a part of the window, and that is said */

struct server_summary {
    struct gauge queue_depth, kv_cache, running;
    struct server_sums sums;
};

/* What Prometheus knows of the deployment's GPUs over the window: stats/gpu.h. */
struct gpu_summary {
    int gpus;                 /* 0: nothing is known */
    double utilization;       /* share of the time in which anything ran, mean of the GPUs */
    double memory_active;     /* share of the time in which their memory was busy */
    double memory_used_bytes; /* of all together: the most in use, */
    double memory_bytes;      /* and what there is */
    double power_w;           /* of all together, mean */
    double energy_j;          /* in the window */
    bool by_counter;          /* energy is of their own counters, and not power times time */
    double output_tokens_per_joule, total_tokens_per_joule;
    double covered;           /* share of the window */
};

enum validity { VALIDITY_VALID, VALIDITY_SUSPECT, VALIDITY_INVALID };
const char *validity_name(enum validity validity);

#define REASONS_MAX 16
struct validity_summary {
    enum validity verdict; /* the worst of the reasons */
    struct validity_reason {
        enum validity verdict;
        const char *tag;  /* two words for a table: "start burst" */
        const char *text; /* a sentence for this level */
    } reasons[REASONS_MAX];
    size_t count;
};

#define MISSING_MAX 32
struct missing {
    const char *field, *reason;
};

/* A member of an imported level that is computed from others of its members. */
#define DERIVED_MAX 12
struct derived {
    const char *field, *formula;
};

struct level_summary {
    int index, repeat;
    int place, places; /* which measurement of the plan's level `index` this is, from 1, of how many: run_summary_find_points */
    double load;
    char unit[16], kind[16];
    double start_s, end_s, window_start_s, window_end_s; /* from the run's anchor */
    struct steady_cut warmup, cooldown;                  /* what was to be cut of the level, and why */
    bool ended;                                          /* false: the run was cut off in this level */
    char reason[24];                                     /* why it ended: "max_seconds"; "" not known */
    bool grew;                                           /* it was ended because its queue grew without end: its TTFT is a lower bound */
    bool stopped;                                        /* the run ended it before its time, and cancelled what was under way */
    bool imported;                                       /* measured by another tool (src/import): distributions may have no samples */
    struct derived derived[DERIVED_MAX];
    size_t derived_count;
    struct request_counts requests;
    struct failure_count failures[FAILURE_CLASSES_MAX];
    size_t failure_count;
    struct distribution latency[LATENCY_COUNT];
    double ttft_p95_at_least_ms; /* p95 when a request without first token counts with the time it waited: a lower bound */
    double unfinished_share;     /* no_first_token / samples of ttft_censored_ms */
    double ttft_slices_above;    /* share of ten slices whose TTFT p95 is above the saturation limit; NAN: under 100 requests */
    double rate[RATE_COUNT];
    struct interval rate_interval[RATE_COUNT]; /* 95 %, within-run noise only: by blocks; of user_tps by the ranks of its TPOT */
    double goodput_share;        /* of the members that tell: ended ok and met every objective of --slo; NAN: none was given */
    struct level_blocks blocks;
    struct level_slice slices[SLICES];
    size_t slice_count;
    struct level_turn turns[TURNS_TOLD];
    size_t turn_count; /* 0: no conversations */
    struct server_summary server;
    struct gpu_summary gpu;
    struct verdict verdict;
    struct validity_summary validity;
    struct missing missing[MISSING_MAX];
    size_t missing_count;
};

/* Everything not known. */
void level_summary_init(struct level_summary *level);

/* Shorthands. */
double level_ttft_p95(const struct level_summary *level); /* censored; ms; may be +infinity */
/* Which failures there were, and how many of each: not all imports tell. */
bool request_failures_are_known(const struct request_counts *counts, size_t failure_count);
bool level_is_open_loop(const struct level_summary *level);
/* The five values that have classes, in the order and units of the SLA table. The TTFT of a level whose queue grew without end is
 * infinite: how large it was when the level was ended says only when that was. */
void level_sla_values(const struct level_summary *level, double values[SLA_METRIC_COUNT]);
void level_add_reason(struct level_summary *level, enum validity verdict, const char *tag, const char *text);
void level_add_missing(struct level_summary *level, const char *field, const char *reason);
void level_add_derived(struct level_summary *level, const char *field, const char *formula);

#endif
