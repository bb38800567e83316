/* comparison.json: docs/schema lists its members. */

#include <math.h>

#include "base/json.h"
#include "base/units.h"
#include "report/json_conversations.h"
#include "report/missing.h"
#include "report/report_json.h"
#include "stats/repeats_ratio.h"

/* Why a figure of a cell is null, by what it is made of. */
static const char *yield_missing(enum yield yield, const struct roi_deployment *deployment, const struct level_summary *level)
{
    bool of_output = yield == YIELD_OUTPUT_PER_USD || yield == YIELD_USD_PER_M_OUTPUT || yield == YIELD_OUTPUT_PER_GPU;
    if (!(level->rate[of_output ? RATE_OUTPUT_TPS : RATE_TOTAL_TPS] > 0))
        return "this level has no such throughput";
    return yield == YIELD_TOTAL_PER_GPU || yield == YIELD_OUTPUT_PER_GPU ? "no number of GPUs is known"
                                                                         : roi_price_missing(deployment->price_micro_usd);
}

static void set_interval(json_t *object, const char *key, const struct interval *interval)
{
    if (!interval_is_known(interval))
        return;
    json_t *bounds = json_add_object(object, key);
    json_set_number(bounds, "low", interval->low);
    json_set_number(bounds, "high", interval->high);
}

/* Run-to-run noise of what the repeats are the mean of: those that are known. */
static void write_intervals(json_t *object, const struct roi_cell *cell)
{
    json_t *intervals = json_add_object(object, "interval_95");
    set_interval(intervals, "total_tps", &cell->total.interval);
    set_interval(intervals, "output_tps", &cell->output.interval);
    for (int k = 0; k < YIELD_COUNT; k++)
        set_interval(intervals, yield_name((enum yield)k), &cell->yield_interval[k]);
}

static void write_cell(json_t *row, enum operating_point at, const struct roi_cell *cell, const struct roi_deployment *deployment, int64_t calls)
{
    json_t *object = json_add_object(row, operating_point_name(at));
    if (!cell->level) {
        json_set_text(object, "none", cell->missing);
        return;
    }
    json_set_number(object, "load", cell->level->load);
    json_set_bool(object, "at_least", cell->at_least);
    json_set_integer(object, "repeats", cell->repeats ? (int64_t)cell->repeats->count : 1);
    json_set_number(object, "total_tps", cell->total.value);
    json_set_number(object, "output_tps", cell->output.value);
    json_t *missing = json_add_object(object, "missing");
    for (int k = 0; k < YIELD_COUNT; k++) {
        json_set_number(object, yield_name((enum yield)k), cell->yield[k]);
        if (isnan(cell->yield[k]))
            json_set_text(missing, yield_name((enum yield)k), yield_missing((enum yield)k, deployment, cell->level));
    }
    json_set_number(object, "best_to_this", cell->ratio.value);
    if (isnan(cell->ratio.value))
        json_set_text(missing, "best_to_this", yield_missing(YIELD_TOTAL_PER_USD, deployment, cell->level));
    if (isnan(cell->output.value))
        json_set_text(missing, "output_tps", "see the missing of this level");
    write_intervals(object, cell);
    if (calls > 1)
        json_conversations_set(json_add_object(object, "conversations"), cell->level, calls, deployment->price_micro_usd);
}

static void write_rows(json_t *roi, const struct comparison *comparison)
{
    json_t *rows = json_add_array(roi, "rows");
    for (size_t k = 0; k < comparison->roi.row_count; k++) {
        const struct roi_row *row = &comparison->roi.rows[k];
        json_t *object = json_object();
        json_set_text(object, "run", comparison->runs[k]->facts.run_id);
        json_set_text(object, "name", row->deployment->name);
        json_set_number(object, "price_per_hour", units_usd(row->deployment->price_micro_usd));
        json_set_integer_if(object, "gpus", row->deployment->gpus, row->deployment->gpus > 0);
        for (int at = 0; at < OPERATING_COUNT; at++)
            write_cell(object, (enum operating_point)at, &row->at[at], row->deployment, comparison->runs[k]->calls_per_turn);
        json_array_append_new(rows, object);
    }
}

