/* What every page of ours begins and ends with: colours for light, dark and paper, tables that are sorted by their heads. Needs no network; without
 * scripts everything can be read. */
#ifndef ROIBENCH_REPORT_HTML_PAGE_H
#define ROIBENCH_REPORT_HTML_PAGE_H

#include "base/buf.h"

/* Up to <main>. title: anybody's text. style: more CSS, or "". */
void html_page_begin(struct buf *out, const char *title, const char *style);
/* From </main>. more_script: a <script> element of the page's own, or "". */
void html_page_end(struct buf *out, const char *more_script);

#endif
