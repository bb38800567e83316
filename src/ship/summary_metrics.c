#include "ship/summary_metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "wire/promwrite.h"

#define LABELS_MAX ((size_t)64 << 10)
#define LABEL_PREFIX "label_"
#define S_PER_MS 1e-3

/* ---- finding numbers ---- */

/* The member at "a.b.c"; NULL: there is none. Keys with dots ("p99.9") are not asked for. */
static const json_t *at_path(const json_t *object, const char *path)
{
    while (object && *path) {
        const size_t length = strcspn(path, ".");
        cleanup_free char *key = mem_strndup(path, length);

        object = json_object_get(object, key);
        path += length + (path[length] == '.');
    }
    return object;
}

static double number_at(const json_t *object, const char *path)
{
    const json_t *value = at_path(object, path);

    return json_is_number(value) ? json_number_value(value) : json_is_boolean(value) ? (double)json_is_true(value) : (double)NAN;
}

static const char *text_at(const json_t *object, const char *path)
{
    const char *text = json_string_value(at_path(object, path));

    return text ? text : "";
}

/* ---- labels ---- */

static void add_label(struct buf *labels, const char *name, const char *value)
{
    if (!*value)
        return;
    buf_printf(labels, "%s%s=\"", labels->len ? "," : "", name);
    promwrite_label_value(labels, value);
    buf_append_char(labels, '"');
}

static void add_level_labels(struct buf *labels, const json_t *level)
{
    char load[UNITS_TEXT_SIZE];

    buf_printf(labels, ",level=\"%.0f\",load=\"%s\",repeat=\"%.0f\",unit=\"%s\"", number_at(level, "index"),
               units_format_load(number_at(level, "load"), load), number_at(level, "repeat"), text_at(level, "unit"));
}

/* The user's own, "label_team": names of Prometheus have letters, digits and '_'. */
static void add_user_labels(struct buf *labels, const json_t *run)
{
    const json_t *own = at_path(run, "plan.deployment.labels");
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)own, key, value) {
        cleanup_free char *name = mem_printf(LABEL_PREFIX "%s", key);

        for (char *c = name; *c; c++)
            *c = (char)(isalnum((unsigned char)*c) ? *c : '_');

        cleanup_free char *taken = mem_printf(",%s=\"", name);

        if (!strstr(buf_text(labels), taken))
            add_label(labels, name, json_string_value(value) ? json_string_value(value) : "");
    }
}

/* ---- one page ---- */

struct page {
    const struct summary_metrics_run *runs;
    size_t count;
    struct buf *out;
    struct buf labels;
    const char *name, *help;
    bool headed; /* HELP and TYPE are there: a metric without a sample has none */
};

static void page_begin(struct page *page, const char *name, const char *help)
{
    page->name = name;
    page->help = help;
    page->headed = false;
}

/* Begins the labels of a sample. */
static void page_run(struct page *page, const json_t *document)
{
    buf_reset(&page->labels);
    add_label(&page->labels, "run_id", text_at(document, "run.run_id"));
}

static void page_sample(struct page *page, double value)
{
    if (!isfinite(value))
        return;
    if (!page->headed)
        promwrite_head(page->out, page->name, "", "gauge", page->help);
    page->headed = true;
    promwrite_sample(page->out, page->name, "", buf_text(&page->labels), value);
}

/* ---- of a run ---- */

static void write_info(struct page *page)
{
    page_begin(page, "roibench_run_info", "A run whose summary was published, with what it was measured on.");
    for (size_t k = 0; k < page->count; k++) {
        const json_t *run = at_path(page->runs[k].document, "run");

        page_run(page, page->runs[k].document);
        add_label(&page->labels, "archive", page->runs[k].archive);
        add_label(&page->labels, "endpoint", text_at(run, "endpoint"));
        add_label(&page->labels, "profile", text_at(run, "profile"));
        add_label(&page->labels, "scenario", text_at(run, "scenario"));
        add_label(&page->labels, "server", text_at(run, "server"));
        add_label(&page->labels, "simulated", json_is_true(at_path(run, "simulated")) ? "true" : "false");
        add_user_labels(&page->labels, run);
        page_sample(page, 1);
    }
}

static void write_started(struct page *page)
{
    page_begin(page, "roibench_run_started_timestamp_seconds", "When the run began, in Unix time.");
    for (size_t k = 0; k < page->count; k++) {
        int64_t started;

        page_run(page, page->runs[k].document);
        if (clock_parse_rfc3339(text_at(page->runs[k].document, "run.started"), &started) == 0)
            page_sample(page, (double)started / (double)NS_PER_S);
    }
}

