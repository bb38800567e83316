#include "report/html.h"

#include <stdbool.h>
#include <string.h>

/* --- text ----------------------------------------------------------------------------------- */

static void put(struct buf *out, char c)
{
    switch (c) {
    case '<': buf_append_text(out, "&lt;"); break;
    case '>': buf_append_text(out, "&gt;"); break;
    case '&': buf_append_text(out, "&amp;"); break;
    case '"': buf_append_text(out, "&quot;"); break;
    default: buf_append_char(out, c);
    }
}

void html_text(struct buf *out, const char *text)
{
    for (; *text; text++)
        put(out, *text);
}

/* A piece of a line: escapes are taken back, ** switches bold. */
static void put_inline(struct buf *out, const char *text, size_t length)
{
    static const char LESS[] = "&lt;";
    bool bold = false;
    for (size_t k = 0; k < length; k++) {
        if (text[k] == '\\' && k + 1 < length) {
            put(out, text[++k]);
        } else if (text[k] == '*' && k + 1 < length && text[k + 1] == '*') {
            bold = !bold;
            buf_append_text(out, bold ? "<strong>" : "</strong>");
            k++;
        } else if (length - k >= sizeof LESS - 1 && memcmp(text + k, LESS, sizeof LESS - 1) == 0) {
            buf_append_text(out, LESS);
            k += sizeof LESS - 2;
        } else {
            put(out, text[k]);
        }
    }
    if (bold)
        buf_append_text(out, "</strong>");
}

/* --- lines ---------------------------------------------------------------------------------- */

#define COLUMNS_MAX 32

enum block { BLOCK_NONE, BLOCK_PARAGRAPH, BLOCK_LIST, BLOCK_TABLE };

struct converter {
    struct buf *out;
    enum block block;
    size_t rows_max, rows;    /* of a table or list: how many are shown, and are there so far */
    size_t columns;           /* of the table */
    bool head;                /* the table's next row names its columns */
    bool right[COLUMNS_MAX];  /* of the table's columns: numbers */
};

/* How many rows or items were left out. */
static size_t rest_of(const struct converter *converter)
{
    return converter->rows > converter->rows_max ? converter->rows - converter->rows_max : 0;
}

static void close_block(struct converter *converter)
{
    size_t rest = rest_of(converter);
    switch (converter->block) {
    case BLOCK_NONE:
        break;
    case BLOCK_PARAGRAPH:
        buf_append_text(converter->out, "</p>\n");
        break;
    case BLOCK_LIST:
        if (rest > 0)
            buf_printf(converter->out, "<li>%zu more: report.md has them all</li>\n", rest);
        buf_append_text(converter->out, "</ul>\n");
        break;
    case BLOCK_TABLE:
        buf_append_text(converter->out, "</tbody>");
        if (rest > 0)
            buf_printf(converter->out, "<tfoot><tr><td colspan=\"%zu\">%zu more rows: report.md has them all</td></tr></tfoot>",
                       converter->columns, rest);
        buf_append_text(converter->out, "</table></div>\n");
        break;
    }
    converter->rows = 0;
    converter->block = BLOCK_NONE;
}

static void open_block(struct converter *converter, enum block block)
{
    static const char *const begins[] = {"", "<p>", "<ul>\n", "<div class=\"scroll\" tabindex=\"0\"><table>\n"};
    if (converter->block == block)
        return;
    close_block(converter);
    buf_append_text(converter->out, begins[block]);
    converter->block = block;
    converter->head = block == BLOCK_TABLE;
}

static const char *line_end(const char *line)
{
    return line + strcspn(line, "\n");
}

/* Up to the bar that ends the cell. */
static size_t cell_length(const char *cell, const char *end)
{
    const char *c = cell;
    while (c < end && *c != '|')
        c += *c == '\\' && c + 1 < end ? 2 : 1;
    return (size_t)(c - cell);
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && **text == ' ') {
        ++*text;
        --*length;
    }
    while (*length > 0 && (*text)[*length - 1] == ' ')
        --*length;
}

/* The row below the head: "| ---: | --- |". */
static void note_alignment(struct converter *converter, const char *line, const char *end)
{
    memset(converter->right, 0, sizeof converter->right);
    const char *cell = line + 1;
    for (size_t column = 0; cell < end && column < COLUMNS_MAX; column++) {
        size_t length = cell_length(cell, end);
        const char *text = cell;
        cell += length + 1;
        trim(&text, &length);
        converter->right[column] = length > 0 && text[length - 1] == ':';
        converter->columns = column + 1;
    }
}

static void put_row(struct converter *converter, const char *line, const char *end)
{
    const char *element = converter->head ? "th" : "td", *cell = line + 1;
    buf_append_text(converter->out, converter->head ? "<thead><tr>" : "<tr>");
    for (size_t column = 0; cell < end && column < COLUMNS_MAX; column++) {
        size_t length = cell_length(cell, end);
        const char *text = cell;
        cell += length + 1;
        trim(&text, &length);
        buf_printf(converter->out, "<%s%s%s>", element, converter->head ? " scope=\"col\"" : "", converter->right[column] ? " class=\"number\"" : "");
        put_inline(converter->out, text, length);
        buf_printf(converter->out, "</%s>", element);
    }
    buf_append_text(converter->out, converter->head ? "</tr></thead>\n<tbody>\n" : "</tr>\n");
}

/* Returns the line behind. A table's head takes the row below it, which says how columns are aligned. */
static const char *put_table_line(struct converter *converter, const char *line, const char *end)
{
    open_block(converter, BLOCK_TABLE);
    if (!converter->head) {
        if (converter->rows++ < converter->rows_max)
            put_row(converter, line, end);
        return end;
    }
    const char *below = *end ? end + 1 : end, *below_end = line_end(below);
    note_alignment(converter, below, below_end);
    put_row(converter, line, end);
    converter->head = false;
    return below_end;
}

static void put_heading(struct converter *converter, const char *line, const char *end)
{
    size_t level = strspn(line, "#");
    const char *text = line + level + strspn(line + level, " ");
    close_block(converter);
    buf_printf(converter->out, "<h%zu>", level);
    put_inline(converter->out, text, (size_t)(end - text));
    buf_printf(converter->out, "</h%zu>\n", level);
}

static void put_item(struct converter *converter, const char *line, const char *end)
{
    const char *text = line + 2;
    open_block(converter, BLOCK_LIST);
    if (converter->rows++ >= converter->rows_max)
        return;
    buf_append_text(converter->out, "<li>");
    put_inline(converter->out, text, (size_t)(end - text));
    buf_append_text(converter->out, "</li>\n");
}

static void put_paragraph_line(struct converter *converter, const char *line, const char *end)
{
    bool first = converter->block != BLOCK_PARAGRAPH;
    open_block(converter, BLOCK_PARAGRAPH);
    if (!first)
        buf_append_char(converter->out, '\n');
    put_inline(converter->out, line, (size_t)(end - line));
}

void html_from_markdown(struct buf *out, const char *markdown, size_t rows_max)
{
    struct converter converter = {.out = out, .rows_max = rows_max};
    for (const char *line = markdown; *line;) {
        const char *end = line_end(line);
        if (end == line)
            close_block(&converter);
        else if (*line == '#')
            put_heading(&converter, line, end);
        else if (*line == '|')
            end = put_table_line(&converter, line, end);
        else if (line[0] == '-' && line[1] == ' ')
            put_item(&converter, line, end);
        else
            put_paragraph_line(&converter, line, end);
        line = *end ? end + 1 : end;
    }
    close_block(&converter);
}
