/* CSV read back: RFC 4180, and what spreadsheets make of it (LF or CRLF, a byte-order mark, white space around fields outside quotes).
 *
 * Works in place: the text is taken apart and fields point into it, unquoted and NUL-terminated. Empty lines, and lines that begin
 * with #, are skipped (the latter unless no_comments is set).
 *
 *     struct csv_reader reader = csv_reader_begin(text, length);
 *     while ((status = csv_reader_row(&reader, fields, FIELDS_MAX, &count, err)) > 0)
 */
#ifndef ROIBENCH_WIRE_CSV_READER_H
#define ROIBENCH_WIRE_CSV_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct csv_reader {
    char *next, *end;
    size_t line; /* of the row that was read last, from 1: for messages */
    size_t lines; /* begun so far */
    bool no_comments; /* a line may begin with # */
};

/* text[length] must be writable: a NUL is put there. It must live as long as the fields are used. */
struct csv_reader csv_reader_begin(char *text, size_t length);

/* 1: a row of *count fields; 0: the end; -1: ERROR_USAGE with the line: a quote that is not closed or stands where none may, a
 * NUL byte, more than `max` fields. */
int csv_reader_row(struct csv_reader *reader, char **fields, size_t max, size_t *count, struct error *err);

#endif
