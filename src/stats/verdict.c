#include "stats/verdict.h"

#include <math.h>

const struct sla sla_default = {{
    [SLA_TTFT] = {"ttft", "TTFT p95", "ms", false, {{500, false}, {1000, false}, {2000, true}}},
    [SLA_USER_TPS] = {"user_tps", "user speed", "tok/s", true, {{50, false}, {20, false}, {10, true}}},
    [SLA_KV_CACHE] = {"kv_cache", "KV cache", "%", false, {{0.70, false}, {0.85, false}, {0.95, true}}},
    [SLA_QUEUE_DEPTH] = {"queue_depth", "queue depth", "", false, {{0.05, true}, {1, true}, {5, true}}},
    [SLA_ERROR_RATE] = {"error_rate", "error rate", "%", false, {{0, true}, {0.001, true}, {0.05, true}}},
}};

const char *sla_class_name(enum sla_class class)
{
    static const char *const names[] = {
        [SLA_UNKNOWN] = "unknown",   [SLA_EXCELLENT] = "excellent", [SLA_ACCEPTABLE] = "acceptable",
        [SLA_DEGRADED] = "degraded", [SLA_BREAKING] = "breaking",
    };
    return names[class];
}

enum sla_class sla_classify(const struct sla_row *row, double value)
{
    if (isnan(value))
        return SLA_UNKNOWN;
    for (int k = 0; k < 3; k++) {
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
