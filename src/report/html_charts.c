#include "report/html_charts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "report/chart.h"

/* ---- what is drawn ---- */

typedef double (*level_value)(const struct level_summary *level);

static double value_total(const struct level_summary *level)
{
    return level->rate[RATE_TOTAL_TPS];
}

static double value_output(const struct level_summary *level)
{
    return level->rate[RATE_OUTPUT_TPS];
}

static double value_ttft_p95(const struct level_summary *level)
{
    return level_ttft_p95(level);
}

static double value_ttft_p50(const struct level_summary *level)
{
    return level->latency[LATENCY_TTFT_CENSORED].percentile[P50];
}

static double value_user_tps(const struct level_summary *level)
{
    return level->rate[RATE_USER_TPS];
}

static double value_queue(const struct level_summary *level)
{
    return level->server.queue_depth.mean;
}

static double value_running(const struct level_summary *level)
{
    return level->server.running.mean;
}

static double value_kv_cache(const struct level_summary *level)
{
    return 100 * level->server.kv_cache.mean;
}

static int compare_points(const void *a, const void *b)
{
    const struct chart_point *x = a, *y = b;
    return (x->x > y->x) - (x->x < y->x);
}

static void sort_points(struct chart_series *series)
{
    if (series && series->count > 0)
        qsort(series->points, series->count, sizeof series->points[0], compare_points);
}

/* The levels of one unit, by their load. */
static void add_levels(struct chart *chart, const char *name, const struct run_summary *summary, const char *unit, level_value value)
{
    struct chart_series *series = chart_add_series(chart, name);
    for (size_t k = 0; k < summary->level_count; k++)
        if (strcmp(summary->levels[k].unit, unit) == 0)
            chart_add_point(series, summary->levels[k].load, value(&summary->levels[k]));
    sort_points(series);
}

/* The bounds of a metric's classes. scale: of a share to %. */
static void add_limits(struct chart *chart, const struct sla *sla, enum sla_metric metric, double scale)
{
    const struct sla_row *row = &sla->row[metric];
    for (int bound = 0; bound < SLA_BOUNDS; bound++)
        chart_add_limit(chart, row->bound[bound].limit * scale, sla_class_name((enum sla_class)(SLA_ACCEPTABLE + bound)));
}

static void add_ttft_limits(struct chart *chart, const struct sla *sla)
{
    add_limits(chart, sla, SLA_TTFT, 1);
}

static void add_breaking(struct chart *chart, const struct point *breaking)
{
    if (isfinite(breaking->held) && isfinite(breaking->broke))
        chart_add_mark(chart, breaking->held, "held");
    chart_add_mark(chart, breaking->broke, "broke");
}

/* ---- over time ---- */

static void name_level(const struct level_summary *level, char name[32])
{
    char load[UNITS_TEXT_SIZE];
    snprintf(name, 32, "%s %s", units_format_load(level->load, load), level->unit);
}

static void mark_levels(struct chart *chart, const struct run_summary *summary)
{
    char name[32];
    for (size_t k = 0; k < summary->course.count; k++) {
        const struct course_point *point = &summary->course.points[k];
        if (k > 0 && point[-1].level == point->level)
            continue;
        name_level(&summary->levels[point->level], name);
        chart_add_mark(chart, point->start_s, name);
    }
}

/* Each point in the middle of its step; of very many levels not every point. */
static void add_course(struct chart *chart, const char *name, const struct run_summary *summary, enum course_column column, double scale)
{
    if (!course_has(&summary->course, column))
        return;
    struct chart_series *series = chart_add_series(chart, name);
    size_t stride = (summary->course.count + CHART_POINTS_MAX - 1) / CHART_POINTS_MAX, level = SIZE_MAX;
    for (size_t k = 0; k < summary->course.count; k += stride) {
        const struct course_point *point = &summary->course.points[k];
        (point->level == level ? chart_add_point : chart_add_first_point)(series, (point->start_s + point->end_s) / 2, point->value[column] * scale);
        level = point->level;
    }
}

