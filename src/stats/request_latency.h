/* The latencies of one request, by docs/metrics.md. */
#ifndef ROIBENCH_STATS_REQUEST_LATENCY_H
#define ROIBENCH_STATS_REQUEST_LATENCY_H

#include <stdbool.h>

#include "plan/slo.h"
#include "record/record.h"
#include "stats/level_summary.h"

/* ms; NAN where the request has none: TTFT is of those that got a first token, everything else of those that ended ok. Those of a level
 * alone (censored, or of single gaps) are NAN. */
void request_latencies(const struct record *record, double ms[LATENCY_COUNT]);

/* Whether it ended ok and met every objective. One without such a latency (all its tokens came at once: no time between them) meets it. */
bool request_meets(const struct record *record, const double ms[LATENCY_COUNT], const struct slo *slo);

#endif
