/* GuideLLM's command lines of 0.2 to 0.8, as one specification.
 *
 * All versions share one table of options: what two versions spell differently stands for the same, and no spelling means two things. The result has the
 * shape of GuideLLM 0.8's configuration, whatever version was spoken:
 *
 *     {"backend": {"target", "model", ...}, "profile": {"kind", "rate" | "streams", "warmup", ...}, "constraints": {"max_duration": {"seconds"}, ...},
 *      "data": ["prompt_tokens=256,output_tokens=128" | {"kind", ...}], "data_args": [], "data_loader": {}, "data_column_mapper": {}, "seed": {"value"},
 *      "metrics": {}, "outputs": ["report.json" | {"kind", "path"}], "output_dir", "output_path"}
 *
 * with one difference: constraints are an object by kind, so that what is said later replaces what was said before. plan/guidellm_options.h makes our
 * options of it.
 *
 * Layers, the later one wins: GUIDELLM__SPEC__... of the environment, a scenario (--scenario, --config), GUIDELLM_<OPTION>, the command line.
 * Sources: GuideLLM 0.2.1, 0.3.1, 0.6.1 (__main__.py), 0.7.3, 0.8.1 (cli/run.py, schemas/benchmark/entrypoints.py). */
#ifndef ROIBENCH_PLAN_GUIDELLM_FLAGS_H
#define ROIBENCH_PLAN_GUIDELLM_FLAGS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define GUIDELLM_SCENARIO_MAX ((size_t)1 << 20) /* bytes of a scenario's file */
#define GUIDELLM_IGNORED_MAX ((size_t)4096)

/* How the value of an option becomes a part of the specification. */
enum guidellm_value {
    GUIDELLM_TEXT,     /* as it is */
    GUIDELLM_NUMBER,
    GUIDELLM_NUMBERS,  /* "1,2,4"; given again: more of them */
    GUIDELLM_OBJECT,   /* JSON, YAML, or NAME=VALUE,...: its members; a plain word or number: itself */
    GUIDELLM_GROUP,    /* the same; a plain word is its `kind` */
    GUIDELLM_ITEM,     /* the same, one more of a list; a plain word stays one */
    GUIDELLM_WORDS,    /* "json,csv": more of a list */
    GUIDELLM_TRUE,     /* has no value */
    GUIDELLM_LABEL,    /* NAME=VALUE */
    GUIDELLM_OVERRIDE, /* two values: profile.streams 1,2,4 */
    GUIDELLM_SCENARIO, /* a name or a file */
    GUIDELLM_NOTHING,  /* has a value, and no meaning here */
    GUIDELLM_NO_FLAG,  /* has no value, and no meaning here */
};

struct guidellm_flag {
    const char *names[4];  /* without dashes, the newest first; NULL behind the last */
    char letter;           /* -c; 0: none */
    const char *since, *until; /* versions that have one of its names: "0.2", "0.6" */
    enum guidellm_value value;
    const char *path;      /* in the specification */
    const char *argument, *help; /* help: what it becomes here */
};

/* All of them; ends with a row whose first name is NULL. */
extern const struct guidellm_flag guidellm_flags[];

struct guidellm_command {
    struct arena *arena;   /* of the texts here */
    json_t *spec, *labels; /* labels: an object of texts */
    bool no_console;       /* print no tables */
    bool no_progress;
    bool help, version;
    bool by_kinds;         /* something was said as only 0.7 and later do */
    const char **own;      /* options of ours, as "--name=value" or "--name" */
    size_t own_count, own_capacity;
    struct buf ignored;    /* "--processor, GUIDELLM__MP_CONTEXT_TYPE": what was said and has no meaning here */
};

enum guidellm_own { GUIDELLM_UNKNOWN, GUIDELLM_OWN_FLAG, GUIDELLM_OWN_VALUE };
/* Is it an option of ours? name is without dashes. */
typedef enum guidellm_own (*guidellm_own_lookup)(const void *context, const char *name);

/* argv: behind the words `benchmark run`. environment: as environ. On an error (ERROR_USAGE) command is to be freed too. */
int guidellm_flags_parse(int argc, char *const *argv, char *const *environment, guidellm_own_lookup own, const void *context,
                         struct guidellm_command *command, struct error *err);
void guidellm_command_free(struct guidellm_command *command);

/* Appends a name to a list "a, b", unless it is there. */
void guidellm_ignore(struct buf *ignored, const char *name);

#endif
