/* summary.json and comparison.json: docs/schema lists their members. */
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "report/history_report.h"
#include "report/json_conversations.h"
#include "report/json_level.h"
#include "report/json_server.h"
#include "report/missing.h"
#include "report/report_json.h"

/* ---- the run ---- */

static void write_origin(json_t *run, const struct import_origin *origin)
{
    json_t *imported = json_add_object(run, "imported");
    json_set_text(imported, "format", origin->format);
    json_set_text(imported, "tool", origin->tool);
    json_t *files = json_add_array(imported, "files");
    for (size_t k = 0; k < origin->file_count; k++) {
        json_t *file = json_object();
        json_set_text(file, "name", origin->files[k].name);
        json_set_integer(file, "size", (int64_t)origin->files[k].size);
        json_set_text(file, "sha256", origin->files[k].sha256);
        json_array_append_new(files, file);
    }
}

static void write_facts(json_t *root, const struct run_facts *facts)
{
    char date[CLOCK_RFC3339_SIZE];
    json_t *run = json_add_object(root, "run");
    json_set_text(run, "run_id", facts->run_id);
    json_set_text(run, "started", facts->anchor_realtime_ns ? clock_format_rfc3339(facts->anchor_realtime_ns, 3, date) : NULL);
    json_set_text(run, "model", facts->model);
    json_set_text_if_any(run, "target", facts->target);
    json_set_text_if_any(run, "server", facts->server);
    if (facts->imported)
        json_set_null(run, "simulated");
    else
        json_set_bool(run, "simulated", facts->simulated);
    json_set_number(run, "time_scale", facts->time_scale);
    json_set_text_if_any(run, "profile", facts->profile);
    json_set_text_if_any(run, "stream_start", facts->stream_start);
    json_set_text_if_any(run, "scenario", facts->scenario);
    json_set_text_if_any(run, "endpoint", facts->endpoint);
    json_set_integer_if(run, "prompt_tokens", facts->prompt_tokens, facts->prompt_tokens > 0);
    json_set_integer_if(run, "output_tokens", facts->output_tokens, facts->output_tokens > 0);
    json_set_text_if_any(run, "limits", facts->limits);
    json_set_text_if_any(run, "objectives", facts->objectives);
    json_set_text_if_any(run, "hardware", facts->hardware);
    json_set_integer_if(run, "gpus", facts->gpus, facts->gpus > 0);
    json_set_number(run, "price_per_hour", units_usd(facts->price_micro_usd));
    json_set_text_if_any(run, "price_source", facts->price_source);
    json_set_text_if_any(run, "quality", facts->quality);
    json_set_text_if_any(run, "quality_source", facts->quality_source);
    json_set_text_if_any(run, "pair_id", facts->pair_id);
    if (facts->imported)
        write_origin(run, facts->imported);
    missing_explain_run(run);
    if (facts->plan)
        json_object_set(run, "plan", facts->plan);
    else
        json_set_null(run, "plan");
}

/* ---- points ---- */

/* -1: not known */
static void set_decided(json_t *object, const char *key, int decided)
{
    if (decided < 0)
        json_set_null(object, key);
    else
        json_set_bool(object, key, decided > 0);
}

static void write_point(json_t *points, const char *key, const struct point *point)
{
    json_t *object = json_add_object(points, key);
    json_set_number(object, "held", point->held);
    json_set_number(object, "broke", point->broke);
    json_set_text(object, "metric", point->metric);
    set_decided(object, "decided", point->decided);
    json_set_integer_if(object, "needs_requests", point->needs_requests, point->needs_requests > 0);
    json_set_text(object, "text", point->text);
}

static void write_capacities(json_t *root, const struct points *points)
{
    const struct capacity *capacities = points->capacity;
    json_t *all = json_add_object(root, "capacity_at_sla");
    for (int k = 0; k < CAPACITY_COUNT; k++) {
        json_t *object = json_add_object(all, capacity_name((enum capacity_set)k));
        const struct level_summary *level = capacities[k].level;
        if (!level) {
            json_set_text(object, "none", capacities[k].none);
            continue;
        }
        json_set_number(object, "load", level->load);
        json_set_number(object, "total_tps", points_figure(points, level, FIGURE_TOTAL_TPS));
        json_set_number(object, "output_tps", points_figure(points, level, FIGURE_OUTPUT_TPS));
        set_decided(object, "decided", capacities[k].decided);
        json_set_integer_if(object, "needs_requests", capacities[k].needs_requests, capacities[k].needs_requests > 0);
    }
}

static void write_sweet_spot(json_t *points, const struct sweet_spot *spot)
{
    if (isnan(spot->low)) {
        json_set_null(points, "sweet_spot");
        json_set_text(points, "sweet_spot_missing", spot->none);
        return;
    }
    json_t *pair = json_add_array(points, "sweet_spot");
    json_array_append_new(pair, json_real(spot->low));
    json_array_append_new(pair, json_real(spot->high));
}

