#include "wire/row_splitter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_SIZE ((size_t)256 << 10)
#define BOM "\xEF\xBB\xBF"

/* What a kind's scanner found in the bytes that are there. */
enum found {
    FOUND_NOTHING, /* more bytes are needed */
    FOUND_ROW,     /* bytes[row..row_end) */
    FOUND_END,     /* of the array */
    FOUND_ERROR,
};

enum array_place { BEFORE_ARRAY, BEFORE_FIRST, BEFORE_VALUE, IN_VALUE, BEHIND_ARRAY };

struct row_splitter {
    struct row_source source;
    size_t row_max;
    enum row_kind kind;
    char *bytes;
    size_t capacity, row, at, end; /* bytes[row..at) are looked at, bytes[at..end) not yet */
    size_t row_end;
    uint64_t line, line_begin, moved; /* of bytes[at]: its line; offset in the stream of that line's first byte; and of bytes[0] */
    uint64_t row_line, row_column;
    bool begun, source_ended, dropping, ended;
    /* ROWS_JSON_ARRAY */
    enum array_place place;
    size_t depth;
    bool in_text, escaped;
    /* ROWS_CSV */
    bool quoted, field_begins, unquoted_text;
};

struct row_splitter *row_splitter_new(struct row_source source, size_t row_max)
{
    struct row_splitter *splitter = mem_alloc(sizeof *splitter);
    *splitter = (struct row_splitter){.source = source, .row_max = row_max, .line = 1, .field_begins = true};
    return splitter;
}

void row_splitter_free(struct row_splitter *splitter)
{
    if (!splitter)
        return;
    free(splitter->bytes);
    free(splitter);
}

void row_splitter_set_kind(struct row_splitter *splitter, enum row_kind kind)
{
    splitter->kind = kind;
}

/* --- bytes ---------------------------------------------------------------------------------- */

/* Moves what is left of the row to the front (nothing of one that is dropped) and reads behind it. */
static int fill(struct row_splitter *splitter, struct error *err)
{
    size_t from = splitter->dropping ? splitter->at : splitter->row, left = splitter->end - from;
    if (from > 0 && left > 0)
        memmove(splitter->bytes, splitter->bytes + from, left);
    splitter->moved += from;
    splitter->at -= from;
    splitter->row = splitter->dropping ? splitter->at : 0;
    splitter->end = left;
    MEM_GROW(splitter->bytes, splitter->capacity, left + BLOCK_SIZE + 1); /* and a NUL */
    int64_t got = splitter->source.read(splitter->source.context, splitter->bytes + left, BLOCK_SIZE, err);
    if (got < 0)
        return -1;
    splitter->source_ended = got == 0;
    splitter->end += (size_t)got;
    return 0;
}

static int skip_mark(struct row_splitter *splitter, struct error *err)
{
    splitter->begun = true;
    while (splitter->end < sizeof BOM - 1 && !splitter->source_ended)
        if (fill(splitter, err) < 0)
            return -1;
    if (splitter->end >= sizeof BOM - 1 && memcmp(splitter->bytes, BOM, sizeof BOM - 1) == 0) {
        splitter->row = splitter->at = sizeof BOM - 1;
        splitter->line_begin = sizeof BOM - 1;
    }
    return 0;
}

int row_splitter_peek(struct row_splitter *splitter, size_t wanted, const char **bytes, size_t *length, struct error *err)
{
    if (!splitter->begun && skip_mark(splitter, err) < 0)
        return -1;
    while (splitter->end - splitter->at < wanted && !splitter->source_ended)
        if (fill(splitter, err) < 0)
            return -1;
    splitter->bytes[splitter->end] = '\0';
    *bytes = splitter->bytes + splitter->at;
    *length = splitter->end - splitter->at;
    return 0;
}

static void count_line(struct row_splitter *splitter, size_t newline)
{
    splitter->line++;
    splitter->line_begin = splitter->moved + newline + 1;
}

static void row_begins(struct row_splitter *splitter, size_t at)
{
    splitter->row = at;
    splitter->row_line = splitter->line;
    splitter->row_column = splitter->moved + at - splitter->line_begin + 1;
}

/* --- lines ---------------------------------------------------------------------------------- */

