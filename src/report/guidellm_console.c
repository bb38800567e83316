#include "report/guidellm_console.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define HEADER_ROWS 3 /* group, name, unit or statistic */
#define COLUMNS_MAX 32
#define CELL_MAX 64

enum cell_kind { CELL_STRATEGY, CELL_TIME, CELL_NUMBER, CELL_COUNT };

struct column {
    const char *header[HEADER_ROWS];
    enum cell_kind kind;
    const char *path; /* in a benchmark */
};

/* Two columns of a distribution. */
#define SPREAD(group, name, path, first, first_name, second, second_name)             \
    {{group, name, first_name}, CELL_NUMBER, path "." first}, {{group, name, second_name}, CELL_NUMBER, path "." second}
#define USUAL(group, name, metric) SPREAD(group, name, "metrics." metric ".successful", "median", "Mdn", "percentiles.p95", "p95")
#define STRATEGY {{"Benchmark", "Strategy", ""}, CELL_STRATEGY, ""}
#define TOKENS(group, metric)                                                                \
    {{group, "Comp", "Tot"}, CELL_NUMBER, "metrics." metric ".successful.total_sum"},       \
        {{group, "Inc", "Tot"}, CELL_NUMBER, "metrics." metric ".incomplete.total_sum"},    \
        {{group, "Err", "Tot"}, CELL_NUMBER, "metrics." metric ".errored.total_sum"}
#define RATE_OF(group, metric) {{group, "Per Sec", "Mean"}, CELL_NUMBER, "metrics." metric ".total.mean"}
#define TEXT(group, side)                                                                                                          \
    SPREAD(group " Tokens", "Per Request", "metrics.text.tokens." side ".successful", "median", "Mdn", "percentiles.p95", "p95"), \
        SPREAD(group " Tokens", "Per Second", "metrics.text.tokens." side "_per_second.successful", "median", "Mdn", "mean", "Mean")

static const struct column summary_columns[] = {
    STRATEGY,
    {{"Timings", "Start", ""}, CELL_TIME, "start_time"},
    {{"Timings", "End", ""}, CELL_TIME, "end_time"},
    {{"Timings", "Dur", "Sec"}, CELL_NUMBER, "duration"},
    {{"Timings", "Warm", "Sec"}, CELL_NUMBER, "warmup_duration"},
    {{"Timings", "Cool", "Sec"}, CELL_NUMBER, "cooldown_duration"},
    {{"Requests", "Comp", "Tot"}, CELL_COUNT, "metrics.request_totals.successful"},
    {{"Requests", "Inc", "Tot"}, CELL_COUNT, "metrics.request_totals.incomplete"},
    {{"Requests", "Err", "Tot"}, CELL_COUNT, "metrics.request_totals.errored"},
    TOKENS("Input Tokens", "prompt_token_count"),
    TOKENS("Output Tokens", "output_token_count"),
};
static const struct column text_input_columns[] = {STRATEGY, TEXT("Input", "input")};
static const struct column text_output_columns[] = {STRATEGY, TEXT("Output", "output")};
static const struct column request_columns[] = {
    STRATEGY,
    USUAL("Input Tok", "Per Req", "prompt_token_count"),
    USUAL("Output Tok", "Per Req", "output_token_count"),
    USUAL("Total Tok", "Per Req", "total_token_count"),
    USUAL("Stream Iter", "Per Req", "request_streaming_iterations_count"),
    USUAL("Output Tok", "Per Stream Iter", "output_tokens_per_iteration"),
};
static const struct column latency_columns[] = {
    STRATEGY,
    USUAL("Request Latency", "Sec", "request_latency"),
    USUAL("TTFT", "ms", "time_to_first_token_ms"),
    USUAL("ITL", "ms", "inter_token_latency_ms"),
    USUAL("TPOT", "ms", "time_per_output_token_ms"),
};
static const struct column throughput_columns[] = {
    STRATEGY,
    SPREAD("Requests", "Concurrency", "metrics.request_concurrency.total", "median", "Mdn", "mean", "Mean"),
    RATE_OF("Requests", "requests_per_second"),
    RATE_OF("Input Tokens", "prompt_tokens_per_second"),
    RATE_OF("Output Tokens", "output_tokens_per_second"),
    RATE_OF("Total Tokens", "tokens_per_second"),
};

/* --- cells ---------------------------------------------------------------------------------- */

