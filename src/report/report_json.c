/* summary.json and comparison.json: docs/schema lists their members. */
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/history_report.h"
#include "report/json_level.h"
#include "report/json_server.h"
#include "report/missing.h"
#include "report/report_json.h"

static void set_price(json_t *object, const char *key, int64_t micro_usd)
{
    json_set_number(object, key, micro_usd < 0 ? NAN : (double)micro_usd / 1e6);
}

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
    set_price(run, "price_per_hour", facts->price_micro_usd);
    json_set_text_if_any(run, "price_source", facts->price_source);
    if (facts->imported)
        write_origin(run, facts->imported);
    missing_explain_run(run);
    if (facts->plan)
        json_object_set(run, "plan", facts->plan);
    else
        json_set_null(run, "plan");
}

/* ---- points ---- */

static void write_point(json_t *points, const char *key, const struct point *point)
{
    json_t *object = json_add_object(points, key);
    json_set_number(object, "held", point->held);
    json_set_number(object, "broke", point->broke);
    json_set_text(object, "metric", point->metric);
    if (point->decided < 0)
        json_set_null(object, "decided");
    else
        json_set_bool(object, "decided", point->decided > 0);
    json_set_integer_if(object, "needs_requests", point->needs_requests, point->needs_requests > 0);
    json_set_text(object, "text", point->text);
}