static enum found scan_line(struct row_splitter *splitter)
{
    char *newline = memchr(splitter->bytes + splitter->at, '\n', splitter->end - splitter->at);
    if (!newline) {
        splitter->at = splitter->end;
        return FOUND_NOTHING;
    }
    splitter->row_end = (size_t)(newline - splitter->bytes);
    splitter->at = splitter->row_end + 1;
    count_line(splitter, splitter->row_end);
    return FOUND_ROW;
}

/* --- records of CSV -------------------------------------------------------------------------- */

/* A quote begins a quoted field only where a field begins, as wire/csv_reader has it. */
static enum found scan_record(struct row_splitter *splitter)
{
    for (; splitter->at < splitter->end; splitter->at++) {
        char c = splitter->bytes[splitter->at];
        if (c == '\n') {
            count_line(splitter, splitter->at);
            if (!splitter->quoted) {
                splitter->field_begins = true;
                splitter->unquoted_text = false;
                splitter->row_end = splitter->at++;
                return FOUND_ROW;
            }
        } else if (splitter->quoted) {
            splitter->quoted = c != '"';
        } else if (c == '"') {
            /* Behind a closing quote another one is an escaped quote: the field goes on. */
            splitter->quoted = splitter->field_begins || !splitter->unquoted_text;
            splitter->unquoted_text = !splitter->quoted;
            splitter->field_begins = false;
        } else if (c == ',') {
            splitter->field_begins = true;
            splitter->unquoted_text = false;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            splitter->unquoted_text = true;
            splitter->field_begins = false;
        }
    }
    return FOUND_NOTHING;
}

/* --- elements of a JSON array ------------------------------------------------------------------ */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int broken_array(const struct row_splitter *splitter, struct error *err)
{
    static const char *const expected[] = {
        [BEFORE_ARRAY] = "expected '['", [BEFORE_FIRST] = "expected a value or ']'", [BEFORE_VALUE] = "expected a value",
        [IN_VALUE] = "", [BEHIND_ARRAY] = "expected nothing behind the array"};
    if (splitter->place == IN_VALUE)
        return error_set(err, ERROR_USAGE, "expected the end of the value that begins in line %" PRIu64 ", found the end of the file",
                         splitter->row_line);
    if (splitter->at < splitter->end && splitter->bytes[splitter->at] > ' ' && splitter->bytes[splitter->at] < 0x7f)
        return error_set(err, ERROR_USAGE, "%s, found '%c'", expected[splitter->place], splitter->bytes[splitter->at]);
    return error_set(err, ERROR_USAGE, "%s, found %s", expected[splitter->place],
                     splitter->at < splitter->end ? "something else" : "the end of the file");
}

/* The character at `at` stands inside an element: 1 when it ends there. */
static int scan_element(struct row_splitter *splitter, char c)
{
    if (splitter->in_text) {
        if (splitter->escaped)
            splitter->escaped = false;
        else if (c == '\\')
            splitter->escaped = true;
        else if (c == '"')
            splitter->in_text = false;
        return 0;
    }
    if (c == '"')
        splitter->in_text = true;
    else if (c == '{' || c == '[')
        splitter->depth++;
    else if (splitter->depth == 0 && (c == ',' || c == ']'))
        return 1;
    else if (splitter->depth > 0 && (c == '}' || c == ']'))
        splitter->depth--;
    return 0;
}

/* 1: an element began there; 0: it did not; -1: what stands there may not. */
static int scan_between(struct row_splitter *splitter, char c)
{
    if (is_space(c))
        return 0;
    if (splitter->place == BEFORE_ARRAY && c == '[') {
        splitter->place = BEFORE_FIRST;
        return 0;
    }
    if (splitter->place == BEFORE_FIRST && c == ']') {
        splitter->place = BEHIND_ARRAY;
        return 0;
    }
    if (splitter->place == BEFORE_ARRAY || splitter->place == BEHIND_ARRAY || c == ',' || c == ']' || c == '}' || c == ':')
        return -1;
    splitter->place = IN_VALUE;
    return 1;
}

