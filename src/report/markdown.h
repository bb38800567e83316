/* Sections that the Markdown report of a run and that of a comparison share. */
#ifndef ROIBENCH_REPORT_MARKDOWN_H
#define ROIBENCH_REPORT_MARKDOWN_H

#include "base/units.h"
#include "report/report.h"
#include "report/table.h"

/* "### What was measured" and so on: heading is "##" or "###". */
void markdown_facts(struct buf *out, const struct run_summary *summary);
void markdown_levels(struct buf *out, const struct run_summary *summary);
/* Where warm-up or cool-down were looked for: what was found, a line a level. Nothing where they were not. */
void markdown_windows(struct buf *out, const struct run_summary *summary);
void markdown_points(struct buf *out, const struct points *points);
/* The bounds that loads were judged by, and where they come from. */
void markdown_classes(struct buf *out, const struct sla *sla);
/* Failures of members by class and level; nothing where there are none. */
void markdown_failures(struct buf *out, const struct run_summary *summary, const char *heading);
/* What the server said beside what the client saw, and why the two differ; nothing when its metrics were not recorded. */
void markdown_server(struct buf *out, const struct run_summary *summary, const char *heading);
/* Nothing where no Prometheus told of GPUs. */
void markdown_gpus(struct buf *out, const struct run_summary *summary, const char *heading);
void markdown_validity(struct buf *out, const struct run_summary *summary, const char *heading);
/* What the columns mean. */
void markdown_footnotes(struct buf *out);

/* How sure the numbers are: 95 % intervals of each level, and goodput where objectives were given. */
void markdown_intervals(struct buf *out, const struct run_summary *summary, const char *heading);
/* What each load is worth in conversations; nothing where a turn is one call. */
/* Of a run with --turns; else nothing. */
void markdown_turns(struct buf *out, const struct run_summary *summary, const char *heading);
void markdown_conversations(struct buf *out, const struct run_summary *summary, const char *heading);
/* Five cells: load, conversations at once, turns a second, how long a turn takes, what a thousand cost. */
struct table;
void markdown_conversation_cells(struct table *table, const struct level_summary *level, int64_t calls, int64_t price_micro_usd);
/* "0.989 (source)", "not told" */
void markdown_quality(struct buf *out, const struct run_facts *facts);
/* Loads that were measured several times: means over the repeats and their intervals; nothing where there are none. */
void markdown_repeats(struct buf *out, const struct run_summary *summary, const char *heading);

/* A paragraph and a list of texts; nothing where there are none. */
void markdown_list(struct buf *out, const char *title, const char *const *texts, size_t count);

/* "$0.85"; "-" when not known. */
const char *markdown_usd(double usd, char *buffer);
/* "5 streams"; of a level that was repeated, "5 streams (2 of 3)". buffer holds MARKDOWN_LOAD_SIZE. */
#define MARKDOWN_LOAD_SIZE (UNITS_TEXT_SIZE + 64)
const char *markdown_load(const struct level_summary *level, char *buffer);
/* A cell: "12.5 %"; "-" when not known. */
void markdown_percent(struct table *table, double share);
/* A TTFT p95 in ms, or "> 60,000 (7 % unfinished)". buffer holds MARKDOWN_TTFT_SIZE. */
#define MARKDOWN_TTFT_SIZE 96
const char *markdown_ttft(const struct level_summary *level, char *buffer);

#endif
