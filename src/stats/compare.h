/* Two or more runs beside each other: whether they may be compared, and what a dollar buys in each.
 *
 * The runs are borrowed and must outlive the comparison; everything else is its own. */
#ifndef ROIBENCH_STATS_COMPARE_H
#define ROIBENCH_STATS_COMPARE_H

#include "stats/roi.h"
#include "stats/same_load.h"
#include "stats/summary.h"

#define COMPARISON_SCHEMA "roibench/comparison/v1"
#define COMPARISON_RUNS_MAX 64
#define COMPARISON_ID_MAX 160

struct comparison {
    struct arena *arena;
    const struct run_summary *const *runs;
    size_t count;
    const char *id;              /* made of the run-ids in their order: the same runs, the same id; a valid folder name */
    const char *const *names;    /* of each run in tables: its model; where two have the same, "<model> on <hardware>", or the run-id */
    const char *const *differences; /* why ratios of these runs are to be taken with care; none: equal workloads */
    size_t difference_count, unknown_count; /* unknown: those of them that only say what is not known to be alike */
    const char *const *deployment_differences; /* servers; and of what Kubernetes told of both images, arguments, hardware: that is often what is compared */
    size_t deployment_difference_count;
    const char *sla_note;        /* that the plans have different SLA classes, and by which all are judged; NULL: they have the same */
    const char *const *validity; /* of each run what is wrong with its measurements, NULL: every level is valid */
    const char *conclusion;      /* two sentences: stats/conclusion.h */
    const char *unit;            /* of load; NULL: the runs have none in common, and there is no roi */
    struct roi_deployment *deployments;
    struct roi roi;
    struct same_load *same_loads; /* the first run against each of the others */
    size_t same_load_count, same_load_left_out; /* left out: an invalid measurement */
};

/* NULL with *err (ERROR_USAGE): fewer than two runs, too many, or one run twice. */
struct comparison *comparison_make(const struct run_summary *const *runs, size_t count, struct error *err);
void comparison_free(struct comparison *comparison); /* NULL is fine */

#endif
