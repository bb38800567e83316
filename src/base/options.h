/* The options table: one row an option is the master copy of its name, type,
 * range, default and help. From a row come parsing, the environment variable
 * (ROIBENCH_ + the name in capitals, - becomes _), the key in a --config file
 * (the name itself) and in a model file (name with - as _), and --help.
 *
 * Precedence: argv > environment > --config file > model file > default.
 * Values are checked when they are set, whatever the source, and the error
 * names the source: "--rate: '0,x' is ..." / "ROIBENCH_RATE: ..." / "cfg.json: rate: ...".
 *
 * Forms: `--name value`, `--name=value`; flags take no value on the command
 * line (`--name`, `--no-name` turns one off; the environment and files say true or false, 1 or 0);
 * `--` ends the options. `-h` is `--help`. Everything else is a positional argument, "-" included;
 * another word that begins with "-" is an unknown option. No abbreviations. A value that begins
 * with "--" needs the form `--name=value` (else a forgotten value would swallow the next option).
 * A repeatable option (`--header A --header B`) collects; a source of higher
 * precedence replaces all values of a lower one; the environment and files
 * give one value a line / an array. An option given twice that is not
 * repeatable is an error. An empty environment variable is one that is not set. */
#ifndef ROIBENCH_BASE_OPTIONS_H
#define ROIBENCH_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum option_type {
    OPTION_END = 0,
    OPTION_GROUP,    /* a heading of --help: name is its text */
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_INTEGER,  /* min..max */
    OPTION_NUMBER,   /* min..max, finite */
    OPTION_DURATION, /* units_parse_duration; min..max in seconds */
    OPTION_USD,      /* units_parse_usd */
    OPTION_CHOICE,   /* choices: "a|b|c" */
    OPTION_CHOICES,  /* a comma-separated list of these */
};

struct option_row {
    enum option_type type;
    const char *name;          /* without the dashes */
    const char *argument;      /* placeholder in --help: "URL" */
    const char *help;          /* one sentence; the unit if there is one */
    const char *default_text;  /* NULL: none, options_given() is false */
    const char *choices;
    double min, max;           /* both 0: unbounded */
    bool repeatable;
    bool command_line_only;    /* no environment variable, no file: --help, --config */
    bool from_model_file;      /* may be a key of a model file */
};

enum option_source { OPTION_UNSET, OPTION_DEFAULT, OPTION_MODEL_FILE, OPTION_CONFIG_FILE, OPTION_ENVIRONMENT, OPTION_ARGV };

struct options; /* opaque: values of one table */

/* The tables are concatenated (common options first) and must outlive the result. */
struct options *options_new(const struct option_row *const *tables, size_t table_count);
void options_free(struct options *options);

/* argv[0] is the first argument after the subcommand. On --help nothing special happens: ask options_flag(o, "help").
 * An unknown option: ERROR_USAGE naming it, with the nearest known name, if any is near. */
int options_parse_argv(struct options *options, int argc, char *const *argv, struct error *err);
/* environment: a NULL-terminated list of "K=V" as environ. Unknown ROIBENCH_ names are not an error (they may be another subcommand's). */
int options_parse_environment(struct options *options, char *const *environment, struct error *err);
/* A JSON object file of option names. Keys of no row of any table are refused with the known ones. */
int options_parse_config(struct options *options, const char *path, struct error *err);
/* One value from a model file; the caller walks the file (plan/model_file). where: "<file>: <key>" for errors. */
int options_set_from_model(struct options *options, const char *name, const char *value, const char *where, struct error *err);

bool options_given(const struct options *options, const char *name); /* from any source, a default included */
enum option_source options_source(const struct options *options, const char *name);
/* Asking for a name that no row has, or with the wrong type, aborts: a programming error. Owned by options. NULL if not given.
 * options_text works for every type: the value as it was written. */
const char *options_text(const struct options *options, const char *name);
bool options_flag(const struct options *options, const char *name);
int64_t options_integer(const struct options *options, const char *name, int64_t if_absent);
double options_number(const struct options *options, const char *name, double if_absent);
int64_t options_duration(const struct options *options, const char *name, int64_t if_absent); /* ns */
int64_t options_usd(const struct options *options, const char *name, int64_t if_absent);      /* micro-dollars */
size_t options_count(const struct options *options, const char *name);                          /* of a repeatable one */
const char *options_item(const struct options *options, const char *name, size_t index);
bool options_chosen(const struct options *options, const char *name, const char *choice);        /* of OPTION_CHOICES */
size_t options_positional_count(const struct options *options);
const char *options_positional(const struct options *options, size_t index);

/* Text for --help: usage line, summary, groups, options with defaults, wrapped at 100 columns. */
void options_print_help(const struct options *options, const char *usage, const char *summary, struct buf *out);

#endif
