/* The rows of a data file as `prepare` leaves them in the workspace and `run` gets at them: by number, without holding any.
 *
 * data.jsonl: one object a line, its members in this order, written so that a body is made by copying bytes:
 *     {"prompt_tokens":93,"counted":true,"output_tokens":20,"head":31,"messages":[{"role":"user","content":"..."}]}
 *     {"prompt_tokens":93,"counted":false,"output_tokens":20,"head":10,"prompt":"..."}
 *     {"prompt_tokens":6955,"counted":true,"output_tokens":52,"hash_ids":[46,47]}
 * `head` is the byte, counted from the begin of the member behind it, at which the first tokens that the nonce decides are put.
 * data.index: the offsets of the lines as 64-bit integers, the lowest byte first, and the offset behind the last. Both are read
 * with pread(2): row i costs two small reads, whatever the size of the files. */
#ifndef ROIBENCH_PLAN_DATASET_ROWS_H
#define ROIBENCH_PLAN_DATASET_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define DATASET_ROWS_MAX INT64_C(1000000000)
#define DATASET_LINE_MAX ((size_t)64 << 20) /* of data.jsonl: escaping makes text longer */
#define DATASET_ROWS_FILE "data.jsonl"
#define DATASET_INDEX_FILE "data.index"

/* --- writing -------------------------------------------------------------------------------- */

struct dataset_writer;
/* folder NULL: into memory, the first `kept` rows only (prepare --dry-run). */
struct dataset_writer *dataset_writer_open(const char *folder, int64_t kept, struct error *err);
/* One line, without its newline. */
int dataset_writer_add(struct dataset_writer *writer, const char *line, size_t length, struct error *err);
/* Flushes and syncs; frees in any case. *rows: what was written, opened for reading (NULL: not wanted). */
struct dataset_rows;
int dataset_writer_close(struct dataset_writer *writer, struct dataset_rows **rows, struct error *err);

/* --- reading -------------------------------------------------------------------------------- */

/* Of <folder>/data.jsonl and data.index: ERROR_USAGE when they are missing or do not fit together. */
struct dataset_rows *dataset_rows_open(const char *folder, struct error *err);
void dataset_rows_free(struct dataset_rows *rows);
int64_t dataset_rows_count(const struct dataset_rows *rows);

/* One row as bytes of *line (reset first; its ceiling holds DATASET_LINE_MAX). */
struct dataset_line {
    int64_t prompt_tokens, output_tokens;
    bool counted;         /* prompt_tokens: by the server; else an estimate */
    const char *member;   /* "messages":[...] or "prompt":"..." ; NULL: to be made */
    size_t member_length, head;
    const char *hash_ids; /* "46,47" or ""; NULL: none */
};
int dataset_rows_read(const struct dataset_rows *rows, int64_t row, struct buf *line, struct dataset_line *read, struct error *err);

/* Which row request i takes: in the order of the file, beginning again behind the last; or shuffled by the seed, each row once before any
 * comes again (a Feistel network over the next power of four, walked until it falls among the rows: Black and Rogaway, 2002). */
int64_t dataset_row_of(int64_t i, int64_t count, bool shuffled, uint64_t seed);

#endif
