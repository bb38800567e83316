/* The page of a destination: what was published there, newest first, with links to archives and reports. Made of receipts (ship/index.h) and of nothing
 * else: the same receipts give the same bytes. */
#ifndef ROIBENCH_REPORT_INDEX_PAGE_H
#define ROIBENCH_REPORT_INDEX_PAGE_H

#include <jansson.h>

#include "base/buf.h"

#define INDEX_PAGE_MAX ((size_t)32 << 20)

/* receipts: an array of objects that anybody may have written: what they lack, or have of another type, is shown as not told, and no text of theirs
 * is markup or leads out of the destination. unreadable: how many more there are that could not be read. */
void index_page(const json_t *receipts, size_t unreadable, struct buf *out);

#endif
