#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/units.h"
#include "report/guidellm.h"

#define ID_SIZE 320
#define NOT_KNOWN (-1.0) /* as GuideLLM writes an average that it does not have */

json_t *guidellm_metadata(enum guidellm_schema schema)
{
    json_t *object = json_object();
    json_set_integer(object, "version", (int)schema);
    json_set_text(object, "guidellm_version", "none: measured by roibench");
    json_set_text(object, "python_version", "none");
    json_set_text(object, "platform", "roibench");
    return object;
}

int64_t guidellm_most_kept(const struct run_summary *summary)
{
    size_t most = 0;
    for (size_t k = 0; k < summary->level_count; k++)
        for (int ending = 0; ending < ENDING_ALL; ending++)
            most = summary->endings[k]->kept_count[ending] > most ? summary->endings[k]->kept_count[ending] : most;
    return (int64_t)most;
}

/* What is not of the load: where it ran, and whether it can be believed. */
static json_t *environment(const struct run_facts *facts, const struct level_summary *level)
{
    json_t *object = json_object();
    json_set_text(object, "type", "roibench");
    json_set_text(object, "server", facts->server);
    json_set_text(object, "kind", level->kind);
    json_set_integer(object, "repeat", level->repeat);
    json_set_text_if_any(object, "hardware", facts->hardware);
    json_set_integer_if(object, "gpus", facts->gpus, facts->gpus > 0);
    json_set_number(object, "price_per_hour", units_usd(facts->price_micro_usd));
    json_set_text(object, "validity", validity_name(level->validity.verdict));
    return object;
}

static json_t *config(const struct run_summary *summary, const struct level_summary *level, enum guidellm_schema schema, size_t index)
{
    const struct run_facts *facts = &summary->facts;
    char id[ID_SIZE];
    json_t *object = json_object();
    snprintf(id, sizeof id, "%s.%d.%d", facts->run_id, level->index, level->repeat);
    json_set_text(object, "id_", id);
    json_set_text(object, "run_id", facts->run_id);
    json_set_integer(object, "run_index", (int64_t)index);
    json_object_set_new(object, "strategy", guidellm_strategy(facts, level));
    json_object_set_new(object, "constraints", guidellm_constraints(facts));
    json_set_integer(object, schema == GUIDELLM_SCHEMA_1 ? "sample_requests" : "sample_size", guidellm_most_kept(summary));
    json_object_set_new(object, "warmup", guidellm_transient(facts, "warmup"));
    json_object_set_new(object, "cooldown", guidellm_transient(facts, "cooldown"));
    json_set_bool(object, "prefer_response_metrics", true);
    json_object_set_new(object, "profile", guidellm_profile(summary, schema == GUIDELLM_SCHEMA_1 ? "type_" : "kind"));
    json_object_set_new(object, "requests", guidellm_data(facts));
    json_object_set_new(object, "backend", guidellm_backend(facts));
    json_object_set_new(object, "environment", environment(facts, level));
    return object;
}

struct dates {
    double level_start, level_end, window_start, window_end, first_sent, last_end; /* seconds since 1970 */
};

/* Of a time since the anchor: the same nanosecond is the same date, whatever it was read from. */
static double date_of(const struct run_facts *facts, int64_t ns)
{
    return (double)(facts->anchor_realtime_ns + ns) / 1e9;
}

static double date_of_seconds(const struct run_facts *facts, double seconds)
{
    return date_of(facts, llround(seconds * 1e9));
}

/* Requests begin and end the window where none was sent before it, or none ended after it. */
static struct dates dates_of(const struct run_facts *facts, const struct level_summary *level, const struct level_endings *endings)
{
    struct dates dates = {date_of_seconds(facts, level->start_s), date_of_seconds(facts, level->end_s),
                          date_of_seconds(facts, level->window_start_s), date_of_seconds(facts, level->window_end_s), 0, 0};
    dates.first_sent = endings->first_sent == TIME_NEVER ? dates.window_start : fmin(date_of(facts, endings->first_sent), dates.window_start);
    dates.last_end = endings->last_end == TIME_NEVER ? dates.window_end : fmax(date_of(facts, endings->last_end), dates.window_end);
    dates.level_end = fmax(dates.level_end, dates.last_end);
    return dates;
}

