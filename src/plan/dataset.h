/* Data files: prompts that somebody has, or the lengths of a trace, read row by row whatever the size of the file.
 *
 * To add a format: write src/plan/dataset_<name>.c that defines `const struct dataset_format dataset_<name>` (dataset_sharegpt.c
 * is a short example), and add DATASET(<name>) to datasets.def: `--data-format` takes its choices from there. Formats are asked
 * in that order whether they know a file by its first row; the general ones come last.
 *
 * Hostile files: one row of at most DATASET_ROW_MAX bytes is held, parsed only when it nests no deeper than DATASET_DEPTH_MAX and has at most
 * DATASET_VALUES_MAX values. What is wrong with a row is one sentence with line and column. */
#ifndef ROIBENCH_PLAN_DATASET_H
#define ROIBENCH_PLAN_DATASET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/row_splitter.h"

#define DATASET_ROW_MAX ((size_t)8 << 20)
#define DATASET_DEPTH_MAX 64
#define DATASET_VALUES_MAX 200000
#define DATASET_FIELDS_MAX 256     /* columns of a CSV file */
#define DATASET_HASH_IDS_MAX 65536 /* of one row */
#define DATASET_TIMESTAMP_MAX INT64_C(1000000000000) /* ms: some thirty years */

enum dataset_kind {
    DATASET_TEXT,     /* one prompt */
    DATASET_MESSAGES, /* of a chat, the last one is not the answer */
    DATASET_LENGTHS,  /* of a trace: the prompt's text is to be made */
};

/* All pointers are borrowed until the next row. */
struct dataset_row {
    enum dataset_kind kind;
    const char *text; /* valid UTF-8 */
    size_t text_length;
    json_t *messages;
    int64_t prompt_tokens; /* DATASET_LENGTHS */
    int64_t output_tokens; /* -1: not told */
    size_t answer_length;  /* bytes of the answer that the row has; 0: none */
    int64_t timestamp_ms;  /* since the trace's beginning; -1: none */
    const json_t *hash_ids; /* one a block of the prompt: equal ids are equal blocks; NULL: none */
    const json_t *timestamp; /* as the file has it: of plan/trace.h only */
    uint64_t line;
};

/* Names of columns, where they are not the usual ones; "body.prompt" goes into an object. NULL: the usual ones. */
struct dataset_columns {
    const char *prompt, *messages, *output, *answer;
};

enum dataset_container { DATASET_ANY_JSON, DATASET_JSON_ARRAY, DATASET_JSON_LINES, DATASET_CSV };

struct dataset_format {
    const char *name, *summary;
    enum dataset_container container; /* the general formats differ by it alone */
    bool (*knows)(const json_t *first);
    /* Fills *row (zeroed, with -1 for what is not told) from a row; -1 with a sentence that says what was expected. May change the JSON. */
    int (*read)(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err);
    /* The same with settings.conversations, where it is another one; NULL: read. */
    int (*read_conversation)(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err);
};

#define DATASET(name) extern const struct dataset_format dataset_##name;
#include "plan/datasets.def"
#undef DATASET

/* By position, NULL behind the last. */
const struct dataset_format *dataset_format_at(size_t index);
const struct dataset_format *dataset_format_find(const char *name); /* NULL: no such format */

struct dataset_settings {
    const char *format; /* NULL: recognised */
    const struct dataset_format *own_format; /* of the caller's, for rows of any container; NULL: one of datasets.def */
    struct dataset_columns columns;
    bool skip_bad;      /* rows that cannot be used are counted and left out */
    bool conversations; /* all that was said is wanted: rows without messages cannot be used */
};

struct dataset;

/* Opens a file (gzip too) and recognises it; NULL with *err (ERROR_USAGE: what is wrong, and what would be right). `settings` is copied, its
 * texts are borrowed. */
struct dataset *dataset_open(const char *path, const struct dataset_settings *settings, struct error *err);
/* The same for bytes of any source; name is used in messages. */
struct dataset *dataset_open_source(const char *name, struct row_source source, const struct dataset_settings *settings, struct error *err);
void dataset_free(struct dataset *dataset);

const struct dataset_format *dataset_recognised(const struct dataset *dataset);
bool dataset_is_csv(const struct dataset *dataset);

/* 1: *row is the next one that can be used; 0: the end; -1: ERROR_USAGE names file, line, column, what was expected, and how many rows
 * were good before. */
int dataset_next(struct dataset *dataset, struct dataset_row *row, struct error *err);

/* A row that was read well, but that the caller cannot use: counted and left out with skip_bad (0), else an error as above (-1). */
int dataset_refuse(struct dataset *dataset, const struct dataset_row *row, const struct error *reason, struct error *err);

struct dataset_counts {
    int64_t good, bad;
    const char *first_bad; /* what was wrong with the first one; "" none */
};
struct dataset_counts dataset_counts(const struct dataset *dataset);

/* --- for the formats ------------------------------------------------------------------------ */

/* A count of tokens, as a number or as the digits of one: 1 to PLAN_TOKENS_MAX. 0, or -1 with *err. */
int dataset_read_tokens(const json_t *value, const char *name, int64_t *tokens, struct error *err);
/* A text that is not empty: row->text. */
int dataset_take_text(const json_t *value, const char *name, struct dataset_row *row, struct error *err);
/* Messages of a chat (role, content): row->messages; what the assistant says last is the answer and is taken away. */
int dataset_take_messages(json_t *value, const char *name, struct dataset_row *row, struct error *err);
/* Is it an array of objects with a role? */
bool dataset_is_messages(const json_t *value);
/* Appends up to a few names of the object's members, for messages: "id, url, body". */
struct buf;
void dataset_append_names(const json_t *object, struct buf *out);

/* What json, jsonl and csv share: columns by their names. */
int dataset_read_columns(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err);

#endif
