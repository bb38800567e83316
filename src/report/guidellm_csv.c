#include "report/guidellm_csv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/guidellm_console.h"
#include "wire/csv.h"

#define COLUMNS_MAX 512
#define TEXT_MAX ((size_t)1 << 20) /* of a cell that holds JSON */
#define PATH_SIZE 160
#define STRATEGY_SIZE 64

enum field_kind { FIELD_VALUE, FIELD_JSON, FIELD_TIME, FIELD_STRATEGY, FIELD_PERCENTILES, FIELD_GLOBAL };

struct field {
    const char *group, *name, *unit;
    enum field_kind kind;
    const char *path; /* in a benchmark; FIELD_GLOBAL: in the report */
};

static const struct field facts[] = {
    {"Run Info", "Run ID", "", FIELD_VALUE, "config.run_id"},
    {"Run Info", "Run Index", "", FIELD_VALUE, "config.run_index"},
    {"Run Info", "Profile", "", FIELD_JSON, "config.profile"},
    {"Run Info", "Requests", "", FIELD_JSON, "config.requests"},
    {"Run Info", "Backend", "", FIELD_JSON, "config.backend"},
    {"Run Info", "Environment", "", FIELD_JSON, "config.environment"},
    {"Benchmark", "Type", "", FIELD_VALUE, "type_"},
    {"Benchmark", "ID", "", FIELD_VALUE, "config.id_"},
    {"Benchmark", "Strategy", "", FIELD_STRATEGY, ""},
    {"Benchmark", "Constraints", "", FIELD_JSON, "config.constraints"},
    {"Timings", "Start Time", "", FIELD_TIME, "scheduler_metrics.start_time"},
    {"Timings", "Request Start Time", "", FIELD_TIME, "scheduler_metrics.request_start_time"},
    {"Timings", "Measure Start Time", "", FIELD_TIME, "scheduler_metrics.measure_start_time"},
    {"Timings", "Measure End Time", "", FIELD_TIME, "scheduler_metrics.measure_end_time"},
    {"Timings", "Request End Time", "", FIELD_TIME, "scheduler_metrics.request_end_time"},
    {"Timings", "End Time", "", FIELD_TIME, "scheduler_metrics.end_time"},
    {"Timings", "Duration", "Sec", FIELD_VALUE, "duration"},
    {"Timings", "Warmup", "Sec", FIELD_VALUE, "warmup_duration"},
    {"Timings", "Cooldown", "Sec", FIELD_VALUE, "cooldown_duration"},
    {"Request Counts", "Successful", "", FIELD_VALUE, "metrics.request_totals.successful"},
    {"Request Counts", "Incomplete", "", FIELD_VALUE, "metrics.request_totals.incomplete"},
    {"Request Counts", "Errored", "", FIELD_VALUE, "metrics.request_totals.errored"},
    {"Request Counts", "Total", "", FIELD_VALUE, "metrics.request_totals.total"},
};

/* Distributions: group, what the field's name ends in, and which member of `metrics`. */
static const struct {
    const char *group, *name, *metric;
} spreads[] = {
    {"Request Latency", "Sec", "request_latency"},
    {"Dispatch Delay", "Sec", "request_dispatch_delay"},
    {"Scheduled Latency", "Sec", "request_scheduled_latency"},
    {"Streaming Iterations", "Count", "request_streaming_iterations_count"},
    {"Time to First Token", "ms", "time_to_first_token_ms"},
    {"Time per Output Token", "ms", "time_per_output_token_ms"},
    {"Inter Token Latency", "ms", "inter_token_latency_ms"},
    {"Server Throughput", "Requests/Sec", "requests_per_second"},
    {"Server Throughput", "Concurrency", "request_concurrency"},
    {"Token Metrics", "Input Tokens", "prompt_token_count"},
    {"Token Metrics", "Output Tokens", "output_token_count"},
    {"Token Metrics", "Total Tokens", "total_token_count"},
    {"Token Throughput", "Input Tokens/Sec", "prompt_tokens_per_second"},
    {"Token Throughput", "Output Tokens/Sec", "output_tokens_per_second"},
    {"Token Throughput", "Total Tokens/Sec", "tokens_per_second"},
    {"Token Streaming", "Output Tokens/Iter", "output_tokens_per_iteration"},
    {"Token Streaming", "Iter Tokens/Iter", "iter_tokens_per_iteration"},
};
static const struct field runtime[] = {
    {"Runtime Info", "Metadata", "", FIELD_GLOBAL, "metadata"},
    {"Runtime Info", "Arguments", "", FIELD_GLOBAL, "config"},
};

