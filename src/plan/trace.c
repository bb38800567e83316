#include "plan/trace.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "record/record_reader.h"
#include "record/record_writer.h"
#include "wire/csv_reader.h"

#define SCHEMA "roibench/arrivals/v1"
#define IMPORT_BYTES_MAX ((size_t)1 << 30)
#define COLUMNS_MAX 256
#define NS_LIMIT 8e18 /* 250 years: differences of two still are ns */
#define DATE_MAX 64
#define LINE_MAX_BYTES 64
#define BOM "\xef\xbb\xbf"

void trace_free(struct trace *trace)
{
    free(trace->ns);
    *trace = (struct trace){0};
}

static int add(struct trace *trace, int64_t ns)
{
    if (trace->count == TRACE_MAX)
        return -1;
    MEM_GROW(trace->ns, trace->capacity, trace->count + 1);
    trace->ns[trace->count++] = ns;
    return 0;
}

/* --- a file of others ----------------------------------------------------------------------- */

enum form { FORM_JSON, FORM_CSV };

struct import {
    const char *path;
    enum trace_unit unit;
    enum form form;
    struct buf text;
    struct trace *trace;
};

static double ns_of_unit(const struct import *import)
{
    enum trace_unit usual = import->form == FORM_JSON ? TRACE_UNIT_MS : TRACE_UNIT_S;
    enum trace_unit unit = import->unit == TRACE_UNIT_USUAL ? usual : import->unit;
    return (double)(unit == TRACE_UNIT_MS ? NS_PER_MS : NS_PER_S);
}

/* Whole numbers stay exact. */
static int add_integer(const struct import *import, int64_t value)
{
    int64_t ns;
    if (__builtin_mul_overflow(value, (int64_t)ns_of_unit(import), &ns) || fabs((double)ns) > NS_LIMIT / 2)
        return -1;
    return add(import->trace, ns);
}

static int add_number(const struct import *import, double value)
{
    double ns = value * ns_of_unit(import);
    return fabs(ns) <= NS_LIMIT / 2 ? add(import->trace, llround(ns)) : -1;
}

/* "2023-11-16 18:17:03.9799600" is RFC 3339 but for a letter or two. */
static int add_date(const struct import *import, const char *text)
{
    static const char *const zones[] = {"", "Z"};
    for (size_t k = 0; k < sizeof zones / sizeof zones[0]; k++) {
        char date[DATE_MAX];
        int64_t ns;
        int length = snprintf(date, sizeof date, "%s%s", text, zones[k]);
        if (length > 10 && date[10] == ' ')
            date[10] = 'T';
        if (length < (int)sizeof date && clock_parse_rfc3339(date, &ns) == 0)
            return add(import->trace, ns);
    }
    return -1;
}

static int add_text(const struct import *import, const char *text)
{
    int64_t integer;
    double number;
    if (units_parse_integer(text, &integer) == 0)
        return add_integer(import, integer);
    if (units_parse_number(text, &number) == 0)
        return add_number(import, number);
    return add_date(import, text);
}

static int refused(const struct import *import, size_t line, const char *text, struct error *err)
{
    if (import->trace->count == TRACE_MAX)
        return error_set(err, ERROR_USAGE, "%s: more than %d arrivals", import->path, TRACE_MAX);
    return error_set(err, ERROR_USAGE, "%s:%zu: '%.60s' is no timestamp: expected a number of %s, or a date", import->path, line, text,
                     ns_of_unit(import) == (double)NS_PER_S ? "seconds" : "milliseconds"); /* NOLINT: one of two constants */
}

static int take_json(const struct import *import, const char *line, size_t length, size_t number, struct error *err)
{
    struct json_reader reader;
    char name[JSON_PATH_MAX];
    snprintf(name, sizeof name, "%.200s:%zu", import->path, number);
    json_t *object = json_parse(&reader, line, length, name, NULL, err);
    const json_t *value = json_object_get(object, "timestamp");
    if (!object)
        return -1;
    cleanup_free char *text = json_scalar_text(value);
    int status = json_is_integer(value)  ? add_integer(import, json_integer_value(value))
                 : json_is_real(value)   ? add_number(import, json_real_value(value))
                 : json_is_string(value) ? add_text(import, json_string_value(value))
                                         : -1;
    if (status < 0 && !value)
        error_set(err, ERROR_USAGE, "%s: there is no member timestamp", name);
    else if (status < 0)
        refused(import, number, text ? text : "(no number)", err);
    json_decref(object);
    return status;
}

static int take_lines(struct import *import, char *rest, struct error *err)
{
    char *line;
    for (size_t number = 1; (line = strsep(&rest, "\n")); number++)
        if (line[strspn(line, " \t\r")] && take_json(import, line, strlen(line), number, err) < 0)
            return -1;
    return 0;
}

static int find_column(const struct import *import, char **fields, size_t count, size_t *column, struct error *err)
{
    for (*column = 0; *column < count; (*column)++)
        if (strcasecmp(fields[*column], "timestamp") == 0)
            return 0;
    return error_set(err, ERROR_USAGE, "%s: neither JSON Lines nor CSV with a column named timestamp", import->path);
}

static int take_csv(struct import *import, struct error *err)
{
    struct csv_reader reader = csv_reader_begin(import->text.data, import->text.len);
    char *fields[COLUMNS_MAX];
    size_t count = 0, column = 0;
    int status = csv_reader_row(&reader, fields, COLUMNS_MAX, &count, err);
    if (status > 0 && find_column(import, fields, count, &column, err) < 0)
        return -1;
    while (status > 0 && (status = csv_reader_row(&reader, fields, COLUMNS_MAX, &count, err)) > 0)
        if (column >= count || add_text(import, fields[column]) < 0)
            return refused(import, reader.line, column < count ? fields[column] : "", err);
    return status < 0 ? error_wrap(err, "%s", import->path) : 0;
}

