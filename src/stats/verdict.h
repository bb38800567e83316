/* SLA classes judged: how good a number is, and which of a level's numbers decides. The bounds are of plan/sla.h.
 *
 * A level's class is the worst of its metrics that are known; it has none where no TTFT
 * is known and no request failed by the server's doing, since nothing was seen of how requests are served. */
#ifndef ROIBENCH_STATS_VERDICT_H
#define ROIBENCH_STATS_VERDICT_H

#include "plan/sla.h"

/* NAN: SLA_UNKNOWN. +infinity is a value. */
enum sla_class sla_classify(const struct sla_row *row, double value);

struct verdict {
    enum sla_class metric[SLA_METRIC_COUNT];
    enum sla_class level;
    int decided_by; /* the first metric of the table with the level's class; -1: the class is unknown */
};

/* values[SLA_METRIC_COUNT] in the units of the table. */
struct verdict sla_judge(const struct sla *sla, const double *values);

#endif
