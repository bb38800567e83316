/* The figures of a level by which levels are compared: over repeats, with a baseline, with another deployment.
 *
 * One list, so that all comparisons are of the same numbers, by the same names, and agree on which way is better. */
#ifndef ROIBENCH_STATS_FIGURE_H
#define ROIBENCH_STATS_FIGURE_H

#include <stdbool.h>

#include "stats/level_summary.h"

enum better { BETTER_LESS, BETTER_MORE };

/* Enum, name in files, for people, unit, what is better. TTFT is the censored one: +infinity where too many never came, or where the
 * level's queue grew without end. */
#define FIGURES(X)                                                              \
    X(TTFT_P50, "ttft_censored_p50_ms", "TTFT p50", "ms", BETTER_LESS)          \
    X(TTFT_P95, "ttft_censored_p95_ms", "TTFT p95", "ms", BETTER_LESS)          \
    X(ITL_P50, "itl_p50_ms", "ITL p50", "ms", BETTER_LESS)                      \
    X(ITL_P95, "itl_p95_ms", "ITL p95", "ms", BETTER_LESS)                      \
    X(TPOT_P50, "tpot_p50_ms", "TPOT p50", "ms", BETTER_LESS)                   \
    X(TPOT_P95, "tpot_p95_ms", "TPOT p95", "ms", BETTER_LESS)                   \
    X(E2E_P50, "e2e_p50_ms", "e2e p50", "ms", BETTER_LESS)                      \
    X(E2E_P95, "e2e_p95_ms", "e2e p95", "ms", BETTER_LESS)                      \
    X(USER_TPS, "user_tps", "user speed", "tok/s", BETTER_MORE)                 \
    X(OUTPUT_TPS, "output_tps", "output throughput", "tok/s", BETTER_MORE)      \
    X(TOTAL_TPS, "total_tps", "total throughput", "tok/s", BETTER_MORE)         \
    X(REQUEST_RPS, "request_rps", "requests", "req/s", BETTER_MORE)             \
    X(GOODPUT_RPS, "goodput_rps", "goodput", "req/s", BETTER_MORE)              \
    X(ERROR_RATE, "error_rate", "error rate", "", BETTER_LESS)                  \
    X(QUEUE_DEPTH, "queue_depth", "queue depth", "", BETTER_LESS)               \
    X(KV_CACHE, "kv_cache", "KV cache", "", BETTER_LESS)

enum figure {
#define X(name, key, title, unit, better) FIGURE_##name,
    FIGURES(X)
#undef X
        FIGURE_COUNT
};

const char *figure_name(enum figure figure);  /* "ttft_censored_p95_ms" */
const char *figure_title(enum figure figure); /* "TTFT p95" */
const char *figure_unit(enum figure figure);  /* "ms", "": a share of 1, or a number */
enum better figure_better(enum figure figure);

/* NAN: not known. May be +infinity. */
double figure_of(const struct level_summary *level, enum figure figure);
/* Its 95 % interval, of within-run noise only. */
struct interval figure_interval_of(const struct level_summary *level, enum figure figure);

#endif
