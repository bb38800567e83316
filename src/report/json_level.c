#include "report/json_level.h"

#include <math.h>

#include "base/json.h"
#include "report/json_server.h"
#include "report/missing.h"

static void write_interval(json_t *object, const char *key, const struct interval *interval)
{
    json_t *bounds = json_add_object(object, key);
    json_set_number(bounds, "low", interval->low);
    json_set_number(bounds, "high", interval->high);
}

static void write_distribution(json_t *level, const char *key, const struct distribution *distribution)
{
    if (!distribution_is_known(distribution)) {
        json_set_null(level, key);
        return;
    }
    json_t *object = json_add_object(level, key);
    json_set_integer_if(object, "count", (int64_t)distribution->count, distribution->count > 0);
    json_set_number(object, "mean", distribution->mean);
    json_set_number(object, "std", distribution->std);
    json_set_number(object, "min", distribution->min);
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        json_set_number(object, percentile_name((enum percentile)k), distribution->percentile[k]);
    json_set_number(object, "max", distribution->max);
    json_t *intervals = json_add_object(object, "interval_95");
    write_interval(intervals, "mean", &distribution->mean_interval);
    for (int k = 0; k < INTERVAL_COUNT; k++)
        write_interval(intervals, percentile_name(interval_percentile(k)), &distribution->interval[k]);
}

static void write_classes(json_t *level, const struct verdict *verdict)
{
    json_t *object = json_add_object(level, "classes");
    for (int k = 0; k < SLA_METRIC_COUNT; k++)
        json_set_text(object, sla_default.row[k].name,
                      verdict->metric[k] == SLA_UNKNOWN ? NULL : sla_class_name(verdict->metric[k]));
    json_set_text(object, "level", verdict->level == SLA_UNKNOWN ? NULL : sla_class_name(verdict->level));
    json_set_text(object, "decided_by", verdict->decided_by < 0 ? NULL : sla_default.row[verdict->decided_by].name);
}

static void set_count(json_t *object, const char *key, uint64_t count)
{
    json_set_integer_if(object, key, (int64_t)count, count != COUNT_UNKNOWN);
}

void json_level_set_requests(json_t *object, const struct request_counts *counts, const struct failure_count *failures, size_t failure_count)
{
    json_t *requests = json_add_object(object, "requests");
    set_count(requests, "members", counts->members);
    set_count(requests, "ok", counts->ok);
    set_count(requests, "error", counts->error);
    set_count(requests, "incomplete", counts->incomplete);
    set_count(requests, "no_first_token", counts->no_first_token);
    set_count(requests, "left_out", counts->left_out);
    set_count(requests, "never_sent", counts->never_sent);
    if (!request_failures_are_known(counts, failure_count)) {
        json_set_null(object, "errors");
        return;
    }
    json_t *errors = json_add_object(object, "errors");
    for (size_t k = 0; k < failure_count; k++)
        json_set_integer(errors, failures[k].name, (int64_t)failures[k].count);
}

/* Of the rates that are made of blocks, and of what follows from the ranks of a latency. */
static void write_rate_intervals(json_t *object, const struct level_summary *level)
{
    static const enum rate rates[] = {RATE_USER_TPS,    RATE_OUTPUT_TPS, RATE_TOTAL_TPS, RATE_REQUEST_RPS,
                                      RATE_GOODPUT_RPS, RATE_CONCURRENCY, RATE_ERROR_RATE};
    json_t *intervals = json_add_object(object, "interval_95");
    for (size_t k = 0; k < sizeof rates / sizeof rates[0]; k++)
        write_interval(intervals, rate_name(rates[k]), &level->rate_interval[rates[k]]);
}

static void write_series(json_t *object, const char *key, const double *values, size_t count)
{
    json_t *array = json_add_array(object, key);
    for (size_t k = 0; k < count; k++)
        json_append_number(array, values[k]);
}

static void write_blocks(json_t *object, const struct level_blocks *blocks)
{
    if (blocks->count == 0) {
        json_set_null(object, "blocks");
        return;
    }
    json_t *inner = json_add_object(object, "blocks");
    json_set_integer(inner, "count", (int64_t)blocks->count);
    json_set_number(inner, "seconds", blocks->seconds);
    if (isnan(blocks->output_tps[0]))
        json_set_null(inner, "output_tps");
    else
        write_series(inner, "output_tps", blocks->output_tps, blocks->count);
    write_series(inner, "request_rps", blocks->request_rps, blocks->count);
    write_series(inner, "concurrency", blocks->concurrency, blocks->count);
}

