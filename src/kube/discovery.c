#include "kube/discovery.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "wire/kubernetes.h"

#define GROUP "serving.kserve.io"
#define LISTED_MAX 20
#define LIST_MAX ((size_t)2048)
#define PAUSE_NS (2 * NS_PER_S)
#define WATCH_NS (10 * NS_PER_S)
#define PAUSE_LEAST_NS (200 * NS_PER_MS) /* however often something happens */
#define TELL_EVERY_NS (10 * NS_PER_S)

static const struct {
    const char *kind, *plural, *version;
} kinds[] = {{"InferenceService", "inferenceservices", "v1beta1"}, {"LLMInferenceService", "llminferenceservices", "v1alpha1"}};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

/* Which there are, as a help after a wrong name; nothing where that is not told. */
static void append_names(struct kube_client *client, const char *namespace, struct buf *out)
{
    size_t listed = 0, total = 0;
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        const struct kube_resource resource = {GROUP, kinds[kind].version, kinds[kind].plural, namespace, NULL};
        json_t *items, *item;
        size_t k;
        if (kube_list(client, &resource, NULL, &items, NULL) != KUBE_OK)
            continue;
        json_array_foreach(items, k, item)
        {
            const char *name = json_string_value(json_object_get(json_object_get(item, "metadata"), "name"));
            total++;
            if (name && kube_is_name(name) && listed < LISTED_MAX)
                buf_printf(out, "%s%s", listed++ ? ", " : "; it has: ", name);
        }
        json_decref(items);
    }
    if (total > listed && listed > 0)
        buf_printf(out, " and %zu more", total - listed);
}

static void fill(struct kube_service *service, size_t kind, json_t *object, struct arena *arena)
{
    const char *name = json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));
    *service = (struct kube_service){.kind = kinds[kind].kind, .why_not = "", .object = object};
    service->name = arena_strdup(arena, name ? name : "");
    service->url = kubernetes_service_url(object, arena);
    service->ready = kubernetes_service_ready(object, arena, &service->why_not);
}

enum kube_outcome kube_find_service(struct kube_client *client, const char *namespace, const char *name, struct arena *arena,
                                    struct kube_service *service, struct error *err)
{
    bool possible = kube_is_name(name) && kube_is_name(namespace);
    for (size_t kind = 0; possible && kind < KIND_COUNT; kind++) {
        const struct kube_resource resource = {GROUP, kinds[kind].version, kinds[kind].plural, namespace, name};
        struct error own = {.class = ERROR_NONE};
        json_t *object;
        enum kube_outcome outcome = kube_get(client, &resource, &object, &own);
        if (outcome == KUBE_OK) {
            fill(service, kind, object, arena);
            return KUBE_OK;
        }
        /* A Role for the older kind alone is enough where there is no other. */
        if (outcome == KUBE_FAILED || (outcome == KUBE_FORBIDDEN && kind == 0)) {
            error_set(err, own.class, "%s", own.text);
            return outcome;
        }
    }
    struct buf names = BUF_INIT(LIST_MAX);
    append_names(client, namespace, &names);
    error_set(err, ERROR_TARGET, "there is neither an InferenceService nor an LLMInferenceService '%.200s' in namespace '%.100s'%s", name, namespace,
              buf_text(&names));
    buf_free(&names);
    return KUBE_NOT_FOUND;
}

/* Appends the items to *services. */
static void take_services(const json_t *items, size_t kind, struct arena *arena, struct kube_service **services, size_t *count)
{
    struct kube_service *all = ARENA_ARRAY(arena, *count + json_array_size(items) + 1, struct kube_service);
    json_t *item;
    size_t k;
    if (*count > 0)
        memcpy(all, *services, *count * sizeof *all);
    json_array_foreach(items, k, item)
    {
        struct kube_service *service = &all[*count];
        fill(service, kind, item, arena);
        service->object = NULL;
        *count += kube_is_name(service->name);
    }
    *services = all;
}

enum kube_outcome kube_list_services(struct kube_client *client, const char *namespace, struct arena *arena, struct kube_service **services, size_t *count,
                                     struct error *err)
{
    *services = NULL;
    *count = 0;
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        const struct kube_resource resource = {GROUP, kinds[kind].version, kinds[kind].plural, namespace, NULL};
        json_t *items;
        enum kube_outcome outcome = kube_list(client, &resource, NULL, &items, err);
        if (outcome == KUBE_NOT_FOUND || (outcome == KUBE_FORBIDDEN && kind > 0)) /* a Role for the older kind alone is enough */
            continue;
        if (outcome != KUBE_OK)
            return outcome;
        take_services(items, kind, arena, services, count);
        json_decref(items);
    }
    return KUBE_OK;
}

static enum kube_outcome give_up(const struct kube_service *service, const char *namespace, const char *name, int64_t waited_ns, struct error *err)
{
    char waited[UNITS_TEXT_SIZE];
    error_set(err, ERROR_TARGET, "%s %s in namespace %s is not ready after %s: %s. --wait says how long to wait, --target names an address all the same",
              service->kind, name, namespace, units_format_duration(waited_ns, waited), service->ready ? "it has no address" : service->why_not);
    return KUBE_FAILED;
}

static bool end_watch(void *context, const char *type, const json_t *object)
{
    (void)context;
    (void)type;
    (void)object;
    return false;
}

/* Until something happens to the service; where watching is not permitted, a while. */
static void pause_until_change(const struct kube_waiting *waiting, const char *namespace, const char *name, const struct kube_service *service, int64_t end)
{
    const char *version = json_string_value(json_object_get(json_object_get(service->object, "metadata"), "resourceVersion"));
    int64_t now = clock_now(waiting->clock);
    for (size_t kind = 0; version && kind < KIND_COUNT; kind++) {
        const struct kube_resource resource = {GROUP, kinds[kind].version, kinds[kind].plural, namespace, name};
        if (strcmp(kinds[kind].kind, service->kind) == 0 &&
            kube_watch(waiting->client, &resource, version, now + WATCH_NS < end ? WATCH_NS : end - now, end_watch, NULL, NULL) == KUBE_OK) {
            clock_sleep_until(waiting->clock, now + PAUSE_LEAST_NS);
            return;
        }
    }
    clock_sleep_until(waiting->clock, now + PAUSE_NS < end ? now + PAUSE_NS : end);
}

enum kube_outcome kube_await_service(const struct kube_waiting *waiting, const char *namespace, const char *name, struct arena *arena,
                                     struct kube_service *service, struct error *err)
{
    const struct clock *clock = waiting->clock;
    int64_t started = clock_now(clock), end = started + waiting->wait_ns, told = started - TELL_EVERY_NS;
    for (;;) {
        enum kube_outcome outcome = kube_find_service(waiting->client, namespace, name, arena, service, err);
        int64_t now = clock_now(clock);
        if (outcome != KUBE_OK || (service->ready && service->url[0]))
            return outcome;
        if (now - told >= TELL_EVERY_NS) {
            log_info(waiting->log, "waiting for %s %s in namespace %s: %s", service->kind, name, namespace,
                     service->ready ? "it has no address" : service->why_not);
            told = now;
        }
        bool over = now >= end || *waiting->stop;
        if (!over)
            pause_until_change(waiting, namespace, name, service, end);
        json_decref(service->object);
        service->object = NULL;
        if (over)
            return give_up(service, namespace, name, now - started, err);
    }
}