static json_t *scheduler_state(const struct level_summary *level, const struct dates *dates)
{
    int64_t ended = (int64_t)(level->requests.ok + level->requests.error), cut = (int64_t)level->requests.incomplete;
    json_t *object = json_object();
    json_set_integer(object, "node_id", 0);
    json_set_integer(object, "num_processes", 1);
    guidellm_set_real(object, "start_time", dates->level_start);
    guidellm_set_real(object, "end_time", dates->level_end);
    guidellm_set_real(object, "start_requests_time", dates->first_sent);
    guidellm_set_real(object, "end_requests_time", dates->last_end);
    json_set_integer(object, "created_requests", (int64_t)level->requests.members);
    json_set_integer(object, "processed_requests", ended + cut);
    json_set_integer(object, "successful_requests", (int64_t)level->requests.ok);
    json_set_integer(object, "errored_requests", (int64_t)level->requests.error);
    json_set_integer(object, "cancelled_requests", cut);
    return object;
}

static void set_average(json_t *object, const char *key, double seconds)
{
    guidellm_set_real(object, key, isfinite(seconds) ? seconds : NOT_KNOWN);
}

static json_t *scheduler_metrics(const struct level_summary *level, const struct dates *dates)
{
    static const char *const unknown[] = {"queued_time_avg",       "resolve_start_delay_avg", "resolve_targeted_start_delay_avg", "request_start_delay_avg",
                                          "resolve_end_delay_avg", "resolve_time_avg",        "finalized_delay_avg",              "processed_delay_avg"};
    json_t *object = json_object();
    guidellm_set_real(object, "start_time", dates->level_start);
    guidellm_set_real(object, "request_start_time", dates->first_sent);
    guidellm_set_real(object, "measure_start_time", dates->window_start);
    guidellm_set_real(object, "measure_end_time", dates->window_end);
    guidellm_set_real(object, "request_end_time", dates->last_end);
    guidellm_set_real(object, "end_time", dates->level_end);
    json_t *made = json_add_object(object, "requests_made");
    json_set_integer(made, "successful", (int64_t)level->requests.ok);
    json_set_integer(made, "errored", (int64_t)level->requests.error);
    json_set_integer(made, "incomplete", (int64_t)level->requests.incomplete);
    json_set_integer(made, "total", (int64_t)level->requests.members);
    for (size_t k = 0; k < sizeof unknown / sizeof unknown[0]; k++)
        set_average(object, unknown[k], NAN);
    set_average(object, "request_targeted_start_delay_avg", level->latency[LATENCY_SCHEDULE_SLIP].mean / 1000);
    set_average(object, "request_time_avg", level->latency[LATENCY_E2E].mean / 1000);
    json_set_text(object, "strategy_type", level->kind);
    return object;
}

static json_t *benchmark(const struct run_summary *summary, size_t index, enum guidellm_schema schema)
{
    const struct level_summary *level = &summary->levels[index];
    const struct level_endings *endings = summary->endings[index];
    struct dates dates = dates_of(&summary->facts, level, endings);
    json_t *object = json_object();
    json_set_text(object, "type_", "generative_benchmark");
    json_object_set_new(object, "config", config(summary, level, schema, index));
    json_object_set_new(object, "scheduler_state", scheduler_state(level, &dates));
    json_object_set_new(object, "scheduler_metrics", scheduler_metrics(level, &dates));
    json_object_set_new(object, "metrics", guidellm_metrics(level, endings));
    json_object_set_new(object, "requests", guidellm_requests(endings, &summary->facts));
    guidellm_set_real(object, "start_time", dates.window_start);
    guidellm_set_real(object, "end_time", dates.window_end);
    guidellm_set_real(object, "duration", dates.window_end - dates.window_start);
    guidellm_set_real(object, "warmup_duration", dates.window_start - dates.first_sent);
    guidellm_set_real(object, "cooldown_duration", dates.last_end - dates.window_end);
    return object;
}

json_t *guidellm_benchmarks(const struct run_summary *summary, enum guidellm_schema schema)
{
    json_t *list = json_array();
    for (size_t k = 0; k < summary->level_count; k++)
        json_array_append_new(list, benchmark(summary, k, schema));
    return list;
}

static int append_part(const char *bytes, size_t length, void *out)
{
    return buf_append(out, bytes, length);
}

void guidellm_append(json_t *document, struct buf *out)
{
    json_dump_callback(document, append_part, out, JSON_COMPACT); /* what does not fit shows in out->overflowed */
    buf_append_char(out, '\n');
    json_decref(document);
}
