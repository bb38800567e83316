/* SLA classes: how good a number is, and which of a level's numbers decides.
 *
 * The table is data: a metric has three bounds between four classes, and a bound says whether the value that equals
 * it still belongs to the better class. A level's class is the worst of its metrics that are known; it has none where no TTFT
 * is known and no request failed by the server's doing, since nothing was seen of how requests are served. */
#ifndef ROIBENCH_STATS_VERDICT_H
#define ROIBENCH_STATS_VERDICT_H

#include <stdbool.h>

enum sla_class { SLA_UNKNOWN, SLA_EXCELLENT, SLA_ACCEPTABLE, SLA_DEGRADED, SLA_BREAKING };
const char *sla_class_name(enum sla_class class); /* "excellent"…; "unknown" */

enum sla_metric { SLA_TTFT, SLA_USER_TPS, SLA_KV_CACHE, SLA_QUEUE_DEPTH, SLA_ERROR_RATE, SLA_METRIC_COUNT };

struct sla_bound {
    double limit;
    bool included; /* the limit itself is still of the better class */
};

struct sla_row {
    const char *name;  /* in files: "ttft" */
    const char *title; /* for people: "TTFT p95" */
    const char *unit;  /* "ms", "tok/s", ""; of a share: "%" (its values are shares of 1) */
    bool higher_is_better;
    struct sla_bound bound[3]; /* excellent | acceptable | degraded | breaking */
};

struct sla {
    struct sla_row row[SLA_METRIC_COUNT];
};

/* The defaults of docs/metrics.md. */
extern const struct sla sla_default;

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