/* What begins with a brace is JSON Lines. */
static int take_text(struct import *import, struct error *err)
{
    char *text = import->text.data;
    if (import->text.len == 0)
        return 0;
    if (memchr(text, '\0', import->text.len))
        return error_set(err, ERROR_USAGE, "%s: has NUL bytes: expected JSON Lines or CSV", import->path);
    text += strncmp(text, BOM, strlen(BOM)) == 0 ? strlen(BOM) : 0;
    import->form = text[strspn(text, " \t\r\n")] == '{' ? FORM_JSON : FORM_CSV;
    return import->form == FORM_JSON ? take_lines(import, text, err) : take_csv(import, err);
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int normalize(struct import *import, double speed, struct error *err)
{
    struct trace *trace = import->trace;
    if (trace->count < 2)
        return error_set(err, ERROR_USAGE, "%s: has %zu timestamps: two are needed at least", import->path, trace->count);
    qsort(trace->ns, trace->count, sizeof *trace->ns, ascending);
    int64_t first = trace->ns[0];
    double length = (double)(trace->ns[trace->count - 1] - first) / speed / (double)NS_PER_S;
    if (!(length > 0) || length > PLAN_SECONDS_MAX)
        return error_set(err, ERROR_USAGE, "%s: lasts %g s at that speed: more than 0 and at most %g s can be replayed", import->path, length,
                         PLAN_SECONDS_MAX);
    for (size_t k = 0; k < trace->count; k++)
        trace->ns[k] = llround((double)(trace->ns[k] - first) / speed);
    return 0;
}

int trace_import(const char *path, enum trace_unit unit, double speed, struct trace *trace, struct error *err)
{
    struct import import = {.path = path, .unit = unit, .text = BUF_INIT(IMPORT_BYTES_MAX), .trace = trace};
    *trace = (struct trace){0};
    int status = file_read(path, &import.text, ERROR_USAGE, err);
    if (status == 0)
        status = take_text(&import, err);
    if (status == 0)
        status = normalize(&import, speed, err);
    buf_free(&import.text);
    if (status < 0)
        trace_free(trace);
    return status;
}

/* --- our own -------------------------------------------------------------------------------- */

static int write_line(struct gzip_stream *stream, struct error *err, const char *format, long long number)
{
    char line[LINE_MAX_BYTES];
    int length = snprintf(line, sizeof line, format, number);
    return gzip_stream_write(stream, line, (size_t)length, err);
}

int trace_write(const int64_t *ns, size_t count, const char *path, struct error *err)
{
    struct gzip_stream *stream = gzip_stream_open(path, err);
    if (!stream)
        return -1;
    int status = write_line(stream, err, "{\"schema\":\"" SCHEMA "\",\"count\":%lld}\n", (long long)count);
    for (size_t k = 0; k < count && status == 0; k++)
        status = write_line(stream, err, "%lld\n", (long long)ns[k]);
    return gzip_stream_close(stream, status < 0 ? NULL : err) < 0 ? -1 : status;
}

struct reading {
    const char *path;
    int64_t *ns;
    size_t count, expected;
};

static int take_header(const struct reading *reading, const char *line, size_t length, struct error *err)
{
    struct json_reader reader;
    json_t *object = json_parse(&reader, line, length, reading->path, SCHEMA, err);
    if (object && json_get_integer(&reader, object, "count") != (int64_t)reading->expected)
        json_fail(&reader, "count", "expected %zu, as the plan says", reading->expected);
    json_decref(object);
    return !object || reader.failed ? -1 : 0;
}

static int take_arrival(void *context, char *line, size_t length, size_t number, struct error *err)
{
    struct reading *reading = context;
    int64_t ns, before = reading->count > 0 ? reading->ns[reading->count - 1] : 0;
    if (number == 1)
        return take_header(reading, line, length, err);
    if (units_parse_integer(line, &ns) < 0 || ns < before || (double)ns > PLAN_SECONDS_MAX * (double)NS_PER_S || reading->count == reading->expected)
        return error_set(err, ERROR_USAGE, "%s:%zu: expected %zu ascending numbers of ns", reading->path, number, reading->expected);
    reading->ns[reading->count++] = ns;
    return 0;
}

int plan_read_trace(struct plan *plan, const char *folder, struct error *err)
{
    struct arrival_shape *shape = &plan->arrival_shape;
    if (!shape->replay_file)
        return 0;
    if (shape->replay_count < 2 || shape->replay_count > TRACE_MAX)
        return error_set(err, ERROR_USAGE, "plan.json: arrivals.replay_count: expected 2 to %d", TRACE_MAX);
    cleanup_free char *path = file_join(folder, TRACE_FILE);
    struct reading reading = {.path = path, .expected = (size_t)shape->replay_count};
    reading.ns = ARENA_ARRAY(plan->arena, reading.expected, int64_t);
    if (record_read_lines(path, take_arrival, &reading, NULL, err) < 0)
        return -1;
    if (reading.count != reading.expected)
        return error_set(err, ERROR_USAGE, "%s: holds %zu arrivals of %zu. Prepare the run again", path, reading.count, reading.expected);
    shape->replay = reading.ns;
    return 0;
}
