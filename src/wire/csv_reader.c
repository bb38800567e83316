#include "wire/csv_reader.h"

#include <stdbool.h>
#include <string.h>

#define BOM "\xEF\xBB\xBF"

struct csv_reader csv_reader_begin(char *text, size_t length)
{
    size_t bom = length >= sizeof BOM - 1 && memcmp(text, BOM, sizeof BOM - 1) == 0 ? sizeof BOM - 1 : 0;
    text[length] = '\0';
    return (struct csv_reader){.next = text + bom, .end = text + length};
}

static char *trim(char *begin, char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    *end = '\0';
    return begin;
}

static int fail(const struct csv_reader *reader, struct error *err, const char *what)
{
    return error_set(err, ERROR_USAGE, "line %zu: %s", reader->line, what);
}

/* A field that begins with a quote: unquoted in place. Leaves reader->next behind the closing one. */
static int read_quoted(struct csv_reader *reader, char **field, struct error *err)
{
    char *from = reader->next + 1, *to = from;
    *field = from;
    for (; from < reader->end; from++) {
        reader->lines += *from == '\n';
        if (*from != '"') {
            *to++ = *from;
        } else if (from + 1 < reader->end && from[1] == '"') {
            *to++ = '"';
            from++;
        } else {
            reader->next = from + 1;
            while (reader->next < reader->end && strchr(" \t\r", *reader->next))
                reader->next++;
            bool ends = reader->next == reader->end || *reader->next == ',' || *reader->next == '\n';
            *to = '\0';
            return ends ? 0 : fail(reader, err, "something stands behind a closing quote");
        }
    }
    return fail(reader, err, "a quote is not closed");
}

static int read_field(struct csv_reader *reader, char **field, struct error *err)
{
    char *begin = reader->next;
    while (begin < reader->end && (*begin == ' ' || *begin == '\t'))
        begin++;
    if (begin < reader->end && *begin == '"') {
        reader->next = begin;
        return read_quoted(reader, field, err);
    }
    char *end = begin;
    while (end < reader->end && *end != ',' && *end != '\n') {
        if (*end == '"' || *end == '\0')
            return fail(reader, err, *end ? "a quote stands inside a field that does not begin with one" : "a NUL byte: this is no text");
        end++;
    }
    reader->next = end;
    *field = begin;
    return 0;
}

/* Goes to the next line that has something to say. */
static void skip_lines(struct csv_reader *reader)
{
    while (reader->next < reader->end) {
        char *line = reader->next + strspn(reader->next, " \t\r");
        if (line < reader->end && *line != '\n' && (*line != '#' || reader->no_comments))
            return;
        char *newline = memchr(reader->next, '\n', (size_t)(reader->end - reader->next));
        reader->next = newline ? newline + 1 : reader->end;
        reader->lines++;
    }
}

int csv_reader_row(struct csv_reader *reader, char **fields, size_t max, size_t *count, struct error *err)
{
    *count = 0;
    skip_lines(reader);
    if (reader->next >= reader->end)
        return 0;
    reader->line = ++reader->lines;
    for (;;) {
        bool quoted = false;
        if (*count == max)
            return fail(reader, err, "too many fields");
        char *before = reader->next;
        if (read_field(reader, &fields[*count], err) < 0)
            return -1;
        quoted = fields[*count] > before && fields[*count][-1] == '"';
        /* The separator is overwritten by the NUL of the field before it. */
        char *separator = reader->next;
        bool more = separator < reader->end && *separator == ',';
        if (!quoted)
            fields[*count] = trim(fields[*count], separator);
        (*count)++;
        if (separator < reader->end)
            reader->next = separator + 1;
        if (!more)
            return 1;
    }
}