struct run_row {
    const char *name, *help, *path;
    const char *label, *value; /* NULL: none */
};

static const struct run_row run_rows[] = {
    {"roibench_gpus", "GPUs of the deployment.", "run.gpus", NULL, NULL},
    {"roibench_price_usd_per_hour", "Price of the deployment, in US dollars per hour.", "run.price_per_hour", NULL, NULL},
    {"roibench_saturation_load", "Load on both sides of the saturation point: the last that held, the first that broke.", "points.saturation.held", "bound", "held"},
    {"roibench_saturation_load", "", "points.saturation.broke", "bound", "broke"},
    {"roibench_breaking_load", "Load on both sides of the breaking point: the last that held, the first that broke.", "points.breaking.held", "bound", "held"},
    {"roibench_breaking_load", "", "points.breaking.broke", "bound", "broke"},
    {"roibench_knee_load", "Load from which on more load hardly adds throughput.", "points.knee", NULL, NULL},
    {"roibench_advised_load", "Load that the report advises for production.", "points.advised_load", NULL, NULL},
    {"roibench_capacity_load", "Highest load that meets an objective.", "points.capacity_at_sla.ttft.load", "objective", "ttft"},
    {"roibench_capacity_load", "", "points.capacity_at_sla.ttft_2s.load", "objective", "ttft_2s"},
    {"roibench_capacity_load", "", "points.capacity_at_sla.all.load", "objective", "all"},
    {"roibench_capacity_load", "", "points.capacity_at_sla.slo.load", "objective", "slo"},
    {"roibench_capacity_tokens_per_second", "Prompt and output tokens per second at the highest load that meets an objective.",
     "points.capacity_at_sla.ttft.total_tps", "objective", "ttft"},
    {"roibench_capacity_tokens_per_second", "", "points.capacity_at_sla.ttft_2s.total_tps", "objective", "ttft_2s"},
    {"roibench_capacity_tokens_per_second", "", "points.capacity_at_sla.all.total_tps", "objective", "all"},
    {"roibench_capacity_tokens_per_second", "", "points.capacity_at_sla.slo.total_tps", "objective", "slo"},
    {"roibench_max_throughput_load", "Load with the most prompt and output tokens per second.", "points.max_throughput.load", NULL, NULL},
    {"roibench_max_throughput_tokens_per_second", "The most prompt and output tokens per second of all levels.", "points.max_throughput.total_tps", NULL, NULL},
};

#define RUN_ROW_COUNT (sizeof run_rows / sizeof *run_rows)

static void write_run_rows(struct page *page)
{
    for (size_t row = 0; row < RUN_ROW_COUNT; row++) {
        if (row == 0 || strcmp(run_rows[row].name, run_rows[row - 1].name) != 0)
            page_begin(page, run_rows[row].name, run_rows[row].help);
        for (size_t k = 0; k < page->count; k++) {
            const json_t *document = page->runs[k].document;

            page_run(page, document);
            if (run_rows[row].label)
                add_label(&page->labels, run_rows[row].label, run_rows[row].value);
            if (strncmp(run_rows[row].path, "points.", strlen("points.")) == 0)
                add_label(&page->labels, "unit", text_at(document, "points.unit"));
            page_sample(page, number_at(document, run_rows[row].path));
        }
    }
}

/* ---- of its levels ---- */

struct level_row {
    const char *name, *help, *path;
    double scale;
    const char *label, *value; /* NULL: none */
};

#define PERCENTILES(name, help, path)                                                                              \
    {name, help, path ".p50", S_PER_MS, "percentile", "50"}, {name, "", path ".p90", S_PER_MS, "percentile", "90"}, \
    {name, "", path ".p95", S_PER_MS, "percentile", "95"}, {name, "", path ".p99", S_PER_MS, "percentile", "99"}

