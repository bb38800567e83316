#include "plan/trace.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "plan/dataset.h"
#include "record/record_reader.h"
#include "record/record_writer.h"

#define SCHEMA "roibench/arrivals/v1"
#define COLUMN "timestamp"
#define NAMES_MAX ((size_t)512)
#define NS_LIMIT 8e18 /* 250 years: differences of two still are ns */
#define DATE_MAX 64
#define LINE_MAX_BYTES 64

void trace_free(struct trace *trace)
{
    free(trace->ns);
    *trace = (struct trace){0};
}

/* --- a file of others ----------------------------------------------------------------------- */

struct import {
    struct dataset *dataset;
    enum trace_unit unit;
    struct trace *trace;
};

/* Of a row all but its time is left alone. */
static int read_time(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err)
{
    const char *key;
    json_t *value;
    (void)columns;
    json_object_foreach(json, key, value)
        if (strcasecmp(key, COLUMN) == 0)
            row->timestamp = value;
    if (row->timestamp)
        return 0;
    cleanup_buf struct buf names = BUF_INIT(NAMES_MAX);
    dataset_append_names(json, &names);
    return error_set(err, ERROR_USAGE, "expected a member or column " COLUMN "; the row has: %s", buf_text(&names));
}

static const struct dataset_format times = {.name = COLUMN, .summary = "when requests came", .container = DATASET_ANY_JSON, .read = read_time};

static double ns_of_unit(const struct import *import)
{
    enum trace_unit usual = dataset_is_csv(import->dataset) ? TRACE_UNIT_S : TRACE_UNIT_MS;
    enum trace_unit unit = import->unit == TRACE_UNIT_USUAL ? usual : import->unit;
    return (double)(unit == TRACE_UNIT_MS ? NS_PER_MS : NS_PER_S);
}

/* Whole numbers stay exact. */
static int read_integer(const struct import *import, int64_t value, int64_t *ns)
{
    return __builtin_mul_overflow(value, (int64_t)ns_of_unit(import), ns) || fabs((double)*ns) > NS_LIMIT / 2 ? -1 : 0;
}

static int read_number(const struct import *import, double value, int64_t *ns)
{
    double exact = value * ns_of_unit(import);
    if (!(fabs(exact) <= NS_LIMIT / 2))
        return -1;
    *ns = llround(exact);
    return 0;
}

/* "2023-11-16 18:17:03.9799600" is RFC 3339 but for a letter or two. */
static int read_date(const char *text, int64_t *ns)
{
    static const char *const zones[] = {"", "Z"};
    for (size_t k = 0; k < sizeof zones / sizeof zones[0]; k++) {
        char date[DATE_MAX];
        int length = snprintf(date, sizeof date, "%s%s", text, zones[k]);
        if (length > 10 && date[10] == ' ')
            date[10] = 'T';
        if (length < (int)sizeof date && clock_parse_rfc3339(date, ns) == 0)
            return 0;
    }
    return -1;
}

static int read_text(const struct import *import, const char *text, int64_t *ns)
{
    int64_t integer;
    double number;
    if (units_parse_integer(text, &integer) == 0)
        return read_integer(import, integer, ns);
    return units_parse_number(text, &number) == 0 ? read_number(import, number, ns) : read_date(text, ns);
}

static int read_timestamp(const struct import *import, const json_t *value, int64_t *ns)
{
    if (json_is_integer(value))
        return read_integer(import, json_integer_value(value), ns);
    if (json_is_real(value))
        return read_number(import, json_real_value(value), ns);
    return json_is_string(value) ? read_text(import, json_string_value(value), ns) : -1;
}

/* 0 when it is only counted. */
static int refuse_timestamp(const struct import *import, const struct dataset_row *row, struct error *err)
{
    struct error reason;
    cleanup_free char *text = json_scalar_text(row->timestamp);
    error_set(&reason, ERROR_USAGE, "'%.60s' is no timestamp: expected a number of %s, or a date", text ? text : "(no number)",
              ns_of_unit(import) == (double)NS_PER_S ? "seconds" : "milliseconds"); /* NOLINT: one of two constants */
    return dataset_refuse(import->dataset, row, &reason, err);
}

static int take_rows(const struct import *import, struct error *err)
{
    struct trace *trace = import->trace;
    struct dataset_row row;
    int64_t ns;
    int status;
    while ((status = dataset_next(import->dataset, &row, err)) > 0) {
        if (read_timestamp(import, row.timestamp, &ns) < 0) {
            if (refuse_timestamp(import, &row, err) < 0)
                return -1;
            continue;
        }
        if (trace->count == TRACE_MAX)
            return error_set(err, ERROR_USAGE, "%s: more than %d arrivals", trace->path, TRACE_MAX);
        MEM_GROW(trace->ns, trace->capacity, trace->count + 1);
        trace->ns[trace->count++] = ns;
    }
    trace->left_out = (int64_t)dataset_counts(import->dataset).bad;
    return status;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int normalize(struct trace *trace, double speed, struct error *err)
{
    if (trace->count < 2)
        return error_set(err, ERROR_USAGE, "%s: has %zu timestamp%s: two are needed at least", trace->path, trace->count, trace->count == 1 ? "" : "s");
    qsort(trace->ns, trace->count, sizeof *trace->ns, ascending);
    int64_t first = trace->ns[0];
    double length = (double)(trace->ns[trace->count - 1] - first) / speed / (double)NS_PER_S;
    if (!(length > 0) || length > PLAN_SECONDS_MAX)
        return error_set(err, ERROR_USAGE, "%s: lasts %g s at that speed: more than 0 and at most %g s can be replayed", trace->path, length,
                         PLAN_SECONDS_MAX);
    for (size_t k = 0; k < trace->count; k++)
        trace->ns[k] = llround((double)(trace->ns[k] - first) / speed);
    return 0;
}

int trace_import(const char *path, const struct trace_settings *settings, struct trace *trace, struct error *err)
{
    const struct dataset_settings rows = {.own_format = &times, .skip_bad = settings->skip_bad};
    *trace = (struct trace){.path = path};
    struct import import = {.dataset = dataset_open(path, &rows, err), .unit = settings->unit, .trace = trace};
    if (!import.dataset)
        return -1;
    int status = take_rows(&import, err) < 0 ? -1 : normalize(trace, settings->speed, err);
    dataset_free(import.dataset);
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
