#include "plan/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/gzip_members.h"
#include "wire/csv_reader.h"

#define PEEK_SIZE ((size_t)64 << 10)
#define NAMES_MAX ((size_t)512)
#define DAMAGE_SIZE 512

static const struct dataset_format *const formats[] = {
#define DATASET(name) &dataset_##name,
#include "plan/datasets.def"
#undef DATASET
};

#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

struct dataset {
    char *name;
    struct gzip_source *file; /* NULL: somebody else's source */
    struct row_splitter *splitter;
    struct dataset_settings settings;
    const struct dataset_format *format;
    enum dataset_container container;
    char **columns; /* of CSV: the names */
    size_t column_count;
    char **fields;
    json_t *json;    /* what the row points into */
    bool pending;    /* json is a row that was only looked at */
    bool cut_off;    /* that the file is was said */
    struct row_bytes at, last; /* the row, and the one that was read last */
    int64_t good, bad;
    char first_bad[ERROR_TEXT_MAX];
};

const struct dataset_format *dataset_format_at(size_t index)
{
    return index < FORMAT_COUNT ? formats[index] : NULL;
}

const struct dataset_format *dataset_format_find(const char *name)
{
    for (size_t k = 0; k < FORMAT_COUNT; k++)
        if (strcmp(formats[k]->name, name) == 0)
            return formats[k];
    return NULL;
}

const struct dataset_format *dataset_recognised(const struct dataset *dataset)
{
    return dataset->format;
}

bool dataset_is_csv(const struct dataset *dataset)
{
    return dataset->container == DATASET_CSV;
}

struct dataset_counts dataset_counts(const struct dataset *dataset)
{
    return (struct dataset_counts){.good = dataset->good, .bad = dataset->bad, .first_bad = dataset->first_bad};
}

/* --- errors ----------------------------------------------------------------------------------- */

/* What a file says of itself may stand in a message: as one line of text. */
static void make_clean(char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        size_t width = utf8_character((const unsigned char *)text, left);
        if (width == 0 || (unsigned char)*text < ' ')
            *text = width == 0 ? '?' : ' ';
        width = width == 0 ? 1 : width;
        text += width;
        left -= width;
    }
}

/* "data.jsonl: line 3, column 7: expected ..."; 0 when it is only counted. */
static int refuse_at(struct dataset *dataset, uint64_t line, uint64_t column, const char *reason, struct error *err)
{
    if (dataset->bad++ == 0) {
        snprintf(dataset->first_bad, sizeof dataset->first_bad, "line %" PRIu64 ", column %" PRIu64 ": %.1800s", line, column, reason);
        make_clean(dataset->first_bad);
    }
    if (dataset->settings.skip_bad)
        return 0;
    return error_set(err, ERROR_USAGE, "%s: %s. %" PRId64 " row%s before it %s good; --skip-bad counts such rows and leaves them out", dataset->name,
                     dataset->first_bad, dataset->good, dataset->good == 1 ? "" : "s", dataset->good == 1 ? "was" : "were");
}

static int refuse_row(struct dataset *dataset, const char *reason, struct error *err)
{
    return refuse_at(dataset, dataset->at.line, dataset->at.column, reason, err);
}

int dataset_refuse(struct dataset *dataset, const struct dataset_row *row, const struct error *reason, struct error *err)
{
    (void)row;
    dataset->good--;
    return refuse_row(dataset, reason->text, err);
}

/* --- one row as JSON ---------------------------------------------------------------------------- */

/* Where byte `offset` of the row stands. */
static void place_of(const struct row_bytes *row, size_t offset, uint64_t *line, uint64_t *column)
{
    *line = row->line;
    *column = row->column;
    for (size_t k = 0; k < offset; k++) {
        (*column)++;
        if (row->bytes[k] == '\n') {
            (*line)++;
            *column = 1;
        }
    }
}

/* Before jansson builds anything: a few bytes of a hostile row would cost it a hundred times their size. *offset: where it is too much. */
static const char *check_shape(const char *bytes, size_t length, size_t *offset)
{
    size_t depth = 0, values = 0;
    bool in_text = false;
    for (size_t k = 0; k < length; k++) {
        char c = bytes[k];
        *offset = k;
        if (in_text) {
            if (c == '\\')
                k++;
            in_text = c != '"';
            continue;
        }
        if (c == '"')
            in_text = true;
        else if ((c == '{' || c == '[') && ++depth > DATASET_DEPTH_MAX)
            return "expected JSON that is not nested so deeply";
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        else if (c == ',' && ++values > DATASET_VALUES_MAX)
            return "expected a row with fewer values";
    }
    return NULL;
}

