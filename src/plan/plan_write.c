/* plan.json from a struct plan; plan_read.c reads it back. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "plan/labels.h"
#include "plan/plan.h"
#include "plan/token_lengths.h"

static double seconds(int64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

static void write_server(json_t *root, const struct server_identity *server)
{
    json_t *object = json_add_object(root, "server");
    json_set_text(object, "kind", server->kind);
    json_set_text_if_any(object, "version", server->version);
    json_set_text_if_any(object, "preset", server->preset);
    json_set_number(object, "time_scale", server->time_scale);
    json_set_integer_if(object, "max_model_len", server->max_model_len, server->max_model_len != -1);
    if (server->prefix_caching == CACHING_UNKNOWN)
        json_set_null(object, "prefix_caching");
    else
        json_set_bool(object, "prefix_caching", server->prefix_caching == CACHING_ON);
    json_t *features = json_add_object(object, "features");
    json_set_bool(features, "usage", server->usage);
    json_set_bool(features, "continuous_usage", server->continuous_usage);
    json_set_bool(features, "ignore_eos", server->ignore_eos);
    json_set_bool(features, "max_completion_tokens", server->max_completion_tokens);
    json_set_bool(features, "token_ids", server->token_ids);
    json_set_bool(features, "tokenize", server->tokenize);
    json_set_bool(features, "metrics", server->metrics);
}

static void write_levels(json_t *root, const struct plan *plan)
{
    json_t *array = json_add_array(root, "levels");
    for (size_t k = 0; k < plan->level_count; k++) {
        const struct level *level = &plan->levels[k];
        json_t *object = json_object();
        json_set_integer(object, "index", level->index);
        json_set_text(object, "kind", level->kind);
        json_set_number(object, "load", level->load);
        json_set_text(object, "unit", load_unit_name(level->unit));
        json_array_append_new(array, object);
    }
}

static void write_variate(json_t *root, const char *key, const struct variate *variate)
{
    const char *spread = variate_spread_name(variate->kind);
    if (variate->mean <= 0) {
        json_set_null(root, key);
        return;
    }
    json_t *object = json_add_object(root, key);
    json_set_text(object, "distribution", variate_kind_name(variate->kind));
    json_set_number(object, "mean", variate->mean);
    if (spread)
        json_set_number(object, spread, variate->spread);
    json_set_number(object, "min", variate->min);
    json_set_number(object, "max", variate->max);
}

static void write_trim(json_t *root, const char *key, const struct trim *trim)
{
    if (trim->kind == TRIM_NONE) {
        json_set_null(root, key);
        return;
    }
    json_t *object = json_add_object(root, key);
    if (trim->kind == TRIM_AUTO)
        json_set_bool(object, "auto", true);
    else if (trim->kind == TRIM_SHARE)
        json_set_number(object, "share", trim->share);
    else
        json_set_number(object, "seconds", seconds(trim->ns));
}

static void write_limits(json_t *root, const struct limits *limits)
{
    json_t *object = json_add_object(root, "limits");
    json_set_number(object, "max_seconds", limits->max_seconds_ns > 0 ? seconds(limits->max_seconds_ns) : NAN);
    json_set_integer_if(object, "max_requests", limits->max_requests, limits->max_requests != 0);
    json_set_number(object, "drain_seconds", seconds(limits->drain_ns));
    json_set_number(object, "timeout_seconds", limits->timeout_ns > 0 ? seconds(limits->timeout_ns) : NAN);
    json_set_number(object, "stall_timeout_seconds", seconds(limits->stall_timeout_ns));
    json_set_integer(object, "max_concurrency", limits->max_concurrency);
    write_trim(object, "warmup", &limits->warmup);
    write_trim(object, "cooldown", &limits->cooldown);
    json_set_integer_if(object, "min_requests", limits->min_requests, limits->min_requests != 0);
    json_set_number(object, "max_error_rate", limits->max_error_rate < 1 ? limits->max_error_rate : NAN);
    json_set_bool(object, "stop_when_saturated", limits->stop_when_saturated);
    json_set_integer_if(object, "max_tokens_total", limits->max_tokens_total, limits->max_tokens_total != 0);
    json_set_number(object, "max_usd", units_usd(limits->max_micro_usd));
}

static void write_deployment(json_t *root, const struct deployment *deployment)
{
    json_t *object = json_add_object(root, "deployment");
    json_set_text_if_any(object, "hardware", deployment->hardware);
    json_set_integer_if(object, "gpus", deployment->gpus, deployment->gpus != 0);
    json_set_number(object, "price_per_hour", units_usd(deployment->price_micro_usd));
    json_set_text_if_any(object, "price_source", deployment->price_source);
    labels_write(deployment, object);
}

static void write_calibration(json_t *root, const struct calibration *calibration)
{
    json_t *object = json_add_object(root, "calibration");
    json_set_text(object, "method", calibration->method);
    json_set_bool(object, "exact", calibration->exact);
    json_set_integer(object, "template_tokens", calibration->template_tokens);
    if (calibration->turn_tokens > 0)
        json_set_integer(object, "turn_tokens", calibration->turn_tokens);
    json_set_integer_if(object, "e2e_ns", calibration->e2e_ns, calibration->e2e_ns != 0);
}

static void write_targets(json_t *root, const struct plan *plan)
{
    json_t *array = json_add_array(root, "target");
    json_array_append_new(array, json_string(plan->target));
    for (size_t k = 0; k < plan->other_target_count; k++)
        json_array_append_new(array, json_string(plan->other_targets[k]));
}

static void write_connection(json_t *root, const struct plan *plan)
{
    json_t *tls = json_add_object(root, "tls");
    json_set_text_if_any(tls, "ca_file", plan->ca_file);
    if (plan->insecure)
        json_set_bool(tls, "insecure", true);
    if (plan->header_count > 0)
        json_set_texts(root, "headers", plan->header_names, plan->header_count);
}

static void write_reasons(json_t *root, const struct plan *plan)
{
    if (plan->reason_count == 0)
        return;
    json_t *reasons = json_add_object(root, "reasons");
    for (size_t k = 0; k < plan->reason_count; k++)
        json_set_text(reasons, plan->reasons[k].what, plan->reasons[k].why);
}

static void write_data(json_t *workload, const struct workload_data *data)
{
    if (data->rows == 0) {
        json_set_null(workload, "data");
        return;
    }
    json_t *object = json_add_object(workload, "data");
    json_set_text(object, "file", data->file);
    json_set_text(object, "format", data->format);
    json_set_integer(object, "rows", data->rows);
    json_set_integer(object, "bad", data->bad);
    json_set_integer(object, "too_long", data->too_long);
    if (data->too_short > 0)
        json_set_integer(object, "too_short", data->too_short);
    json_set_integer(object, "trimmed", data->trimmed);
    json_set_integer(object, "counted", data->counted);
    json_set_integer(object, "block_tokens", data->block_tokens);
    json_set_text(object, "order", data->shuffled ? "shuffled" : "file");
}

json_t *plan_to_json(const struct plan *plan)
{
    char date[CLOCK_RFC3339_SIZE];
    json_t *root = json_object();
    json_set_text(root, "schema", PLAN_SCHEMA);
    json_set_text(root, "run_id", plan->run_id);
    json_set_text(root, "created", clock_format_rfc3339(plan->created, 3, date));
    write_targets(root, plan);
    write_connection(root, plan);
    json_set_text(root, "model", plan->model);
    json_set_text(root, "endpoint", endpoint_name(plan->workload.endpoint));
    write_server(root, &plan->server);
    json_set_text(root, "profile", plan->profile);
    write_levels(root, plan);
    json_set_integer_if(root, "sweep_levels", plan->sweep_levels, plan->sweep_levels != 0);
    json_set_text(root, "sweep_arrivals", plan->sweep_arrivals);
    arrival_shape_write(&plan->arrival_shape, root);
    json_set_text(root, "stream_start", stream_start_name(plan->stream_start));
    write_variate(root, "think_time_seconds", &plan->think_time);
    json_set_integer(root, "repeat", plan->repeat);
    const char *find = find_goal_name(plan->find);
    json_set_text_if_any(root, "find", find ? find : "");
    json_set_integer(root, "refine", plan->refine);
    json_t *workload = json_add_object(root, "workload");
    json_set_text_if_any(workload, "scenario", plan->workload.scenario);
    token_lengths_write(&plan->workload.prompt, workload, "prompt_tokens");
    token_lengths_write(&plan->workload.output, workload, "output_tokens");
    json_set_bool(workload, "allow_prefix_cache", plan->workload.allow_prefix_cache);
    write_data(workload, &plan->workload.data);
    json_set_integer_if(workload, "shared_prefix_tokens", plan->workload.shared_prefix_tokens, plan->workload.shared_prefix_tokens != 0);
    json_set_integer(workload, "shared_prefix_groups", plan->workload.shared_prefix_groups);
    json_set_integer(workload, "turns", plan->workload.turns);
    json_set_text(workload, "language", plan->workload.language);
    write_limits(root, &plan->limits);
    sla_write(&plan->sla, root);
    slo_write(&plan->slo, root);
    write_deployment(root, &plan->deployment);
    kubernetes_facts_write(root, plan->kubernetes);
    json_set_integer(root, "seed", (int64_t)plan->seed);
    json_set_text(root, "nonce", plan->nonce);
    write_calibration(root, &plan->calibration);
    write_reasons(root, plan);
    return root;
}