static void write_points(json_t *object, const struct points *points)
{
    json_set_text(object, "unit", points->unit);
    write_point(object, "saturation", &points->saturation);
    write_point(object, "breaking", &points->breaking);
    json_t *by = json_add_object(object, "breaking_by");
    for (int k = 0; k < SLA_METRIC_COUNT; k++)
        write_point(by, sla_default.row[k].name, &points->breaking_by[k]);
    json_set_number(object, "knee", points->knee.load);
    json_set_text(object, "knee_text", points->knee.text);
    set_decided(object, "knee_decided", points->knee.decided);
    write_sweet_spot(object, &points->sweet_spot);
    write_capacities(object, points);
    const struct level_summary *most = points->max_throughput;
    if (most) {
        json_t *max = json_add_object(object, "max_throughput");
        json_set_number(max, "load", most->load);
        json_set_number(max, "total_tps", points_figure(points, most, FIGURE_TOTAL_TPS));
        json_set_number(max, "output_tps", points_figure(points, most, FIGURE_OUTPUT_TPS));
    } else {
        json_set_null(object, "max_throughput");
    }
    json_set_number(object, "advised_load", points->advised ? points->advised->load : NAN);
    json_set_text(object, "advice", points->advice);
    json_set_text(object, "assurance", points->assurance);
    missing_explain_points(object);
}

/* ---- the run as a whole ---- */

static void write_totals(json_t *root, const struct run_totals *totals)
{
    json_t *object = json_add_object(root, "totals");
    json_set_number(object, "window_s", totals->window_s);
    json_level_set_requests(object, &totals->requests, totals->failures, totals->failure_count);
    missing_explain_totals(object);
}

static void write_repeated_load(json_t *list, const struct repeated_load *load)
{
    json_t *object = json_object(), *levels;
    json_array_append_new(list, object);
    json_set_number(object, "load", load->load);
    json_set_text(object, "unit", load->unit);
    json_set_text(object, "kind", load->kind);
    json_set_integer(object, "measured", (int64_t)load->count);
    json_set_integer(object, "left_out", (int64_t)load->left_out);
    levels = json_add_array(object, "levels");
    for (size_t k = 0; k < load->count; k++) {
        json_t *level = json_object();
        json_set_integer(level, "index", load->levels[k]->index);
        json_set_integer(level, "repeat", load->levels[k]->repeat);
        json_array_append_new(levels, level);
    }
    for (int k = 0; k < FIGURE_COUNT; k++) {
        const struct uncertain *figure = &load->figure[k];
        json_t *inner = json_add_object(object, figure_name((enum figure)k));
        json_set_integer(inner, "count", (int64_t)figure->count);
        json_set_number(inner, "mean", figure->value);
        json_set_number(inner, "low", figure->interval.low);
        json_set_number(inner, "high", figure->interval.high);
    }
    missing_explain_repeats(object);
}

json_t *report_json_of_run(const struct run_summary *summary)
{
    json_t *root = json_object();
    json_set_text(root, "schema", SUMMARY_SCHEMA);
    write_facts(root, &summary->facts);
    json_object_set_new(root, "sla", sla_to_json(summary->sla));
    json_t *levels = json_add_array(root, "levels");
    for (size_t k = 0; k < summary->level_count; k++)
        json_array_append_new(levels, json_level_new(&summary->levels[k]));
    if (summary->points_count > 0)
        write_points(json_add_object(root, "points"), &summary->points[0]);
    else {
        json_set_null(root, "points");
        json_set_text(root, "points_missing", "no level was measured");
    }
    if (summary->points_count > 1) /* a sweep that has loads of both units */
        write_points(json_add_object(root, "points_other_unit"), &summary->points[1]);
    json_timeline(root, summary);
    json_t *repeats = json_add_array(root, "repeats");
    for (size_t k = 0; k < summary->repeated_count; k++)
        write_repeated_load(repeats, &summary->repeated[k]);
    write_totals(root, &summary->totals);
    if (summary->baseline)
        json_object_set_new(root, "baseline", baseline_to_json(summary->baseline));
    if (summary->trend)
        json_object_set_new(root, "trend", trend_to_json(summary->trend));
    json_conversations_add(root, summary);
    json_set_texts(root, "notes", summary->notes, summary->note_count);
    return root;
}

/* ---- documents ---- */

static void append_document(json_t *document, struct buf *out)
{
    if (json_append_pretty(document, out) < 0)
        out->overflowed = true;
    json_decref(document);
}

void report_json_run(const struct run_summary *summary, struct buf *out)
{
    append_document(report_json_of_run(summary), out);
}

void report_json_comparison(const struct comparison *comparison, struct buf *out)
{
    append_document(report_json_of_comparison(comparison), out);
}
