/* What makes the workloads of two runs the same: facts of their plans, each as a text that is equal where the fact is. */
#ifndef ROIBENCH_STATS_WORKLOAD_H
#define ROIBENCH_STATS_WORKLOAD_H

#include "stats/summary.h"

#define WORKLOAD_FACTS 14

struct workload_fact {
    const char *title, *text; /* "think time", "none"; "": none, or an import does not tell */
    bool of_plans;            /* of an import it says nothing: a name of the workload, or lengths asked for, where others were measured */
};

/* Always the same facts in the same order. Texts are the facts' or the arena's. */
void workload_list(const struct run_facts *facts, struct arena *arena, struct workload_fact list[WORKLOAD_FACTS]);

#endif
