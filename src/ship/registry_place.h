/* "oci://host[:port]/repository[:tag | @sha256:digest]", as the OCI distribution specification (1.1) names repositories and tags. */
#ifndef ROIBENCH_SHIP_REGISTRY_PLACE_H
#define ROIBENCH_SHIP_REGISTRY_PLACE_H

#include <stdbool.h>

#include "base/error.h"

#define OCI_TAG_MAX 128

struct registry_place {
    char *host;       /* with its port */
    char *base;       /* "https://host:port"; http for "oci+http://", and for this machine, as other tools have it */
    char *repository;
    char *tag;        /* NULL: not told */
    char *digest;     /* "sha256:<hex>"; NULL: not told */
};

/* ERROR_USAGE. On success for registry_place_free. */
int registry_place_parse(const char *to, struct registry_place *place, struct error *err);
void registry_place_free(struct registry_place *place);

/* The tag of an archive: its name without ".tar.gz"; what a tag cannot have becomes '-'. free() it. */
char *registry_place_tag_of(const char *name);
bool registry_place_is_digest(const char *text);

#endif
