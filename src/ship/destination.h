/* Where an archive goes: a folder, or a server that takes a PUT.
 *
 * A destination is named by a URL. Its scheme picks a row of destinations.def;
 * a text without "scheme://" is a path. To add a destination, write
 * src/ship/destination_<name>.c with a `const struct destination
 * destination_<name>` and add one row.
 *
 * Beside the archive goes "<name>.sha256" in the format of sha256sum. What a
 * destination already holds under that name is not replaced unless `overwrite`
 * is set: the same content counts as delivered, other content is an error. */
#ifndef ROIBENCH_SHIP_DESTINATION_H
#define ROIBENCH_SHIP_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/http_client.h"
#include "ship/archive.h"

struct destination_settings {
    struct net_settings net;
    char *(*environment)(const char *name); /* getenv, or a test's own: where credentials are named as others name them */
    bool overwrite;
    int64_t stall_timeout_ns; /* of a transfer in which nothing moves */
};

/* What came of it. `to` is set by destination_put whatever came; free it with delivery_free. */
struct delivery {
    char *to;           /* where the archive is now (or was meant to be): a path, or a URL without secrets */
    bool already_there; /* with the same content */
    int status;         /* HTTP; 0: none */
    char etag[256];     /* "": none */
};

struct destination {
    /* Is `to` well-formed? Touches nothing. ERROR_USAGE. */
    int (*check)(const char *to, struct error *err);
    /* The folder on this machine that is meant; NULL: there is none. free() it. The member is NULL where there never is one. */
    char *(*folder)(const char *to);
    /* Where the archive will be, as it may be shown. free() it. */
    char *(*place)(const char *to, const char *name);
    /* ERROR_PUBLISH. delivery->to is already set. */
    int (*put)(const char *to, const struct archive_file *file, const struct destination_settings *settings,
               struct delivery *delivery, struct error *err);
};

/* ERROR_USAGE: an unknown scheme (the text names the known ones) or a malformed URL. */
int destination_check(const char *to, struct error *err);
/* The folder of this machine that `to`, which was checked, means; NULL: none. free() it. */
char *destination_folder(const char *to);
/* Delivers; ERROR_PUBLISH (or ERROR_USAGE as above) with a text that names the place. */
int destination_put(const char *to, const struct archive_file *file, const struct destination_settings *settings,
                    struct delivery *delivery, struct error *err);
void delivery_free(struct delivery *delivery);

#define DESTINATION(scheme, name) extern const struct destination destination_##name;
#include "ship/destinations.def"
#undef DESTINATION

#endif
