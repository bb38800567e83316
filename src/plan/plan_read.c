/* plan.json read and checked; plan_write.c writes it: one function a member in each direction, in the same order. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "plan/dataset_rows.h"
#include "plan/find.h"
#include "plan/labels.h"
#include "plan/language.h"
#include "plan/plan.h"
#include "plan/profile.h"
#include "plan/token_lengths.h"
#include "record/workspace.h"

#define SHARE_MAX 0.999999999 /* something must be left of a level */
#define GPUS_MAX 1000000

static const char *keep(const struct plan *plan, const char *text)
{
    return arena_strdup(plan->arena, text ? text : "");
}

static int64_t integer_within(struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max)
{
    int64_t value = json_get_integer(reader, object, key);
    if (!reader->failed && (value < min || value > max))
        json_fail(reader, key, "expected a whole number from %lld to %lld, got %lld", (long long)min, (long long)max, (long long)value);
    return value;
}

static double number_within(struct json_reader *reader, const json_t *object, const char *key, double min, double max)
{
    double value = json_get_number(reader, object, key);
    if (!reader->failed && !(value >= min && value <= max))
        json_fail(reader, key, "expected a number from %g to %g, got %g", min, max, value);
    return value;
}

static bool is_given(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

static int64_t integer_within_or(struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max, int64_t if_absent)
{
    return is_given(object, key) ? integer_within(reader, object, key, min, max) : if_absent;
}

static int64_t usd_or_unknown(struct json_reader *reader, const json_t *object, const char *key)
{
    return is_given(object, key) ? llround(number_within(reader, object, key, 0, (double)PLAN_MICRO_USD_MAX / 1e6) * 1e6) : -1;
}

static int64_t ns_or_zero(struct json_reader *reader, const json_t *object, const char *key)
{
    if (!is_given(object, key))
        return 0;
    return llround(number_within(reader, object, key, 0, PLAN_SECONDS_MAX) * (double)NS_PER_S);
}

/* The index of the text among the names; fails with the list. */
static int one_of(struct json_reader *reader, const json_t *object, const char *key, const char *const names[2])
{
    const char *text = json_get_text(reader, object, key);
    if (reader->failed || strcmp(text, names[0]) == 0)
        return 0;
    if (strcmp(text, names[1]) != 0)
        json_fail(reader, key, "expected \"%s\" or \"%s\", got \"%.40s\"", names[0], names[1], text);
    return 1;
}

static void read_server(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    struct server_identity *server = &plan->server;
    json_t *object = json_get_object(reader, root, "server");
    size_t mark = json_enter(reader, "server", -1);
    server->kind = keep(plan, json_get_text(reader, object, "kind"));
    server->version = keep(plan, json_get_text_or(reader, object, "version", ""));
    server->preset = keep(plan, json_get_text_or(reader, object, "preset", ""));
    server->time_scale = number_within(reader, object, "time_scale", PLAN_TIME_SCALE_MIN, PLAN_TIME_SCALE_MAX);
    server->max_model_len = json_get_integer_or(reader, object, "max_model_len", -1);
    const json_t *caching = json_object_get(object, "prefix_caching");
    if (caching && !json_is_null(caching))
        server->prefix_caching = json_get_bool(reader, object, "prefix_caching") ? CACHING_ON : CACHING_OFF;
    json_t *features = json_get_object(reader, object, "features");
    json_enter(reader, "features", -1);
    server->usage = json_get_bool(reader, features, "usage");
    server->continuous_usage = json_get_bool(reader, features, "continuous_usage");
    server->ignore_eos = json_get_bool(reader, features, "ignore_eos");
    server->max_completion_tokens = json_get_bool_or(reader, features, "max_completion_tokens", false);
    server->token_ids = json_get_bool(reader, features, "token_ids");
    server->tokenize = json_get_bool(reader, features, "tokenize");
    server->metrics = json_get_bool(reader, features, "metrics");
    json_leave(reader, mark);
}

static void read_level(struct json_reader *reader, const json_t *object, struct level *level, int index)
{
    static const char *const units[2] = {"streams", "req/s"};
    size_t mark = json_enter(reader, "levels", index);
    struct error wrong;
    level->index = (int)integer_within(reader, object, "index", index, index);
    const char *kind = json_get_text(reader, object, "kind");
    const struct profile *profile = reader->failed ? NULL : profile_find(kind);
    if (!reader->failed && (!profile || !profile->is_kind))
        json_fail(reader, "kind", "expected the name of a load profile, got \"%.40s\"", kind);
    level->load = json_get_number(reader, object, "load");
    level->unit = one_of(reader, object, "unit", units) ? LOAD_REQUESTS_PER_S : LOAD_STREAMS;
    if (!reader->failed && profile_check_load(profile, level->load, "load", &wrong) < 0)
        json_fail(reader, "load", "%s", wrong.text);
    if (!reader->failed && profile && profile->open_loop != (level->unit == LOAD_REQUESTS_PER_S))
        json_fail(reader, "unit", "expected that of a %s level", kind);
    if (!reader->failed)
        snprintf(level->kind, sizeof level->kind, "%s", kind);
    json_leave(reader, mark);
}

static void read_levels(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    json_t *array = json_get_array(reader, root, "levels");
    if (reader->failed)
        return;
    size_t count = json_array_size(array);
    plan->sweep_levels = integer_within_or(reader, root, "sweep_levels", 1, PLAN_LEVELS_MAX, 0);
    if (count > PLAN_LEVELS_MAX || (count == 0 && plan->sweep_levels == 0)) {
        json_fail(reader, "levels", "expected 1 to %d levels, got %zu", PLAN_LEVELS_MAX, count);
        return;
    }
    plan->levels = ARENA_ARRAY(plan->arena, count + 1, struct level);
    plan->level_count = count;
    for (size_t k = 0; k < count && !reader->failed; k++)
        read_level(reader, json_array_get(array, k), &plan->levels[k], (int)k);
}

static void read_data(struct json_reader *reader, const json_t *workload, struct plan *plan)
{
    static const char *const orders[2] = {"file", "shuffled"};
    struct workload_data *data = &plan->workload.data;
    const json_t *object = json_get_object_or_null(reader, workload, "data");
    if (!object)
        return;
    size_t mark = json_enter(reader, "data", -1);
    data->file = keep(plan, json_get_text(reader, object, "file"));
    data->format = keep(plan, json_get_text(reader, object, "format"));
    data->rows = integer_within(reader, object, "rows", 1, DATASET_ROWS_MAX);
    data->bad = integer_within_or(reader, object, "bad", 0, INT64_MAX, 0);
    data->too_long = integer_within_or(reader, object, "too_long", 0, INT64_MAX, 0);
    data->too_short = integer_within_or(reader, object, "too_short", 0, INT64_MAX, 0);
    data->trimmed = integer_within_or(reader, object, "trimmed", 0, INT64_MAX, 0);
    data->counted = integer_within_or(reader, object, "counted", 0, INT64_MAX, 0);
    data->block_tokens = integer_within(reader, object, "block_tokens", 1, PLAN_TOKENS_MAX);
    data->shuffled = one_of(reader, object, "order", orders) == 1;
    json_leave(reader, mark);
}

static void read_workload(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    static const char *const endpoints[2] = {"chat", "completions"};
    plan->workload.endpoint = one_of(reader, root, "endpoint", endpoints) ? ENDPOINT_COMPLETIONS : ENDPOINT_CHAT;
    json_t *object = json_get_object(reader, root, "workload");
    size_t mark = json_enter(reader, "workload", -1);
    plan->workload.scenario = keep(plan, json_get_text_or(reader, object, "scenario", ""));
    token_lengths_read(reader, object, "prompt_tokens", plan->arena, &plan->workload.prompt);
    token_lengths_read(reader, object, "output_tokens", plan->arena, &plan->workload.output);
    plan->workload.allow_prefix_cache = json_get_bool_or(reader, object, "allow_prefix_cache", false);
    read_data(reader, object, plan);
    plan->workload.shared_prefix_tokens = integer_within_or(reader, object, "shared_prefix_tokens", 1, PLAN_TOKENS_MAX, 0);
    plan->workload.shared_prefix_groups = integer_within_or(reader, object, "shared_prefix_groups", 1, PLAN_GROUPS_MAX, 1);
    if (!reader->failed && plan->workload.shared_prefix_tokens >= plan->workload.prompt.min)
        json_fail(reader, "shared_prefix_tokens", "expected fewer than the shortest prompt has");
    plan->workload.turns = integer_within_or(reader, object, "turns", 1, PLAN_TURNS_MAX, 1);
    for (size_t k = 0; k < plan->level_count && plan->workload.turns > 1 && !reader->failed; k++)
        if (plan->levels[k].unit != LOAD_STREAMS)
            json_fail(reader, "turns", "expected levels of streams: conversations are held by them");
    if (!reader->failed && plan->workload.turns > 1 && (plan->level_count == 0 || plan->find != FIND_NOTHING))
        json_fail(reader, "turns", "expected 1: the levels are found while the load runs");
    plan->workload.language = keep(plan, json_get_text_or(reader, object, "language", LANGUAGE_DEFAULT));
    if (!reader->failed && !language_find(plan->workload.language))
        json_fail(reader, "language", "expected one of " LANGUAGE_NAMES ", got \"%.40s\"", plan->workload.language);
    json_leave(reader, mark);
}

static void read_variate(struct json_reader *reader, const json_t *root, const char *key, struct variate *variate)
{
    json_t *object = json_get_object_or_null(reader, root, key);
    if (!object)
        return;
    size_t mark = json_enter(reader, key, -1);
    const char *name = json_get_text(reader, object, "distribution");
    while (!reader->failed && variate->kind < VARIATE_KIND_COUNT && strcmp(variate_kind_name(variate->kind), name) != 0)
        variate->kind++;
    if (variate->kind == VARIATE_KIND_COUNT)
        json_fail(reader, "distribution", "expected the name of a distribution, got \"%.40s\"", name);
    variate->mean = number_within(reader, object, "mean", 0, PLAN_SECONDS_MAX);
    variate->min = number_within(reader, object, "min", 0, PLAN_SECONDS_MAX);
    variate->max = number_within(reader, object, "max", 0, PLAN_SECONDS_MAX);
    const char *spread = reader->failed ? NULL : variate_spread_name(variate->kind);
    if (spread)
        variate->spread = number_within(reader, object, spread, 0, PLAN_SECONDS_MAX);
    if (!reader->failed && variate_fault(variate))
        json_fail(reader, "mean", "%s", variate_fault(variate));
    json_leave(reader, mark);
}

static void read_trim(struct json_reader *reader, const json_t *root, const char *key, struct trim *trim)
{
    json_t *object = json_get_object_or_null(reader, root, key);
    if (!object)
        return;
    size_t mark = json_enter(reader, key, -1);
    if (json_get_bool_or(reader, object, "auto", false)) {
        trim->kind = TRIM_AUTO;
    } else if (is_given(object, "share")) {
        trim->kind = TRIM_SHARE;
        trim->share = number_within(reader, object, "share", 0, SHARE_MAX);
    } else {
        trim->kind = TRIM_TIME;
        trim->ns = llround(number_within(reader, object, "seconds", 0, PLAN_SECONDS_MAX) * (double)NS_PER_S);
    }
    json_leave(reader, mark);
}

static void read_limits(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    struct limits *limits = &plan->limits;
    json_t *object = json_get_object(reader, root, "limits");
    size_t mark = json_enter(reader, "limits", -1);
    limits->max_seconds_ns = ns_or_zero(reader, object, "max_seconds");
    limits->max_requests = integer_within_or(reader, object, "max_requests", 1, INT64_MAX / 2, 0);
    if (!reader->failed && limits->max_seconds_ns == 0 && limits->max_requests == 0)
        json_fail(reader, "max_seconds", "expected this or max_requests: a level needs an end");
    limits->drain_ns = ns_or_zero(reader, object, "drain_seconds");
    limits->timeout_ns = ns_or_zero(reader, object, "timeout_seconds");
    limits->stall_timeout_ns = ns_or_zero(reader, object, "stall_timeout_seconds");
    limits->max_concurrency = integer_within(reader, object, "max_concurrency", 1, PLAN_STREAMS_MAX);
    read_trim(reader, object, "warmup", &limits->warmup);
    read_trim(reader, object, "cooldown", &limits->cooldown);
    limits->min_requests = integer_within_or(reader, object, "min_requests", 1, limits->max_requests > 0 ? limits->max_requests : INT64_MAX / 2, 0);
    if (is_given(object, "max_error_rate"))
        limits->max_error_rate = number_within(reader, object, "max_error_rate", 0, 1);
    limits->stop_when_saturated = json_get_bool_or(reader, object, "stop_when_saturated", false);
    limits->max_tokens_total = integer_within_or(reader, object, "max_tokens_total", 1, INT64_MAX / 2, 0);
    limits->max_micro_usd = usd_or_unknown(reader, object, "max_usd");
    json_leave(reader, mark);
}

static void read_deployment(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    struct deployment *deployment = &plan->deployment;
    json_t *object = json_get_object(reader, root, "deployment");
    size_t mark = json_enter(reader, "deployment", -1);
    deployment->hardware = keep(plan, json_get_text_or(reader, object, "hardware", ""));
    deployment->gpus = integer_within_or(reader, object, "gpus", 1, GPUS_MAX, 0);
    deployment->price_micro_usd = usd_or_unknown(reader, object, "price_per_hour");
    deployment->price_source = keep(plan, json_get_text_or(reader, object, "price_source", ""));
    labels_read(reader, object, plan);
    json_leave(reader, mark);
}

static void read_calibration(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    json_t *object = json_get_object(reader, root, "calibration");
    size_t mark = json_enter(reader, "calibration", -1);
    plan->calibration.method = keep(plan, json_get_text(reader, object, "method"));
    plan->calibration.exact = json_get_bool(reader, object, "exact");
    plan->calibration.template_tokens = integer_within(reader, object, "template_tokens", 0, PLAN_TOKENS_MAX);
    plan->calibration.turn_tokens = integer_within_or(reader, object, "turn_tokens", 0, PLAN_TOKENS_MAX, 0);
    plan->calibration.e2e_ns = integer_within_or(reader, object, "e2e_ns", 0, INT64_MAX / 4, 0);
    json_leave(reader, mark);
}

/* What can be said without libcurl, which looks at the rest when the run begins. */
static void check_target(struct json_reader *reader, const char *target)
{
    const char *host = strncasecmp(target, "http://", 7) == 0    ? target + 7
                       : strncasecmp(target, "https://", 8) == 0 ? target + 8
                                                                 : "";
    size_t length = strcspn(host, "/?#");
    bool printable = true;
    for (const unsigned char *c = (const unsigned char *)target; *c; c++)
        printable = printable && *c > ' ' && *c != 0x7F;
    if (length == 0 || !printable)
        json_fail(reader, "target", "expected a URL as in http://host:8000/v1, got \"%.200s\"", printable ? target : "(blanks)");
    else if (memchr(host, '@', length))
        json_fail(reader, "target", "expected a URL without a user name");
}

static void read_target(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    json_t *array = json_get_array(reader, root, "target");
    size_t count = reader->failed ? 0 : json_array_size(array);
    if (!reader->failed && (count == 0 || count > PLAN_TARGETS_MAX))
        json_fail(reader, "target", "expected 1 to %d URLs in an array", PLAN_TARGETS_MAX);
    if (reader->failed)
        return;
    plan->other_targets = ARENA_ARRAY(plan->arena, count, const char *);
    plan->other_target_count = count - 1;
    for (size_t k = 0; k < count; k++) {
        const char *target = json_string_value(json_array_get(array, k));
        if (!target)
            json_fail(reader, "target", "expected URLs in the array");
        else if (!reader->failed)
            check_target(reader, target);
        for (size_t other = 0; target && other < k && !reader->failed; other++)
            if (strcmp(other == 0 ? plan->target : plan->other_targets[other - 1], target) == 0)
                json_fail(reader, "target", "expected different URLs, got %.200s twice", target);
        *(k == 0 ? &plan->target : &plan->other_targets[k - 1]) = keep(plan, target);
    }
}

/* Plans written before this was kept have none. */
static void read_tls(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    json_t *object = json_get_object_or_null(reader, root, "tls");
    size_t mark = json_enter(reader, "tls", -1);
    plan->ca_file = keep(plan, object ? json_get_text_or(reader, object, "ca_file", "") : "");
    plan->insecure = object && json_get_bool_or(reader, object, "insecure", false);
    json_leave(reader, mark);
}

static void read_headers(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    const json_t *names = json_get_array_or_null(reader, root, "headers");
    plan->header_count = reader->failed ? 0 : json_array_size(names);
    plan->header_names = arena_alloc(plan->arena, plan->header_count + 1, sizeof *plan->header_names);
    for (size_t k = 0; k < plan->header_count; k++) {
        const char *name = json_string_value(json_array_get(names, k));
        if (!name || !name[0] || name[strcspn(name, "\r\n: ")])
            json_fail(reader, "headers", "expected names of headers");
        plan->header_names[k] = keep(plan, name ? name : "");
    }
}

/* Only people read them. */
static void read_reasons(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    json_t *reasons = json_get_object_or_null(reader, root, "reasons"), *why;
    const char *what;
    plan->reasons = ARENA_ARRAY(plan->arena, json_object_size(reasons), struct plan_reason);
    json_object_foreach(reasons, what, why)
    {
        if (!json_is_string(why))
            json_fail(reader, "reasons", "expected sentences");
        else
            plan->reasons[plan->reason_count++] = (struct plan_reason){keep(plan, what), keep(plan, json_string_value(why))};
    }
}

static void read_nonce(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    const char *nonce = json_get_text(reader, root, "nonce");
    if (reader->failed)
        return;
    if (strlen(nonce) != PLAN_NONCE_SIZE - 1 || strspn(nonce, "0123456789abcdef") != PLAN_NONCE_SIZE - 1)
        json_fail(reader, "nonce", "expected %d hexadecimal digits", PLAN_NONCE_SIZE - 1);
    snprintf(plan->nonce, sizeof plan->nonce, "%s", nonce);
}

/* What the parts say together: as `prepare` would refuse it. */
static void check_limits(struct json_reader *reader, const struct plan *plan)
{
    const struct limits *limits = &plan->limits;
    bool open = plan->level_count == 0;
    for (size_t k = 0; k < plan->level_count; k++)
        open = open || plan->levels[k].unit == LOAD_REQUESTS_PER_S;
    if (trim_share(&limits->warmup, limits->max_seconds_ns) + trim_share(&limits->cooldown, limits->max_seconds_ns) >= 1)
        json_fail(reader, "limits.warmup", "expected that it and cooldown leave something of a level");
    if (limits->min_requests > 0 && limits->max_seconds_ns == 0)
        json_fail(reader, "limits.min_requests", "expected max_seconds beside it: it makes a level longer than that");
    if (limits->stop_when_saturated && !open)
        json_fail(reader, "limits.stop_when_saturated", "expected levels of rates: the queue of a number of streams cannot grow");
}

static void check_workload(struct json_reader *reader, const struct plan *plan)
{
    const struct workload *workload = &plan->workload;
    bool streams = plan->level_count > 0, data = workload->data.rows > 0;
    for (size_t k = 0; k < plan->level_count; k++)
        streams = streams && plan->levels[k].unit == LOAD_STREAMS && strcmp(plan->levels[k].kind, "throughput") != 0;
    if (plan->think_time.mean > 0 && !streams)
        json_fail(reader, "think_time_seconds", "expected levels of streams, which think between their requests; not throughput");
    if (data && workload->shared_prefix_tokens > 0)
        json_fail(reader, "workload.shared_prefix_tokens", "expected none: prompts of data are as the file has them");
    if (workload->data.rows % workload->turns != 0)
        json_fail(reader, "workload.data.rows", "expected a multiple of turns: a row is one turn of a conversation");
}

static void check_together(struct json_reader *reader, const struct plan *plan)
{
    const struct profile *profile = profile_find(plan->profile);
    if (plan->level_count == 0 && !profile->next_level)
        json_fail(reader, "levels", "expected some: only a sweep finds its own");
    if (profile_fault(plan))
        json_fail(reader, "arrivals", "%s", profile_fault(plan));
    if (plan->limits.max_micro_usd >= 0 && plan->deployment.price_micro_usd <= 0)
        json_fail(reader, "deployment.price_per_hour", "expected a price: limits.max_usd needs it");
    check_limits(reader, plan);
    check_workload(reader, plan);
}

static void read_root(struct json_reader *reader, const json_t *root, struct plan *plan)
{
    static const char *const starts[2] = {"spread", "together"};
    static const char *const arrivals[2] = {"constant", "poisson"};
    static const char *const goals[2] = {"saturation", "breaking"};
    struct error wrong;
    plan->run_id = keep(plan, json_get_text(reader, root, "run_id"));
    if (!reader->failed && plan->run_id[0] && workspace_check_run_id(plan->run_id, &wrong) < 0) /* "": of a dry run */
        json_fail(reader, "run_id", "%s", wrong.text);
    const char *created = json_get_text(reader, root, "created");
    if (!reader->failed && clock_parse_rfc3339(created, &plan->created) < 0)
        json_fail(reader, "created", "expected a date as in 2026-11-24T04:06:51Z, got \"%.40s\"", created);
    read_target(reader, root, plan);
    read_tls(reader, root, plan);
    read_headers(reader, root, plan);
    plan->model = keep(plan, json_get_text(reader, root, "model"));
    if (!reader->failed && !plan->model[0])
        json_fail(reader, "model", "expected the name of a model");
    read_server(reader, root, plan);
    plan->profile = keep(plan, json_get_text(reader, root, "profile"));
    if (!reader->failed && !profile_find(plan->profile))
        json_fail(reader, "profile", "expected the name of a load profile, got \"%.40s\"", plan->profile);
    read_levels(reader, root, plan);
    plan->sweep_arrivals = arrivals[one_of(reader, root, "sweep_arrivals", arrivals)];
    plan->stream_start = one_of(reader, root, "stream_start", starts) ? STREAM_START_TOGETHER : STREAM_START_SPREAD;
    read_variate(reader, root, "think_time_seconds", &plan->think_time);
    plan->repeat = integer_within_or(reader, root, "repeat", 1, PLAN_REPEATS_MAX, 1);
    if (is_given(root, "find"))
        plan->find = one_of(reader, root, "find", goals) ? FIND_BREAKING : FIND_SATURATION;
    const char *fault = plan->find != FIND_NOTHING && !reader->failed ? find_fault(plan->levels, plan->level_count) : NULL;
    if (fault)
        json_fail(reader, "levels", "%s", fault);
    plan->refine = integer_within_or(reader, root, "refine", 0, FIND_REFINE_MAX, 0);
    read_workload(reader, root, plan);
    read_limits(reader, root, plan);
    sla_read(&plan->sla, reader, root, plan->arena);
    slo_read(&plan->slo, reader, root);
    read_deployment(reader, root, plan);
    plan->kubernetes = kubernetes_facts_read(reader, root, plan->arena);
    arrival_shape_read(&plan->arrival_shape, reader, root, plan->arena);
    if (!reader->failed)
        check_together(reader, plan);
    plan->seed = (uint64_t)integer_within(reader, root, "seed", 0, INT64_MAX);
    read_reasons(reader, root, plan);
    read_nonce(reader, root, plan);
    read_calibration(reader, root, plan);
}

struct plan *plan_read(const char *path, struct error *err)
{
    struct json_reader reader;
    json_t *root = json_open(&reader, path, PLAN_SCHEMA, err);
    if (!root)
        return NULL;
    struct plan *plan = plan_new();
    read_root(&reader, root, plan);
    json_decref(root);
    if (!reader.failed)
        return plan;
    plan_free(plan);
    return NULL;
}
