/* The part of YAML that configurations are written in, as JSON values.
 *
 * Read: mappings and sequences in block and flow style (so all of JSON), plain, 'single' and "double" quoted texts, | and > texts, comments,
 * a --- at the beginning. A plain scalar is null, true, false (also yes, no, on, off, as PyYAML reads YAML 1.1), a number, or a text.
 * Double-quoted texts have JSON's escapes.
 *
 * Refused, by name: anchors and aliases, tags, several documents, keys that are not texts or stand twice, a plain text of several lines, tabs before
 * a line's first character, more than YAML_DEPTH_MAX levels.
 *
 * Source: YAML 1.2.2, chapters 6 to 9. */
#ifndef ROIBENCH_WIRE_YAML_READER_H
#define ROIBENCH_WIRE_YAML_READER_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

#define YAML_DEPTH_MAX 32

/* A new reference, or NULL with *err (ERROR_USAGE): "<name>: line 3: a tab stands ...". The text may be anything. */
json_t *yaml_parse(const char *text, size_t length, const char *name, struct error *err);
/* What a plain scalar means; NULL: it is no UTF-8. A new reference. */
json_t *yaml_scalar(const char *text, size_t length);

#endif