const json_t *guidellm_member(const json_t *object, const char *path)
{
    char name[CELL_MAX];
    for (size_t length; object; path += length + 1) {
        length = strcspn(path, ".");
        if (length >= sizeof name)
            return NULL;
        memcpy(name, path, length);
        name[length] = '\0';
        object = json_object_get(object, name);
        if (!path[length])
            return object;
    }
    return NULL;
}

void guidellm_strategy_text(const json_t *benchmark, char *text, size_t size)
{
    const json_t *strategy = guidellm_member(benchmark, "config.strategy");
    const char *type = json_string_value(json_object_get(strategy, "type_"));
    const json_t *streams = json_object_get(strategy, "streams"), *rate = json_object_get(strategy, "rate");
    const json_t *most = json_object_get(strategy, "max_concurrency");
    bool throughput = type && strcmp(type, "throughput") == 0;
    if (json_is_number(streams))
        snprintf(text, size, "%s@%.0f", type, json_number_value(streams));
    else if (json_is_number(rate))
        snprintf(text, size, "%s@%.2f", type, json_number_value(rate));
    else if (throughput && json_is_number(most))
        snprintf(text, size, "%s@%.0f", type, json_number_value(most));
    else
        snprintf(text, size, "%s", type ? type : "--");
}

/* Seconds since 1970 as the time of the day. */
static void format_time(double seconds, char *text, size_t size)
{
    char date[CLOCK_RFC3339_SIZE];
    if (!(seconds >= 0 && seconds < 4e9)) {
        snprintf(text, size, "N/A");
        return;
    }
    clock_format_rfc3339((int64_t)seconds * NS_PER_S, 0, date);
    snprintf(text, size, "%.8s", date + strlen("1970-01-01T"));
}

static void format_cell(const struct column *column, const json_t *benchmark, char *text, size_t size)
{
    const json_t *value = guidellm_member(benchmark, column->path);
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    if (column->kind == CELL_STRATEGY)
        guidellm_strategy_text(benchmark, text, size);
    else if (column->kind == CELL_TIME)
        format_time(number, text, size);
    else if (!isfinite(number))
        snprintf(text, size, "--");
    else
        snprintf(text, size, column->kind == CELL_COUNT ? "%.0f" : "%.1f", number);
}

/* --- layout ---------------------------------------------------------------------------------- */

/* A table before it is written: cells with their spaces. */
struct layout {
    struct arena *arena;
    const struct column *columns;
    size_t column_count, row_count;
    const char *headers[HEADER_ROWS][COLUMNS_MAX];
    const char **cells; /* row by row */
    size_t widths[COLUMNS_MAX];
};

static const char *padded(struct layout *layout, const char *text)
{
    return *text ? arena_printf(layout->arena, " %s ", text) : "";
}

static void widen(struct layout *layout, size_t column, const char *cell)
{
    size_t length = strlen(cell);
    if (layout->widths[column] < length)
        layout->widths[column] = length;
}

static void fill_cells(struct layout *layout, const json_t *benchmarks)
{
    layout->cells = ARENA_ARRAY(layout->arena, layout->row_count * layout->column_count + 1, const char *);
    for (size_t row = 0; row < layout->row_count; row++)
        for (size_t k = 0; k < layout->column_count; k++) {
            char text[CELL_MAX];
            format_cell(&layout->columns[k], json_array_get(benchmarks, row), text, sizeof text);
            const char *cell = padded(layout, text);
            layout->cells[row * layout->column_count + k] = cell;
            widen(layout, k, cell);
        }
}

/* Does a heading go on in this column? Only under the same heading of the row above. */
static bool goes_on(const struct layout *layout, int row, size_t first, size_t column)
{
    const struct column *a = &layout->columns[first], *b = &layout->columns[column];
    if (column == layout->column_count || !*b->header[row] || strcmp(a->header[row], b->header[row]) != 0)
        return false;
    return row == 0 || strcmp(a->header[row - 1], b->header[row - 1]) == 0;
}

/* A heading over several columns makes them wide enough together. */
static void spread_heading(struct layout *layout, int row, size_t first, size_t end)
{
    size_t width = 0, needed = strlen(layout->headers[row][first]), count = end - first;
    for (size_t k = first; k < end; k++)
        width += layout->widths[k];
    for (size_t k = first, more = needed > width ? needed - width : 0, rest = more % count; k < end; k++)
        layout->widths[k] += more / count + (k - first < rest);
}

