/* A JSON document as YAML 1.2, block style, such that a reader of YAML 1.1 (PyYAML, Go's yaml.v2) takes it for the same.
 *
 * Texts are double-quoted, so that none is taken for a number, a date, a truth value or null; what is no printable character of YAML
 * is escaped. A real number always has a point, and a sign in its exponent: YAML 1.1 takes 1e-5 for a text. Keys that are plain words
 * stand as they are. */
#ifndef ROIBENCH_BASE_YAML_H
#define ROIBENCH_BASE_YAML_H

#include <jansson.h>

#include "base/buf.h"

/* Members in the order in which they were set; ends in a newline. -1: it does not fit below out->max. */
int yaml_append(const json_t *document, struct buf *out);

#endif
