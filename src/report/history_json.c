/* What summary.json says of earlier runs. Every null has its reason, as everywhere (report/missing.h). */
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/history_report.h"

static void set_date(json_t *object, const char *key, int64_t realtime_ns)
{
    char date[CLOCK_RFC3339_SIZE];
    json_set_text(object, key, clock_format_rfc3339(realtime_ns, 3, date));
}

/* reason: why it is null, if it is. */
static void set_number(json_t *object, json_t *missing, const char *key, double number, const char *reason)
{
    json_set_number(object, key, number);
    if (!isfinite(number))
        json_set_text(missing, key, reason);
}

static void set_missing(json_t *object, json_t *missing)
{
    if (json_object_size(missing) > 0)
        json_object_set(object, "missing", missing);
    json_decref(missing);
}

/* ---- the baseline ---- */

static json_t *row_to_json(const struct baseline_row *row)
{
    static const char never[] = "infinite: too many requests never got a first token";
    json_t *object = json_object(), *missing = json_object();
    bool infinite = isinf(row->was) || isinf(row->is);
    const char *unknown = row->missing ? row->missing : infinite ? "there is no quotient with infinity" : "nothing failed in both runs";
    json_set_text(object, "metric", history_metric_name(row->metric));
    json_set_number(object, "load", row->load);
    json_set_text(object, "unit", row->unit);
    set_number(object, missing, "was", row->was, isinf(row->was) ? never : unknown);
    set_number(object, missing, "is", row->is, isinf(row->is) ? never : unknown);
    set_number(object, missing, "change", row->change, unknown);
    set_number(object, missing, "low", row->low, unknown);
    set_number(object, missing, "high", row->high, unknown);
    set_number(object, missing, "p", row->p, unknown);
    json_set_text(object, "noise", noise_name(row->noise));
    if (!noise_name(row->noise))
        json_set_text(missing, "noise", unknown);
    json_set_text(object, "verdict", change_name(row->verdict));
    json_set_bool(object, "beyond_within_run", row->beyond_within_run);
    set_missing(object, missing);
    return object;
}

json_t *baseline_to_json(const struct baseline *baseline)
{
    json_t *object = json_object();
    json_set_text(object, "run_id", baseline->run_id);
    set_date(object, "started", baseline->started);
    json_set_text(object, "text", baseline->text);
    if (baseline->sla_note)
        json_set_text(object, "sla_note", baseline->sla_note);
    json_set_texts(object, "differences", baseline->differences, baseline->difference_count);
    json_set_texts(object, "deployment_differences", baseline->deployments, baseline->deployment_count);
    json_set_integer(object, "worse", (int64_t)baseline->worse);
    json_set_integer(object, "better", (int64_t)baseline->better);
    json_set_integer(object, "same", (int64_t)baseline->same);
    json_set_integer(object, "unknown", (int64_t)baseline->unknown);
    json_set_integer(object, "earlier_runs", (int64_t)baseline->earlier_runs);
    json_t *rows = json_add_array(object, "rows"), *points = json_add_array(object, "points");
    for (size_t k = 0; k < baseline->row_count; k++)
        json_array_append_new(rows, row_to_json(&baseline->rows[k]));
    for (size_t k = 0; k < BASELINE_POINTS; k++) {
        json_t *point = json_object();
        json_set_text(point, "name", baseline->points[k].name);
        json_set_text(point, "was", baseline->points[k].was);
        json_set_text(point, "is", baseline->points[k].is);
        json_set_text(point, "verdict", change_name(baseline->points[k].verdict));
        json_array_append_new(points, point);
    }
    return object;
}

/* ---- the trend ---- */

static json_t *metric_to_json(const struct trend_metric *of, const char *text)
{
    json_t *object = json_object(), *missing = json_object();
    const char *unknown = of->missing ? of->missing : "no run has it";
    json_set_text(object, "metric", history_metric_name(of->metric));
    json_set_text(object, "text", text);
    json_set_integer(object, "runs", (int64_t)of->count);
    json_set_integer(object, "runs_without_first_token", (int64_t)of->never);
    json_set_integer(object, "runs_this_week", (int64_t)of->now_runs);
    json_set_integer(object, "runs_week_before", (int64_t)of->before_runs);
    set_number(object, missing, "this_week", of->now, "no run of this week has it");
    set_number(object, missing, "week_before", of->before, "no run of the week before has it");
    set_number(object, missing, "change", of->change, unknown);
    set_number(object, missing, "low", of->low, unknown);
    set_number(object, missing, "high", of->high, unknown);
    set_number(object, missing, "p", of->p, unknown);
    json_set_text(object, "verdict", change_name(of->verdict));
    json_set_text(object, "since", of->since);
    set_number(object, missing, "step", of->step, "there is no step, or too few runs to see one");
    set_number(object, missing, "step_p", of->step_p, "too few runs");
    if (of->since)
        set_date(object, "since_started", of->since_started);
    else
        json_set_text(missing, "since", "there is no step, or too few runs to see one");
    set_missing(object, missing);
    return object;
}

json_t *trend_to_json(const struct trend *trend)
{
    json_t *object = json_object();
    json_set_text(object, "model", trend->model);
    json_set_text(object, "hardware", trend->hardware);
    json_set_text(object, "workload", trend->workload);
    json_set_number(object, "load", trend->load);
    json_set_text(object, "unit", trend->unit);
    json_set_integer(object, "runs", (int64_t)trend->run_count);
    set_date(object, "first", trend->first);
    set_date(object, "last", trend->last);
    json_t *metrics = json_add_array(object, "metrics");
    for (size_t k = 0; k < TREND_METRICS; k++)
        json_array_append_new(metrics, metric_to_json(&trend->metrics[k], trend->texts[k]));
    return object;
}
