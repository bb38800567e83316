#include "cmd/roibench/benchmark_outputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "report/guidellm_console.h"
#include "report/guidellm_csv.h"
#include "report/report.h"

#define TABLES_MAX ((size_t)8 << 20)

CLEANUP_DEFINE(json_t, json_decref)

static const char *report_format(bool schema_2)
{
    return schema_2 ? "guidellm" : "guidellm-0.6";
}

const char *benchmark_formats(bool schema_2)
{
    return schema_2 ? "markdown,json,csv,html,guidellm" : "markdown,json,csv,html,guidellm-0.6";
}

char *benchmark_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? mem_strdup("/") : slash ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup(".");
}

int benchmark_check_outputs(const struct guidellm_options *options, struct error *err)
{
    for (size_t k = 0; k < options->output_count; k++) {
        cleanup_free char *folder = benchmark_folder_of(options->outputs[k].path);
        if (file_check_writable(folder, err) < 0)
            return error_wrap(err, "%s", options->outputs[k].path);
    }
    return 0;
}

/* Keeps `most` requests of each ending, spread evenly over those that are there. */
static void thin_out(json_t *report, int64_t most)
{
    size_t k;
    json_t *benchmark, *list;
    json_array_foreach(json_object_get(report, "benchmarks"), k, benchmark)
    {
        const char *ending;
        void *next;
        json_t *requests = json_object_get(benchmark, "requests");
        json_object_foreach_safe(requests, next, ending, list)
        {
            size_t count = json_array_size(list), kept = (size_t)most < count ? (size_t)most : count;
            json_t *fewer = json_array();
            for (size_t n = 0; n < kept; n++)
                json_array_append(fewer, json_array_get(list, n * count / kept));
            if (json_is_array(list))
                json_object_set(requests, ending, fewer);
            json_decref(fewer);
        }
    }
}

static int append_part(const char *bytes, size_t length, void *out)
{
    return buf_append(out, bytes, length);
}

/* The bytes of one file; report: what GuideLLM's would hold. */
static int render(const char *kind, const json_t *report, const char *folder, struct buf *out, struct error *err)
{
    cleanup_free char *html = file_join(folder, report_format_find("html")->run_file);
    if (strcmp(kind, "html") == 0)
        return file_read(html, out, ERROR_INTERNAL, err);
    if (strcmp(kind, "json") == 0) {
        json_dump_callback(report, append_part, out, JSON_COMPACT); /* what does not fit shows in out->overflowed */
        buf_append_char(out, '\n');
    } else if (strcmp(kind, "csv") == 0) {
        guidellm_csv_append(report, out);
    } else {
        yaml_append(report, out);
    }
    return out->overflowed ? error_set(err, ERROR_INTERNAL, "the report is larger than %zu MB", REPORT_MAX >> 20) : 0;
}

static int write_output(const struct guidellm_output *output, const json_t *report, const char *folder, struct error *err)
{
    cleanup_buf struct buf bytes = BUF_INIT(REPORT_MAX);
    cleanup_free char *into = benchmark_folder_of(output->path);
    if (render(output->kind, report, folder, &bytes, err) < 0 || file_make_folder(into, err) < 0)
        return -1;
    return file_write_atomic(output->path, buf_text(&bytes), bytes.len, err);
}

/* What roibench makes of it: a sentence for each unit of the loads. */
static void append_advice(const char *folder, struct buf *text)
{
    static const char *const units[] = {"points", "points_other_unit"};
    struct json_reader reader;
    cleanup_free char *path = file_join(folder, report_format_find("json")->run_file);
    cleanup_with(json_decref) json_t *summary = json_open(&reader, path, NULL, NULL);
    for (size_t k = 0; k < sizeof units / sizeof units[0]; k++) {
        const char *advice = json_string_value(json_object_get(json_object_get(summary, units[k]), "advice"));
        if (advice)
            buf_printf(text, "ℹ %s\n", advice);
    }
}

/* As GuideLLM ends: what was made, and where it is. */
static int print_tables(const struct app *app, const struct guidellm_options *options, const json_t *report, const char *folder, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TABLES_MAX);
    guidellm_console_append(report, &text);
    buf_printf(&text, "\n\n\n✔ Benchmarking complete, generated %zu benchmark(s)\n", json_array_size(json_object_get(report, "benchmarks")));
    for (size_t k = 0; k < options->output_count; k++)
        buf_printf(&text, "…   %-8s: %s\n", options->outputs[k].kind, options->outputs[k].path);
    buf_printf(&text, "…   %-8s: %s/%s\n", "roibench", folder, report_format_find("markdown")->run_file);
    append_advice(folder, &text);
    if (text.overflowed || fwrite(buf_text(&text), 1, text.len, app->out) != text.len)
        return error_set(err, ERROR_INTERNAL, "cannot print the tables");
    return 0;
}

int benchmark_write_outputs(const struct app *app, const struct guidellm_options *options, bool tables, const char *folder, bool schema_2,
                            struct error *err)
{
    struct json_reader reader;
    cleanup_free char *path = file_join(folder, report_format_find(report_format(schema_2))->run_file);
    cleanup_with(json_decref) json_t *report = json_open(&reader, path, NULL, err);
    if (!report)
        return -1;
    if (options->requests_kept >= 0)
        thin_out(report, options->requests_kept);
    for (size_t k = 0; k < options->output_count; k++)
        if (write_output(&options->outputs[k], report, folder, err) < 0)
            return -1;
    return tables || options->console ? print_tables(app, options, report, folder, err) : 0;
}
