/* A registry of containers, which keeps any artifact: the cluster's own keeps results beside images.
 *
 * Order: the manifest of the tag is asked for (is it there already?), then blobs that the registry does not have yet are sent, whole (POST, then PUT
 * with their digest, which the registry checks), and last the manifest, which makes them visible at once and whole. What breaks off in
 * between leaves blobs that the next publish does not send again. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ship/answer.h"
#include "ship/destination.h"
#include "ship/oci_manifest.h"
#include "ship/registry.h"
#include "ship/registry_place.h"

#define REDIRECTS_MAX 5

CLEANUP_DEFINE(struct registry, registry_close)

#define cleanup_response __attribute__((cleanup(http_response_free)))
#define cleanup_place __attribute__((cleanup(registry_place_free)))

struct oci_push {
    struct registry *registry;
    const struct registry_place *place;
    const struct archive_plan *plan;
    const struct destination_settings *settings;
    struct delivery *delivery;
    const char *tag;
    struct buf manifest;
    char digest[OCI_DIGEST_SIZE];  /* of the manifest */
    char archive[OCI_DIGEST_SIZE]; /* of the one blob that matters */
};

struct oci_blob {
    const char *digest;
    uint64_t size;
    const char *bytes; /* NULL: the archive's */
};

static int oci_check(const char *to, struct error *err)
{
    cleanup_place struct registry_place place;

    return registry_place_parse(to, &place, err);
}

static char *oci_place(const char *to, const char *name)
{
    cleanup_place struct registry_place place = {0};

    if (registry_place_parse(to, &place, NULL) < 0)
        return mem_strdup("oci://");

    cleanup_free char *tag = place.tag ? mem_strdup(place.tag) : registry_place_tag_of(name);

    return mem_printf("%.*s://%s/%s%s%s", (int)(strstr(to, "://") - to), to, place.host, place.repository, place.digest ? "@" : ":",
                      place.digest ? place.digest : tag);
}

/* ---- what is there ---- */

static int get_manifest(struct registry *registry, const char *reference, struct http_response *response, struct delivery *delivery, struct error *err)
{
    cleanup_free char *path = mem_printf("manifests/%s", reference);
    const struct registry_call call = {.method = "GET", .path = path, .accept = OCI_MANIFEST_TYPE};

    return registry_call(registry, &call, response, delivery, err);
}

/* 1: the registry has the blob (a redirect to where it is counts); 0; -1. */
static int has_blob(struct oci_push *push, const struct oci_blob *blob, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *path = mem_printf("blobs/%s", blob->digest);
    cleanup_free char *what = mem_printf("%s: asking for %s", push->delivery->to, blob->digest);
    const struct registry_call call = {.method = "HEAD", .path = path};

    if (registry_call(push->registry, &call, &response, push->delivery, err) < 0)
        return -1;
    if (response.status == 404 || response.status == 405)
        return 0;
    if (response.status != 200 && response.status / 100 != 3)
        return registry_fail(push->registry, what, &response, push->delivery, err);
    if (response.status == 200 && response.content_length >= 0 && (uint64_t)response.content_length != blob->size)
        return error_set(err, ERROR_PUBLISH, "%s: %llu bytes instead of %llu", what, (unsigned long long)response.content_length,
                         (unsigned long long)blob->size);
    push->delivery->verified = response.status == 200 && response.content_length >= 0;
    return 1;
}

/* 1: the tag is this archive; 0: there is no such tag, or it may be moved; -1. */
static int look(struct oci_push *push, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *what = mem_printf("%s: asking what is there", push->delivery->to);
    struct oci_layer layer;

    if (get_manifest(push->registry, push->tag, &response, push->delivery, err) < 0)
        return -1;
    if (response.status == 404)
        return 0;
    if (response.status != 200)
        return registry_fail(push->registry, what, &response, push->delivery, err);

    const bool same = oci_manifest_read(buf_text(&response.body), response.body.len, &layer) && strcmp(layer.digest, push->archive) == 0;

    if (!same && push->settings->overwrite)
        return 0;
    push->delivery->other_content = !same;
    if (!same)
        return error_set(err, ERROR_PUBLISH, "%s is there already, with other content. Give --overwrite to move the tag", push->delivery->to);
    push->delivery->status = response.status;
    oci_digest(buf_text(&response.body), response.body.len, push->delivery->etag);
    return has_blob(push, &(struct oci_blob){push->archive, push->plan->size, NULL}, err);
}

/* ---- pushing ---- */