/* --- which columns ----------------------------------------------------------------------------- */

/* A column with texts of its own where they are made. */
struct column {
    struct field field;
    char name[48], path[PATH_SIZE];
    char sum[PATH_SIZE]; /* of a distribution: where it is 0, there is none */
};

struct columns {
    struct column all[COLUMNS_MAX];
    size_t count;
};

static void add_field(struct columns *columns, const struct field *field)
{
    struct column *column = &columns->all[columns->count++];
    column->field = *field;
    snprintf(column->name, sizeof column->name, "%s", field->name);
    snprintf(column->path, sizeof column->path, "%s", field->path);
}

static bool is_above_zero(const json_t *benchmark, const char *path)
{
    const json_t *sum = guidellm_member(benchmark, path);
    return json_is_number(sum) && json_number_value(sum) > 0;
}

static bool any_has(const json_t *benchmarks, const char *path)
{
    for (size_t k = 0; k < json_array_size(benchmarks); k++)
        if (is_above_zero(json_array_get(benchmarks, k), path))
            return true;
    return false;
}

static void add_spread(struct columns *columns, const json_t *benchmarks, const char *group, const char *name, const char *metric)
{
    static const struct {
        const char *member, *heading;
    } endings[] = {{"successful", "Successful"}, {"incomplete", "Incomplete"}, {"errored", "Errored"}};
    static const struct {
        const char *heading, *member;
        enum field_kind kind;
    } statistics[] = {{"Mean", ".mean", FIELD_VALUE}, {"Median", ".median", FIELD_VALUE}, {"Std Dev", ".std_dev", FIELD_VALUE}, {"Percentiles", "", FIELD_PERCENTILES}};
    for (size_t e = 0; e < sizeof endings / sizeof endings[0]; e++) {
        char sum[PATH_SIZE];
        snprintf(sum, sizeof sum, "metrics.%s.%s.total_sum", metric, endings[e].member);
        if (!any_has(benchmarks, sum))
            continue;
        for (size_t k = 0; k < sizeof statistics / sizeof statistics[0]; k++) {
            struct column *column = &columns->all[columns->count++];
            column->field = (struct field){.group = group, .unit = statistics[k].heading, .kind = statistics[k].kind};
            snprintf(column->name, sizeof column->name, "%s %s", endings[e].heading, name);
            snprintf(column->path, sizeof column->path, "metrics.%s.%s%s", metric, endings[e].member, statistics[k].member);
            memcpy(column->sum, sum, sizeof sum);
        }
    }
}

static struct columns *choose_columns(const json_t *benchmarks)
{
    struct columns *columns = mem_alloc(sizeof *columns);
    for (size_t k = 0; k < sizeof facts / sizeof facts[0]; k++)
        add_field(columns, &facts[k]);
    for (size_t k = 0; k < sizeof spreads / sizeof spreads[0]; k++)
        add_spread(columns, benchmarks, spreads[k].group, spreads[k].name, spreads[k].metric);
    for (size_t k = 0; k < sizeof runtime / sizeof runtime[0]; k++)
        add_field(columns, &runtime[k]);
    return columns;
}

/* --- cells ---------------------------------------------------------------------------------------- */

static void add_json(struct csv *csv, const json_t *value)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    if (value)
        json_append_compact(value, &text);
    csv_add_text(csv, value && !text.overflowed ? buf_text(&text) : NULL);
}

