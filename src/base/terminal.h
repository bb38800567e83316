/* What text of somebody else must not do to a terminal, a table or a spreadsheet: steer it. */
#ifndef ROIBENCH_BASE_TERMINAL_H
#define ROIBENCH_BASE_TERMINAL_H

#include <stddef.h>

/* How many bytes the control character takes that text begins with; 0: it begins with none. Controls are C0, DEL, C1 (as UTF-8),
 * line and paragraph separators, and what changes the direction of writing (marks, embeddings, overrides, isolates), by which a text can
 * show itself as another. length: of text; of one that ends with NUL anything not smaller will do. NUL itself is none. */
size_t terminal_control_length(const char *text, size_t length);

#endif