/* Of repeats: how many, whether they were compared one by one, and whether the ratio is more than noise. */
static void write_ratio_interval(json_t *object, const char *key, const struct uncertain *ratio, bool paired)
{
    if (!interval_is_known(&ratio->interval))
        return;
    set_interval(object, key, &ratio->interval);
    json_t *interval = json_object_get(object, key);
    json_set_integer(interval, "repeats", (int64_t)ratio->count);
    json_set_bool(interval, "paired", paired);
    json_set_bool(interval, "distinguishable", uncertain_ratio_is_clear(ratio));
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
            json_set_number(values, comparison->runs[k]->facts.run_id, comparison->roi.rows[k].at[at].ratio.value);
        json_t *intervals = json_add_object(object, "interval_95");
        for (size_t k = 0; k < comparison->roi.row_count; k++)
            write_ratio_interval(intervals, comparison->runs[k]->facts.run_id, &comparison->roi.rows[k].at[at].ratio, comparison->roi.rows[k].at[at].paired);
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
        json_set_number(object, "left_over_per_hour", units_usd(pair->replicas > 0 ? pair->left_over_micro_usd : -1));
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

/* ---- the same load ---- */

static void write_same_figure(json_t *figures, const struct same_load_figure *figure)
{
    json_t *object = json_add_object(figures, figure_name(figure->figure));
    json_set_number(object, "a", figure->a);
    json_set_number(object, "b", figure->b);
    json_set_number(object, "b_to_a", figure->ratio.value);
    write_ratio_interval(object, "interval_95", &figure->ratio, figure->paired);
}

static void write_same_loads(json_t *root, const struct comparison *comparison)
{
    json_t *loads = json_add_array(root, "same_load");
    for (size_t k = 0; k < comparison->same_load_count; k++) {
        const struct same_load *load = &comparison->same_loads[k];
        json_t *object = json_object();
        json_set_text(object, "a", comparison->runs[load->a]->facts.run_id);
        json_set_text(object, "b", comparison->runs[load->b]->facts.run_id);
        json_set_number(object, "load", load->load);
        json_set_text(object, "unit", comparison->unit);
        json_set_integer(object, "repeats", (int64_t)load->repeats);
        json_t *figures = json_add_object(object, "figures");
        for (int figure = 0; figure < SAME_LOAD_FIGURE_COUNT; figure++)
            write_same_figure(figures, &load->figures[figure]);
        missing_explain_same_load(object);
        json_array_append_new(loads, object);
    }
}

/* ---- the document ---- */

/* Of the runs of which there is something to say. */
static void write_validity(json_t *root, const struct comparison *comparison)
{
    json_t *validity = json_add_object(root, "validity");
    for (size_t k = 0; k < comparison->count; k++)
        if (comparison->validity[k])
            json_set_text(validity, comparison->runs[k]->facts.run_id, comparison->validity[k]);
}

json_t *report_json_of_comparison(const struct comparison *comparison)
{
    json_t *root = json_object();
    json_set_text(root, "schema", COMPARISON_SCHEMA);
    json_set_text(root, "id", comparison->id);
    json_set_text(root, "conclusion", comparison->conclusion);
    json_t *runs = json_add_array(root, "runs");
    for (size_t k = 0; k < comparison->count; k++)
        json_array_append_new(runs, report_json_of_run(comparison->runs[k]));
    json_set_texts(root, "differences", comparison->differences, comparison->difference_count);
    if (comparison->deployment_difference_count > 0)
        json_set_texts(root, "deployment_differences", comparison->deployment_differences, comparison->deployment_difference_count);
    if (comparison->sla_note)
        json_set_text(root, "sla_note", comparison->sla_note);
    write_validity(root, comparison);
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
    json_set_texts(roi, "footnotes", comparison->roi.footnotes, comparison->roi.footnote_count);
    missing_explain_roi(roi);
    write_same_loads(root, comparison);
    return root;
}