static void write_capacities(json_t *points, const struct capacity *capacities)
{
    json_t *all = json_add_object(points, "capacity_at_sla");
    for (int k = 0; k < CAPACITY_COUNT; k++) {
        json_t *object = json_add_object(all, capacity_name((enum capacity_set)k));
        const struct level_summary *level = capacities[k].level;
        if (!level) {
            json_set_text(object, "none", capacities[k].none);
            continue;
        }
        json_set_number(object, "load", level->load);
        json_set_number(object, "total_tps", level->rate[RATE_TOTAL_TPS]);
        json_set_number(object, "output_tps", level->rate[RATE_OUTPUT_TPS]);
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
    write_sweet_spot(object, &points->sweet_spot);
    write_capacities(object, points->capacity);
    const struct level_summary *most = points->max_throughput;
    if (most) {
        json_t *max = json_add_object(object, "max_throughput");
        json_set_number(max, "load", most->load);
        json_set_number(max, "total_tps", most->rate[RATE_TOTAL_TPS]);
        json_set_number(max, "output_tps", most->rate[RATE_OUTPUT_TPS]);
    } else {
        json_set_null(object, "max_throughput");
    }
    json_set_number(object, "advised_load", points->advised ? points->advised->load : NAN);
    json_set_text(object, "advice", points->advice);
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
    json_t *notes = json_add_array(root, "notes");
    for (size_t k = 0; k < summary->note_count; k++)
        json_array_append_new(notes, json_string(summary->notes[k]));
    return root;
}

/* ---- a comparison ---- */

/* Why a figure of a cell is null, by what it is made of. */
static const char *yield_missing(enum yield yield, const struct roi_deployment *deployment, const struct level_summary *level)
{
    bool of_output = yield == YIELD_OUTPUT_PER_USD || yield == YIELD_USD_PER_M_OUTPUT || yield == YIELD_OUTPUT_PER_GPU;
    if (!(level->rate[of_output ? RATE_OUTPUT_TPS : RATE_TOTAL_TPS] > 0))
        return "this level has no such throughput";
    return yield == YIELD_TOTAL_PER_GPU || yield == YIELD_OUTPUT_PER_GPU ? "no number of GPUs is known"
                                                                         : roi_price_missing(deployment->price_micro_usd);
}

static void write_cell(json_t *row, enum operating_point at, const struct roi_cell *cell, const struct roi_deployment *deployment)
{
    json_t *object = json_add_object(row, operating_point_name(at));
    if (!cell->level) {
        json_set_text(object, "none", cell->missing);
        return;
    }
    json_set_number(object, "load", cell->level->load);
    json_set_bool(object, "at_least", cell->at_least);
    json_set_number(object, "total_tps", cell->level->rate[RATE_TOTAL_TPS]);
    json_set_number(object, "output_tps", cell->level->rate[RATE_OUTPUT_TPS]);
    json_t *missing = json_add_object(object, "missing");
    for (int k = 0; k < YIELD_COUNT; k++) {
        json_set_number(object, yield_name((enum yield)k), cell->yield[k]);
        if (isnan(cell->yield[k]))
            json_set_text(missing, yield_name((enum yield)k), yield_missing((enum yield)k, deployment, cell->level));
    }
    json_set_number(object, "best_to_this", cell->ratio);
    if (isnan(cell->ratio))
        json_set_text(missing, "best_to_this", yield_missing(YIELD_TOTAL_PER_USD, deployment, cell->level));
    if (isnan(cell->level->rate[RATE_OUTPUT_TPS]))
        json_set_text(missing, "output_tps", "see the missing of this level");
}

static void write_rows(json_t *roi, const struct comparison *comparison)
{
    json_t *rows = json_add_array(roi, "rows");
    for (size_t k = 0; k < comparison->roi.row_count; k++) {
        const struct roi_row *row = &comparison->roi.rows[k];
        json_t *object = json_object();
        json_set_text(object, "run", comparison->runs[k]->facts.run_id);
        json_set_text(object, "name", row->deployment->name);
        set_price(object, "price_per_hour", row->deployment->price_micro_usd);
        json_set_integer_if(object, "gpus", row->deployment->gpus, row->deployment->gpus > 0);
        for (int at = 0; at < OPERATING_COUNT; at++)
            write_cell(object, (enum operating_point)at, &row->at[at], row->deployment);
        json_array_append_new(rows, object);
    }
}

static void write_ratios(json_t *roi, const struct comparison *comparison)
{
    json_t *ratios = json_add_object(roi, "ratios");
    for (int at = 0; at < OPERATING_COUNT; at++) {
        json_t *object = json_add_object(ratios, operating_point_name((enum operating_point)at));
        int best = comparison->roi.best[at];
        json_set_text(object, "best", best < 0 ? NULL : comparison->runs[best]->facts.run_id);
        json_t *values = json_add_object(object, "best_to");
        for (size_t k = 0; k < comparison->roi.row_count; k++)
            json_set_number(values, comparison->runs[k]->facts.run_id, comparison->roi.rows[k].at[at].ratio);
    }
}

static void write_pairs(json_t *roi, const struct comparison *comparison)
{
    json_t *replicas = json_add_array(roi, "replicas"), *even = json_add_array(roi, "break_even");
    for (size_t k = 0; k < comparison->roi.pair_count; k++) {
        const struct roi_pair *pair = &comparison->roi.pairs[k];
        json_t *object = json_object(), *loads = json_object();
        const char *cheap = comparison->runs[pair->cheap]->facts.run_id, *dear = comparison->runs[pair->dear]->facts.run_id;
        json_set_text(object, "cheap", cheap);
        json_set_text(object, "dear", dear);
        json_set_integer_if(object, "replicas", pair->replicas, pair->replicas > 0);
        set_price(object, "left_over_per_hour", pair->replicas > 0 ? pair->left_over_micro_usd : -1);
        json_set_number(object, "efficiency_delta", pair->efficiency_delta);
        json_set_text(object, "statement", pair->statement);
        json_set_text(loads, "cheap", cheap);
        json_set_text(loads, "dear", dear);
        for (int at = 0; at < OPERATING_COUNT; at++) {
            json_t *streams = json_add_object(object, operating_point_name((enum operating_point)at));
            json_set_number(streams, "cheap_load", pair->cheap_load[at]);
            json_set_number(streams, "dear_load", pair->dear_load[at]);
            json_set_number(streams, "equal_price_per_hour", pair->equal_price_usd[at]);
            json_t *point = json_add_object(loads, operating_point_name((enum operating_point)at));
            json_set_number(point, "tokens_per_hour", pair->break_even[at].tokens_per_hour);
            json_set_text(point, "text", pair->break_even[at].text);
        }
        json_array_append_new(replicas, object);
        json_array_append_new(even, loads);
    }
    json_set_text(roi, "statement", comparison->roi.pair_count > 0 ? comparison->roi.pairs[0].statement : NULL);
}

static void write_pareto(json_t *roi, const struct comparison *comparison)
{
    json_t *points = json_add_array(roi, "pareto");
    for (size_t k = 0; k < comparison->roi.pareto_count; k++) {
        const struct pareto_point *point = &comparison->roi.pareto[k];
        json_t *object = json_object();
        json_set_text(object, "run", comparison->runs[point->row]->facts.run_id);
        json_set_number(object, "load", point->level->load);
        json_set_number(object, "user_tps", point->user_tps);
        json_set_number(object, "total_tps_per_usd_hour", point->per_usd);
        json_set_number(object, "total_tps_per_gpu", point->per_gpu);
        json_set_bool(object, "dominated_per_usd", point->dominated_per_usd);
        json_set_bool(object, "dominated_per_gpu", point->dominated_per_gpu);
        json_array_append_new(points, object);
    }
}

json_t *report_json_of_comparison(const struct comparison *comparison)
{
    json_t *root = json_object();
    json_set_text(root, "schema", COMPARISON_SCHEMA);
    json_set_text(root, "id", comparison->id);
    json_t *runs = json_add_array(root, "runs");
    for (size_t k = 0; k < comparison->count; k++)
        json_array_append_new(runs, report_json_of_run(comparison->runs[k]));
    json_t *differences = json_add_array(root, "differences");
    for (size_t k = 0; k < comparison->difference_count; k++)
        json_array_append_new(differences, json_string(comparison->differences[k]));
    json_t *deployments = comparison->deployment_difference_count > 0 ? json_add_array(root, "deployment_differences") : NULL;
    for (size_t k = 0; k < comparison->deployment_difference_count; k++)
        json_array_append_new(deployments, json_string(comparison->deployment_differences[k]));
    if (!comparison->unit) {
        json_set_null(root, "roi");
        json_set_text(root, "roi_missing", "the loads of these runs have no unit in common");
        return root;
    }
    json_t *roi = json_add_object(root, "roi");
    json_set_text(roi, "unit", comparison->unit);
    write_rows(roi, comparison);
    write_ratios(roi, comparison);
    write_pairs(roi, comparison);
    write_pareto(roi, comparison);
    missing_explain_roi(roi);
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
