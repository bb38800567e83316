/* What GuideLLM was asked for (plan/guidellm_flags.h), as options of prepare and as files.
 *
 * Members are taken out of the specification as they are understood. What is left in the end has no meaning here and goes onto the list of what is
 * ignored: nothing is dropped silently, whatever a newer version adds. What changes what is measured, and cannot be done, is an error.
 *
 * Semantics: docs/guidellm.md. Sources of GuideLLM's: schemas/benchmark/profiles, schemas/scheduler/constraints, schemas/data/deserializers/synthetic.py
 * of 0.8.1; benchmark/profile.py, dataset/synthetic.py of 0.2.1 and 0.3.1. */
#ifndef ROIBENCH_PLAN_GUIDELLM_OPTIONS_H
#define ROIBENCH_PLAN_GUIDELLM_OPTIONS_H

#include <stdint.h>

#include "plan/guidellm_flags.h"

#define GUIDELLM_OPTIONS_MAX 192
#define GUIDELLM_OUTPUTS_MAX 32

struct guidellm_output {
    const char *kind; /* "json", "yaml", "csv", "html" */
    const char *path;
};

struct guidellm_options {
    struct {
        const char *name, *value; /* of prepare; value NULL: a flag */
    } options[GUIDELLM_OPTIONS_MAX];
    size_t count;
    const char *api_key; /* NULL: none; not among the options, which are shown */
    struct guidellm_output outputs[GUIDELLM_OUTPUTS_MAX];
    size_t output_count;
    bool console;        /* tables are asked for by an output of their own */
    int64_t requests_kept; /* of each ending of a level, in the report; -1: as many as there are */
};

/* Takes command->spec apart; the list of what is ignored grows. Strings are command's. ERROR_USAGE in the words of GuideLLM's options. */
int guidellm_options_make(struct guidellm_command *command, struct guidellm_options *options, struct error *err);

/* --- for its parts: plan/guidellm_{backend,load,data,outputs}.c ------------------------------ */

struct guidellm_taking {
    struct guidellm_command *command;
    struct guidellm_options *options;
    struct error *err;
};

void guidellm_add(struct guidellm_taking *taking, const char *name, const char *value); /* value is kept as it is */
void guidellm_add_number(struct guidellm_taking *taking, const char *name, double number);
/* Removes the member and returns it, borrowed from the arena's life; NULL: absent or null. */
json_t *guidellm_take(struct guidellm_taking *taking, json_t *object, const char *key);
/* A text or number as text; NULL: absent. -1 where it is neither. */
int guidellm_take_text(struct guidellm_taking *taking, json_t *object, const char *key, const char **text);
/* NAN: absent. Lists of one number are that number. */
int guidellm_take_number(struct guidellm_taking *taking, json_t *object, const char *key, double *number);
/* -1 error, 0 absent, 1 there. */
int guidellm_take_bool(struct guidellm_taking *taking, json_t *object, const char *key, bool *value);
/* The object of that name; an empty one where there is none. */
json_t *guidellm_section(struct guidellm_taking *taking, const char *name);

int guidellm_take_backend(struct guidellm_taking *taking);
int guidellm_take_load(struct guidellm_taking *taking);
int guidellm_take_data(struct guidellm_taking *taking);
int guidellm_take_outputs(struct guidellm_taking *taking);

#endif
