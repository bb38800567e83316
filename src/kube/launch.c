#include "kube/launch.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63 /* bytes of a DNS label, and of a label's value */
#define WHY_MAX 300

static const struct {
    const char *name, *group, *version, *plural, *api_version;
} kinds[] = {
    [LAUNCH_JOB] = {"Job", "batch", "v1", "jobs", "batch/v1"},
    [LAUNCH_PIPELINE_RUN] = {"PipelineRun", "tekton.dev", "v1", "pipelineruns", "tekton.dev/v1"},
};

static const char *const container_lists[] = {"initContainers", "containers"};
#define LISTS (sizeof container_lists / sizeof container_lists[0])

const char *launch_kind_name(enum launch_kind kind)
{
    return kinds[kind].name;
}

struct kube_resource launch_resource(enum launch_kind kind, const char *namespace)
{
    return (struct kube_resource){kinds[kind].group, kinds[kind].version, kinds[kind].plural, namespace, NULL};
}

/* --- the template ------------------------------------------------------------------------------ */

static json_t *pod_of(const json_t *object)
{
    return json_object_get(json_object_get(json_object_get(object, "spec"), "template"), "spec");
}

static int check_containers(const json_t *template, const char *image, struct error *err)
{
    const json_t *pod = pod_of(template);
    if (json_array_size(json_object_get(pod, "containers")) == 0)
        return error_set(err, ERROR_USAGE, "spec.template.spec.containers: a Job needs one");
    for (size_t list = 0; list < LISTS; list++) {
        const json_t *container;
        size_t k;
        json_array_foreach(json_object_get(pod, container_lists[list]), k, container)
        {
            const json_t *env = json_object_get(container, "env");
            if (!json_is_object(container) || (env && !json_is_array(env)))
                return error_set(err, ERROR_USAGE, "spec.template.spec.%s[%zu] is no container", container_lists[list], k);
            if (!json_string_value(json_object_get(container, "image")) && !image)
                return error_set(err, ERROR_USAGE, "spec.template.spec.%s[%zu].image is missing: --image gives one to all that have none",
                                 container_lists[list], k);
        }
    }
    return 0;
}

int launch_check_template(enum launch_kind kind, const json_t *template, const char *image, struct error *err)
{
    const char *api_version = json_string_value(json_object_get(template, "apiVersion"));
    const char *name = json_string_value(json_object_get(template, "kind"));
    if (!api_version || !name || strcmp(api_version, kinds[kind].api_version) != 0 || strcmp(name, kinds[kind].name) != 0)
        return error_set(err, ERROR_USAGE, "expected apiVersion: %s, kind: %s", kinds[kind].api_version, kinds[kind].name);
    if (!json_is_object(json_object_get(template, "spec")))
        return error_set(err, ERROR_USAGE, "spec is missing");
    return kind == LAUNCH_JOB ? check_containers(template, image, err) : 0;
}

/* --- the object -------------------------------------------------------------------------------- */

