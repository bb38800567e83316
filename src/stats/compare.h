/* Two or more runs beside each other: whether they may be compared, and what a dollar buys in each.
 *
 * The runs are borrowed and must outlive the comparison; everything else is its own. */
#ifndef ROIBENCH_STATS_COMPARE_H
#define ROIBENCH_STATS_COMPARE_H

#include "stats/roi.h"
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
    size_t difference_count;
    const char *const *deployment_differences; /* of what Kubernetes told of both: images, arguments, hardware; that is often what is compared */
    size_t deployment_difference_count;
    const char *unit;            /* of load; NULL: the runs have none in common, and there is no roi */
    struct roi_deployment *deployments;
    struct roi roi;
};

/* NULL with *err (ERROR_USAGE): fewer than two runs, too many, or one run twice. */
struct comparison *comparison_make(const struct run_summary *const *runs, size_t count, struct error *err);
void comparison_free(struct comparison *comparison); /* NULL is fine */

#endif
