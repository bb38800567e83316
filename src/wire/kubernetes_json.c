/* plan.json's `kubernetes`, written and read back. */
#include <string.h>

#include "wire/kubernetes.h"

static void write_pods(json_t *object, const struct kubernetes_facts *facts)
{
    json_t *array = json_add_array(object, "pods");
    for (size_t k = 0; k < facts->pod_count; k++) {
        const struct kubernetes_pod *pod = &facts->pods[k];
        json_t *row = json_object();
        json_set_text(row, "name", pod->name);
        json_set_text(row, "uid", pod->uid);
        json_set_text_if_any(row, "node", pod->node);
        json_set_integer(row, "restarts", pod->restarts);
        json_set_bool(row, "ready", pod->ready);
        json_array_append_new(array, row);
    }
}

static void write_nodes(json_t *object, const struct kubernetes_facts *facts)
{
    json_t *array = json_add_array(object, "nodes");
    for (size_t k = 0; k < facts->node_count; k++) {
        json_t *row = json_object();
        json_set_text(row, "name", facts->nodes[k].name);
        json_set_text_if_any(row, "instance_type", facts->nodes[k].instance_type);
        json_set_text_if_any(row, "gpu_product", facts->nodes[k].gpu_product);
        json_array_append_new(array, row);
    }
}

void kubernetes_facts_write(json_t *root, const struct kubernetes_facts *facts)
{
    if (!facts)
        return;
    json_t *object = json_add_object(root, "kubernetes");
    json_set_text(object, "namespace", facts->namespace);
    json_set_text_if_any(object, "kind", facts->kind);
    json_set_text(object, "name", facts->name);
    json_set_bool(object, "gave_target", facts->gave_target);
    json_set_text_if_any(object, "runtime", facts->runtime);
    json_set_integer_if(object, "min_replicas", facts->min_replicas, facts->min_replicas != -1);
    json_set_integer_if(object, "max_replicas", facts->max_replicas, facts->max_replicas != -1);
    json_set_text_if_any(object, "image", facts->image);
    json_set_text_if_any(object, "image_digest", facts->image_digest);
    json_set_text_if_any(object, "gpu_resource", facts->gpu_resource);
    json_set_integer_if(object, "gpus_per_pod", facts->gpus_per_pod, facts->gpus_per_pod != 0);
    json_set_texts(object, "arguments", facts->arguments, facts->argument_count);
    write_pods(object, facts);
    write_nodes(object, facts);
    json_set_texts(object, "notes", facts->notes, facts->note_count);
}

/* ---- reading ---- */

static const char *read_text(struct json_reader *reader, const json_t *object, const char *key, struct arena *arena)
{
    return arena_strdup(arena, json_get_text_or(reader, object, key, ""));
}

static int64_t read_count(struct json_reader *reader, const json_t *object, const char *key, int64_t max, int64_t otherwise)
{
    int64_t count = json_get_integer_or(reader, object, key, otherwise);
    if (!reader->failed && count != otherwise && (count < 0 || count > max))
        json_fail(reader, key, "expected a whole number from 0 to %lld, got %lld", (long long)max, (long long)count);
    return count;
}

/* How many elements may be read; absent is none. */
static size_t read_list(struct json_reader *reader, const json_t *object, const char *key, size_t max, json_t **array)
{
    *array = json_get_array_or_null(reader, object, key);
    size_t count = reader->failed ? 0 : json_array_size(*array);
    if (count <= max)
        return count;
    json_fail(reader, key, "expected at most %zu, got %zu", max, count);
    return 0;
}

static size_t read_texts(struct json_reader *reader, const json_t *object, const char *key, const char **texts, size_t max, struct arena *arena)
{
    json_t *array;
    size_t count = read_list(reader, object, key, max, &array);
    for (size_t k = 0; k < count; k++) {
        const char *text = json_string_value(json_array_get(array, k));
        if (!text)
            json_fail(reader, key, "expected texts");
        texts[k] = arena_strdup(arena, text ? text : "");
    }
    return count;
}

static void read_pods(struct json_reader *reader, const json_t *object, struct kubernetes_facts *facts, struct arena *arena)
{
    json_t *array;
    facts->pod_count = read_list(reader, object, "pods", KUBERNETES_PODS_MAX, &array);
    for (size_t k = 0; k < facts->pod_count; k++) {
        const json_t *row = json_array_get(array, k);
        size_t mark = json_enter(reader, "pods", (int)k);
        struct kubernetes_pod *pod = &facts->pods[k];
        pod->name = arena_strdup(arena, json_get_text(reader, row, "name"));
        pod->uid = read_text(reader, row, "uid", arena);
        pod->node = read_text(reader, row, "node", arena);
        pod->restarts = read_count(reader, row, "restarts", KUBERNETES_COUNT_MAX, 0);
        pod->ready = json_get_bool_or(reader, row, "ready", false);
        json_leave(reader, mark);
    }
}

static void read_nodes(struct json_reader *reader, const json_t *object, struct kubernetes_facts *facts, struct arena *arena)
{
    json_t *array;
    facts->node_count = read_list(reader, object, "nodes", KUBERNETES_NODES_MAX, &array);
    for (size_t k = 0; k < facts->node_count; k++) {
        const json_t *row = json_array_get(array, k);
        size_t mark = json_enter(reader, "nodes", (int)k);
        struct kubernetes_node *node = &facts->nodes[k];
        node->name = arena_strdup(arena, json_get_text(reader, row, "name"));
        node->instance_type = read_text(reader, row, "instance_type", arena);
        node->gpu_product = read_text(reader, row, "gpu_product", arena);
        json_leave(reader, mark);
    }
}

struct kubernetes_facts *kubernetes_facts_read(struct json_reader *reader, const json_t *root, struct arena *arena)
{
    const json_t *object = json_get_object_or_null(reader, root, "kubernetes");
    if (!object)
        return NULL;
    size_t mark = json_enter(reader, "kubernetes", -1);
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, json_get_text(reader, object, "namespace"), json_get_text(reader, object, "name"));
    facts->kind = read_text(reader, object, "kind", arena);
    facts->gave_target = json_get_bool_or(reader, object, "gave_target", false);
    facts->runtime = read_text(reader, object, "runtime", arena);
    facts->min_replicas = read_count(reader, object, "min_replicas", KUBERNETES_COUNT_MAX, -1);
    facts->max_replicas = read_count(reader, object, "max_replicas", KUBERNETES_COUNT_MAX, -1);
    facts->image = read_text(reader, object, "image", arena);
    facts->image_digest = read_text(reader, object, "image_digest", arena);
    facts->gpu_resource = read_text(reader, object, "gpu_resource", arena);
    facts->gpus_per_pod = read_count(reader, object, "gpus_per_pod", KUBERNETES_GPUS_MAX, 0);
    facts->argument_count = read_texts(reader, object, "arguments", facts->arguments, KUBERNETES_ARGUMENTS_MAX, arena);
    read_pods(reader, object, facts, arena);
    read_nodes(reader, object, facts, arena);
    facts->note_count = read_texts(reader, object, "notes", facts->notes, KUBERNETES_NOTES_MAX, arena);
    json_leave(reader, mark);
    return reader->failed ? NULL : facts;
}
