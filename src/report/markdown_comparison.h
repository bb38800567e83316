/* What stands in a comparison's Markdown beside the reports of its runs. */
#ifndef ROIBENCH_REPORT_MARKDOWN_COMPARISON_H
#define ROIBENCH_REPORT_MARKDOWN_COMPARISON_H

#include "report/report.h"

/* What has to be known before any ratio: what differs in the workloads and the deployments, what is wrong with the measurements, whether the
 * levels took turns, what quality was supplied. */
void markdown_comparison_before(struct buf *out, const struct comparison *comparison);
/* What a dollar buys, for the price of one, the same load, the speed of one user. */
void markdown_comparison_roi(struct buf *out, const struct comparison *comparison);

#endif
