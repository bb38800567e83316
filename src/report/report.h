/* What people and programs read of a summary: one format, one file; formats.def lists them.
 *
 * A format writes a whole document into a buffer and decides nothing: all numbers and all sentences about them come from the
 * stats layer. A missing value is null (JSON), empty (CSV) or "-" (Markdown), never 0. */
#ifndef ROIBENCH_REPORT_REPORT_H
#define ROIBENCH_REPORT_REPORT_H

#include "base/buf.h"
#include "stats/compare.h"
#include "stats/summary.h"

#define REPORT_MAX ((size_t)256 << 20) /* of one document */
#define REPORT_HTML_MAX 1000000        /* of a page: rows of tables are left out until it is no larger */

struct report_format {
    const char *name;            /* "markdown" */
    const char *run_file;        /* "report.md" */
    const char *comparison_file; /* NULL: it has no form for several runs, and write_comparison is not called */
    void (*write_run)(const struct run_summary *summary, struct buf *out);
    void (*write_comparison)(const struct comparison *comparison, struct buf *out);
};

/* All of them, in the order of formats.def; ends with a row whose name is NULL. */
extern const struct report_format report_formats[];

/* The row of that name, which must be there. */
const struct report_format *report_format_find(const char *name);

#define FORMAT(identifier, name, when, run_file, comparison_file)                         \
    void report_##identifier##_run(const struct run_summary *summary, struct buf *out); \
    void report_##identifier##_comparison(const struct comparison *comparison, struct buf *out);
#define FORMAT_OF_REQUESTS(identifier, name, when, run_file) void report_##identifier##_run(const struct run_summary *summary, struct buf *out);
#include "report/formats.def"
#undef FORMAT

#endif
