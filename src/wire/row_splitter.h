/* Finds the rows of a data file in a stream of bytes: lines, the elements of a JSON array, or the records of a CSV file.
 *
 * Whatever the size of the file, one row and a block of bytes are held. A row longer than the ceiling is passed over without being held.
 * Only borders are looked for: whether a row's JSON or CSV is well formed says whoever parses it. Line breaks are LF or CRLF; a
 * byte-order mark is passed over. Empty lines are no rows. */
#ifndef ROIBENCH_WIRE_ROW_SPLITTER_H
#define ROIBENCH_WIRE_ROW_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum row_kind { ROWS_LINES, ROWS_JSON_ARRAY, ROWS_CSV };

struct row_source {
    /* Up to `size` bytes: how many, 0 at the end, -1 with *err. */
    int64_t (*read)(void *context, void *to, size_t size, struct error *err);
    void *context; /* borrowed */
};

struct row_splitter;
struct row_splitter *row_splitter_new(struct row_source source, size_t row_max);
void row_splitter_free(struct row_splitter *splitter);

/* The first bytes of the stream (behind a byte-order mark), at least `wanted` of them if there are so many: to see what it is. Before the
 * first row only. 0, or -1 with *err. */
int row_splitter_peek(struct row_splitter *splitter, size_t wanted, const char **bytes, size_t *length, struct error *err);
/* Before the first row; else rows are lines. */
void row_splitter_set_kind(struct row_splitter *splitter, enum row_kind kind);

struct row_bytes {
    char *bytes; /* writable and NUL-terminated, until the next call; a line break at its end is cut */
    size_t length;
    uint64_t line, column; /* where it begins, from 1; columns are bytes */
    bool too_long;         /* than the ceiling: length is 0 */
};

/* 1: *row is the next one; 0: the end; -1: the source failed (its own *err), or the array is broken between or behind its elements, or
 * ends in the middle (ERROR_USAGE; row->line and row->column say where): nothing follows then. */
int row_splitter_next(struct row_splitter *splitter, struct row_bytes *row, struct error *err);

#endif