static void add_time(struct csv *csv, const json_t *value)
{
    double seconds = json_is_number(value) ? json_number_value(value) : NAN;
    char date[CLOCK_RFC3339_SIZE];
    if (!(seconds >= 0 && seconds < 4e9)) {
        csv_add_missing(csv);
        return;
    }
    clock_format_rfc3339((int64_t)seconds * NS_PER_S, 0, date);
    date[10] = ' '; /* 2026-11-24 04:06:51, as GuideLLM has it */
    date[19] = '\0';
    csv_add_text(csv, date);
}

/* The least, eight percentiles, and the greatest, without the median, as one text. */
static void add_percentiles(struct csv *csv, const json_t *spread)
{
    static const char *const members[] = {"min",           "percentiles.p001", "percentiles.p01", "percentiles.p05", "percentiles.p10", "percentiles.p25",
                                          "percentiles.p75", "percentiles.p90",  "percentiles.p95", "percentiles.p99", "max"};
    cleanup_buf struct buf text = BUF_INIT(1024);
    for (size_t k = 0; k < sizeof members / sizeof members[0]; k++) {
        const json_t *value = guidellm_member(spread, members[k]);
        buf_printf(&text, "%s%.15g", k > 0 ? ", " : "[", json_is_number(value) ? json_number_value(value) : 0);
    }
    buf_append_char(&text, ']');
    csv_add_text(csv, spread ? buf_text(&text) : NULL);
}

static void add_value(struct csv *csv, const json_t *value)
{
    if (json_is_integer(value))
        csv_add_integer(csv, json_integer_value(value));
    else if (json_is_real(value))
        csv_add_number(csv, json_real_value(value));
    else
        csv_add_text(csv, json_string_value(value));
}

static void add_cell(struct csv *csv, const struct column *column, const json_t *benchmark, const json_t *report)
{
    char strategy[STRATEGY_SIZE];
    const json_t *value = guidellm_member(column->field.kind == FIELD_GLOBAL ? report : benchmark, column->path);
    if (!value && column->field.kind == FIELD_GLOBAL)
        value = json_object_get(report, "args"); /* as schema 1 calls its configuration */
    if (column->sum[0] && !is_above_zero(benchmark, column->sum)) {
        csv_add_missing(csv);
        return;
    }
    switch (column->field.kind) {
    case FIELD_VALUE:
        add_value(csv, value);
        return;
    case FIELD_JSON:
    case FIELD_GLOBAL:
        add_json(csv, value);
        return;
    case FIELD_TIME:
        add_time(csv, value);
        return;
    case FIELD_PERCENTILES:
        add_percentiles(csv, value);
        return;
    case FIELD_STRATEGY:
        guidellm_strategy_text(benchmark, strategy, sizeof strategy);
        csv_add_text(csv, strategy);
        return;
    }
}

/* Groups, then fields, then units. */
static void add_headings(struct csv *csv, const struct columns *columns, struct buf *out)
{
    const char *groups[COLUMNS_MAX + 1] = {NULL};
    for (size_t k = 0; k < columns->count; k++)
        groups[k] = columns->all[k].field.group;
    csv_begin(csv, out, groups);
    for (size_t k = 0; k < columns->count; k++)
        csv_add_text(csv, columns->all[k].name);
    csv_end_row(csv);
    for (size_t k = 0; k < columns->count; k++)
        csv_add_text(csv, columns->all[k].field.unit);
    csv_end_row(csv);
}

void guidellm_csv_append(const json_t *report, struct buf *out)
{
    struct csv csv;
    const json_t *benchmarks = json_object_get(report, "benchmarks");
    cleanup_free struct columns *columns = choose_columns(benchmarks);
    add_headings(&csv, columns, out);
    for (size_t row = 0; row < json_array_size(benchmarks); row++) {
        for (size_t k = 0; k < columns->count; k++)
            add_cell(&csv, &columns->all[k], json_array_get(benchmarks, row), report);
        csv_end_row(&csv);
    }
}
