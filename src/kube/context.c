#include "kube/context.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* The labels that KServe gives the pods which serve, of each kind. free() it. */
static char *pod_labels(const char *kind, const char *name)
{
    if (strcmp(kind, "LLMInferenceService") == 0)
        return mem_printf("app.kubernetes.io/part-of=llminferenceservice,app.kubernetes.io/name=%s,kserve.io/component=workload", name);
    return mem_printf("serving.kserve.io/inferenceservice=%s,component=predictor", name);
}

static enum kube_outcome read_pods(struct kube_client *client, struct kubernetes_facts *facts, struct arena *arena, struct error *err)
{
    const struct kube_resource resource = {"", "v1", "pods", facts->namespace, NULL};
    cleanup_free char *labels = pod_labels(facts->kind, facts->name);
    json_t *pods;
    enum kube_outcome outcome = kube_list(client, &resource, labels, &pods, err);
    if (outcome != KUBE_OK)
        return outcome;
    kubernetes_read_pods(facts, pods, arena);
    json_decref(pods);
    return KUBE_OK;
}

/* What one node does not tell, the others do not either. */
static void read_nodes(struct kube_client *client, struct kubernetes_facts *facts, struct arena *arena)
{
    struct error err = {.class = ERROR_NONE};
    for (size_t k = 0; k < facts->node_count; k++) {
        const char *name = facts->nodes[k].name;
        const struct kube_resource resource = {"", "v1", "nodes", NULL, name};
        json_t *node;
        if (!kube_is_name(name))
            continue;
        if (kube_get(client, &resource, &node, &err) != KUBE_OK) {
            kubernetes_note(facts, arena, err.text);
            return;
        }
        kubernetes_read_node(facts, name, node, arena);
        json_decref(node);
    }
}

struct kubernetes_facts *kube_learn_context(struct kube_client *client, const char *namespace, const char *name, const struct kube_service *service,
                                            struct arena *arena)
{
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, namespace, name);
    struct error err = {.class = ERROR_NONE};
    facts->kind = service->kind;
    kubernetes_read_service(facts, service->object, arena);
    if (read_pods(client, facts, arena, &err) != KUBE_OK)
        kubernetes_note(facts, arena, err.text);
    else
        read_nodes(client, facts, arena);
    return facts;
}

static const struct kubernetes_pod *find_pod(const struct kubernetes_facts *facts, const char *uid)
{
    for (size_t k = 0; k < facts->pod_count; k++)
        if (strcmp(facts->pods[k].uid, uid) == 0)
            return &facts->pods[k];
    return NULL;
}

static void tell(struct buf *out, int *count, const char *text)
{
    buf_printf(out, "%s%s", (*count)++ > 0 ? "; " : "", text);
}

int kube_compare_pods(struct kube_client *client, const struct kubernetes_facts *then, struct buf *out, struct error *err)
{
    struct arena *arena = arena_new();
    struct kubernetes_facts *now = kubernetes_facts_new(arena, then->namespace, then->name);
    int count = 0;
    now->kind = then->kind;
    if (read_pods(client, now, arena, err) != KUBE_OK) {
        arena_free(arena);
        return -1;
    }
    for (size_t k = 0; k < then->pod_count; k++) {
        const struct kubernetes_pod *before = &then->pods[k], *after = find_pod(now, before->uid);
        long long restarts = after ? (long long)(after->restarts - before->restarts) : 0;
        if (!after)
            tell(out, &count, arena_printf(arena, "pod %s is gone", before->name));
        else if (restarts > 0)
            tell(out, &count, arena_printf(arena, "pod %s was restarted%s", before->name, restarts > 1 ? " more than once" : ""));
    }
    for (size_t k = 0; k < now->pod_count; k++)
        if (!find_pod(then, now->pods[k].uid))
            tell(out, &count, arena_printf(arena, "pod %s is new", now->pods[k].name));
    arena_free(arena);
    return count;
}
