/* A run as it is looked at beside others of its kind: a few numbers a level, its points, its verdict.
 *
 * It is made of a summary, or read back from summary.json (report/summary_read.h), so that a workspace of a hundred runs is looked
 * through without reading their records again. Both give the same.
 *
 * Two runs are of one *series* when they measured the same thing: model, hardware, GPUs and workload are equal (the loads need not be: what
 * both have is compared). The server's version is no part of it: that a new one is slower is what a series is to show. */
#ifndef ROIBENCH_STATS_HISTORY_H
#define ROIBENCH_STATS_HISTORY_H

#include "stats/workload.h"

/* enum, name in files, title, unit, decimals, whether more is better */
#define HISTORY_METRICS(X)                                          \
    X(TTFT_P50, "ttft_p50", "TTFT p50", "ms", 0, false)             \
    X(TTFT_P95, "ttft_p95", "TTFT p95", "ms", 0, false)             \
    X(USER_TPS, "user_tps", "speed of one user", "tok/s", 1, true)  \
    X(E2E_P50, "e2e_p50", "E2E p50", "ms", 0, false)                \
    X(TOTAL_TPS, "total_tps", "throughput", "tok/s", 0, true)       \
    X(ERROR_RATE, "error_rate", "error rate", "%", 2, false)

enum history_metric {
#define X(name, key, title, unit, decimals, more) HISTORY_##name,
    HISTORY_METRICS(X)
#undef X
        HISTORY_METRIC_COUNT
};
const char *history_metric_name(enum history_metric metric);  /* "ttft_p95" */
const char *history_metric_title(enum history_metric metric); /* "TTFT p95" */
bool history_metric_more_is_better(enum history_metric metric);
#define HISTORY_VALUE_SIZE 64
/* "1,234 ms", "19.3 tok/s", "0.10 %", "never" (infinity), "-" (NAN) */
const char *history_metric_format(enum history_metric metric, double value, char buffer[HISTORY_VALUE_SIZE]);

/* Times are censored (a request without a first token counts as +infinity); NAN: not known. low, high: 95 %, of the noise within the run; NAN:
 * this bound is not known. */
struct history_value {
    double value, low, high;
};

struct history_level {
    double load;
    char unit[16];
    enum validity validity;
    enum sla_class class;
    uint64_t ended, failed; /* members that ended; of these, failed by the server's doing */
    struct history_value value[HISTORY_METRIC_COUNT];
};

struct history_point {
    double held, broke; /* as in struct point */
    int decided;
    const char *text;
};

struct history_run {
    struct arena *arena;
    const char *run_id, *model, *server, *hardware; /* hardware "": not told */
    int64_t gpus;           /* 0: not told */
    const char *workload;   /* in a few words */
    struct workload_fact facts[WORKLOAD_FACTS]; /* stats/workload.h */
    const struct sla *sla;  /* by which it was judged; its own */
    const char *series;     /* equal for runs of one series */
    int64_t started;        /* realtime ns */
    struct history_level *levels;
    size_t level_count;
    /* Of the unit with more levels; NULL: no level was measured, and nothing below is known. */
    const char *unit;
    struct history_point saturation, breaking;
    double advised_load; /* NAN: none can be advised */
    double max_tps;
    const char *advice;  /* why, or why not */
};

/* What a plan tells of it: facts, series, and started as the time when the plan was made. Nothing was measured. */
struct history_run *history_run_new(const struct plan *plan);
/* Nothing of the summary is kept. */
struct history_run *history_run_of(const struct run_summary *summary);
void history_run_free(struct history_run *run); /* NULL is fine */
/* GPUs are a part of what makes a series, and summarize --gpus may replace what the plan says. */
void history_run_set_gpus(struct history_run *run, int64_t gpus);

/* Counts as a proportion with Wilson's 95 % interval (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212). */
struct history_value history_proportion(uint64_t failed, uint64_t ended);
/* The same, where the level's blocks tell more: failures come in bursts. The wider bounds count; those of the blocks may be NAN. */
struct history_value history_error_rate(uint64_t failed, uint64_t ended, const struct interval *by_blocks);

/* The speed of one user, 1000 / tpot: the bounds change places. */
struct history_value history_speed(struct history_value tpot_ms);

/* The run in a word: "invalid" (a level is, as a measurement), the class of the level to run in production, "none" (none can be advised). */
const char *history_run_verdict(const struct history_run *run);
/* The worst class of the levels of this load: SLA_UNKNOWN where there is none. */
enum sla_class history_run_class(const struct history_run *run, double load);

/* The metric at a load: the geometric mean of its levels that are no invalid measurements (of error rates that of all their requests). NAN: none
 * has it. */
double history_run_value(const struct history_run *run, const char *unit, double load, enum history_metric metric);

/* qsort: by date, the oldest first; runs of one date by their id. Of pointers to runs. */
int history_run_compare(const void *a, const void *b);

#endif