/* A JSON document over several lines is a common mistake. */
static const char *advice(const struct dataset *dataset, const json_error_t *told)
{
    bool cut = dataset->container == DATASET_JSON_LINES && json_error_code(told) == json_error_premature_end_of_input;
    if (dataset->file && gzip_source_truncated(dataset->file))
        return " (the file is cut off)";
    return cut ? " (expected one whole object a line, or a JSON array of objects)" : "";
}

/* The JSON of the row; NULL with *status: 0 it was counted as bad, -1. */
static json_t *parse_json(struct dataset *dataset, int *status, struct error *err)
{
    const struct row_bytes *row = &dataset->at;
    json_error_t told;
    size_t offset = 0;
    uint64_t line, column;
    char reason[DAMAGE_SIZE];
    const char *damage = check_shape(row->bytes, row->length, &offset);
    json_t *json = damage ? NULL : json_loadb(row->bytes, row->length, JSON_DECODE_ANY, &told);
    if (json)
        return json;
    if (!damage) {
        snprintf(reason, sizeof reason, "expected JSON: %.200s%s", told.text, advice(dataset, &told));
        offset = told.position > 0 ? (size_t)told.position - 1 : 0;
        damage = reason;
    }
    place_of(row, offset < row->length ? offset : row->length, &line, &column);
    *status = refuse_at(dataset, line, column, damage, err);
    return NULL;
}

/* --- CSV ------------------------------------------------------------------------------------------ */

/* The record's fields; -1 with the reason. */
static int split_record(struct dataset *dataset, size_t *count, struct error *reason)
{
    struct row_bytes *row = &dataset->at;
    for (size_t k = 0; k < row->length;) {
        size_t width = utf8_character((const unsigned char *)row->bytes + k, row->length - k);
        if (width == 0)
            return error_set(reason, ERROR_USAGE, "expected UTF-8, found the byte 0x%02x", (unsigned char)row->bytes[k]);
        k += width;
    }
    if (memchr(row->bytes, '\0', row->length))
        return error_set(reason, ERROR_USAGE, "expected text, found a NUL byte");
    struct csv_reader reader = csv_reader_begin(row->bytes, row->length);
    reader.no_comments = true;
    if (csv_reader_row(&reader, dataset->fields, DATASET_FIELDS_MAX, count, reason) >= 0)
        return 0;
    /* Its line counts from the record's begin. */
    const char *what = strstr(reason->text, ": ");
    char text[DAMAGE_SIZE];
    snprintf(text, sizeof text, "expected CSV: %.400s", what ? what + 2 : reason->text);
    return error_set(reason, ERROR_USAGE, "%s", text);
}

static int read_names(struct dataset *dataset, struct error *err)
{
    size_t count = 0;
    struct error reason;
    int status = row_splitter_next(dataset->splitter, &dataset->at, err);
    if (status <= 0)
        return status;
    if (dataset->at.too_long || split_record(dataset, &count, &reason) < 0)
        return error_set(err, ERROR_USAGE, "%s: line 1: expected the names of the columns, separated by commas%s%.1500s", dataset->name,
                         dataset->at.too_long ? "" : ": ", dataset->at.too_long ? "" : reason.text);
    dataset->columns = mem_calloc(count, sizeof *dataset->columns);
    dataset->column_count = count;
    for (size_t k = 0; k < count; k++)
        dataset->columns[k] = mem_strdup(dataset->fields[k]);
    return 0;
}

static json_t *parse_record(struct dataset *dataset, int *status, struct error *err)
{
    struct error reason = {0};
    size_t count = 0;
    if (split_record(dataset, &count, &reason) == 0 && count != dataset->column_count)
        error_set(&reason, ERROR_USAGE, "expected %zu fields as in the first line, found %zu", dataset->column_count, count);
    if (reason.class != ERROR_NONE) {
        *status = refuse_row(dataset, reason.text, err);
        return NULL;
    }
    json_t *json = json_object();
    for (size_t k = 0; k < count; k++)
        json_object_set_new_nocheck(json, dataset->columns[k], json_string_nocheck(dataset->fields[k]));
    return json;
}

/* --- rows ------------------------------------------------------------------------------------------ */

/* The last row, or the one that the end is in the middle of. */
static int end_rows(struct dataset *dataset, struct error *err)
{
    if (!dataset->file || !gzip_source_truncated(dataset->file) || dataset->cut_off)
        return 0;
    dataset->cut_off = true;
    dataset->at = dataset->last;
    return refuse_row(dataset, "expected more behind this row: the file is cut off", err);
}

