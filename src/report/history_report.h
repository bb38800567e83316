/* What a report says of earlier runs: against a baseline, and the trend. */
#ifndef ROIBENCH_REPORT_HISTORY_REPORT_H
#define ROIBENCH_REPORT_HISTORY_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "stats/baseline.h"
#include "stats/trend.h"

/* The sentence for the top of the report, and the section. Nothing where there is no baseline. */
void markdown_baseline_verdict(struct buf *out, const struct baseline *baseline);
void markdown_baseline(struct buf *out, const struct baseline *baseline, const char *heading);
/* A list of sentences. Nothing where trend is NULL. */
void markdown_trend(struct buf *out, const struct trend *trend, const char *heading);

/* New references. */
json_t *baseline_to_json(const struct baseline *baseline);
json_t *trend_to_json(const struct trend *trend);

#endif
