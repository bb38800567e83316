#include "plan/guidellm_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/units.h"
#include "plan/labels.h"

/* --- options ------------------------------------------------------------------------------ */

void guidellm_add(struct guidellm_taking *taking, const char *name, const char *value)
{
    struct guidellm_options *options = taking->options;
    if (options->count == GUIDELLM_OPTIONS_MAX)
        abort(); /* there are fewer members that become one, and lists have a ceiling */
    options->options[options->count].name = name;
    options->options[options->count++].value = value;
}

void guidellm_add_number(struct guidellm_taking *taking, const char *name, double number)
{
    guidellm_add(taking, name, arena_printf(taking->command->arena, "%.15g", number));
}

/* --- members ------------------------------------------------------------------------------- */

/* What was taken stays alive in a list beside the specification, which nobody reads. */
#define TAKEN "\x01taken"

json_t *guidellm_take(struct guidellm_taking *taking, json_t *object, const char *key)
{
    json_t *member = json_object_get(object, key);
    if (!member)
        return NULL;
    json_array_append(json_object_get(taking->command->spec, TAKEN), member);
    json_object_del(object, key);
    return json_is_null(member) ? NULL : member;
}

static int fail(struct guidellm_taking *taking, const char *key, const char *expected)
{
    return error_set(taking->err, ERROR_USAGE, "%s: expected %s", key, expected);
}

int guidellm_take_text(struct guidellm_taking *taking, json_t *object, const char *key, const char **text)
{
    const json_t *member = guidellm_take(taking, object, key);
    *text = NULL;
    if (!member)
        return 0;
    cleanup_free char *scalar = json_scalar_text(member);
    if (!scalar)
        return fail(taking, key, "a text");
    *text = arena_strdup(taking->command->arena, scalar);
    return 0;
}

int guidellm_take_number(struct guidellm_taking *taking, json_t *object, const char *key, double *number)
{
    const json_t *member = guidellm_take(taking, object, key);
    if (json_is_array(member) && json_array_size(member) == 1)
        member = json_array_get(member, 0);
    *number = NAN;
    if (!member)
        return 0;
    cleanup_free char *scalar = json_scalar_text(member);
    return scalar && units_parse_number(scalar, number) == 0 ? 0 : fail(taking, key, "a number");
}

int guidellm_take_bool(struct guidellm_taking *taking, json_t *object, const char *key, bool *value)
{
    const json_t *member = guidellm_take(taking, object, key);
    *value = json_is_true(member);
    if (!member)
        return 0;
    return json_is_boolean(member) ? 1 : fail(taking, key, "true or false");
}

json_t *guidellm_section(struct guidellm_taking *taking, const char *name)
{
    json_t *section = json_object_get(taking->command->spec, name);
    if (json_is_object(section))
        return section;
    json_object_set_new(taking->command->spec, name, json_object());
    return json_object_get(taking->command->spec, name);
}

/* --- what is small ---------------------------------------------------------------------------- */

static int take_seed(struct guidellm_taking *taking)
{
    json_t *seed = guidellm_section(taking, "seed");
    double value;
    const char *kind;
    if (guidellm_take_text(taking, seed, "kind", &kind) < 0 || guidellm_take_number(taking, seed, "value", &value) < 0)
        return -1;
    if (kind && strcmp(kind, "static") != 0)
        return error_set(taking->err, ERROR_USAGE, "--seed: kind '%s' is not known; a seed is kind=static,value=N", kind);
    if (!isnan(value))
        guidellm_add_number(taking, "seed", value);
    return 0;
}

/* {"ttft_ms": 2000, "tpot_ms": 100, "e2el_ms": 30000}: GuideLLM's tpot is without the first token here, and per token behind it. */
static int take_objectives(struct guidellm_taking *taking, json_t *objectives)
{
    static const struct {
        const char *key, *latency;
    } known[] = {{"ttft_ms", "ttft"}, {"tpot_ms", "tpot_vllm"}, {"e2el_ms", "e2e"}};
    const char *list = "";
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        double most;
        if (guidellm_take_number(taking, objectives, known[k].key, &most) < 0)
            return error_wrap(taking->err, "metrics.slo");
        if (!isnan(most))
            list = arena_printf(taking->command->arena, "%s%s%s=%.15gms", list, *list ? "," : "", known[k].latency, most);
    }
    if (*list)
        guidellm_add(taking, "slo", list);
    return 0;
}

static int take_metrics(struct guidellm_taking *taking)
{
    json_t *metrics = guidellm_section(taking, "metrics");
    const char *kind;
    double kept;
    if (guidellm_take_text(taking, metrics, "kind", &kind) < 0 || guidellm_take_number(taking, metrics, "sample_size", &kept) < 0)
        return -1;
    if (kept >= 0 && kept < 1e9)
        taking->options->requests_kept = (int64_t)kept;
    if (kind && strcmp(kind, "generative") != 0)
        return error_set(taking->err, ERROR_USAGE, "--metrics: kind '%s' is not known; answers of models that generate are measured", kind);
    return take_objectives(taking, json_object_get(metrics, "slo"));
}

static int take_labels(struct guidellm_taking *taking)
{
    const char *name;
    json_t *value;
    if (json_object_size(taking->command->labels) > LABELS_MAX)
        return error_set(taking->err, ERROR_USAGE, "--label: more than %d", LABELS_MAX);
    json_object_foreach(taking->command->labels, name, value)
    {
        cleanup_free char *text = json_scalar_text(value);
        guidellm_add(taking, "label", arena_printf(taking->command->arena, "%s=%s", name, text ? text : ""));
    }
    return 0;
}

static void list_left(const json_t *value, const char *path, struct buf *ignored);

static void list_left_members(const json_t *object, const char *path, struct buf *ignored)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member)
    {
        char below[256];
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", key);
        if (strcmp(key, TAKEN) != 0)
            list_left(member, below, ignored);
    }
}

/* "backend.http2", "metrics.sample_size": what nobody took. Members of a list's objects are named once for each of them. */
static void list_left(const json_t *value, const char *path, struct buf *ignored)
{
    if (json_is_object(value))
        list_left_members(value, path, ignored);
    else if (json_is_array(value))
        for (size_t k = 0; k < json_array_size(value); k++)
            list_left(json_array_get(value, k), path, ignored);
    else if (!json_is_null(value))
        guidellm_ignore(ignored, path);
}

int guidellm_options_make(struct guidellm_command *command, struct guidellm_options *options, struct error *err)
{
    struct guidellm_taking taking = {.command = command, .options = options, .err = err};
    *options = (struct guidellm_options){.requests_kept = -1};
    json_object_set_new(command->spec, TAKEN, json_array());
    if (guidellm_take_backend(&taking) < 0 || guidellm_take_load(&taking) < 0 || guidellm_take_data(&taking) < 0 || take_seed(&taking) < 0 ||
        take_metrics(&taking) < 0 || take_labels(&taking) < 0 || guidellm_take_outputs(&taking) < 0)
        return -1;
    list_left(command->spec, "", &command->ignored);
    return 0;
}
