/* The Prometheus text exposition format, written as the Python client library (0.2x) writes it.
 *
 * Everything is appended to *out. Label sets are text that the caller has put together, in alphabetical order and
 * without braces: engine="0",model_name="m"; values go through promwrite_label_value. */
#ifndef ROIBENCH_WIRE_PROMWRITE_H
#define ROIBENCH_WIRE_PROMWRITE_H

#include "base/buf.h"

/* "# HELP <name><suffix> ..." and "# TYPE ...". */
void promwrite_head(struct buf *out, const char *name, const char *suffix, const char *type, const char *help);
/* "<name><suffix>{<labels>} <value>"; no braces without labels. */
void promwrite_sample(struct buf *out, const char *name, const char *suffix, const char *labels, double value);
/* As Python's repr prints a double: the shortest text that reads back, always with a point or an exponent; an exponent
 * from 10^6 on, as its floatToGoString has it. */
void promwrite_number(struct buf *out, double value);
/* Escapes backslash, quote and newline. */
void promwrite_label_value(struct buf *out, const char *text);

#endif