/* Where the blob is to be put: the Location of an upload that was begun. free() it; NULL with *err. */
static char *begin_upload(struct oci_push *push, const char *digest, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *what = mem_printf("%s: beginning an upload", push->delivery->to);
    cleanup_free char *here = mem_printf("%s/v2/%s/blobs/uploads/", push->place->base, push->place->repository);
    const struct registry_call call = {.method = "POST", .url = here};

    if (registry_call(push->registry, &call, &response, push->delivery, err) < 0)
        return NULL;
    if (response.status != 202) {
        registry_fail(push->registry, what, &response, push->delivery, err);
        return NULL;
    }

    const char *location = registry_header(push->registry, "Location");
    cleanup_free char *url = location ? http_url_resolve(here, location) : NULL;

    if (!url) {
        error_set(err, ERROR_PUBLISH, "%s: HTTP 202, but no Location that tells where to", what);
        return NULL;
    }
    if (http_url_is_https(here) && !http_url_is_https(url)) {
        error_set(err, ERROR_PUBLISH, "%s: the registry wants the bytes without TLS. Does a proxy before it not tell it X-Forwarded-Proto?", what);
        return NULL;
    }
    return mem_printf("%s%cdigest=%s", url, strchr(url, '?') ? '&' : '?', digest);
}

static int send_blob(struct oci_push *push, const struct oci_blob *blob, struct error *err)
{
    cleanup_free char *url = begin_upload(push, blob->digest, err);
    cleanup_free char *what = mem_printf("%s: sending %s", push->delivery->to, blob->digest);
    cleanup_response struct http_response response = {0};
    const struct registry_call call = {.method = "PUT", .url = url, .content_type = "application/octet-stream", .body = blob->bytes,
                                       .length = blob->size, .plan = blob->bytes ? NULL : push->plan};

    if (!url || registry_call(push->registry, &call, &response, push->delivery, err) < 0)
        return -1;
    if (response.status != 201)
        return registry_fail(push->registry, what, &response, push->delivery, err);

    const char *digest = registry_header(push->registry, "Docker-Content-Digest");

    if (digest && strcmp(digest, blob->digest) != 0)
        return error_set(err, ERROR_PUBLISH, "%s: the registry has %.80s instead", what, digest);
    push->delivery->verified = digest != NULL;
    return 0;
}

static int push_blob(struct oci_push *push, const struct oci_blob *blob, struct error *err)
{
    const int found = has_blob(push, blob, err);

    if (found != 0)
        return found < 0 ? -1 : 0;
    return send_blob(push, blob, err);
}

static int confirm_manifest(struct oci_push *push, struct error *err)
{
    cleanup_response struct http_response response = {0};
    char digest[OCI_DIGEST_SIZE];

    if (get_manifest(push->registry, push->tag, &response, push->delivery, err) < 0)
        return -1;
    oci_digest(buf_text(&response.body), response.body.len, digest);
    if (response.status == 200 && strcmp(digest, push->digest) == 0)
        return 0;
    return error_set(err, ERROR_PUBLISH, "%s: HTTP %d, and not the manifest that was just put there. Publish again", push->delivery->to, response.status);
}

static int put_manifest(struct oci_push *push, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *path = mem_printf("manifests/%s", push->tag);
    cleanup_free char *what = mem_printf("%s: sending the manifest", push->delivery->to);
    const struct registry_call call = {.method = "PUT", .path = path, .content_type = OCI_MANIFEST_TYPE, .body = buf_text(&push->manifest),
                                       .length = push->manifest.len};

    if (registry_call(push->registry, &call, &response, push->delivery, err) < 0)
        return -1;
    push->delivery->status = response.status;
    if (response.status != 201)
        return registry_fail(push->registry, what, &response, push->delivery, err);

    const char *digest = registry_header(push->registry, "Docker-Content-Digest");

    memcpy(push->delivery->etag, push->digest, sizeof push->digest);
    return digest && strcmp(digest, push->digest) == 0 ? 0 : confirm_manifest(push, err);
}

static int push_all(struct oci_push *push, struct error *err)
{
    const int found = look(push, err);

    if (found != 0) {
        push->delivery->already_there = found == 1;
        return found == 1 ? 0 : -1;
    }
    if (push_blob(push, &(struct oci_blob){OCI_EMPTY_DIGEST, strlen(OCI_EMPTY), OCI_EMPTY}, err) < 0 ||
        push_blob(push, &(struct oci_blob){push->archive, push->plan->size, NULL}, err) < 0)
        return -1;
    return put_manifest(push, err);
}