static bool has_any(const struct run_summary *summary, enum course_column column)
{
    for (size_t k = 0; k < summary->course.count; k++)
        if (summary->course.points[k].value[column] > 0)
            return true;
    return false;
}

static void write_course(struct chart *chart, const struct run_summary *summary, struct buf *out)
{
    chart->x_title = "s";
    chart->dense = true;
    mark_levels(chart, summary);
    chart_write(chart, out);
}

static void write_time_charts(const struct run_summary *summary, struct buf *out)
{
    struct chart ttft = {.title = "Time to first token over time, by when a request was sent", .y_title = "TTFT ms", .y_unit = "ms"};
    struct chart queue = {.title = "Over time at the server: requests running and waiting", .y_title = "requests", .y_unit = "requests"};
    struct chart cache = {.title = "Over time at the server: KV cache, prompts found in the prefix cache", .y_title = "%", .y_unit = "%"};
    struct chart preemptions = {.title = "Over time at the server: preemptions", .y_title = "preemptions a step", .y_unit = "preemptions"};
    struct chart throughput = {.title = "Output tokens over time", .y_title = "tokens/s", .y_unit = "tok/s"};
    struct chart gpu = {.title = "Over time: the GPUs in use", .y_title = "%", .y_unit = "%"};
    struct chart power = {.title = "Over time: the GPUs' power, all together", .y_title = "W", .y_unit = "W"};
    add_course(&ttft, "p95", summary, COURSE_TTFT_P95, 1);
    add_course(&ttft, "median", summary, COURSE_TTFT_P50, 1);
    add_ttft_limits(&ttft, summary->sla);
    add_course(&queue, "running", summary, COURSE_RUNNING, 1);
    add_course(&queue, "waiting", summary, COURSE_QUEUE_DEPTH, 1);
    add_course(&queue, "under way here", summary, COURSE_CONCURRENCY, 1);
    add_course(&cache, "KV cache", summary, COURSE_KV_CACHE, 100);
    add_course(&cache, "prefix cache hits", summary, COURSE_CACHE_HIT_SHARE, 100);
    if (has_any(summary, COURSE_PREEMPTIONS))
        add_course(&preemptions, "preemptions", summary, COURSE_PREEMPTIONS, 1);
    add_course(&throughput, "output", summary, COURSE_OUTPUT_TPS, 1);
    add_course(&gpu, "utilisation", summary, COURSE_GPU_UTILIZATION, 100);
    add_course(&power, "power", summary, COURSE_GPU_POWER, 1);
    struct chart *const charts[] = {&ttft, &queue, &cache, &preemptions, &throughput, &gpu, &power};
    for (size_t k = 0; k < sizeof charts / sizeof charts[0]; k++)
        write_course(charts[k], summary, out);
}

/* ---- over load ---- */

static void write_run_charts(const struct run_summary *summary, const char *unit, struct buf *out)
{
    struct chart throughput = {.title = "Throughput", .x_title = unit, .y_title = "tokens/s", .y_unit = "tok/s"};
    struct chart ttft = {.title = "Time to first token, with the bounds of its classes", .x_title = unit, .y_title = "TTFT ms", .y_unit = "ms"};
    struct chart speed = {.title = "Speed for one user (1000 / TPOT p95)", .x_title = unit, .y_title = "tokens/s", .y_unit = "tok/s"};
    struct chart server = {
        .title = "At the server: requests running and waiting", .x_title = unit, .y_title = "requests (mean)", .y_unit = "requests",
    };
    struct chart cache = {.title = "At the server: KV cache in use", .x_title = unit, .y_title = "% (mean)", .y_unit = "%"};
    struct chart price = {.title = "Latency against throughput", .x_title = "tok/s in and out", .y_title = "TTFT p95 ms", .y_unit = "ms"};
    add_levels(&throughput, "prompt and output", summary, unit, value_total);
    add_levels(&throughput, "output", summary, unit, value_output);
    add_levels(&ttft, "p95", summary, unit, value_ttft_p95);
    add_levels(&ttft, "median", summary, unit, value_ttft_p50);
    add_ttft_limits(&ttft, summary->sla);
    add_levels(&speed, "user tok/s", summary, unit, value_user_tps);
    add_limits(&speed, summary->sla, SLA_USER_TPS, 1);
    add_limits(&cache, summary->sla, SLA_KV_CACHE, 100);
    add_breaking(&throughput, &summary->points[0].breaking);
    add_breaking(&ttft, &summary->points[0].breaking);
    add_levels(&server, "running", summary, unit, value_running);
    add_levels(&server, "waiting", summary, unit, value_queue);
    add_levels(&cache, "KV cache", summary, unit, value_kv_cache);
    struct chart_series *series = chart_add_series(&price, "a load each");
    for (size_t k = 0; k < summary->level_count; k++)
        if (strcmp(summary->levels[k].unit, unit) == 0)
            chart_add_point(series, summary->levels[k].rate[RATE_TOTAL_TPS], level_ttft_p95(&summary->levels[k]));
    const struct chart *const charts[] = {&throughput, &ttft, &speed, &price, &server, &cache};
    for (size_t k = 0; k < sizeof charts / sizeof charts[0]; k++)
        chart_write(charts[k], out);
}

