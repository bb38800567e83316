/* CSV as RFC 4180 has it: a header row, CRLF, fields quoted where they must be, a decimal point.
 *
 * A missing value is an empty field, never 0. Text comes from servers and users and is opened in spreadsheets: a text
 * that a spreadsheet would take for a formula (it begins with = + - @, a tab or a line end) gets a ' in front. Numbers do not.
 * Any other control character (base/terminal.h) but LF becomes a space; broken UTF-8 stays as it is.
 *
 *     struct csv csv;
 *     csv_begin(&csv, out, (const char *const[]){"load", "unit", NULL});
 *     csv_add_number(&csv, 5);
 *     csv_add_text(&csv, "streams");
 *     csv_end_row(&csv);
 *
 * Errors: the buffer's `overflowed`, looked at once at the end. A row that has not as many fields as the header has columns is a
 * mistake in the program: csv_end_row aborts. */
#ifndef ROIBENCH_WIRE_CSV_H
#define ROIBENCH_WIRE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct csv {
    struct buf *out; /* borrowed */
    size_t columns, fields; /* fields: of the row so far */
};

/* Writes the header row; columns end with NULL, there is at least one. */
void csv_begin(struct csv *csv, struct buf *out, const char *const *columns);
void csv_add_text(struct csv *csv, const char *text_or_null);
void csv_add_integer(struct csv *csv, int64_t integer);
/* At most 9 significant digits, as few as that needs; NAN and infinities are missing. */
void csv_add_number(struct csv *csv, double number);
void csv_add_bool(struct csv *csv, bool value); /* true, false */
void csv_add_missing(struct csv *csv);
void csv_end_row(struct csv *csv);

#endif
