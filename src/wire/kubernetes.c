#include "wire/kubernetes.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "base/utf8.h"

#define KEY_SIZE 64 /* of a path below */
#define DIGEST_MARK "sha256:"
#define READY "Ready"
#define IMAGE_SHOWN 19 /* "sha256:" and 12 digits tell images apart */

/* ---- objects of a peer ---- */

/* The member of that path, as in "status/address/url"; NULL: it is not there, or what is above it is no object. */
static const json_t *below(const json_t *object, const char *path)
{
    while (object && *path) {
        char key[KEY_SIZE];
        size_t length = strcspn(path, "/");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        object = json_object_get(object, key);
        path += length + (path[length] == '/');
    }
    return object;
}

/* A peer's text as it may be shown: no control characters, not too long, cut between characters. "" when it is no text. */
static const char *text_of(const json_t *value, struct arena *arena)
{
    const char *text = json_string_value(value);
    if (!text)
        return "";
    char *copy = arena_printf(arena, "%.*s", (int)KUBERNETES_TEXT_MAX, text);
    size_t length = strlen(copy), at = 0;
    while (at < length) {
        size_t size = utf8_character((const unsigned char *)copy + at, length - at);
        if (size == 0) {
            copy[at] = '\0'; /* a character that was cut */
            break;
        }
        if (iscntrl((unsigned char)copy[at]))
            copy[at] = ' ';
        at += size;
    }
    return copy;
}

static int64_t count_of(const json_t *value, int64_t otherwise)
{
    json_int_t count = json_is_integer(value) ? json_integer_value(value) : -1;
    return count >= 0 && count <= KUBERNETES_COUNT_MAX ? count : otherwise;
}

/* The element whose `key` is the text; NULL none. */
static const json_t *element(const json_t *array, const char *key, const char *text)
{
    size_t k;
    const json_t *item;
    json_array_foreach((json_t *)array, k, item)
    {
        const char *is = json_string_value(json_object_get(item, key));
        if (is && strcmp(is, text) == 0)
            return item;
    }
    return NULL;
}

static bool is_true(const json_t *condition)
{
    const char *status = json_string_value(json_object_get(condition, "status"));
    return status && strcmp(status, "True") == 0;
}

/* ---- services ---- */

struct kubernetes_facts *kubernetes_facts_new(struct arena *arena, const char *namespace, const char *name)
{
    struct kubernetes_facts *facts = ARENA_NEW(arena, struct kubernetes_facts);
    *facts = (struct kubernetes_facts){
        .namespace = arena_strdup(arena, namespace), .kind = "", .name = arena_strdup(arena, name), .runtime = "", .min_replicas = -1,
        .max_replicas = -1, .image = "", .image_digest = "", .gpu_resource = "",
        .arguments = ARENA_ARRAY(arena, KUBERNETES_ARGUMENTS_MAX, const char *), .pods = ARENA_ARRAY(arena, KUBERNETES_PODS_MAX, struct kubernetes_pod),
        .nodes = ARENA_ARRAY(arena, KUBERNETES_NODES_MAX, struct kubernetes_node), .notes = ARENA_ARRAY(arena, KUBERNETES_NOTES_MAX, const char *)};
    return facts;
}

void kubernetes_note(struct kubernetes_facts *facts, struct arena *arena, const char *note)
{
    if (facts->note_count < KUBERNETES_NOTES_MAX)
        facts->notes[facts->note_count++] = arena_printf(arena, "%.*s", (int)KUBERNETES_TEXT_MAX, note);
}

const char *kubernetes_service_url(const json_t *service, struct arena *arena)
{
    const json_t *status = below(service, "status"), *address = below(status, "address/url");
    const char *url = text_of(address, arena);
    if (!url[0])
        url = text_of(below(json_array_get(below(status, "addresses"), 0), "url"), arena);
    return url[0] ? url : text_of(below(status, "url"), arena);
}

