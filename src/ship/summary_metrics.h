/* summary.json as Prometheus metrics, for those who look at client-side numbers in Grafana beside the server's own.
 *
 * All are gauges in base units (seconds, bytes, ratios); docs/publish.md has their table. What a summary says is null has no sample: missing is not
 * zero. Samples carry run_id, and those of a level also level, repeat, load and unit; model and hardware are left to the group that they are pushed to. */
#ifndef ROIBENCH_SHIP_SUMMARY_METRICS_H
#define ROIBENCH_SHIP_SUMMARY_METRICS_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define SUMMARY_METRICS_MAX ((size_t)32 << 20) /* bytes of text */

/* A summary that is read; document is the caller's. */
struct summary_metrics_run {
    const json_t *document;
    const char *archive; /* the begin of the sha256 of the archive that it is in: a label of roibench_run_info */
};

/* Appends one page with the samples of all of these. -1: it is larger than out->max. */
int summary_metrics_write(const struct summary_metrics_run *runs, size_t count, struct buf *out, struct error *err);

#endif