static void fill_headers(struct layout *layout)
{
    for (int row = 0; row < HEADER_ROWS; row++)
        for (size_t first = 0, end; first < layout->column_count; first = end) {
            layout->headers[row][first] = padded(layout, layout->columns[first].header[row]);
            for (end = first + 1; goes_on(layout, row, first, end); end++)
                layout->headers[row][end] = "";
            spread_heading(layout, row, first, end);
        }
}

/* --- writing ---------------------------------------------------------------------------------- */

static void append_cell(struct buf *out, const char *text, size_t width, char spacer)
{
    size_t length = strlen(text);
    buf_append(out, text, length);
    for (; length < width; length++)
        buf_append_char(out, spacer);
}

static void append_divider(const struct layout *layout, char line, struct buf *out)
{
    for (size_t k = 0; k < layout->column_count; k++) {
        buf_append_char(out, '|');
        append_cell(out, "", layout->widths[k], line);
    }
    buf_append_text(out, "|\n");
}

/* An empty heading belongs to the one on its left, if there is one. */
static void append_headers(const struct layout *layout, struct buf *out)
{
    for (int row = 0; row < HEADER_ROWS; row++) {
        for (size_t k = 0, end; k < layout->column_count; k = end) {
            size_t width = layout->widths[k];
            for (end = k + 1; *layout->headers[row][k] && end < layout->column_count && !*layout->headers[row][end]; end++)
                width += layout->widths[end];
            buf_append_char(out, '|');
            append_cell(out, layout->headers[row][k], width, ' ');
            for (size_t covered = k + 1; covered < end; covered++)
                buf_append_char(out, '|');
        }
        buf_append_text(out, "|\n");
    }
}

static void append_rows(const struct layout *layout, struct buf *out)
{
    for (size_t row = 0; row < layout->row_count; row++) {
        for (size_t k = 0; k < layout->column_count; k++) {
            buf_append_char(out, '|');
            append_cell(out, layout->cells[row * layout->column_count + k], layout->widths[k], ' ');
        }
        buf_append_text(out, "|\n");
    }
}

static void lay_out(struct layout *layout, struct arena *arena, const struct column *columns, size_t count, const json_t *benchmarks)
{
    *layout = (struct layout){.arena = arena, .columns = columns, .column_count = count, .row_count = json_array_size(benchmarks)};
    fill_cells(layout, benchmarks);
    fill_headers(layout);
}

static void append_layout(const struct layout *layout, struct buf *out)
{
    append_divider(layout, '=', out);
    append_headers(layout, out);
    append_divider(layout, '-', out);
    append_rows(layout, out);
}

static void append_table(const char *title, const struct column *columns, size_t count, const json_t *benchmarks, struct buf *out)
{
    struct layout layout;
    struct arena *arena = arena_new();
    lay_out(&layout, arena, columns, count, benchmarks);
    buf_printf(out, "\n\nℹ %s\n", title);
    append_layout(&layout, out);
    append_divider(&layout, '=', out);
    arena_free(arena);
}

/* Both tables of the texts are as wide as the wider one. */
static void append_text_tables(const json_t *benchmarks, struct buf *out)
{
    enum { TEXT_COLUMNS = sizeof text_input_columns / sizeof text_input_columns[0] };
    struct layout input, output;
    struct arena *arena = arena_new();
    lay_out(&input, arena, text_input_columns, TEXT_COLUMNS, benchmarks);
    lay_out(&output, arena, text_output_columns, TEXT_COLUMNS, benchmarks);
    for (size_t k = 0; k < TEXT_COLUMNS; k++)
        input.widths[k] = output.widths[k] = input.widths[k] > output.widths[k] ? input.widths[k] : output.widths[k];
    buf_append_text(out, "\n\nℹ Text Metrics Statistics (Completed Requests)\n");
    append_layout(&input, out);
    append_layout(&output, out);
    append_divider(&output, '=', out);
    arena_free(arena);
}

#define TABLE(title, columns) append_table(title, columns, sizeof(columns) / sizeof(columns)[0], benchmarks, out)

void guidellm_console_append(const json_t *report, struct buf *out)
{
    const json_t *benchmarks = json_object_get(report, "benchmarks");
    TABLE("Run Summary Info", summary_columns);
    append_text_tables(benchmarks, out);
    TABLE("Request Token Statistics (Completed Requests)", request_columns);
    TABLE("Request Latency Statistics (Completed Requests)", latency_columns);
    TABLE("Server Throughput Statistics (All Requests)", throughput_columns);
}