bool kubernetes_service_ready(const json_t *service, struct arena *arena, const char **why)
{
    const json_t *conditions = below(service, "status/conditions"), *ready = element(conditions, "type", READY), *other;
    size_t k;
    *why = "it has no condition Ready yet";
    if (!ready)
        return false;
    if (is_true(ready))
        return true;
    /* The condition Ready often says nothing itself. */
    const json_t *telling = ready;
    json_array_foreach((json_t *)conditions, k, other)
        if (!json_object_get(telling, "reason") && !is_true(other) && json_object_get(other, "reason"))
            telling = other;
    const char *reason = text_of(json_object_get(telling, "reason"), arena), *message = text_of(json_object_get(telling, "message"), arena);
    const char *status = text_of(json_object_get(telling, "status"), arena), *type = text_of(json_object_get(telling, "type"), arena);
    *why = arena_printf(arena, "%.64s is %.16s%s%.100s%s%.400s", type, status, reason[0] ? ": " : "", reason, message[0] ? ": " : "", message);
    return false;
}

void kubernetes_read_service(struct kubernetes_facts *facts, const json_t *service, struct arena *arena)
{
    const json_t *predictor = below(service, "spec/predictor"), *spec = below(service, "spec");
    facts->runtime = text_of(below(predictor, "model/runtime"), arena);
    if (!facts->runtime[0])
        facts->runtime = text_of(below(service, "status/servingRuntimeName"), arena);
    int64_t replicas = count_of(below(spec, "replicas"), -1);
    facts->min_replicas = count_of(below(predictor, "minReplicas"), replicas);
    facts->max_replicas = count_of(below(predictor, "maxReplicas"), replicas);
}

/* ---- pods ---- */

/* A resource's name and how many: limits, which for such resources are the requests too. */
static int64_t gpus_of(const json_t *container, struct arena *arena, const char **resource)
{
    static const char *const kinds[] = {"resources/limits", "resources/requests"};
    for (size_t kind = 0; kind < 2; kind++) {
        const json_t *list = below(container, kinds[kind]), *amount;
        const char *name;
        json_object_foreach((json_t *)list, name, amount)
        {
            int64_t count = 0;
            bool gpu = strstr(name, "/gpu") || strncmp(name, "nvidia.com/mig-", 15) == 0 || strncmp(name, "gpu.intel.com/", 14) == 0 ||
                       strcmp(name, "habana.ai/gaudi") == 0;
            if (!gpu || units_parse_integer(json_is_string(amount) ? json_string_value(amount) : "", &count) < 0)
                count = gpu ? count_of(amount, 0) : 0;
            if (count > 0 && count <= KUBERNETES_GPUS_MAX) {
                *resource = arena_printf(arena, "%.*s", (int)KUBERNETES_TEXT_MAX, name);
                return count;
            }
        }
    }
    return 0;
}

/* KServe calls the model's container so; else it is the one that asks for a GPU, else the first. */
static const json_t *model_container(const json_t *pod, struct arena *arena)
{
    static const char *const names[] = {"kserve-container", "main"};
    const json_t *containers = below(pod, "spec/containers"), *container;
    const char *resource;
    size_t k;
    for (size_t name = 0; name < 2; name++)
        if ((container = element(containers, "name", names[name])))
            return container;
    json_array_foreach((json_t *)containers, k, container)
        if (gpus_of(container, arena, &resource) > 0)
            return container;
    return json_array_get(containers, 0);
}

static const json_t *container_status(const json_t *pod, const json_t *container)
{
    const char *name = json_string_value(json_object_get(container, "name"));
    return name ? element(below(pod, "status/containerStatuses"), "name", name) : NULL;
}

/* "docker-pullable://quay.io/x@sha256:..." and "quay.io/x@sha256:..." -> "sha256:..." */
static const char *digest_of(const json_t *status, struct arena *arena)
{
    const char *id = text_of(json_object_get(status, "imageID"), arena), *digest = strstr(id, DIGEST_MARK);
    return digest ? digest : id;
}

static void add_arguments(struct kubernetes_facts *facts, const json_t *container, struct arena *arena)
{
    static const char *const keys[] = {"command", "args"};
    bool secret_next = false;
    facts->argument_count = 0;
    for (size_t key = 0; key < 2; key++) {
        const json_t *list = below(container, keys[key]), *argument;
        size_t k;
        json_array_foreach((json_t *)list, k, argument)
            if (facts->argument_count < KUBERNETES_ARGUMENTS_MAX)
                facts->arguments[facts->argument_count++] = kubernetes_withhold(text_of(argument, arena), &secret_next, arena);
    }
}

