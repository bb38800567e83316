/* Requests to one repository of a registry, with the credentials that it asks for (OCI distribution specification 1.1; Docker's token
 * specification; RFC 6750, RFC 7617).
 *
 * Nothing is sent before the registry asks: a 401 names Basic, or Bearer and who gives tokens. Then credentials are looked for where the usual tools
 * keep them: the file that REGISTRY_AUTH_FILE names; config.json in DOCKER_CONFIG or ~/.docker; containers/auth.json in XDG_RUNTIME_DIR, in
 * XDG_CONFIG_HOME or ~/.config. The first file that has some for this repository counts. No program is asked (credHelpers, credsStore):
 * nothing is executed. Without any, OpenShift's own registry gets the token of the pod's service account, over TLS alone; every other one is asked
 * for a token without credentials. They go to the registry, and to the token service that it names, and stand in no text. */
#ifndef ROIBENCH_SHIP_REGISTRY_H
#define ROIBENCH_SHIP_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "net/http_client.h"
#include "ship/destination.h"
#include "ship/registry_place.h"

struct registry;

/* actions: "pull", "pull,push". place and settings outlive it. ERROR_PUBLISH. For registry_close. */
struct registry *registry_open(const struct registry_place *place, const char *actions, const struct destination_settings *settings, struct error *err);
void registry_close(struct registry *registry);

struct registry_call {
    const char *method;
    const char *url;          /* whole; or path NULL: see below */
    const char *path;         /* "manifests/latest": behind /v2/<repository>/ */
    const char *accept;       /* NULL: anything */
    const char *content_type; /* NULL: none */
    const char *body;         /* of `length` bytes; NULL: none, or the archive of plan */
    uint64_t length;
    const struct archive_plan *plan;
    bool (*take)(void *context, const char *bytes, size_t length); /* as http_request has it */
    void *take_context;
};

/* Once, and once more when it was refused for want of (fresh) credentials. What came is left in *response (http_response_free it, also after -1).
 * -1: no answer, no credentials that the registry would take, or the archive could not be read. ERROR_PUBLISH; delivery (may be NULL) learns
 * whether trying again may help. */
int registry_call(struct registry *registry, const struct registry_call *call, struct http_response *response, struct delivery *delivery,
                  struct error *err);
/* A header of what came last; as http_client_header. */
const char *registry_header(const struct registry *registry, const char *name);

/* "<what>: HTTP 403: DENIED: the registry's words. What to do". ERROR_PUBLISH; returns -1. */
int registry_fail(const struct registry *registry, const char *what, const struct http_response *response, struct delivery *delivery, struct error *err);

#endif
