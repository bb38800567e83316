/* When is a level saturated, when is it broken? One answer a level and condition.
 *
 * Saturated: TTFT is consistently above what is acceptable, by default 1.0 s (its median is, or in >= 80 % of ten slices of equal request
 * count, >= 10 requests each, the p95 is), or the server's queue was above 0 for >= 50 % of the window. Broken: a metric is of the
 * class "breaking". A level that was ended because its queue grew without end (stats/growth.h) is both, whatever its TTFT was until then. */
#ifndef ROIBENCH_STATS_SATURATION_H
#define ROIBENCH_STATS_SATURATION_H

#include <stddef.h>
#include <stdint.h>

#include "stats/level_summary.h"

#define SATURATION_SLICES_SHARE 0.80
#define SATURATION_QUEUE_SHARE 0.50

/* The TTFT above which a level saturates, in ms. */
double saturation_limit_ms(const struct sla *sla);
/* Share of the slices whose p95 is above limit_ms. ttft_ms: in the order of sending, +infinity for those that never
 * came; it is left in another order. NAN: fewer than 100. */
double saturation_slices_above(double *ttft_ms, size_t count, double limit_ms);

enum answer { ANSWER_UNKNOWN, ANSWER_NO, ANSWER_YES };

struct condition {
    enum answer answer;
    const char *metric;    /* what decided: "ttft_p50", "ttft_slices", "queue_depth", "growing_queue", or an SLA metric's name; NULL: unknown */
    int decided;           /* 1: the 95 % interval lies on one side of the limit; 0: it does not; -1: no interval is known */
    int64_t needs_requests; /* about how many would decide it; -1: decided, or not known */
};

struct condition saturation_judge(const struct level_summary *level, const struct sla *sla);
/* TTFT p95 is above the limit, in ms. */
struct condition ttft_judge(const struct level_summary *level, double limit_ms);
/* TTFT or error rate is of class breaking. */
struct condition breaking_judge(const struct level_summary *level, const struct sla *sla);
/* One metric is. */
struct condition breaking_judge_metric(const struct level_summary *level, const struct sla *sla, enum sla_metric metric);

#endif