/* text as a DNS label, or a label's value, of at most room bytes. */
static char *to_label(const char *text, size_t room, struct arena *arena)
{
    char *label = arena_printf(arena, "%.*s", (int)room, text);
    for (char *c = label; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '-';
    label += strspn(label, "-");
    for (size_t length = strlen(label); length > 0 && label[length - 1] == '-'; length--)
        label[length - 1] = '\0';
    return label[0] ? label : arena_strdup(arena, "model");
}

void launch_name(const struct launch_settings *settings, const char *model, struct arena *arena, struct launched *launched)
{
    *launched = (struct launched){.model = model, .state = LAUNCH_GOES_ON, .why = ""};
    launched->name = arena_printf(arena, "%s-%s", to_label(model, LABEL_MAX - strlen(settings->stamp) - 1, arena), settings->stamp);
    launched->run_id = settings->kind == LAUNCH_JOB ? launched->name : arena_printf(arena, "%s-%s", launched->name, model);
}

static json_t *member(json_t *object, const char *key)
{
    json_t *is = json_object_get(object, key);
    if (!json_is_object(is)) {
        is = json_object();
        json_object_set_new(object, key, is);
    }
    return is;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

/* array of {"name", "value"}: the row of that name. */
static void put_row(json_t *array, const char *name, const char *value)
{
    json_t *row;
    size_t k;
    json_array_foreach(array, k, row)
    {
        const char *is = json_string_value(json_object_get(row, "name"));
        if (is && strcmp(is, name) == 0) {
            json_array_remove(array, k);
            break;
        }
    }
    json_array_append_new(array, json_pack("{s:s, s:s}", "name", name, "value", value));
}

static json_t *array_member(json_t *object, const char *key)
{
    json_t *is = json_object_get(object, key);
    if (!json_is_array(is)) {
        is = json_array();
        json_object_set_new(object, key, is);
    }
    return is;
}

static void put_labels(json_t *metadata, const struct launch_settings *settings, const struct launched *launched)
{
    struct arena *arena = arena_new();
    json_t *labels = member(metadata, "labels");
    set_text(labels, "app", "guidellm");
    set_text(labels, "model", to_label(launched->model, LABEL_MAX, arena));
    set_text(labels, "benchmark-run", settings->stamp);
    if (settings->profile)
        set_text(labels, "profile", settings->profile);
    arena_free(arena);
}

static void fill_container(json_t *container, const struct launch_settings *settings, const struct launched *launched)
{
    json_t *env = array_member(container, "env");
    if (!json_object_get(container, "image"))
        set_text(container, "image", settings->image);
    put_row(env, "ROIBENCH_RUN_ID", launched->run_id);
    put_row(env, "ROIBENCH_MODEL", launched->model);
    put_row(env, "ROIBENCH_NAMESPACE", settings->namespace);
    if (settings->profile)
        put_row(env, "ROIBENCH_PROFILE", settings->profile);
}

static void fill_job(json_t *job, const struct launch_settings *settings, const struct launched *launched)
{
    json_t *spec = member(job, "spec"), *pod = pod_of(job);
    json_object_set_new(spec, "ttlSecondsAfterFinished", json_integer(settings->ttl_s));
    put_labels(member(member(spec, "template"), "metadata"), settings, launched);
    for (size_t list = 0; list < LISTS; list++) {
        const json_t *containers = json_object_get(pod, container_lists[list]);
        for (size_t k = 0; k < json_array_size(containers); k++)
            fill_container(json_array_get(containers, k), settings, launched);
    }
}

json_t *launch_make(const struct launch_settings *settings, const struct launched *launched)
{
    json_t *object = json_deep_copy(settings->template);
    json_t *metadata = member(object, "metadata");
    json_object_del(metadata, "generateName");
    set_text(metadata, "name", launched->name);
    set_text(metadata, "namespace", settings->namespace);
    put_labels(metadata, settings, launched);
    if (settings->kind == LAUNCH_JOB) {
        fill_job(object, settings, launched);
        return object;
    }
    json_t *params = array_member(member(object, "spec"), "params");
    put_row(params, "model-name", launched->model);
    if (settings->profile)
        put_row(params, "profile", settings->profile);
    return object;
}

enum kube_outcome launch_create(struct kube_client *client, const struct launch_settings *settings, const json_t *object, struct error *err)
{
    const struct kube_resource resource = launch_resource(settings->kind, settings->namespace);
    enum kube_outcome outcome = KUBE_FAILED;
    for (int tries = 0; tries < KUBE_TRIES && outcome == KUBE_FAILED; tries++) {
        json_t *created = NULL;
        outcome = kube_create(client, &resource, object, &created, err);
        json_decref(created);
        if (outcome == KUBE_EXISTS && tries > 0)
            return KUBE_OK;
    }
    return outcome;
}

/* --- what became of it ------------------------------------------------------------------------- */

/* A Job has the conditions Complete and Failed, a PipelineRun Succeeded, which may be False. */
static void read_state(const json_t *object, struct arena *arena, struct launched *launched)
{
    const json_t *condition;
    size_t k;
    json_array_foreach(json_object_get(json_object_get(object, "status"), "conditions"), k, condition)
    {
        const char *type = json_string_value(json_object_get(condition, "type"));
        const char *status = json_string_value(json_object_get(condition, "status"));
        const char *message = json_string_value(json_object_get(condition, "message"));
        if (!type || !status)
            continue;
        bool holds = strcmp(status, "True") == 0;
        if (holds && (strcmp(type, "Complete") == 0 || strcmp(type, "Succeeded") == 0))
            launched->state = LAUNCH_SUCCEEDED;
        if ((holds && strcmp(type, "Failed") == 0) || (strcmp(status, "False") == 0 && strcmp(type, "Succeeded") == 0)) {
            launched->state = LAUNCH_FAILED;
            launched->why = arena_printf(arena, "%.*s", WHY_MAX, message ? message : "it says no reason");
        }
    }
}

static const json_t *find_item(const json_t *items, const char *name)
{
    const json_t *item;
    size_t k;
    json_array_foreach(items, k, item)
    {
        const char *is = json_string_value(json_object_get(json_object_get(item, "metadata"), "name"));
        if (is && strcmp(is, name) == 0)
            return item;
    }
    return NULL;
}

enum kube_outcome launch_look(struct kube_client *client, const struct launch_settings *settings, struct launched *launched, size_t count, struct arena *arena,
                              struct error *err)
{
    const struct kube_resource resource = launch_resource(settings->kind, settings->namespace);
    const char *label = arena_printf(arena, "benchmark-run=%s", settings->stamp);
    json_t *items;
    enum kube_outcome outcome = kube_list(client, &resource, label, &items, err);
    if (outcome != KUBE_OK)
        return outcome;
    for (size_t k = 0; k < count; k++) {
        if (launched[k].state != LAUNCH_GOES_ON)
            continue;
        const json_t *item = find_item(items, launched[k].name);
        if (item) {
            read_state(item, arena, &launched[k]);
        } else {
            launched[k].state = LAUNCH_FAILED;
            launched[k].why = "somebody deleted it";
        }
    }
    json_decref(items);
    return KUBE_OK;
}
