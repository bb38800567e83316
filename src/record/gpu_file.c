#include "record/gpu_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "record/record_reader.h"

static const char *const quantity_names[GPU_QUANTITY_COUNT] = {
#define X(name, key) [GPU_##name] = key,
    GPU_QUANTITIES(X)
#undef X
};

const char *gpu_quantity_name(enum gpu_quantity quantity)
{
    return quantity_names[quantity];
}

/* ---- in memory ---- */

struct gpu_series *gpu_samples_series(struct gpu_samples *samples, const char *gpu, const char *name, enum gpu_quantity quantity)
{
    char key[GPU_TEXT_SIZE];
    snprintf(key, sizeof key, "%s", gpu);
    for (size_t k = 0; k < samples->count; k++)
        if (samples->series[k].quantity == quantity && strcmp(samples->series[k].gpu, key) == 0)
            return &samples->series[k];
    if (samples->count == GPU_SERIES_MAX)
        return NULL;
    MEM_GROW(samples->series, samples->cap, samples->count + 1);
    struct gpu_series *series = &samples->series[samples->count++];
    *series = (struct gpu_series){.quantity = quantity};
    memcpy(series->gpu, key, sizeof key);
    snprintf(series->name, sizeof series->name, "%s", name);
    return series;
}

void gpu_series_add(struct gpu_series *series, int64_t t, double value)
{
    if (series->count == GPU_SAMPLES_MAX || !isfinite(value))
        return;
    MEM_GROW(series->samples, series->cap, series->count + 1);
    series->samples[series->count++] = (struct gpu_sample){t, value};
}

static int compare_samples(const void *a, const void *b)
{
    int64_t x = ((const struct gpu_sample *)a)->t, y = ((const struct gpu_sample *)b)->t;
    return (x > y) - (x < y);
}

void gpu_samples_sort(struct gpu_samples *samples)
{
    for (size_t k = 0; k < samples->count; k++) {
        struct gpu_series *series = &samples->series[k];
        size_t kept = 0;
        if (series->count > 1)
            qsort(series->samples, series->count, sizeof *series->samples, compare_samples);
        for (size_t s = 0; s < series->count; s++)
            if (kept == 0 || series->samples[kept - 1].t != series->samples[s].t)
                series->samples[kept++] = series->samples[s];
        series->count = kept;
    }
}

size_t gpu_samples_gpus(const struct gpu_samples *samples)
{
    size_t gpus = 0;
    for (size_t k = 0; k < samples->count; k++) {
        size_t before = 0;
        while (before < k && strcmp(samples->series[before].gpu, samples->series[k].gpu) != 0)
            before++;
        gpus += before == k;
    }
    return gpus;
}

void gpu_samples_free(struct gpu_samples *samples)
{
    for (size_t k = 0; k < samples->count; k++)
        free(samples->series[k].samples);
    free(samples->series);
    *samples = (struct gpu_samples){0};
}

/* ---- the file ---- */

static void append_line(struct buf *out, json_t *line)
{
    json_append_compact(line, out);
    buf_append_char(out, '\n');
    json_decref(line);
}

static void append_header(struct buf *out, const struct gpu_samples *samples)
{
    char date[CLOCK_RFC3339_SIZE];
    json_t *header = json_object();
    json_set_text(header, "schema", GPU_SCHEMA);
    json_set_text(header, "source", samples->source);
    json_set_text(header, "selector", samples->selector);
    json_set_text(header, "asked", clock_format_rfc3339(samples->asked_realtime_ns, 0, date));
    append_line(out, header);
}

static void append_series(struct buf *out, const struct gpu_series *series)
{
    json_t *line = json_object();
    json_set_text(line, "gpu", series->gpu);
    json_set_text_if_any(line, "name", series->name);
    json_set_text(line, "quantity", gpu_quantity_name(series->quantity));
    json_t *array = json_add_array(line, "samples");
    for (size_t k = 0; k < series->count; k++)
        json_array_append_new(array, json_pack("[I,f]", (json_int_t)series->samples[k].t, series->samples[k].value));
    append_line(out, line);
}

int gpu_file_write(const char *folder, const struct gpu_samples *samples, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(GPU_FILE_MAX);
    cleanup_free char *path = file_join(folder, GPU_FILE);
    append_header(&text, samples);
    for (size_t k = 0; k < samples->count; k++)
        append_series(&text, &samples->series[k]);
    if (text.overflowed)
        return error_set(err, ERROR_INTERNAL, "%s would be larger than %zu MB", path, GPU_FILE_MAX >> 20);
    return file_write_atomic(path, buf_text(&text), text.len, err);
}

static int quantity_find(const char *name)
{
    for (int k = 0; k < GPU_QUANTITY_COUNT; k++)
        if (strcmp(quantity_names[k], name) == 0)
            return k;
    return -1;
}

static void take_samples(struct json_reader *reader, struct gpu_series *series, const json_t *array)
{
    size_t k;
    const json_t *pair;
    json_array_foreach(array, k, pair)
    {
        const json_t *t = json_array_get(pair, 0), *value = json_array_get(pair, 1);
        if (!json_is_integer(t) || !json_is_number(value))
            json_fail(reader, "samples", "expected pairs of a time and a number");
        else
            gpu_series_add(series, (int64_t)json_integer_value(t), json_number_value(value));
    }
}

static void take_header(struct gpu_samples *samples, const json_t *line)
{
    const char *source = json_string_value(json_object_get(line, "source")), *selector = json_string_value(json_object_get(line, "selector"));
    snprintf(samples->source, sizeof samples->source, "%s", source ? source : "");
    snprintf(samples->selector, sizeof samples->selector, "%s", selector ? selector : "");
}

static int take_line(void *context, char *text, size_t length, size_t number, struct error *err)
{
    struct gpu_samples *samples = context;
    struct json_reader reader;
    char place[64];
    snprintf(place, sizeof place, GPU_FILE ":%zu", number);
    json_t *line = json_parse(&reader, text, length, place, number == 1 ? GPU_SCHEMA : NULL, err);
    if (!line)
        return -1;
    if (number == 1) {
        take_header(samples, line);
    } else {
        const char *gpu = json_get_text(&reader, line, "gpu"), *name = json_get_text_or(&reader, line, "name", "");
        int quantity = quantity_find(json_get_text(&reader, line, "quantity"));
        const json_t *array = json_get_array(&reader, line, "samples");
        /* A quantity of a later version is left out. */
        struct gpu_series *series = reader.failed || quantity < 0 ? NULL : gpu_samples_series(samples, gpu, name, (enum gpu_quantity)quantity);
        if (series)
            take_samples(&reader, series, array);
    }
    json_decref(line);
    return reader.failed ? -1 : 0;
}

int gpu_file_read(const char *folder, struct gpu_samples *samples, struct error *err)
{
    cleanup_free char *path = file_join(folder, GPU_FILE);
    *samples = (struct gpu_samples){0};
    if (!file_exists(path))
        return 1;
    if (record_read_lines(path, take_line, samples, NULL, err) < 0)
        return -1;
    gpu_samples_sort(samples);
    return 0;
}