static const struct level_row level_rows[] = {
    PERCENTILES("roibench_time_to_first_token_seconds", "From sending a request to its first token.", "ttft_ms"),
    PERCENTILES("roibench_inter_token_latency_seconds", "Between two tokens of a request.", "itl_ms"),
    PERCENTILES("roibench_time_per_output_token_seconds", "Mean time of a request's tokens after the first.", "tpot_ms"),
    PERCENTILES("roibench_request_latency_seconds", "From sending a request to its end.", "e2e_ms"),
    {"roibench_output_tokens_per_second", "Output tokens per second of all requests together.", "output_tps", 1, NULL, NULL},
    {"roibench_total_tokens_per_second", "Prompt and output tokens per second of all requests together.", "total_tps", 1, NULL, NULL},
    {"roibench_user_tokens_per_second", "Output tokens per second that one user sees.", "user_tps", 1, NULL, NULL},
    {"roibench_requests_per_second", "Requests that ended per second.", "request_rps", 1, NULL, NULL},
    {"roibench_goodput_requests_per_second", "Requests per second that met all objectives.", "goodput_rps", 1, NULL, NULL},
    {"roibench_goodput_ratio", "Share of the requests that met all objectives.", "goodput_share", 1, NULL, NULL},
    {"roibench_error_ratio", "Share of the requests that failed.", "error_rate", 1, NULL, NULL},
    {"roibench_concurrent_requests", "Requests in flight, mean over the window.", "concurrency", 1, NULL, NULL},
    {"roibench_requests", "Requests of the window by outcome.", "requests.ok", 1, "outcome", "ok"},
    {"roibench_requests", "", "requests.error", 1, "outcome", "error"},
    {"roibench_requests", "", "requests.incomplete", 1, "outcome", "incomplete"},
    {"roibench_server_waiting_requests", "Requests in the server's queue, over the window.", "server.queue_depth.mean", 1, "statistic", "mean"},
    {"roibench_server_waiting_requests", "", "server.queue_depth.max", 1, "statistic", "max"},
    {"roibench_server_kv_cache_usage_ratio", "Share of the server's KV cache that is in use, over the window.", "server.kv_cache.mean", 1, "statistic", "mean"},
    {"roibench_server_kv_cache_usage_ratio", "", "server.kv_cache.max", 1, "statistic", "max"},
    {"roibench_gpu_power_watts", "Power of all GPUs of the deployment, mean over the window.", "gpu.power_w", 1, NULL, NULL},
    {"roibench_gpu_energy_joules", "Energy of all GPUs of the deployment in the window.", "gpu.energy_j", 1, NULL, NULL},
    {"roibench_output_tokens_per_joule", "Output tokens for a joule of the GPUs.", "gpu.output_tokens_per_joule", 1, NULL, NULL},
};

#define LEVEL_ROW_COUNT (sizeof level_rows / sizeof *level_rows)

static void write_level_row(struct page *page, const struct level_row *row)
{
    for (size_t k = 0; k < page->count; k++) {
        const json_t *document = page->runs[k].document, *level;
        size_t index;

        json_array_foreach(at_path(document, "levels"), index, level) {
            page_run(page, document);
            add_level_labels(&page->labels, level);
            if (row->label)
                add_label(&page->labels, row->label, row->value);
            page_sample(page, number_at(level, row->path) * row->scale);
        }
    }
}

static void write_level_rows(struct page *page)
{
    for (size_t row = 0; row < LEVEL_ROW_COUNT; row++) {
        if (row == 0 || strcmp(level_rows[row].name, level_rows[row - 1].name) != 0)
            page_begin(page, level_rows[row].name, level_rows[row].help);
        write_level_row(page, &level_rows[row]);
    }
}

/* Texts become labels of a sample that is 1. */
static void write_level_text(struct page *page, const char *name, const char *help, const char *path, const char *label)
{
    page_begin(page, name, help);
    for (size_t k = 0; k < page->count; k++) {
        const json_t *document = page->runs[k].document, *level;
        size_t index;

        json_array_foreach(at_path(document, "levels"), index, level) {
            page_run(page, document);
            add_level_labels(&page->labels, level);
            add_label(&page->labels, label, text_at(level, path));
            page_sample(page, *text_at(level, path) ? 1 : (double)NAN);
        }
    }
}

int summary_metrics_write(const struct summary_metrics_run *runs, size_t count, struct buf *out, struct error *err)
{
    struct page page = {.runs = runs, .count = count, .out = out, .labels = BUF_INIT(LABELS_MAX)};

    write_info(&page);
    write_started(&page);
    write_run_rows(&page);
    write_level_rows(&page);
    write_level_text(&page, "roibench_level_class", "The class of a level by its worst measure.", "classes.level", "class");
    write_level_text(&page, "roibench_level_validity", "Whether a level's numbers can be relied on.", "validity.verdict", "verdict");
    buf_free(&page.labels);
    if (out->overflowed)
        return error_set(err, ERROR_PUBLISH, "the summaries make more than %zu MiB of metrics", out->max >> 20);
    return 0;
}