static void take_template(struct kubernetes_facts *facts, const json_t *pod, struct arena *arena)
{
    const json_t *container = model_container(pod, arena);
    facts->image = text_of(below(container, "image"), arena);
    facts->image_digest = digest_of(container_status(pod, container), arena);
    facts->gpus_per_pod = gpus_of(container, arena, &facts->gpu_resource);
    add_arguments(facts, container, arena);
}

/* Two pods of one service that are not alike: a rollout is under way. */
static void compare_template(struct kubernetes_facts *facts, const json_t *pod, struct arena *arena)
{
    struct kubernetes_facts *other = kubernetes_facts_new(arena, "", "");
    take_template(other, pod, arena);
    bool alike = strcmp(facts->image, other->image) == 0 && facts->gpus_per_pod == other->gpus_per_pod &&
                 facts->argument_count == other->argument_count &&
                 (strcmp(facts->image_digest, other->image_digest) == 0 || !facts->image_digest[0] || !other->image_digest[0]);
    for (size_t k = 0; alike && k < facts->argument_count; k++)
        alike = strcmp(facts->arguments[k], other->arguments[k]) == 0;
    if (!alike)
        kubernetes_note(facts, arena, "its pods differ in image, GPUs or arguments: what is here is of the first that is ready");
}

static void add_node(struct kubernetes_facts *facts, const char *name)
{
    for (size_t k = 0; k < facts->node_count; k++)
        if (strcmp(facts->nodes[k].name, name) == 0)
            return;
    if (name[0] && facts->node_count < KUBERNETES_NODES_MAX)
        facts->nodes[facts->node_count++] = (struct kubernetes_node){.name = name, .instance_type = "", .gpu_product = ""};
}

static struct kubernetes_pod *add_pod(struct kubernetes_facts *facts, const json_t *pod, struct arena *arena)
{
    const json_t *container = model_container(pod, arena);
    struct kubernetes_pod *row = &facts->pods[facts->pod_count++];
    *row = (struct kubernetes_pod){
        .name = text_of(below(pod, "metadata/name"), arena),
        .uid = text_of(below(pod, "metadata/uid"), arena),
        .node = text_of(below(pod, "spec/nodeName"), arena),
        .restarts = count_of(below(container_status(pod, container), "restartCount"), 0),
        .ready = is_true(element(below(pod, "status/conditions"), "type", READY)),
    };
    add_node(facts, row->node);
    return row;
}

/* A pod that has ended, or is about to, serves nobody. */
static bool is_over(const json_t *pod)
{
    const char *phase = json_string_value(below(pod, "status/phase"));
    return below(pod, "metadata/deletionTimestamp") || (phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0));
}

void kubernetes_read_pods(struct kubernetes_facts *facts, const json_t *pods, struct arena *arena)
{
    const json_t *pod, *first = NULL, *first_ready = NULL;
    size_t k, left_out = 0;
    facts->pod_count = facts->node_count = 0;
    json_array_foreach((json_t *)pods, k, pod)
    {
        if (is_over(pod))
            continue;
        if (facts->pod_count == KUBERNETES_PODS_MAX) {
            left_out++;
            continue;
        }
        bool ready = add_pod(facts, pod, arena)->ready;
        first = first ? first : pod;
        first_ready = first_ready || !ready ? first_ready : pod;
    }
    first = first_ready ? first_ready : first;
    if (!first) {
        kubernetes_note(facts, arena, "it has no pods");
        return;
    }
    take_template(facts, first, arena);
    size_t notes = facts->note_count;
    json_array_foreach((json_t *)pods, k, pod)
        if (!is_over(pod) && facts->note_count == notes)
            compare_template(facts, pod, arena);
    if (left_out > 0)
        kubernetes_note(facts, arena, arena_printf(arena, "%zu more pods are not listed", left_out));
}

static const char *first_label(const json_t *labels, const char *const *names, struct arena *arena)
{
    const char *text = "";
    for (; *names && !text[0]; names++)
        text = text_of(json_object_get(labels, *names), arena);
    return text;
}

