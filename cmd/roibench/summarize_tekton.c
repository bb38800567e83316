#include "cmd/roibench/summarize_tekton.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "stats/roi.h"

#define RANGE_SIZE (UNITS_TEXT_SIZE * 2 + 4) /* of two loads and what stands between */

static const char none[] = "none";

/* "5..8", ">30", "<=1"; "none" where nothing is known or a single load was tested, which is no sweep. */
static void format_point(const struct points *points, const struct point *point, char text[RANGE_SIZE])
{
    char held[UNITS_TEXT_SIZE], broke[UNITS_TEXT_SIZE];
    units_format_load(point->held, held);
    units_format_load(point->broke, broke);
    if (points->load_count < 2 || (isnan(point->held) && isnan(point->broke)))
        snprintf(text, RANGE_SIZE, none);
    else if (isnan(point->broke))
        snprintf(text, RANGE_SIZE, ">%s", held);
    else if (isnan(point->held))
        snprintf(text, RANGE_SIZE, "<=%s", broke);
    else
        snprintf(text, RANGE_SIZE, "%s..%s", held, broke);
}

static void format_sweet_spot(const struct sweet_spot *spot, char text[RANGE_SIZE])
{
    char low[UNITS_TEXT_SIZE], high[UNITS_TEXT_SIZE];
    if (isnan(spot->low))
        snprintf(text, RANGE_SIZE, none);
    else
        snprintf(text, RANGE_SIZE, "%s..%s", units_format_load(spot->low, low), units_format_load(spot->high, high));
}

static int put_number(const char *dir, const char *name, double number, int decimals, struct error *err)
{
    char text[64];
    if (isfinite(number))
        snprintf(text, sizeof text, "%.*f", decimals, number);
    else
        snprintf(text, sizeof text, none);
    return command_tekton_result(dir, name, text, err);
}

static const char *verdict_text(const struct run_summary *run, const struct level_summary *advised)
{
    for (size_t k = 0; k < run->level_count; k++)
        if (run->levels[k].validity.verdict == VALIDITY_INVALID)
            return "invalid";
    return advised ? sla_class_name(advised->verdict.level) : none;
}

static int put_ranges(const char *dir, const struct points *points, struct error *err)
{
    char breaking[RANGE_SIZE] = "none", saturation[RANGE_SIZE] = "none", sweet_spot[RANGE_SIZE] = "none";
    if (points) {
        format_point(points, &points->breaking, breaking);
        format_point(points, &points->saturation, saturation);
        format_sweet_spot(&points->sweet_spot, sweet_spot);
    }
    if (command_tekton_result(dir, "breaking-point", breaking, err) < 0 ||
        command_tekton_result(dir, "saturation-point", saturation, err) < 0)
        return -1;
    return command_tekton_result(dir, "sweet-spot", sweet_spot, err);
}

/* By which classes the verdict was found, and their bounds: "TTFT p95 < 500 ms, < 1 s, <= 2 s; user speed > 50 tok/s, ..." */
static int put_sla(const char *dir, const struct sla *sla, struct error *err)
{
    struct arena *arena = arena_new();
    const char *bounds = "", *title = sla_title(sla, arena);
    for (int k = 0; k < SLA_METRIC_COUNT; k++)
        bounds = arena_printf(arena, "%s%s%s %s", bounds, k > 0 ? "; " : "", sla->row[k].title, sla_bounds_text(&sla->row[k], arena));
    bool fits = strlen(title) <= TEKTON_RESULT_MAX && strlen(bounds) <= TEKTON_RESULT_MAX;
    int status = command_tekton_result(dir, "sla", fits ? title : "too long for a result: the report has it", err) < 0 ||
                         command_tekton_result(dir, "sla-bounds", fits ? bounds : "too long for a result: the report has them", err) < 0
                     ? -1
                     : 0;
    arena_free(arena);
    return status;
}

int summarize_put_results(const char *dir, const struct run_summary *run, struct error *err)
{
    const struct points *points = run->points_count > 0 ? &run->points[0] : NULL;
    const struct level_summary *most = points ? points->max_throughput : NULL, *within = points ? points->capacity[CAPACITY_TTFT].level : NULL;
    const struct level_summary *advised = points ? points->advised : NULL;
    double usd = advised ? roi_usd_per_million(run->facts.price_micro_usd, points_figure(points, advised, FIGURE_TOTAL_TPS)) : NAN;
    if (put_ranges(dir, points, err) < 0 || put_number(dir, "max-throughput", most ? points_figure(points, most, FIGURE_TOTAL_TPS) : NAN, 1, err) < 0 ||
        put_number(dir, "throughput-at-sla", within ? points_figure(points, within, FIGURE_TOTAL_TPS) : NAN, 1, err) < 0 ||
        put_number(dir, "ttft-p95-ms", advised ? level_ttft_p95(advised) : NAN, 0, err) < 0 ||
        put_number(dir, "usd-per-million-tokens", usd, 4, err) < 0 || put_sla(dir, run->sla, err) < 0)
        return -1;
    return command_tekton_result(dir, "verdict", verdict_text(run, advised), err);
}

/* A path that a result cannot hold is missed by the next task; the report is there all the same. */
int summarize_put_report_path(const struct app *app, const char *dir, const char *report, struct error *err)
{
    if (strlen(report) <= TEKTON_RESULT_MAX)
        return command_tekton_result(dir, "report-path", report, err);
    log_warning(&app->log, "the report's path has %zu bytes and a Tekton result holds %d: no report-path", strlen(report), TEKTON_RESULT_MAX);
    return 0;
}
