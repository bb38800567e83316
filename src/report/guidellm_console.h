/* A report of GuideLLM's (schema 1 or 2: ours, or one of GuideLLM's own) as the tables that GuideLLM prints when a benchmark is over.
 *
 * Columns, headings, widths and signs are those of 0.7 with the counts of requests of 0.8, so that what reads a job's log goes on reading it; times of
 * day are UTC. Lines are never wrapped. A value that a report does not have is "--".
 *
 * Source: GuideLLM 0.7.3 and 0.8.1, benchmark/outputs/console.py, utils/console.py. */
#ifndef ROIBENCH_REPORT_GUIDELLM_CONSOLE_H
#define ROIBENCH_REPORT_GUIDELLM_CONSOLE_H

#include <jansson.h>

#include "base/buf.h"

void guidellm_console_append(const json_t *report, struct buf *out);

/* What a benchmark's strategy is called: "concurrent@5", "constant@2.50". text: size bytes. */
void guidellm_strategy_text(const json_t *benchmark, char *text, size_t size);
/* The member that a path such as "metrics.request_latency.successful.mean" leads to; NULL: none. */
const json_t *guidellm_member(const json_t *object, const char *path);

#endif
