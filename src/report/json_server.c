#include "report/json_server.h"

#include <math.h>

#include "base/json.h"
#include "report/missing.h"

static void write_gauge(json_t *server, const char *key, const struct gauge *gauge)
{
    if (isnan(gauge->mean)) {
        json_set_null(server, key);
        return;
    }
    json_t *object = json_add_object(server, key);
    json_set_number(object, "mean", gauge->mean);
    json_set_number(object, "max", gauge->max);
    json_set_number(object, "limit", gauge->limit);
    json_set_number(object, "share_above", gauge->share_above);
    json_set_number(object, "covered", gauge->covered);
}

static void write_sums(json_t *server, const struct server_sums *sums)
{
    const struct reconciled *ttft = &sums->both[RECONCILED_TTFT_MEAN], *itl = &sums->both[RECONCILED_ITL_MEAN], *e2e = &sums->both[RECONCILED_E2E_MEAN];
    if (isnan(sums->from_s)) {
        json_set_null(server, "sums");
        return;
    }
    json_t *object = json_add_object(server, "sums");
    json_set_number(object, "from_s", sums->from_s);
    json_set_number(object, "to_s", sums->to_s);
    json_set_number(object, "output_tokens", sums->output_tokens);
    json_set_number(object, "client_output_tokens", sums->client_output_tokens);
    json_set_number(object, "prompt_tokens", sums->prompt_tokens);
    json_set_number(object, "client_prompt_tokens", sums->client_prompt_tokens);
    json_set_number(object, "ttft_mean_ms", ttft->server);
    json_set_number(object, "client_ttft_mean_ms", ttft->client);
    json_set_number(object, "itl_mean_ms", itl->server);
    json_set_number(object, "client_itl_mean_ms", itl->client);
    json_set_number(object, "e2e_mean_ms", e2e->server);
    json_set_number(object, "client_e2e_mean_ms", e2e->client);
    json_set_number(object, "queue_time_mean_ms", sums->queue_time_mean_ms);
    json_set_number(object, "preemptions", sums->preemptions);
    json_set_number(object, "prefix_cache_hit_share", sums->prefix_cache_hit_share);
}

/* Only what both sides know. */
static void write_reconciled(json_t *server, const struct server_sums *sums)
{
    json_t *array = json_add_array(server, "reconciled");
    for (int item = 0; item < RECONCILED_COUNT; item++) {
        const struct reconciled *both = &sums->both[item];
        if (both->agreement == AGREEMENT_UNKNOWN)
            continue;
        json_t *object = json_object();
        json_set_text(object, "what", reconciled_name((enum reconciled_item)item));
        json_set_text(object, "over", reconciled_over((enum reconciled_item)item));
        json_set_number(object, "server", both->server);
        json_set_number(object, "client", both->client);
        json_set_text(object, "agreement", agreement_name(both->agreement));
        if (both->why)
            json_set_text(object, "why", both->why);
        json_array_append_new(array, object);
    }
}

void json_server(json_t *level, const struct server_summary *server)
{
    json_t *object = json_add_object(level, "server");
    write_gauge(object, "queue_depth", &server->queue_depth);
    write_gauge(object, "kv_cache", &server->kv_cache);
    write_gauge(object, "running", &server->running);
    write_sums(object, &server->sums);
    write_reconciled(object, &server->sums);
}

void json_gpu(json_t *level, const struct gpu_summary *gpu)
{
    if (gpu->gpus == 0) {
        json_set_null(level, "gpu");
        return;
    }
    json_t *object = json_add_object(level, "gpu");
    json_set_integer(object, "gpus", gpu->gpus);
    json_set_number(object, "covered", gpu->covered);
    json_set_number(object, "utilization", gpu->utilization);
    json_set_number(object, "memory_active", gpu->memory_active);
    json_set_number(object, "memory_used_bytes", gpu->memory_used_bytes);
    json_set_number(object, "memory_bytes", gpu->memory_bytes);
    json_set_number(object, "power_w", gpu->power_w);
    json_set_number(object, "energy_j", gpu->energy_j);
    json_set_bool(object, "energy_by_counter", gpu->by_counter);
    json_set_number(object, "output_tokens_per_joule", gpu->output_tokens_per_joule);
    json_set_number(object, "total_tokens_per_joule", gpu->total_tokens_per_joule);
}

/* ---- over time ---- */

static void append_number(json_t *array, double number)
{
    json_t *holder = json_object();
    json_set_number(holder, "n", number); /* rounds, and knows what is null */
    json_array_append(array, json_object_get(holder, "n"));
    json_decref(holder);
}

void json_timeline(json_t *root, const struct run_summary *summary)
{
    const struct course *course = &summary->course;
    json_t *object = json_add_object(root, "timeline");
    json_t *levels = json_add_array(object, "level"), *starts = json_add_array(object, "start_s"), *ends = json_add_array(object, "end_s");
    for (size_t k = 0; k < course->count; k++) {
        json_array_append_new(levels, json_integer((json_int_t)course->points[k].level));
        append_number(starts, course->points[k].start_s);
        append_number(ends, course->points[k].end_s);
    }
    for (int column = 0; column < COURSE_COLUMN_COUNT; column++) {
        if (!course_has(course, (enum course_column)column))
            continue;
        json_t *array = json_add_array(object, course_column_name((enum course_column)column));
        for (size_t k = 0; k < course->count; k++)
            append_number(array, course->points[k].value[column]);
    }
    missing_explain_timeline(object);
}
