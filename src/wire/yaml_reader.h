/* YAML as JSON values, by libyaml.
 *
 * Keys are texts, as written; a key that stands twice is refused. Anchors, aliases and tags are refused by name (nothing can be repeated into
 * more than was sent), and several documents, texts with a NUL, more than YAML_DEPTH_MAX levels. A plain scalar is null, true, false, a decimal number,
 * or a text; what else YAML has for numbers (.inf, .nan, 0x1F) is a text, since JSON has none. No plain word but these is anything else than a text
 * in YAML_1_2 (its core schema): `no` is no. For files of programs that read YAML 1.1 as PyYAML does, yes, no, on and off are true and false, too.
 *
 * Source: YAML 1.2.2, chapter 10.3; libyaml 0.2.5. */
#ifndef ROIBENCH_WIRE_YAML_READER_H
#define ROIBENCH_WIRE_YAML_READER_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "base/json.h"

#define YAML_DEPTH_MAX 32
#define YAML_KEY_MAX 128 /* bytes */

enum yaml_version { YAML_1_2, YAML_1_1 };

/* A new reference, or NULL with *err (ERROR_USAGE): "<name>: line 3: found ...". The text may be anything. lines: where each member stands is
 * added to it; NULL: nobody asks. */
json_t *yaml_parse(const char *text, size_t length, enum yaml_version version, const char *name, struct json_lines *lines, struct error *err);
/* What a plain scalar means; NULL: it is no UTF-8, or has a NUL. A new reference. */
json_t *yaml_scalar(const char *text, size_t length, enum yaml_version version);

#endif
