/* The runs of one series over time: is the model slower than last week, and since when?
 *
 * Asked at one load, the one that the newest run advises for production (else the lowest that it measured), of three metrics:
 *
 *   the week   the runs of the seven days up to the newest one against those of the seven days before: Welch's t on the logarithms
 *              with three runs or more in each; where one of the weeks has fewer, what the other's runs differ by is taken for both.
 *   the step   where the series is best cut in two: Pettitt's test (A. N. Pettitt, Applied Statistics 28 (1979) 126-135), that asks only
 *              for ranks, so that one bad night is no step; its chance by 9,999 permutations drawn from a fixed seed. Told when it
 *              is significant at 1 %, with TREND_STEP_MIN runs or more.
 *
 * What differs between runs is the noise here; that within a run does not matter. */
#ifndef ROIBENCH_STATS_TREND_H
#define ROIBENCH_STATS_TREND_H

#include "stats/baseline.h"

#define TREND_RUNS_MIN 3   /* with fewer there is no trend */
#define TREND_RUNS_MAX 100 /* the newest of a series */
#define TREND_STEP_MIN 8
#define TREND_WEEK_S 604800

extern const enum history_metric trend_metrics[];
#define TREND_METRICS 3

struct trend_metric {
    enum history_metric metric;
    size_t count;             /* runs that have it at this load */
    size_t never;             /* runs that are left out since it is infinite: too many requests never got a first token */
    size_t now_runs, before_runs;
    double now, before;       /* geometric means of the two weeks; NAN: no such run */
    double change, low, high; /* now / before - 1, and its 95 % interval; NAN: not known */
    double p;                 /* that a change as large is chance; NAN: not known */
    enum change verdict;      /* beyond noise: significant at 5 % after Benjamini and Hochberg over the three metrics */
    const char *missing;      /* why that is unknown; else NULL */
    const char *since;        /* the run-id of the first run behind the step; NULL: there is none */
    int64_t since_started;    /* realtime ns */
    double step;              /* median behind it / median before it - 1 */
    double step_p;            /* NAN: fewer than TREND_STEP_MIN */
};

struct trend {
    const char *model, *hardware, *workload; /* of the newest run */
    const char *unit;
    double load;
    size_t run_count;
    int64_t first, last; /* realtime ns */
    struct trend_metric metrics[TREND_METRICS];
    const char *texts[TREND_METRICS]; /* a sentence each */
};

/* Runs of one series with levels, the oldest first, at least TREND_RUNS_MIN. Nothing of them is kept. */
struct trend *trend_find(struct arena *arena, const struct history_run *const *runs, size_t count);

/* Pettitt's test of count values, NANs not among them: where the second part begins, and the chance of a cut as good. */
size_t trend_step(const double *values, size_t count, double *p);

#endif
