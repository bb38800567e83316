/* The file .env of the current folder, from which GuideLLM takes settings that the environment lacks.
 *
 *     # comment
 *     export GUIDELLM__OPENAI__API_KEY="sk-1"   # also without export, with ' or no quotes
 *
 * Other lines than those of GUIDELLM__ settings are somebody else's and are passed over; so are GUIDELLM__SPEC__, which GuideLLM does not look for there.
 * Source: GuideLLM 0.2.1 to 0.8.1, settings.py (env_file), python-dotenv's format without its multi-line values and substitutions. */
#ifndef ROIBENCH_PLAN_GUIDELLM_DOTENV_H
#define ROIBENCH_PLAN_GUIDELLM_DOTENV_H

#include <stddef.h>

#include "base/arena.h"

#define GUIDELLM_DOTENV_MAX 256 /* settings that are taken */

/* Appends "NAME=VALUE" for each to variables, which has room for GUIDELLM_DOTENV_MAX; returns how many. */
size_t guidellm_dotenv_parse(const char *text, struct arena *arena, char **variables);

#endif
