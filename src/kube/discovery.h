/* Where a model is served: KServe's InferenceService, else LLMInferenceService, of that name. */
#ifndef ROIBENCH_KUBE_DISCOVERY_H
#define ROIBENCH_KUBE_DISCOVERY_H

#include "base/arena.h"
#include "base/log.h"
#include "base/stop.h"
#include "kube/client.h"

struct kube_service {
    const char *kind;      /* "InferenceService" or "LLMInferenceService" */
    const char *name;
    const char *url;       /* the address that it says it has; "" none */
    bool ready;
    const char *why_not;   /* in its own words, where it is not ready */
    json_t *object;        /* json_decref it */
};

/* Looks for it once. KUBE_NOT_FOUND lists in *err the services that are there, where that is permitted. Strings are the arena's. */
enum kube_outcome kube_find_service(struct kube_client *client, const char *namespace, const char *name, struct arena *arena,
                                    struct kube_service *service, struct error *err);

/* All of both kinds in a namespace, in *services, which are the arena's; without `object`. A kind that this cluster does not have has none.
 * KUBE_OK, or what the first listing that went wrong says. */
enum kube_outcome kube_list_services(struct kube_client *client, const char *namespace, struct arena *arena, struct kube_service **services, size_t *count,
                                     struct error *err);

struct kube_waiting {
    struct kube_client *client;
    const struct clock *clock;
    const struct log *log;
    const stop_flag *stop;
    int64_t wait_ns;
};

/* The same, until it is ready and has an address, for at most wait_ns; tells now and then what it waits for. At the end of that time
 * KUBE_FAILED with the service's own words. What is not found or forbidden is not waited for. */
enum kube_outcome kube_await_service(const struct kube_waiting *waiting, const char *namespace, const char *name, struct arena *arena,
                                     struct kube_service *service, struct error *err);

#endif
