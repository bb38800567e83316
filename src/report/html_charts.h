/* The charts of the HTML reports. */
#ifndef ROIBENCH_REPORT_HTML_CHARTS_H
#define ROIBENCH_REPORT_HTML_CHARTS_H

#include "base/buf.h"
#include "stats/compare.h"
#include "stats/summary.h"

/* Over the load, where it is a sweep, and over time. */
void html_run_charts(const struct run_summary *summary, struct buf *out);
/* Of runs whose loads have a unit in common. */
void html_comparison_charts(const struct comparison *comparison, struct buf *out);

#endif
