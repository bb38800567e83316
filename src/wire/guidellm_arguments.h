/* Values of GuideLLM's options from 0.7 on: "kind=concurrent,streams[0]=1,extras.body.temperature=0.6", or the same as JSON or YAML.
 *
 * Sources: GuideLLM 0.7.3 and 0.8.1, utils/arg_string.py (pairs, paths) and utils/cli.py (YAML first, then pairs). More is taken than there: a comma inside
 * brackets or braces does not end a pair, so "streams=[1,2,4]" is a list. */
#ifndef ROIBENCH_WIRE_GUIDELLM_ARGUMENTS_H
#define ROIBENCH_WIRE_GUIDELLM_ARGUMENTS_H

#include <jansson.h>

#include "base/error.h"

#define GUIDELLM_INDEX_MAX 1000 /* of a list */

/* Any value: an object of pairs, what JSON or YAML says, or a plain scalar. A new reference; NULL with *err (ERROR_USAGE), which begins with where. */
json_t *guidellm_arguments_parse(const char *text, const char *where, struct error *err);

/* "profile.streams", "constraints[0].seconds": sets what the path leads to, and makes what is missing on its way. Takes value over. */
int guidellm_arguments_set(json_t *object, const char *path, json_t *value, const char *where, struct error *err);

/* Members of `more` replace those of `object` with their name; objects in both are merged. */
void guidellm_arguments_merge(json_t *object, const json_t *more);

#endif
