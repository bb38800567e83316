/* The manifest that makes an archive an artifact of a registry (OCI image specification 1.1, "Guidelines for Artifact Usage").
 *
 *     {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.roibench.run.v1",
 *      "config":{the empty one},"layers":[{"mediaType":"application/vnd.roibench.run.v1.tar+gzip","digest","size",
 *      "annotations":{"org.opencontainers.image.title":"<run-id>.tar.gz"}}],
 *      "annotations":{"org.opencontainers.image.created","…title","vnd.roibench.run","vnd.roibench.model","vnd.roibench.hardware"}}
 *
 * The same archive has the same manifest, so its digest tells whether a tag is this archive. created is when the run began. */
#ifndef ROIBENCH_SHIP_OCI_MANIFEST_H
#define ROIBENCH_SHIP_OCI_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "ship/archive.h"

#define OCI_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define OCI_MANIFEST_MAX ((size_t)4 << 20) /* what registries take at least */
#define OCI_DIGEST_SIZE (7 + 64 + 1)       /* "sha256:<hex>" */
#define OCI_EMPTY "{}"                     /* the config blob */
#define OCI_EMPTY_DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

/* Appends it to *out (OCI_MANIFEST_MAX suffices) and gives its digest. Models, runs and hardware are those of the plan.json's inside. ERROR_PUBLISH. */
int oci_manifest_make(const struct archive_plan *plan, struct buf *out, char *digest, struct error *err);
void oci_digest(const void *bytes, size_t length, char *digest);

struct oci_layer {
    char digest[OCI_DIGEST_SIZE];
    uint64_t size;
};
/* The archive of a manifest: its one layer of our kind, or else its only layer, be it a gzip. false: it has none, or it is no manifest. */
bool oci_manifest_read(const char *bytes, size_t length, struct oci_layer *layer);

#endif
