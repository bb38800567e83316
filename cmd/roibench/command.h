/* Subcommands: one file each, ending in its own row.
 *
 *     const struct command command_publish = {
 *         .name = "publish", .summary = "...", .usage = "[--to URL]...", .options = publish_options, .run = publish_run };
 *
 * main.c finds the row, builds the options (the row's own, then common_options, workspace_options and run_id_options), applies argv, environment and --config, answers --help and
 * --version, makes the log, and calls run. run returns 0, or -1 with *err
 * filled; main prints "roibench <name>: <text>" to stderr and turns the class into the exit code.
 * A command that was told to stop by a signal returns 0 or -1 as it likes after it has put
 * its data in order: main exits with 128 + the signal (129, 130, 143) whenever app.stop is set. */
#ifndef ROIBENCH_CMD_COMMAND_H
#define ROIBENCH_CMD_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/options.h"
#include "base/stop.h"
#include "net/http_client.h"
#include "plan/plan.h"

struct app {
    const struct clock *clock;
    struct log log;
    FILE *out;                        /* results go here: stdout */
    bool out_terminal, err_terminal;  /* colours and live tables only there */
    bool quiet, verbose;
    const stop_flag *stop; /* the signal that asked us to stop; 0: none */
    const char *version;
};

struct command {
    const char *name;
    const char *summary;             /* one line of the list in --help */
    const char *usage;               /* what follows "roibench <name> " */
    const struct option_row *options; /* ends in OPTION_END */
    bool takes_positional;           /* else a positional argument is a usage error */
    bool without_workspace;          /* has no --workspace and --run-id */
    bool without_run_id;             /* is about all runs of a workspace */
    bool raw_arguments;              /* its command line is another program's: all of it, its own name first, are positional arguments */
    bool ends_at_once;               /* when a signal comes: it has no data to put in order, and never looks at app.stop */
    int (*run)(struct app *app, struct options *options, struct error *err);
};

extern const struct command command_prepare, command_run, command_summarize, command_publish, command_simulate, command_calibrate, command_doctor,
    command_benchmark, command_list, command_gate, command_prune, command_dispatch;

/* Common: --config, --log-format text|json, --quiet, --verbose, --help, --version. */
extern const struct option_row common_options[];
/* Common too, but for commands that work without_workspace: --workspace (default "."); and but for those that are without_run_id: --run-id. */
extern const struct option_row workspace_options[], run_id_options[];

/* Its own rows and those of the tables above that it has; options_free() it. Whoever runs a command inside another makes them so too. */
struct options *command_options_new(const struct command *command);

/* The API key of --api-key-file, or of ROIBENCH_API_KEY; *key is NULL when there is neither, and else free()d by the caller.
 * For commands that have the key but no net/ settings; the others take command_net_read. */
int command_api_key(const struct options *options, char **key, struct error *err);

/* Settings for net/ from COMMAND_NET_OPTIONS, and what they borrow. The key is read from the file (one line, trailing white space removed;
 * an empty file or one with control characters is an error). */
struct command_net {
    struct net_settings settings;
    char *key;                   /* NULL: none */
    const char **headers;        /* as settings has them; borrowed from the options */
    const char **secrets;        /* what must not stand in a message: the key and the headers' values */
    size_t secret_count;
};
int command_net_read(const struct app *app, const struct options *options, struct command_net *net, struct error *err);
/* Also after an error. The settings are then no longer to be used. */
void command_net_free(struct command_net *net);

/* Their rows, to be placed in a command's table. */
#define COMMAND_NET_OPTIONS                                                                                           \
    {.type = OPTION_TEXT, .name = "api-key-file", .argument = "FILE",                                                \
     .help = "file with the API key; or the environment variable ROIBENCH_API_KEY", .from_model_file = true},        \
    {.type = OPTION_TEXT, .name = "cacert", .argument = "FILE",                                                      \
     .help = "PEM bundle to verify servers with; default: prepare's, for run; else SSL_CERT_FILE, the system's, the pod's service CA",        \
     .from_model_file = true},                                                                                       \
    {.type = OPTION_TEXT, .name = "header", .argument = "'NAME: VALUE'", .repeatable = true,                        \
     .help = "header of every request; values are kept nowhere, so prepare and run are both told (ROIBENCH_HEADER: one a line)"},    \
    {.type = OPTION_FLAG, .name = "insecure",                                                                         \
     .help = "believe whoever answers: no certificate is verified; the report says so"}

/* A run's folder, by its path or its id in the workspace. free() it. NULL with *err (ERROR_USAGE). */
char *command_find_run_folder(const char *workspace, const char *name, struct error *err);
/* That of --run-id, or of <workspace>/latest. free() it. NULL with *err (ERROR_USAGE). */
char *command_current_run_folder(const struct options *options, struct error *err);

/* For commands that only read a workspace: one that is not there is a mistake, not an empty one (ERROR_USAGE). */
int command_check_workspace(const char *workspace, struct error *err);

/* The plan in the workspace, for commands that can do without: NULL if there is none, or, with a warning, none that can be read. plan_free() it. */
struct plan *command_find_plan(const struct app *app, const struct options *options);

#define TEKTON_RESULT_MAX 256 /* bytes that a result holds */
/* Writes one Tekton result file per call: <dir>/<name>, no trailing newline; refuses more than TEKTON_RESULT_MAX. dir NULL: nothing. */
int command_tekton_result(const char *dir, const char *name, const char *text, struct error *err);
/* The result `error`: why a step failed, as much of it as a result holds. */
int command_tekton_error(const char *dir, const char *text, struct error *err);
/* The row, for the tables of steps whose only result it is. */
#define COMMAND_TEKTON_OPTION \
    {.type = OPTION_TEXT, .name = "tekton-results", .argument = "DIR", .help = "folder for Tekton's result `error`, which says why the step failed"}

/* Adds a step to <folder>/manifest.json (record/manifest), with host and version. */
int command_manifest(const struct app *app, const char *folder, const char *step, int64_t started, int exit_code,
                     const char *note, struct error *err);
/* Of a shard: the step gets its number, and what other shards write is left alone. NO_SHARD: as command_manifest. */
int command_manifest_shard(const struct app *app, const char *folder, const char *step, int shard, int64_t started, int exit_code,
                           const char *note, struct error *err);
/* manifest_complete with such a step, which went well. */
int command_manifest_complete(const struct app *app, const char *folder, const char *step, int64_t started, struct buf *differing,
                              struct error *err);

#endif