void kubernetes_read_node(struct kubernetes_facts *facts, const char *name, const json_t *node, struct arena *arena)
{
    static const char *const types[] = {"node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type", NULL};
    static const char *const products[] = {"nvidia.com/gpu.product", "amd.com/gpu.product-name", "beta.amd.com/gpu.product-name",
                                           "gpu.intel.com/product", NULL};
    const json_t *labels = below(node, "metadata/labels");
    for (size_t k = 0; k < facts->node_count; k++)
        if (strcmp(facts->nodes[k].name, name) == 0) {
            facts->nodes[k].instance_type = first_label(labels, types, arena);
            facts->nodes[k].gpu_product = first_label(labels, products, arena);
        }
}

/* ---- for people ---- */

int64_t kubernetes_gpus(const struct kubernetes_facts *facts)
{
    return facts->gpus_per_pod * (int64_t)facts->pod_count;
}

/* The text that all nodes share; "several kinds" when they do not; "" unknown. */
static const char *shared_by_nodes(const struct kubernetes_facts *facts, size_t offset)
{
    const char *shared = "";
    for (size_t k = 0; k < facts->node_count; k++) {
        const char *text = *(const char *const *)((const char *)&facts->nodes[k] + offset);
        if (shared[0] && strcmp(shared, text) != 0)
            return "several kinds";
        shared = text;
    }
    return shared;
}

void kubernetes_describe_hardware(const struct kubernetes_facts *facts, struct buf *out)
{
    const char *product = shared_by_nodes(facts, offsetof(struct kubernetes_node, gpu_product));
    const char *type = shared_by_nodes(facts, offsetof(struct kubernetes_node, instance_type));
    if (kubernetes_gpus(facts) > 0)
        buf_printf(out, "%lld x %s", (long long)kubernetes_gpus(facts), product[0] ? product : facts->gpu_resource);
    if (type[0])
        buf_printf(out, "%s%s", kubernetes_gpus(facts) > 0 ? " on " : "", type);
}

void kubernetes_describe(const struct kubernetes_facts *facts, struct buf *out)
{
    buf_printf(out, "%s %s in namespace %s", facts->kind[0] ? facts->kind : "nothing known of", facts->name, facts->namespace);
    size_t mark = out->len;
    buf_append_text(out, ", ");
    kubernetes_describe_hardware(facts, out);
    if (out->len == mark + 2)
        out->data[out->len = mark] = '\0';
    if (facts->pod_count > 0)
        buf_printf(out, ", %zu pod%s", facts->pod_count, facts->pod_count == 1 ? "" : "s");
    if (facts->runtime[0])
        buf_printf(out, ", runtime %s", facts->runtime);
    if (facts->image_digest[0])
        buf_printf(out, ", image %.*s", IMAGE_SHOWN, facts->image_digest);
    else if (facts->image[0])
        buf_printf(out, ", image %s", facts->image);
}

void kubernetes_describe_arguments(const struct kubernetes_facts *facts, struct buf *out)
{
    for (size_t k = 0; k < facts->argument_count; k++)
        buf_printf(out, "%s%s", k > 0 ? " " : "", facts->arguments[k]);
}

/* An option and its value are one, where the value is an argument of its own. */
static const char *value_behind(const struct kubernetes_facts *facts, size_t k)
{
    bool has = facts->arguments[k][0] == '-' && !strchr(facts->arguments[k], '=') && k + 1 < facts->argument_count && facts->arguments[k + 1][0] != '-';
    return has ? facts->arguments[k + 1] : "";
}

static bool has_argument(const struct kubernetes_facts *facts, const char *argument, const char *value)
{
    for (size_t k = 0; k < facts->argument_count; k++)
        if (strcmp(facts->arguments[k], argument) == 0 && strcmp(value_behind(facts, k), value) == 0)
            return true;
    return false;
}

void kubernetes_describe_own_arguments(const struct kubernetes_facts *facts, const struct kubernetes_facts *others, struct buf *out)
{
    bool any = false;
    for (size_t k = 0; k < facts->argument_count; k++) {
        const char *argument = facts->arguments[k], *value = value_behind(facts, k);
        if (!has_argument(others, argument, value)) {
            buf_printf(out, "%s%s%s%s", any ? ", " : "", argument, value[0] ? " " : "", value);
            any = true;
        }
        k += value[0] != '\0';
    }
}
