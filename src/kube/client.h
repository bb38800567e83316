/* The API of Kubernetes, as far as a load test needs it: get, list, create, watch; one request at a time.
 *
 * Who asks: in a pod, the service account's token. Its file is read again for every request, because the kubelet renews it; a client of
 * `kubectl proxy` has no token. The token travels in a header and stands in no error text.
 *
 * A request that the server cannot take now (429, 5xx, no connection) is made again, KUBE_TRIES times in all, after the time that the
 * server's Retry-After says or one that doubles from 0.2 s. A list comes in pages of KUBE_PAGE objects.
 *
 * Errors are ERROR_TARGET and name verb and resource; where the server forbids it, also the rule of a Role that would permit it. */
#ifndef ROIBENCH_KUBE_CLIENT_H
#define ROIBENCH_KUBE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"

#define KUBE_ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount" /* token, ca.crt, namespace: the same in every pod */
#define KUBE_TRIES 4
#define KUBE_PAGE 50
#define KUBE_LINE_MAX ((size_t)4 << 20)
#define KUBE_LIST_MAX 1000 /* objects of one list */

struct kube_settings {
    const char *url;        /* "https://10.96.0.1:443", without a path */
    const char *token_file; /* NULL: none is sent */
    const char *ca_file;    /* the cluster's CA and no other; NULL: the usual roots */
    const struct clock *clock;
    const stop_flag *stop; /* as in net_settings */
};

/* "https://<host>:<port>" of a pod's KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT; brackets around IPv6. free() it. */
char *kube_url(const char *host, const char *port);

/* Which objects. name NULL: all of them (list, create); namespace NULL: those that belong to none. */
struct kube_resource {
    const char *group;   /* "serving.kserve.io"; "": the core */
    const char *version; /* "v1" */
    const char *plural;  /* "inferenceservices" */
    const char *namespace, *name;
};

enum kube_outcome { KUBE_OK, KUBE_NOT_FOUND, KUBE_FORBIDDEN, KUBE_EXISTS, KUBE_FAILED };

struct kube_client;
/* Copies what it needs. NULL with *err: a file that cannot be read. */
struct kube_client *kube_client_new(const struct kube_settings *settings, struct error *err);
void kube_client_free(struct kube_client *client);

/* May this be an object's name (a DNS subdomain, RFC 1123)? What is not is not asked for. */
bool kube_is_name(const char *text);

/* *object is a new reference when the outcome is KUBE_OK; else *err is filled. KUBE_NOT_FOUND: no such object, or no such resource in
 * this cluster. KUBE_FORBIDDEN: 401 too. */
enum kube_outcome kube_get(struct kube_client *client, const struct kube_resource *resource, json_t **object, struct error *err);
/* *items is a new array of all pages together; labels: "a=b,c=d" or NULL. More than KUBE_LIST_MAX objects: KUBE_FAILED. */
enum kube_outcome kube_list(struct kube_client *client, const struct kube_resource *resource, const char *labels, json_t **items,
                            struct error *err);
/* Makes the object; *created is what the API made of it. A try is repeated only where the API cannot have taken it (429, no connection).
 * KUBE_EXISTS: there is one of that name. */
enum kube_outcome kube_create(struct kube_client *client, const struct kube_resource *resource, const json_t *object, json_t **created, struct error *err);

/* type: "ADDED", "MODIFIED", "DELETED"; object is borrowed. false ends the watch. */
typedef bool kube_event(void *context, const char *type, const json_t *object);
/* What happens to the object (name NULL: to all) after `version`, the metadata.resourceVersion that was read before, for at most wait_ns. KUBE_OK: the time is
 * over, or the event's function ended it. Is not tried again: whoever watches must look anew anyhow. Lines are KUBE_LINE_MAX long at most. */
enum kube_outcome kube_watch(struct kube_client *client, const struct kube_resource *resource, const char *version, int64_t wait_ns, kube_event *event,
                             void *context, struct error *err);

#endif
