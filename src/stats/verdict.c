#include "stats/verdict.h"

#include <math.h>

enum sla_class sla_classify(const struct sla_row *row, double value)
{
    if (isnan(value))
        return SLA_UNKNOWN;
    for (int k = 0; k < SLA_BOUNDS; k++) {
        const struct sla_bound *bound = &row->bound[k];
        bool better = row->higher_is_better ? value > bound->limit : value < bound->limit;
        if (better || (bound->included && value == bound->limit))
            return (enum sla_class)(SLA_EXCELLENT + k);
    }
    return SLA_BREAKING;
}

struct verdict sla_judge(const struct sla *sla, const double *values)
{
    struct verdict verdict = {.level = SLA_UNKNOWN, .decided_by = -1};
    for (int k = 0; k < SLA_METRIC_COUNT; k++) {
        verdict.metric[k] = sla_classify(&sla->row[k], values[k]);
        if (verdict.metric[k] > verdict.level) {
            verdict.level = verdict.metric[k];
            verdict.decided_by = k;
        }
    }
    if (verdict.metric[SLA_TTFT] == SLA_UNKNOWN && verdict.metric[SLA_ERROR_RATE] <= SLA_EXCELLENT) {
        verdict.level = SLA_UNKNOWN;
        verdict.decided_by = -1;
    }
    return verdict;
}