static void write_slices(json_t *object, const struct level_summary *level)
{
    json_t *slices = json_add_array(object, "slices");
    for (size_t k = 0; k < level->slice_count; k++) {
        const struct level_slice *slice = &level->slices[k];
        json_t *item = json_object();
        json_set_number(item, "start_s", slice->start_s);
        json_set_number(item, "end_s", slice->end_s);
        json_set_integer(item, "requests", (int64_t)slice->requests);
        json_set_integer(item, "no_first_token", (int64_t)slice->no_first_token);
        json_set_number(item, "ttft_p50_ms", slice->ttft_p50_ms);
        json_set_number(item, "ttft_p95_ms", slice->ttft_p95_ms);
        json_array_append_new(slices, item);
    }
}

/* Only of runs with conversations. */
static void write_turns(json_t *object, const struct level_summary *level)
{
    json_t *turns = level->turn_count > 0 ? json_add_array(object, "turns") : NULL;
    for (size_t k = 0; k < level->turn_count; k++) {
        const struct level_turn *turn = &level->turns[k];
        json_t *item = json_object();
        json_set_integer(item, "turn", (int64_t)k);
        json_set_integer(item, "requests", (int64_t)turn->requests);
        json_set_integer(item, "no_first_token", (int64_t)turn->no_first_token);
        json_set_number(item, "ttft_p50_ms", turn->ttft_p50_ms);
        json_set_number(item, "ttft_p95_ms", turn->ttft_p95_ms);
        json_array_append_new(turns, item);
    }
}

static void write_numbers(json_t *object, const struct level_summary *level)
{
    for (int k = 0; k < LATENCY_COUNT; k++)
        write_distribution(object, latency_name((enum latency)k), &level->latency[k]);
    json_set_number(object, "ttft_p95_at_least_ms", level->ttft_p95_at_least_ms);
    json_set_number(object, "unfinished_share", level->unfinished_share);
    json_set_number(object, "ttft_slices_above", level->ttft_slices_above);
    for (int k = 0; k < RATE_COUNT; k++)
        json_set_number(object, rate_name((enum rate)k), level->rate[k]);
    json_set_number(object, "goodput_share", level->goodput_share);
    write_rate_intervals(object, level);
    write_blocks(object, &level->blocks);
    write_slices(object, level);
    write_turns(object, level);
}

static void write_validity(json_t *object, const struct validity_summary *summary)
{
    json_t *validity = json_add_object(object, "validity");
    json_set_text(validity, "verdict", validity_name(summary->verdict));
    json_t *reasons = json_add_array(validity, "reasons");
    for (size_t k = 0; k < summary->count; k++)
        json_array_append_new(reasons, json_string(summary->reasons[k].text));
}

static void write_cut(json_t *window, const char *key, const struct steady_cut *cut)
{
    json_t *object = json_add_object(window, key);
    json_set_text(object, "rule", steady_rule_name(cut->rule));
    json_set_number(object, "seconds", (double)cut->ns / 1e9);
    const char *series = steady_series_name(cut->by);
    if (series)
        json_set_text(object, "series", series);
}

static void write_derived(json_t *object, const struct level_summary *level)
{
    json_t *derived = json_add_object(object, "derived");
    for (size_t k = 0; k < level->derived_count; k++)
        json_set_text(derived, level->derived[k].field, level->derived[k].formula);
}

json_t *json_level_new(const struct level_summary *level)
{
    json_t *object = json_object();
    json_set_integer(object, "index", level->index);
    json_set_integer(object, "repeat", level->repeat);
    json_set_number(object, "load", level->load);
    json_set_text(object, "unit", level->unit);
    json_set_text(object, "kind", level->kind);
    json_set_bool(object, "ended", level->ended);
    json_set_text_if_any(object, "reason", level->reason);
    json_t *window = json_add_object(object, "window");
    json_set_number(window, "level_start_s", level->start_s);
    json_set_number(window, "start_s", level->window_start_s);
    json_set_number(window, "end_s", level->window_end_s);
    json_set_number(window, "level_end_s", level->end_s);
    if (!level->imported) {
        write_cut(window, "warmup", &level->warmup);
        write_cut(window, "cooldown", &level->cooldown);
    } else {
        json_set_null(window, "warmup");
        json_set_null(window, "cooldown");
    }
    json_level_set_requests(object, &level->requests, level->failures, level->failure_count);
    write_numbers(object, level);
    json_server(object, &level->server);
    json_gpu(object, &level->gpu);
    write_classes(object, &level->verdict);
    write_validity(object, &level->validity);
    if (level->imported)
        write_derived(object, level);
    missing_explain_level(object, level);
    return object;
}
