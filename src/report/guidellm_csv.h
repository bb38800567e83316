/* A report of GuideLLM's (schema 1 or 2) as its CSV: three rows of headings (group, field, unit or statistic), then a row a benchmark.
 *
 * Columns are named as in 0.4 to 0.8. Missing are those of what is not measured here: GuideLLM's own processes and queues, words and characters, images,
 * video, audio, tools. A distribution has columns for an ending (successful, incomplete, errored) if any benchmark has one that is not empty.
 *
 * Source: GuideLLM 0.6.1 and 0.8.1, benchmark/outputs/csv.py. */
#ifndef ROIBENCH_REPORT_GUIDELLM_CSV_H
#define ROIBENCH_REPORT_GUIDELLM_CSV_H

#include <jansson.h>

#include "base/buf.h"

void guidellm_csv_append(const json_t *report, struct buf *out);

#endif
