#include "report/table.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "base/units.h"

void markdown_text(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        size_t control = terminal_control_length(c, SIZE_MAX);
        if (control > 0) {
            buf_append_char(out, ' ');
            c += control - 1;
        } else if (*c == '<') {
            buf_append_text(out, "&lt;");
        } else if (strchr("|`*[\\", *c)) {
            buf_printf(out, "\\%c", *c);
        } else {
            buf_append_char(out, *c);
        }
    }
}

void table_begin(struct table *table, const struct table_column *columns)
{
    *table = (struct table){.columns = columns, .text = BUF_INIT(TABLE_TEXT_MAX)};
    while (columns[table->count].title)
        table->count++;
    if (table->count > TABLE_COLUMNS_MAX)
        abort(); /* a mistake in the program */
}

static void end_cell(struct table *table)
{
    buf_append_char(&table->text, '\0');
    table->cells++;
}

void table_printf(struct table *table, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&table->text, format, arguments);
    va_end(arguments);
    end_cell(table);
}

void table_text(struct table *table, const char *text)
{
    markdown_text(&table->text, text && text[0] ? text : "-");
    end_cell(table);
}

void table_number(struct table *table, double number, int decimals)
{
    char text[UNITS_TEXT_SIZE];
    if (isnan(number))
        table_printf(table, "-");
    else if (isinf(number))
        table_printf(table, "never");
    else
        table_printf(table, "%s", units_format_number(number, decimals, text));
}

/* Characters, not bytes: continuation bytes of UTF-8 take no place. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void pad(struct buf *out, size_t count)
{
    while (count-- > 0)
        buf_append_char(out, ' ');
}

static void put_cell(struct buf *out, const char *text, size_t width, bool right)
{
    size_t own = width_of(text), missing = width > own ? width - own : 0;
    buf_append_char(out, ' ');
    pad(out, right ? missing : 0);
    buf_append_text(out, text);
    pad(out, right ? 0 : missing);
    buf_append_text(out, " |");
}

static void put_rule(struct buf *out, size_t width, bool right)
{
    buf_append_char(out, ' ');
    for (size_t k = right; k < width; k++)
        buf_append_char(out, '-');
    buf_append_text(out, right ? ": |" : " |");
}

static void find_widths(const struct table *table, size_t *widths)
{
    const char *cell = buf_text(&table->text);
    for (size_t k = 0; k < table->count; k++)
        widths[k] = width_of(table->columns[k].title) < 3 ? 3 : width_of(table->columns[k].title);
    for (size_t k = 0; table->count > 0 && k < table->cells; k++, cell += strlen(cell) + 1)
        if (width_of(cell) > widths[k % table->count])
            widths[k % table->count] = width_of(cell);
}

void table_end(struct table *table, struct buf *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    if (table->text.overflowed) {
        out->overflowed = true;
        buf_free(&table->text);
        return;
    }
    find_widths(table, widths);
    buf_append_char(out, '|');
    for (size_t k = 0; k < table->count; k++)
        put_cell(out, table->columns[k].title, widths[k], table->columns[k].right);
    buf_append_text(out, "\n|");
    for (size_t k = 0; k < table->count; k++)
        put_rule(out, widths[k], table->columns[k].right);
    const char *cell = buf_text(&table->text);
    for (size_t k = 0; table->count > 0 && k < table->cells; k++, cell += strlen(cell) + 1) {
        if (k % table->count == 0)
            buf_append_text(out, "\n|");
        put_cell(out, cell, widths[k % table->count], table->columns[k % table->count].right);
    }
    buf_append_text(out, "\n\n");
    buf_free(&table->text);
}
