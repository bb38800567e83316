/* A run against an earlier one: what got better or worse beyond noise.
 *
 * Compared are the loads that both measured, metric by metric, as a quotient. What two runs of the same differ by is more than what is seen
 * within one: streams of a closed loop fall into step in one way or another and stay so for a whole level, nodes and neighbours differ.
 * So nothing is called better or worse by what is seen within the runs alone. It needs one of
 *
 *   repeats       three or more of the load in both runs: Welch's t on the logarithms (stats/interval.h).
 *   earlier runs  three or more of the same series: what they differ by among themselves (stats/noise.h).
 *
 * and takes that by which the change is more likely to be chance, or, if that is more likely still, the noise within the runs: the 95 %
 * intervals of both numbers, put together on the logarithms by MOVER (G. Y. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702).
 * Where only that is known, a number is "unknown", and it is told whether it changed by more.
 *
 * Error rates are compared by their difference, with Newcombe's interval (Statistics in Medicine 17 (1998) 873-890), which is MOVER too; and a TTFT
 * that is infinite in one run (too many requests never got a first token) changed when both intervals do not touch. Both are failures,
 * no matter of chance between runs: they are judged by one run of each.
 *
 * Many comparisons find something by chance. A change is called better or worse when it is significant at 5 % after Benjamini and Hochberg
 * (J. R. Stat. Soc. B 57 (1995) 289-300) over all comparisons of the two runs: of twenty runs in which nothing changed about one has a mark. */
#ifndef ROIBENCH_STATS_BASELINE_H
#define ROIBENCH_STATS_BASELINE_H

#include "stats/history.h"

#define BASELINE_RUNS_MAX 20 /* earlier runs that noise is taken from: the newest */

enum noise { NOISE_UNKNOWN, NOISE_WITHIN_RUN, NOISE_REPEATS, NOISE_EARLIER_RUNS };
const char *noise_name(enum noise noise); /* "within run"; NULL: not known */

enum change { CHANGE_UNKNOWN, CHANGE_NONE, CHANGE_BETTER, CHANGE_WORSE };
const char *change_name(enum change change); /* "unknown", "same", "better", "worse" */

struct baseline_row {
    enum history_metric metric;
    double load;
    const char *unit;
    double was, is;   /* geometric means over repeats; may be infinite */
    double change;    /* is / was - 1; of error rates is - was. Infinite: requests of one of the two never got a first token. NAN: not known */
    double low, high; /* 95 %; NAN: not known */
    enum noise noise;
    double p;         /* that a change as large is chance; of an infinite one 1, or at most 0.0056; NAN: not known */
    enum change verdict;
    const char *missing; /* why the verdict is unknown; else NULL */
    bool within_run_only; /* it is unknown, since what two runs differ by is not known */
    bool beyond_within_run; /* then: it changed by more than the noise within the runs, significant as above */
};

struct baseline_point {
    const char *name;    /* "breaking", "saturation" */
    const char *was, *is;
    /* worse: a load that held clearly before is clearly beyond the point now, and TTFT or error rate at the load where the point is now became worse;
     * unknown: not the latter. better: the other way round */
    enum change verdict;
};
#define BASELINE_POINTS 2

struct baseline {
    const char *run_id;
    int64_t started;                 /* realtime ns */
    const char *const *differences;  /* why the two were not measured alike; none: they were */
    size_t difference_count;
    const char *const *deployments;  /* in what model, hardware, GPUs and server differ: what may be the reason */
    size_t deployment_count;
    struct baseline_row *rows;       /* by load, then metric */
    size_t row_count;
    struct baseline_point points[BASELINE_POINTS];
    size_t better, worse, same, unknown; /* rows */
    size_t within_run_only, beyond_within_run; /* of the unknown */
    size_t earlier_runs;             /* that noise was taken from; 0: fewer than NOISE_RUNS_MIN */
    bool previous;                   /* it is no fixed one, but the newest run before: with every run more is known of noise */
    const struct sla *sla;           /* by which `is` was judged */
    const char *sla_note;            /* the other was judged by other bounds: points are not compared; NULL: by the same */
    const char *text;                /* a sentence of what is worse, what better */
};

/* earlier: runs of the same series from before `is`, in any order; others among them are left out. Nothing of the arguments is kept. */
struct baseline *baseline_compare(struct arena *arena, const struct history_run *was, const struct history_run *is,
                                  const struct history_run *const *earlier, size_t earlier_count);

/* How much was lost: 0.18 where a latency grew by 18 %, 0.05 where a throughput fell by 5 %; negative: won. Of error rates the difference. */
double baseline_row_loss(const struct baseline_row *row);
/* "TTFT p95 at 5 streams: 420 ms before, 496 ms now, +18 % (+9 to +28 %)" */
const char *baseline_row_text(struct arena *arena, const struct baseline_row *row);

#define BASELINE_CHANGE_SIZE 48
/* "+18 %"; "never came" where it is infinite. */
const char *baseline_change_text(double change, char buffer[BASELINE_CHANGE_SIZE]);

#endif
