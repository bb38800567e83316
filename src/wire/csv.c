#include "wire/csv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"

static void begin_field(struct csv *csv)
{
    if (csv->fields++ > 0)
        buf_append_char(csv->out, ',');
}

/* A line end may stay: it is quoted. */
static size_t control_length(const char *text)
{
    return *text == '\n' ? 0 : terminal_control_length(text, SIZE_MAX);
}

/* What spreadsheets take for the begin of a formula. */
static bool is_formula(const char *text)
{
    return text[0] != '\0' && strchr("=+-@\t\r\n", text[0]) != NULL;
}

static bool needs_quotes(const char *text)
{
    if (text[0] == ' ' || (text[0] != '\0' && text[strlen(text) - 1] == ' '))
        return true;
    for (; *text; text++) {
        if (control_length(text) > 0 || strchr(",\"\n", *text))
            return true;
    }
    return false;
}

static void append_quoted(struct buf *out, const char *prefix, const char *text)
{
    buf_append_char(out, '"');
    buf_append_text(out, prefix);
    while (*text) {
        size_t control = control_length(text);
        if (*text == '"')
            buf_append_char(out, '"');
        buf_append_char(out, control > 0 ? ' ' : *text);
        text += control > 0 ? control : 1;
    }
    buf_append_char(out, '"');
}

static void append_text(struct buf *out, const char *text)
{
    const char *prefix = is_formula(text) ? "'" : "";
    if (needs_quotes(text)) {
        append_quoted(out, prefix, text);
    } else {
        buf_append_text(out, prefix);
        buf_append_text(out, text);
    }
}

void csv_begin(struct csv *csv, struct buf *out, const char *const *columns)
{
    *csv = (struct csv){.out = out};
    for (; *columns; columns++)
        csv_add_text(csv, *columns);
    csv->columns = csv->fields;
    csv_end_row(csv);
}

void csv_add_text(struct csv *csv, const char *text_or_null)
{
    begin_field(csv);
    append_text(csv->out, text_or_null ? text_or_null : "");
}

void csv_add_integer(struct csv *csv, int64_t integer)
{
    begin_field(csv);
    buf_printf(csv->out, "%" PRId64, integer);
}

void csv_add_number(struct csv *csv, double number)
{
    begin_field(csv);
    if (!isfinite(number))
        return;
    size_t start = csv->out->len;
    buf_printf(csv->out, "%.9g", number);
    char *comma = csv->out->len > start ? strchr(csv->out->data + start, ',') : NULL;
    if (comma) /* a program with a locale of its own called us */
        *comma = '.';
}

void csv_add_bool(struct csv *csv, bool value)
{
    begin_field(csv);
    buf_append_text(csv->out, value ? "true" : "false");
}

void csv_add_missing(struct csv *csv)
{
    begin_field(csv);
}

void csv_end_row(struct csv *csv)
{
    if (csv->fields != csv->columns)
        abort();
    buf_append_text(csv->out, "\r\n");
    csv->fields = 0;
}
