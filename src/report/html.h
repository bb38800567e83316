/* HTML out of our own Markdown, and text that means nothing in HTML. */
#ifndef ROIBENCH_REPORT_HTML_H
#define ROIBENCH_REPORT_HTML_H

#include "base/buf.h"

/* Somebody else's text, in an element or in an attribute between double quotes. */
void html_text(struct buf *out, const char *text);

/* What the Markdown reports are made of becomes elements: headings, lists, tables (columns of numbers aligned and marked for
 * sorting), paragraphs, **bold**, and what markdown_text escaped. Everything else is text; nothing of it becomes markup.
 *
 * Of a table at most rows_max rows are shown, of a list as many items; how many more there are, and that report.md has them, is said below. */
void html_from_markdown(struct buf *out, const char *markdown, size_t rows_max);

#endif
