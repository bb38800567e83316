/* A Markdown table whose columns line up, so that it can be read in a terminal as it is.
 *
 *     struct table table;
 *     table_begin(&table, (const struct table_column[]){{"load", true}, {"class", false}, {0}});
 *     table_printf(&table, "%d", 5);
 *     table_text(&table, name_from_a_server);
 *     table_end(&table, out);
 *
 * Cells fill the rows from left to right. A column is as wide as its widest cell, counted in characters. */
#ifndef ROIBENCH_REPORT_TABLE_H
#define ROIBENCH_REPORT_TABLE_H

#include <stdbool.h>

#include "base/buf.h"

#define TABLE_COLUMNS_MAX 16
#define TABLE_TEXT_MAX ((size_t)64 << 20)

struct table_column {
    const char *title; /* NULL ends the list */
    bool right;        /* numbers: aligned to the right */
};

struct table {
    const struct table_column *columns;
    size_t count;
    struct buf text; /* cells, each with its NUL */
    size_t cells;
};

/* columns must outlive the table; at most TABLE_COLUMNS_MAX. */
void table_begin(struct table *table, const struct table_column *columns);
/* Our own text, as it is. */
void table_printf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Somebody else's text: nothing in it ends the cell, begins markup or steers a terminal (base/terminal.h). NULL or "": a dash. */
void table_text(struct table *table, const char *text);
/* "-" for NAN, "never" for infinity, thousands separated. */
void table_number(struct table *table, double number, int decimals);
/* Writes the table and an empty line, frees. */
void table_end(struct table *table, struct buf *out);

/* The same escaping outside of tables. */
void markdown_text(struct buf *out, const char *text);

#endif