static int oci_put(const char *to, const struct archive_plan *plan, const struct destination_settings *settings, struct delivery *delivery,
                   struct error *err)
{
    cleanup_place struct registry_place place = {0};
    struct oci_push push = {.place = &place, .plan = plan, .settings = settings, .delivery = delivery, .manifest = BUF_INIT(OCI_MANIFEST_MAX)};

    if (registry_place_parse(to, &place, err) < 0)
        return -1;
    if (place.digest)
        return error_set(err, ERROR_PUBLISH, "%s: nothing is put under a digest of one's choice. Give a tag, or none", delivery->to);

    cleanup_with(registry_close) struct registry *registry = registry_open(&place, "pull,push", settings, err);
    cleanup_free char *tag = place.tag ? mem_strdup(place.tag) : registry_place_tag_of(plan->name);

    if (!registry)
        return -1;
    push.registry = registry;
    push.tag = tag;
    snprintf(push.archive, sizeof push.archive, "sha256:%s", plan->sha256);

    const int result = oci_manifest_make(plan, &push.manifest, push.digest, err) < 0 ? -1 : push_all(&push, err);

    buf_free(&push.manifest);
    return result;
}

/* ---- back ---- */

struct oci_taking {
    destination_take take;
    void *context;
    struct error err; /* of the taker */
};

static bool take_bytes(void *context, const char *bytes, size_t length)
{
    struct oci_taking *taking = context;

    return taking->take(taking->context, bytes, length, &taking->err) == 0;
}

/* Registries often send to a store of objects, by a URL that needs no credentials of theirs. */
static int get_blob(struct registry *registry, const char *shown, const struct oci_layer *layer, struct oci_taking *taking, struct error *err)
{
    cleanup_free char *path = mem_printf("blobs/%s", layer->digest);
    cleanup_free char *what = mem_printf("%s: fetching %s", shown, layer->digest);
    cleanup_free char *elsewhere = NULL;

    for (int k = 0; k <= REDIRECTS_MAX; k++) {
        cleanup_response struct http_response response = {0};
        const struct registry_call call = {.method = "GET", .path = elsewhere ? NULL : path, .url = elsewhere, .take = take_bytes, .take_context = taking};

        if (registry_call(registry, &call, &response, NULL, err) < 0)
            return -1;
        if (taking->err.class != ERROR_NONE) {
            if (err)
                *err = taking->err;
            return -1;
        }
        if (response.status == 200)
            return 0;
        if (response.status / 100 != 3 || !*response.location || k == REDIRECTS_MAX)
            return registry_fail(registry, what, &response, NULL, err);
        free(elsewhere);
        elsewhere = mem_strdup(response.location);
    }
    return -1;
}

static int find_layer(struct registry *registry, const char *shown, const char *reference, struct oci_layer *layer, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *what = mem_printf("%s: fetching the manifest", shown);
    char digest[OCI_DIGEST_SIZE];

    if (get_manifest(registry, reference, &response, NULL, err) < 0)
        return -1;
    if (response.status != 200)
        return registry_fail(registry, what, &response, NULL, err);
    oci_digest(buf_text(&response.body), response.body.len, digest);
    if (registry_place_is_digest(reference) && strcmp(reference, digest) != 0)
        return error_set(err, ERROR_PUBLISH, "%s: the registry gives another manifest, with %s", shown, digest);
    if (oci_manifest_read(buf_text(&response.body), response.body.len, layer))
        return 0;
    return error_set(err, ERROR_PUBLISH, "%s is no archive of roibench: its manifest has no such layer", shown);
}

static int oci_get(const char *to, const char *name, const struct destination_settings *settings, destination_take take, void *context,
                   char *sha256, struct error *err)
{
    cleanup_place struct registry_place place = {0};
    struct oci_taking taking = {.take = take, .context = context};
    struct oci_layer layer;

    if (registry_place_parse(to, &place, err) < 0)
        return -1;

    cleanup_free char *reference = place.digest ? mem_strdup(place.digest) : place.tag ? mem_strdup(place.tag) : name ? registry_place_tag_of(name) : NULL;

    if (!reference)
        return error_set(err, ERROR_USAGE, "%s: which archive? Give oci://registry/repository:tag", to);

    cleanup_free char *shown = oci_place(to, name ? name : "");
    cleanup_with(registry_close) struct registry *registry = registry_open(&place, "pull", settings, err);

    if (!registry || find_layer(registry, shown, reference, &layer, err) < 0)
        return -1;
    memcpy(sha256, layer.digest + strlen("sha256:"), 65);
    return get_blob(registry, shown, &layer, &taking, err);
}

const struct destination destination_oci = {.check = oci_check, .place = oci_place, .put = oci_put, .get = oci_get};
