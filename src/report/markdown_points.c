/* The points of a sweep, and the classes that loads are judged by. */
#include <math.h>
#include <string.h>

#include "report/markdown.h"

/* ---- points ---- */

static const char *metric_title(const char *metric, const struct sla *sla, struct arena *arena)
{
    static const struct {
        const char *name, *title;
        enum sla_metric metric;
    } breaking[] = {{"ttft", "TTFT p95", SLA_TTFT},
                    {"error_rate", "errors", SLA_ERROR_RATE},
                    {"user_tps", "user speed", SLA_USER_TPS},
                    {"kv_cache", "KV cache", SLA_KV_CACHE}};
    const char *late = sla_limit_text(&sla->row[SLA_TTFT], saturation_limit_ms(sla), arena);
    if (strcmp(metric, "ttft_p50") == 0)
        return arena_printf(arena, "median TTFT > %s", late);
    if (strcmp(metric, "ttft_slices") == 0)
        return arena_printf(arena, "TTFT p95 > %s in most slices", late);
    if (strcmp(metric, "growing_queue") == 0)
        return "the queue grew without end";
    if (strcmp(metric, "queue_depth") == 0)
        return "requests wait at the server";
    for (size_t k = 0; k < sizeof breaking / sizeof breaking[0]; k++)
        if (strcmp(breaking[k].name, metric) == 0)
            return arena_printf(arena, "%s %s", breaking[k].title, sla_bound_text(&sla->row[breaking[k].metric], SLA_BREAKING, arena));
    return metric;
}

static void end_of_point(struct buf *out, int decided, int64_t needs_requests)
{
    if (decided == 0 && needs_requests > 0)
        buf_printf(out, " (the 95 %% intervals do not decide it: about %lld requests a level would)", (long long)needs_requests);
    else if (decided == 0)
        buf_append_text(out, " (the 95 % intervals do not decide it)");
    buf_append_char(out, '\n');
}

static void add_point(struct buf *out, const char *title, const struct point *point, const struct sla *sla, struct arena *arena)
{
    buf_printf(out, "- %-22s %s", title, point->text);
    if (point->broke_level && point->metric)
        buf_printf(out, ": %s", metric_title(point->metric, sla, arena));
    end_of_point(out, point->decided, point->needs_requests);
}

static void add_capacity(struct buf *out, const struct points *points, const char *title, const struct capacity *capacity)
{
    const struct level_summary *level = capacity->level;
    char load[UNITS_TEXT_SIZE], total[UNITS_TEXT_SIZE], output[UNITS_TEXT_SIZE];
    if (!level) {
        buf_printf(out, "- %-22s %s\n", title, capacity->none);
        return;
    }
    buf_printf(out, "- %-22s %s %s: %s tok/s in and out", title, units_format_load(level->load, load), level->unit,
               units_format_number(points_figure(points, level, FIGURE_TOTAL_TPS), 0, total));
    double output_tps = points_figure(points, level, FIGURE_OUTPUT_TPS);
    if (isfinite(output_tps))
        buf_printf(out, ", %s out", units_format_number(output_tps, 0, output));
    end_of_point(out, capacity->decided, capacity->needs_requests);
}

/* The other metrics' breaking points, where they have one. */
static void add_other_breaking(struct buf *out, const struct points *points)
{
    static const enum sla_metric others[] = {SLA_USER_TPS, SLA_KV_CACHE, SLA_QUEUE_DEPTH};
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        const struct point *point = &points->breaking_by[others[k]];
        if (point->broke_level)
            buf_printf(out, "- %-22s %s\n", others[k] == SLA_USER_TPS ? "Breaking by speed:" : others[k] == SLA_KV_CACHE ? "Breaking by KV cache:" : "Breaking by queue:",
                       point->text);
    }
}

void markdown_points(struct buf *out, const struct points *points)
{
    char low[UNITS_TEXT_SIZE], high[UNITS_TEXT_SIZE];
    const struct sweet_spot *spot = &points->sweet_spot;
    struct arena *arena = arena_new();
    const struct sla_row *ttft = &points->sla->row[SLA_TTFT];
    add_point(out, "Saturation point:", &points->saturation, points->sla, arena);
    add_point(out, "Breaking point:", &points->breaking, points->sla, arena);
    add_other_breaking(out, points);
    buf_printf(out, "- %-22s %s", "Knee:", points->knee.text);
    end_of_point(out, points->knee.decided, -1);
    if (isnan(spot->low))
        buf_printf(out, "- %-22s %s\n", "Sweet spot:", spot->none);
    else if (spot->low == spot->high)
        buf_printf(out, "- %-22s %s %s\n", "Sweet spot:", units_format_load(spot->low, low), points->unit);
    else
        buf_printf(out, "- %-22s %s to %s %s\n", "Sweet spot:", units_format_load(spot->low, low),
                   units_format_load(spot->high, high), points->unit);
    add_capacity(out, points, arena_printf(arena, "TTFT p95 %s up to:", sla_bound_text(ttft, SLA_ACCEPTABLE, arena)), &points->capacity[CAPACITY_TTFT]);
    add_capacity(out, points, arena_printf(arena, "TTFT p95 %s up to:", sla_bound_text(ttft, SLA_DEGRADED, arena)), &points->capacity[CAPACITY_TTFT_2S]);
    add_capacity(out, points, "All acceptable up to:", &points->capacity[CAPACITY_ALL]);
    if (points->has_objectives)
        add_capacity(out, points, "Goals met up to:", &points->capacity[CAPACITY_SLO]);
    add_capacity(out, points, "Peak throughput:", &(struct capacity){points->max_throughput, "none: no throughput is known", -1, -1});
    arena_free(arena);
    buf_append_char(out, '\n');
}

/* ---- classes ---- */

void markdown_classes(struct buf *out, const struct sla *sla)
{
    static const struct table_column columns[] = {{"Metric", false}, {"excellent", true}, {"acceptable", true}, {"degraded", true}, {"breaking", true}, {0}};
    struct table table;
    struct arena *arena = arena_new();
    buf_append_text(out, "## Classes\n\nBy ");
    markdown_text(out, sla_title(sla, arena));
    buf_append_text(out, ":\n\n");
    table_begin(&table, columns);
    for (int k = 0; k < SLA_METRIC_COUNT; k++) {
        table_printf(&table, "%s", sla->row[k].title);
        for (int class = SLA_EXCELLENT; class <= SLA_BREAKING; class++)
            table_printf(&table, "%s", sla_interval_text(&sla->row[k], (enum sla_class)class, arena));
    }
    table_end(&table, out);
    arena_free(arena);
}
