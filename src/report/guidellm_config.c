#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "report/guidellm.h"

#define SYNCHRONOUS "synchronous"
#define CONCURRENT "concurrent"
#define THROUGHPUT "throughput"
#define CONSTANT "constant"
#define POISSON "poisson"

/* Our kind of a level as GuideLLM calls it. */
static const char *strategy_type(const char *kind)
{
    static const char *const known[] = {SYNCHRONOUS, CONCURRENT, THROUGHPUT, CONSTANT, POISSON};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        if (strcmp(kind, known[k]) == 0)
            return known[k];
    return POISSON;
}

static bool is(const char *type, const char *name)
{
    return strcmp(type, name) == 0;
}

/* Poisson's arrivals can be drawn again from it. */
static void set_seed(json_t *object, const struct run_facts *facts)
{
    json_t *seed = json_object_get(facts->plan, "seed");
    if (seed)
        json_object_set(object, "random_seed", seed);
}

json_t *guidellm_strategy(const struct run_facts *facts, const struct level_summary *level)
{
    const char *type = strategy_type(level->kind);
    json_t *object = json_object();
    json_set_text(object, "type_", type);
    if (is(type, CONCURRENT))
        json_set_number(object, "streams", level->load);
    if (is(type, CONSTANT) || is(type, POISSON))
        guidellm_set_real(object, "rate", level->load);
    if (is(type, THROUGHPUT))
        json_set_number(object, "max_concurrency", level->load);
    else if (!is(type, SYNCHRONOUS) && !is(type, CONCURRENT))
        json_set_integer_if(object, "max_concurrency", facts->max_concurrency, facts->max_concurrency > 0);
    if (is(type, POISSON))
        set_seed(object, facts);
    return object;
}

/* The loads of the levels, each once, whole numbers where they are streams. */
static void add_loads(json_t *object, const char *key, const struct run_summary *summary, const char *kind)
{
    json_t *loads = json_add_array(object, key);
    bool streams = is(key, "streams");
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        if (level->repeat == 0 && strcmp(level->kind, kind) == 0)
            json_array_append_new(loads, streams ? json_integer((json_int_t)level->load) : json_real(level->load));
    }
}

static void add_sweep(json_t *object, const struct run_summary *summary, json_t *size)
{
    json_object_set(object, "sweep_size", size);
    json_object_set(object, "strategy_type", json_object_get(summary->facts.plan, "sweep_arrivals"));
}

json_t *guidellm_profile(const struct run_summary *summary, const char *kind)
{
    json_t *object = json_object(), *sweep_size = json_object_get(summary->facts.plan, "sweep_levels");
    const char *level_kind = summary->level_count > 0 ? summary->levels[0].kind : SYNCHRONOUS;
    const char *type = json_is_integer(sweep_size) ? "sweep" : strategy_type(level_kind);
    json_set_text(object, kind, type);
    if (is(type, "sweep"))
        add_sweep(object, summary, sweep_size);
    if (is(type, CONCURRENT))
        add_loads(object, "streams", summary, level_kind);
    if (is(type, CONSTANT) || is(type, POISSON)) {
        if (is(kind, "type_"))
            json_set_text(object, "strategy_type", type);
        add_loads(object, "rate", summary, level_kind);
    }
    if (is(type, THROUGHPUT))
        json_set_number(object, "max_concurrency", summary->levels[0].load);
    return object;
}

static void add_constraint(json_t *all, const char *kind, const char *key, json_t *limit)
{
    if (!json_is_number(limit))
        return;
    json_t *object = json_add_object(all, kind);
    json_set_text(object, "kind", kind);
    json_object_set(object, key, limit);
}

json_t *guidellm_constraints(const struct run_facts *facts)
{
    const json_t *limits = json_object_get(facts->plan, "limits");
    json_t *all = json_object();
    add_constraint(all, "max_duration", "seconds", json_object_get(limits, "max_seconds"));
    add_constraint(all, "max_requests", "count", json_object_get(limits, "max_requests"));
    return all;
}

json_t *guidellm_transient(const struct run_facts *facts, const char *key)
{
    const json_t *trim = json_object_get(json_object_get(facts->plan, "limits"), key);
    json_t *share = json_object_get(trim, "share"), *seconds = json_object_get(trim, "seconds"), *object = json_object();
    json_object_set(object, "percent", share ? share : json_null());
    json_object_set(object, "value", seconds ? seconds : json_null());
    json_set_text(object, "mode", "prefer_duration");
    return object;
}

json_t *guidellm_backend(const struct run_facts *facts)
{
    json_t *object = json_object();
    json_set_text(object, "kind", "openai_http");
    json_set_text(object, "target", facts->target);
    json_set_text(object, "model", facts->model);
    json_set_text(object, "request_format", strcmp(facts->endpoint, "chat") == 0 ? "/v1/chat/completions" : "/v1/completions");
    json_set_bool(object, "stream", true);
    return object;
}

/* GuideLLM has no 0: what does not vary is left out. */
static void add_length(json_t *data, const char *name, const json_t *lengths)
{
    static const struct {
        const char *suffix, *member;
    } parts[] = {{"", "mean"}, {"_stdev", "stddev"}, {"_min", "min"}, {"_max", "max"}};
    char key[32];
    bool varies = json_number_value(json_object_get(lengths, "stddev")) > 0;
    for (size_t k = 0; k < (varies ? sizeof parts / sizeof parts[0] : 1); k++) {
        json_t *part = json_object_get(lengths, parts[k].member);
        snprintf(key, sizeof key, "%s%s", name, parts[k].suffix);
        if (json_is_number(part) && json_number_value(part) > 0)
            json_object_set(data, key, part);
    }
}

json_t *guidellm_data(const struct run_facts *facts)
{
    const json_t *workload = json_object_get(facts->plan, "workload");
    json_t *object = json_object();
    json_set_text(object, "kind", "synthetic_text");
    add_length(object, "prompt_tokens", json_object_get(workload, "prompt_tokens"));
    add_length(object, "output_tokens", json_object_get(workload, "output_tokens"));
    return object;
}
