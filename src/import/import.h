/* Results of other tools as a run: `summarize --import FORMAT:FILE`.
 *
 * A format reads a file and gives what the tool tells of each level, under our names and by our formulas (docs/import.md has the
 * tables). What it does not tell stays missing, never 0; what is computed from something else is marked as derived. A report that
 * has every request is measured by the same code as our own records (import/import_requests.h).
 *
 * Files come from other people: they are parsed by what they hold, and whatever is of another type than expected, negative or
 * not finite is not known. */
#ifndef ROIBENCH_IMPORT_IMPORT_H
#define ROIBENCH_IMPORT_IMPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"
#include "plan/plan.h"
#include "stats/summary.h"

#define IMPORT_FILE_MAX ((size_t)256 << 20)
#define IMPORT_LEVELS_MAX 1000
#define IMPORT_FILES_MAX 256 /* of one run */

/* A run that is being put together; formats fill it. */
struct import {
    struct arena *arena; /* of the summary to be: texts go there */
    struct run_facts *facts;
    struct level_summary *levels; /* grows: pointers into it hold until the next level is added */
    size_t level_count, level_cap;
    const char *tool;   /* "GuideLLM 0.8.1" */
    const char *lacks;  /* why what is missing is missing: "a table of levels does not tell it" */
    const char *notes[SUMMARY_NOTES_MAX];
    size_t note_count;
    const struct sla *sla;
    bool has_requests; /* the last level's came in a file of their own */
};

struct import_format {
    const char *name;
    /* Adds the levels of a file to the run. text is writable. -1: ERROR_USAGE, with `name` (of the file) in its text. Called once a
     * file, in the order given; facts of the first file that has them count. */
    int (*read)(struct import *import, const char *name, struct buf *text, struct error *err);
};

#define IMPORT(identifier, name) extern const struct import_format import_##identifier;
#include "import/imports.def"
#undef IMPORT

const struct import_format *import_format_find(const char *name); /* NULL: there is none */

/* "guidellm:benchmarks.json", "vllm-bench:1.json,2.json": levels of several files are one run. Its run-id is the first file's name
 * without folder and ending; the model too, where no file tells one. NULL: ERROR_USAGE. run_summary_free() it. */
struct run_summary *import_read(const char *spec, const struct sla *sla, struct error *err);
/* The same for one file in memory. */
struct run_summary *import_read_bytes(const struct import_format *format, const char *name, const char *bytes, size_t length,
                                      const struct sla *sla, struct error *err);

/* Another run of that name is there: the summary's id becomes "<id><suffix>". */
void import_rename(struct run_summary *summary, const char *suffix);

/* --- for the formats ------------------------------------------------------------------------ */

/* A level with nothing known but its load. NULL: ERROR_USAGE: the load is no load, or there are too many levels. */
struct level_summary *import_add_level(struct import *import, const char *kind, double load, enum load_unit unit, struct error *err);

/* The same sentence is noted once. */
void import_note(struct import *import, const char *note);

/* A fact of the run that is told by the first file that knows it: *fact is set where it is "" and text is a text. */
void import_tell(struct import *import, const char **fact, const char *text);

/* facts->model; another one than before is noted. model may be NULL. */
void import_tell_model(struct import *import, const char *model);

/* Lengths of more requests of the run, into facts->prompt or facts->output. std_error 0: all of them were that long. Nothing where
 * requests is 0 or the mean NAN. */
void import_add_tokens(struct mean_tokens *sum, uint64_t requests, double mean, double std_error);

/* user_tps of the level's tpot. */
void import_derive_speed(struct level_summary *level);
/* Where no report tells how many tokens came first: tpot, if it was not measured, of tpot_vllm; user_tps. */
void import_derive_tpot(struct level_summary *level);
/* ttft_censored of ttft, where what became of requests without a first token is not told. */
void import_derive_censored(struct level_summary *level);

/* A document that Python wrote: NaN and Infinity outside of strings are null, an answer may hold NUL characters. NULL: ERROR_USAGE. json_decref() it. */
json_t *import_parse_json(const char *name, const char *text, size_t length, struct error *err);
/* The document in a text's first line; NULL: it is none by itself. json_decref() it. */
json_t *import_first_line(const struct buf *text);
/* Calls the handler with each line's document and the line's name ("FILE: line 3"), until one returns -1; blank lines are skipped. -1: ERROR_USAGE. */
typedef int (*import_line_handler)(void *context, const char *where, const json_t *line, struct error *err);
int import_read_lines(const char *name, const struct buf *text, import_line_handler handler, void *context, struct error *err);
/* What is at a path of members ("metrics.request_totals.total", indices are "0"); NULL: nothing. */
const json_t *import_at(const json_t *object, const char *path);
/* A number >= 0 there, or NAN. */
double import_number(const json_t *object, const char *path);
/* A text there, or NULL. */
const char *import_text(const json_t *object, const char *path);

#endif