static enum found end_element(struct row_splitter *splitter, char c)
{
    size_t end = splitter->at;
    while (end > splitter->row && is_space(splitter->bytes[end - 1]))
        end--;
    splitter->row_end = end;
    splitter->place = c == ',' ? BEFORE_VALUE : BEHIND_ARRAY;
    splitter->at++;
    return FOUND_ROW;
}

static enum found scan_array(struct row_splitter *splitter)
{
    for (; splitter->at < splitter->end; splitter->at++) {
        char c = splitter->bytes[splitter->at];
        if (c == '\n')
            count_line(splitter, splitter->at);
        if (splitter->place == IN_VALUE) {
            if (splitter->in_text && !splitter->escaped && c != '"' && c != '\\')
                continue;
            if (scan_element(splitter, c))
                return end_element(splitter, c);
            continue;
        }
        int begins = scan_between(splitter, c);
        if (begins < 0)
            return FOUND_ERROR;
        if (begins > 0) {
            row_begins(splitter, splitter->at);
            scan_element(splitter, c);
        } else {
            splitter->row = splitter->at + 1;
        }
    }
    return splitter->source_ended && splitter->place == BEHIND_ARRAY ? FOUND_END : FOUND_NOTHING;
}

/* --- all kinds --------------------------------------------------------------------------------- */

static enum found scan(struct row_splitter *splitter)
{
    switch (splitter->kind) {
    case ROWS_JSON_ARRAY: return scan_array(splitter);
    case ROWS_CSV: return scan_record(splitter);
    case ROWS_LINES: break;
    }
    return scan_line(splitter);
}

/* The end of the file ends a line and a record, but no array. */
static enum found at_end(struct row_splitter *splitter)
{
    splitter->ended = true;
    if (splitter->kind == ROWS_JSON_ARRAY)
        return splitter->place == BEHIND_ARRAY ? FOUND_END : FOUND_ERROR;
    splitter->row_end = splitter->end;
    return splitter->row < splitter->end || splitter->dropping ? FOUND_ROW : FOUND_END;
}

static enum found find_row(struct row_splitter *splitter, struct error *err)
{
    for (;;) {
        enum found found = scan(splitter);
        if (found == FOUND_NOTHING && splitter->at - splitter->row > splitter->row_max)
            splitter->dropping = true;
        if (found != FOUND_NOTHING)
            return found;
        if (splitter->source_ended)
            return at_end(splitter);
        if (fill(splitter, err) < 0) {
            splitter->ended = true;
            return FOUND_NOTHING;
        }
    }
}

static bool is_blank(const char *bytes, size_t length)
{
    while (length > 0 && is_space(bytes[length - 1]))
        length--;
    return length == 0;
}

static void hand_out(struct row_splitter *splitter, struct row_bytes *row)
{
    size_t end = splitter->row_end;
    while (end > splitter->row && splitter->bytes[end - 1] == '\r')
        end--;
    bool too_long = splitter->dropping || end - splitter->row > splitter->row_max;
    if (too_long)
        end = splitter->row;
    *row = (struct row_bytes){.bytes = splitter->bytes + splitter->row, .length = end - splitter->row, .line = splitter->row_line,
                              .column = splitter->row_column, .too_long = too_long};
    splitter->bytes[end] = '\0'; /* a separator that was looked at, or behind all bytes */
}

int row_splitter_next(struct row_splitter *splitter, struct row_bytes *row, struct error *err)
{
    *row = (struct row_bytes){0};
    if (!splitter->begun && skip_mark(splitter, err) < 0)
        return -1;
    while (!splitter->ended) {
        splitter->dropping = false;
        row_begins(splitter, splitter->at);
        enum found found = find_row(splitter, err);
        if (found == FOUND_NOTHING)
            return -1;
        if (found == FOUND_ERROR) {
            splitter->ended = true;
            row->line = splitter->line;
            row->column = splitter->moved + splitter->at - splitter->line_begin + 1;
            return broken_array(splitter, err);
        }
        splitter->ended = splitter->ended || found == FOUND_END;
        if (found == FOUND_END)
            return 0;
        if (!splitter->dropping && is_blank(splitter->bytes + splitter->row, splitter->row_end - splitter->row))
            continue;
        hand_out(splitter, row);
        return 1;
    }
    return 0;
}