/* The next row that is JSON: dataset->json. 1, 0 at the end, -1. */
static int next_json(struct dataset *dataset, struct error *err)
{
    struct error broken = {0};
    if (dataset->pending) {
        dataset->pending = false;
        return 1;
    }
    json_decref(dataset->json);
    dataset->json = NULL;
    for (;;) {
        int status = row_splitter_next(dataset->splitter, &dataset->at, &broken);
        if (status < 0 && broken.class == ERROR_USAGE && dataset->at.line > 0)
            return refuse_row(dataset, broken.text, err); /* nothing can be found behind it: with skip_bad that is the end */
        if (status < 0)
            return error_set(err, broken.class, "%s", broken.text);
        if (status == 0)
            return end_rows(dataset, err);
        status = 0;
        dataset->last = dataset->at;
        if (dataset->at.too_long) {
            char reason[DAMAGE_SIZE];
            snprintf(reason, sizeof reason, "expected a row of at most %zu MB", DATASET_ROW_MAX >> 20);
            status = refuse_row(dataset, reason, err);
        } else {
            dataset->json = dataset->container == DATASET_CSV ? parse_record(dataset, &status, err) : parse_json(dataset, &status, err);
        }
        if (dataset->json)
            return 1;
        if (status < 0)
            return -1;
    }
}

static int read_row(struct dataset *dataset, struct dataset_row *row, struct error *reason)
{
    const struct dataset_format *format = dataset->format;
    bool whole = dataset->settings.conversations;
    int status = (whole && format->read_conversation ? format->read_conversation : format->read)(&dataset->settings.columns, dataset->json, row, reason);
    if (status == 0 && whole && row->kind != DATASET_MESSAGES)
        return error_set(reason, ERROR_USAGE, "expected the messages of a conversation");
    return status;
}

int dataset_next(struct dataset *dataset, struct dataset_row *row, struct error *err)
{
    struct error reason;
    for (;;) {
        int status = next_json(dataset, err);
        if (status <= 0)
            return status;
        *row = (struct dataset_row){.output_tokens = -1, .timestamp_ms = -1, .line = dataset->at.line};
        if (read_row(dataset, row, &reason) == 0) {
            dataset->good++;
            return 1;
        }
        if (refuse_row(dataset, reason.text, err) < 0)
            return -1;
    }
}

/* --- what file is it ---------------------------------------------------------------------------------- */

static const struct {
    const char *begin;
    size_t length;
    const char *what;
} foreign[] = {
    {"PAR1", 4, "a Parquet file: write it as JSON Lines first"},
    {"ARROW1", 6, "an Arrow file: write it as JSON Lines first"},
    {"PK\3\4", 4, "a ZIP archive: unpack it first"},
    {"\x28\xB5\x2F\xFD", 4, "compressed by zstd: unpack it first (gzip is read as it is)"},
    {"BZh", 3, "compressed by bzip2: unpack it first (gzip is read as it is)"},
    {"\xFD" "7zXZ", 5, "compressed by xz: unpack it first (gzip is read as it is)"},
    {"\xFF\xFE", 2, "UTF-16: write it as UTF-8 first"},
    {"\xFE\xFF", 2, "UTF-16: write it as UTF-8 first"},
};

static int check_foreign(const struct dataset *dataset, const char *bytes, size_t length, struct error *err)
{
    for (size_t k = 0; k < sizeof foreign / sizeof foreign[0]; k++)
        if (length >= foreign[k].length && memcmp(bytes, foreign[k].begin, foreign[k].length) == 0)
            return error_set(err, ERROR_USAGE, "%s is %s", dataset->name, foreign[k].what);
    return 0;
}

/* By the first character; a format that was asked for has the last word. */
static enum dataset_container container_of(char first, const struct dataset_format *asked)
{
    if (asked && asked->container != DATASET_ANY_JSON)
        return asked->container;
    if (first == '[')
        return DATASET_JSON_ARRAY;
    return first == '{' || first == '"' || asked ? DATASET_JSON_LINES : DATASET_CSV;
}

static int recognise_container(struct dataset *dataset, struct error *err)
{
    static const enum row_kind kinds[] = {[DATASET_JSON_ARRAY] = ROWS_JSON_ARRAY, [DATASET_JSON_LINES] = ROWS_LINES, [DATASET_CSV] = ROWS_CSV};
    const char *bytes;
    size_t length, at = 0;
    if (row_splitter_peek(dataset->splitter, PEEK_SIZE, &bytes, &length, err) < 0 || check_foreign(dataset, bytes, length, err) < 0)
        return -1;
    while (at < length && strchr(" \t\r\n", bytes[at]) && bytes[at])
        at++;
    if (at == length)
        return error_set(err, ERROR_USAGE, "%s %s: expected a row for each request", dataset->name, length == 0 ? "is empty" : "begins with nothing but blanks");
    if (bytes[at] == '\0')
        return error_set(err, ERROR_USAGE, "%s begins with a NUL byte: this is no text", dataset->name);
    dataset->container = container_of(bytes[at], dataset->settings.own_format ? NULL : dataset->format);
    row_splitter_set_kind(dataset->splitter, kinds[dataset->container]);
    return 0;
}

