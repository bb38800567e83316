#include "ship/oci_manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "ship/registry_place.h"

#define RUN_TYPE "application/vnd.roibench.run.v1"
#define COMPARISON_TYPE "application/vnd.roibench.comparison.v1"
#define ARCHIVE_SUFFIX ".tar+gzip"
#define FACTS_MAX ((size_t)4 << 10) /* of an annotation */

/* What the runs inside have in common, and in what they differ: each text once, with ", " between. */
struct oci_facts {
    struct buf runs, models, hardware;
    bool is_comparison;
};

static void facts_free(struct oci_facts *facts)
{
    buf_free(&facts->runs);
    buf_free(&facts->models);
    buf_free(&facts->hardware);
}

static void add_fact(struct buf *list, const char *text)
{
    const size_t length = strlen(text);

    if (length == 0)
        return;
    for (const char *at = buf_text(list); (at = strstr(at, text)) != NULL; at++) {
        const bool begins = at == list->data || at[-1] == ' ', ends = at[length] == '\0' || at[length] == ',';

        if (begins && ends)
            return;
    }
    if (list->len + length + 2 <= list->max)
        buf_printf(list, "%s%s", list->len ? ", " : "", text);
}

/* base_name of a member "<prefix>/<file>" */
static bool is_file(const struct archive_member *member, const char *file)
{
    const char *slash = strrchr(member->name, '/');

    return slash && strcmp(slash + 1, file) == 0;
}

static int read_plan(const char *path, struct oci_facts *facts, struct error *err)
{
    struct json_reader reader;
    json_t *document = json_open(&reader, path, "roibench/plan/v1", err);

    if (!document)
        return -1;

    const json_t *deployment = json_get_object_or_null(&reader, document, "deployment");

    add_fact(&facts->runs, json_get_text_or(&reader, document, "run_id", ""));
    add_fact(&facts->models, json_get_text_or(&reader, document, "model", ""));
    if (deployment)
        add_fact(&facts->hardware, json_get_text_or(&reader, deployment, "hardware", ""));
    json_decref(document);
    return reader.failed ? -1 : 0;
}

static int find_facts(const struct archive_plan *plan, struct oci_facts *facts, struct error *err)
{
    for (size_t k = 0; k < plan->member_count; k++) {
        const struct archive_member *member = &plan->members[k];

        facts->is_comparison = facts->is_comparison || is_file(member, "comparison.json");
        if (is_file(member, "plan.json") && read_plan(member->path, facts, err) < 0)
            return error_reclass(err, ERROR_PUBLISH);
    }
    return 0;
}

void oci_digest(const void *bytes, size_t length, char *digest)
{
    char hex[65];

    file_sha256_bytes(bytes, length, hex);
    snprintf(digest, OCI_DIGEST_SIZE, "sha256:%s", hex);
}

static void add_descriptor(json_t *object, const char *type, const char *digest, uint64_t size)
{
    json_set_text(object, "mediaType", type);
    json_set_text(object, "digest", digest);
    json_set_integer(object, "size", (int64_t)size);
}

static void add_annotation(json_t *annotations, const char *key, const char *text)
{
    if (*text)
        json_set_text(annotations, key, text);
}

static void add_annotations(json_t *manifest, const struct archive_plan *plan, const struct oci_facts *facts)
{
    char date[CLOCK_RFC3339_SIZE];
    cleanup_free char *title = registry_place_tag_of(plan->name);
    json_t *annotations = json_add_object(manifest, "annotations");

    json_set_text(annotations, "org.opencontainers.image.created", clock_format_rfc3339(plan->mtime, 0, date));
    json_set_text(annotations, "org.opencontainers.image.title", title);
    add_annotation(annotations, "vnd.roibench.run", buf_text(&facts->runs));
    add_annotation(annotations, "vnd.roibench.model", buf_text(&facts->models));
    add_annotation(annotations, "vnd.roibench.hardware", buf_text(&facts->hardware));
}

int oci_manifest_make(const struct archive_plan *plan, struct buf *out, char *digest, struct error *err)
{
    __attribute__((cleanup(facts_free))) struct oci_facts facts = {BUF_INIT(FACTS_MAX), BUF_INIT(FACTS_MAX), BUF_INIT(FACTS_MAX), false};
    char archive[OCI_DIGEST_SIZE];

    if (find_facts(plan, &facts, err) < 0)
        return -1;
    snprintf(archive, sizeof archive, "sha256:%s", plan->sha256);

    json_t *manifest = json_object();

    json_set_integer(manifest, "schemaVersion", 2);
    json_set_text(manifest, "mediaType", OCI_MANIFEST_TYPE);
    json_set_text(manifest, "artifactType", facts.is_comparison ? COMPARISON_TYPE : RUN_TYPE);
    add_descriptor(json_add_object(manifest, "config"), "application/vnd.oci.empty.v1+json", OCI_EMPTY_DIGEST, strlen(OCI_EMPTY));

    json_t *layer = json_object();

    json_array_append_new(json_add_array(manifest, "layers"), layer);
    add_descriptor(layer, facts.is_comparison ? COMPARISON_TYPE ARCHIVE_SUFFIX : RUN_TYPE ARCHIVE_SUFFIX, archive, plan->size);
    json_set_text(json_add_object(layer, "annotations"), "org.opencontainers.image.title", plan->name);
    add_annotations(manifest, plan, &facts);
    json_append_compact(manifest, out);
    json_decref(manifest);
    oci_digest(buf_text(out), out->len, digest);
    return 0;
}

/* ---- reading ---- */

static bool ends_in(const char *text, const char *end)
{
    const size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool read_layer(const json_t *layer, const char *end, struct oci_layer *found)
{
    const char *type = json_string_value(json_object_get(layer, "mediaType")), *digest = json_string_value(json_object_get(layer, "digest"));
    const json_int_t size = json_integer_value(json_object_get(layer, "size"));

    if (!type || !digest || !ends_in(type, end) || !registry_place_is_digest(digest) || size <= 0)
        return false;
    snprintf(found->digest, sizeof found->digest, "%s", digest);
    found->size = (uint64_t)size;
    return true;
}

bool oci_manifest_read(const char *bytes, size_t length, struct oci_layer *layer)
{
    json_t *document = json_loadb(bytes, length, 0, NULL);
    const json_t *layers = json_object_get(document, "layers"), *one;
    bool found = false;
    size_t k;

    *layer = (struct oci_layer){0};
    json_array_foreach(layers, k, one) {
        found = read_layer(one, RUN_TYPE ARCHIVE_SUFFIX, layer) || read_layer(one, COMPARISON_TYPE ARCHIVE_SUFFIX, layer);
        if (found)
            break;
    }
    if (!found && json_array_size(layers) == 1)
        found = read_layer(json_array_get(layers, 0), "gzip", layer);
    json_decref(document);
    return found;
}