/* A dominated one is drawn faint. */
static void add_pareto(struct chart_series *series, double user_tps, double yield, bool dominated)
{
    (dominated ? chart_add_faint_point : chart_add_point)(series, user_tps, yield);
}

void html_comparison_charts(const struct comparison *comparison, struct buf *out)
{
    const char *unit = comparison->unit;
    struct chart throughput = {.title = "Throughput", .x_title = unit, .y_title = "tok/s in and out", .y_unit = "tok/s"};
    struct chart ttft = {.title = "Time to first token, p95", .x_title = unit, .y_title = "TTFT p95 ms", .y_unit = "ms"};
    struct chart speed = {.title = "Speed for one user (1000 / TPOT p95)", .x_title = unit, .y_title = "tokens/s", .y_unit = "tok/s"};
    struct chart per_gpu = {.title = "Throughput of one GPU against the speed of one user", .x_title = "user tok/s", .y_title = "tok/s per GPU",
                            .y_unit = "tok/s per GPU"};
    struct chart pareto = {.title = "Throughput a dollar buys against the speed of one user", .x_title = "user tok/s", .y_title = "tok/s per $/hour",
                           .y_unit = "tok/s per $/h"};
    for (size_t k = 0; k < comparison->count; k++) {
        add_levels(&throughput, comparison->names[k], comparison->runs[k], unit, value_total);
        add_levels(&ttft, comparison->names[k], comparison->runs[k], unit, value_ttft_p95);
        add_levels(&speed, comparison->names[k], comparison->runs[k], unit, value_user_tps);
        struct chart_series *dollars = chart_add_series(&pareto, comparison->names[k]), *gpus = chart_add_series(&per_gpu, comparison->names[k]);
        for (size_t p = 0; p < comparison->roi.pareto_count; p++) {
            const struct pareto_point *point = &comparison->roi.pareto[p];
            if (point->row != k)
                continue;
            add_pareto(dollars, point->user_tps, point->per_usd, point->dominated_per_usd);
            add_pareto(gpus, point->user_tps, point->per_gpu, point->dominated_per_gpu);
        }
        sort_points(dollars);
        sort_points(gpus);
    }
    add_ttft_limits(&ttft, comparison->runs[0]->sla);
    add_limits(&speed, comparison->runs[0]->sla, SLA_USER_TPS, 1);
    const struct chart *const charts[] = {&pareto, &per_gpu, &throughput, &ttft, &speed};
    for (size_t k = 0; k < sizeof charts / sizeof charts[0]; k++)
        chart_write(charts[k], out);
}

void html_run_charts(const struct run_summary *summary, struct buf *out)
{
    if (summary->points_count > 0 && summary->points[0].load_count > 1)
        write_run_charts(summary, summary->points[0].unit, out);
    write_time_charts(summary, out);
}