static const struct dataset_format *general(enum dataset_container container)
{
    for (size_t k = 0; k < FORMAT_COUNT; k++)
        if (!formats[k]->knows && formats[k]->container == container)
            return formats[k];
    return NULL;
}

static void recognise_format(struct dataset *dataset)
{
    const struct dataset_columns *columns = &dataset->settings.columns;
    bool mapped = columns->prompt || columns->messages || columns->output || columns->answer;
    for (size_t k = 0; !dataset->format && !mapped && k < FORMAT_COUNT; k++)
        if (formats[k]->knows && dataset->container != DATASET_CSV && formats[k]->knows(dataset->json))
            dataset->format = formats[k];
    if (!dataset->format)
        dataset->format = general(dataset->container);
}

/* Text that is no data at all would be read as CSV: the first row says it better than every row after it. */
static int check_columns(struct dataset *dataset, struct error *err)
{
    struct error reason = {0};
    struct dataset_row row = {.output_tokens = -1};
    json_t *names;
    if (dataset->container != DATASET_CSV)
        return 0;
    names = json_object();
    for (size_t k = 0; k < dataset->column_count; k++)
        json_object_set_new_nocheck(names, dataset->columns[k], json_string("1"));
    int status = dataset->format->read(&dataset->settings.columns, names, &row, &reason);
    json_decref(names);
    make_clean(reason.text);
    return status == 0 ? 0
                       : error_set(err, ERROR_USAGE, "%s: line 1: %s (read as CSV%s)", dataset->name, reason.text,
                                   dataset->settings.own_format ? "" : "; --data-format forces another format");
}

static int recognise(struct dataset *dataset, struct error *err)
{
    if (recognise_container(dataset, err) < 0 || (dataset->container == DATASET_CSV && read_names(dataset, err) < 0))
        return -1;
    if (dataset->container == DATASET_CSV) {
        recognise_format(dataset);
        return check_columns(dataset, err);
    }
    int status = next_json(dataset, err);
    if (status < 0)
        return -1;
    if (status == 0)
        return error_set(err, ERROR_USAGE, "%s has no row that can be read%s%.1800s", dataset->name, dataset->bad > 0 ? ": " : "", dataset->first_bad);
    dataset->pending = true;
    recognise_format(dataset);
    return 0;
}

/* --- opening -------------------------------------------------------------------------------------------- */

static int64_t read_file(void *context, void *to, size_t size, struct error *err)
{
    return gzip_source_read(context, to, size, err);
}

static struct dataset *open_with(const char *name, struct gzip_source *file, struct row_source source, const struct dataset_settings *settings,
                                 struct error *err)
{
    struct dataset *dataset = mem_alloc(sizeof *dataset);
    dataset->name = mem_strdup(name);
    dataset->file = file;
    dataset->settings = *settings;
    dataset->format = settings->own_format ? settings->own_format : settings->format ? dataset_format_find(settings->format) : NULL;
    dataset->fields = mem_calloc(DATASET_FIELDS_MAX, sizeof *dataset->fields);
    dataset->splitter = row_splitter_new(source, DATASET_ROW_MAX);
    if (recognise(dataset, err) == 0)
        return dataset;
    dataset_free(dataset);
    return NULL;
}

struct dataset *dataset_open_source(const char *name, struct row_source source, const struct dataset_settings *settings, struct error *err)
{
    return open_with(name, NULL, source, settings, err);
}

struct dataset *dataset_open(const char *path, const struct dataset_settings *settings, struct error *err)
{
    struct gzip_source *file = gzip_source_open(path, NULL, err);
    if (!file)
        return NULL;
    return open_with(path, file, (struct row_source){read_file, file}, settings, err);
}

void dataset_free(struct dataset *dataset)
{
    if (!dataset)
        return;
    for (size_t k = 0; k < dataset->column_count; k++)
        free(dataset->columns[k]);
    free(dataset->columns);
    free(dataset->fields);
    json_decref(dataset->json);
    row_splitter_free(dataset->splitter);
    if (dataset->file)
        gzip_source_free(dataset->file);
    free(dataset->name);
    free(dataset);
}
