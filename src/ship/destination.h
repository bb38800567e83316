/* Where an archive goes, and comes back from: a folder, or a server.
 *
 * A destination is named by a URL. Its scheme picks a row of destinations.def;
 * a text without "scheme://" is a path. To add a destination, write
 * src/ship/destination_<name>.c with a `const struct destination
 * destination_<name>` and add one row.
 *
 * Beside the archive goes "<name>.sha256" in the format of sha256sum, where there is a beside.
 * What a destination already holds under that name is not replaced unless `overwrite`
 * is set: the same content counts as delivered; beside other content the archive is put under a new name,
 * "<stem>.<first 12 digits of its sha256>.tar.gz"; where the URL names the archive itself that is an error. */
#ifndef ROIBENCH_SHIP_DESTINATION_H
#define ROIBENCH_SHIP_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/http_client.h"
#include "ship/archive.h"

enum s3_style { S3_STYLE_AUTO, S3_STYLE_PATH, S3_STYLE_VIRTUAL };

/* Keys and a connection that one call got, kept for the next one of the same thread and net settings; {0} at first, s3_kept_free (ship/s3_client.h). */
struct s3_kept {
    struct aws_credentials *credentials;
    struct http_client *client;
};

struct s3_settings {
    const char *endpoint, *region; /* NULL: as the environment and AWS's files say, else AWS's own (ship/s3_client.h) */
    enum s3_style style;           /* does the bucket stand in the path or in the host? */
    uint64_t part_size;            /* 0: S3_PART_SIZE */
    int parallel;                  /* parts at once; 0: S3_PARALLEL */
    struct s3_kept *kept;          /* NULL: each call gets its own */
};

/* What a put that was cut off needs to go on with, kept over the program's end by who calls: a text for each place (delivery->to). */
struct destination_memory {
    void *context;
    char *(*recall)(void *context, const char *place);                /* what was kept last; free() it. NULL: nothing */
    void (*keep)(void *context, const char *place, const char *text); /* NULL: there is nothing to go on with any more */
};

struct destination_settings {
    struct net_settings net;
    char *(*environment)(const char *name); /* getenv, or a test's own: where credentials are named as others name them */
    bool overwrite;
    bool verify;              /* read back what was put, where the destination has no way of its own to know */
    int retries;              /* further tries of a put that failed for a while */
    int64_t retry_wait_ns;    /* before the first retry where the server does not say; doubled each time. 0: a second */
    /* Told before each wait: what went wrong, and for how long. NULL: nobody is. */
    void (*before_retry)(void *context, const char *reason, int64_t wait_ns);
    void *before_retry_context;
    int64_t stall_timeout_ns; /* of a transfer in which nothing moves */
    struct s3_settings s3;
    struct destination_memory memory; /* no functions: nothing is kept */
};

/* What came of it. `to` is set by destination_put whatever came; free it with delivery_free. The rest is put's to fill. */
struct delivery {
    char *to;           /* where the archive is now (or was meant to be): a path, or a URL without secrets */
    bool already_there; /* with the same content */
    bool verified;      /* the destination told (or gave back) what it holds, and it is the archive */
    bool doubted;       /* what it told is not what it should be: read back, whatever the settings say */
    int status;         /* HTTP; 0: none */
    char etag[256];     /* "": none */
    int tries;          /* destination_put counts them */
    /* Of a put that failed: */
    bool other_content; /* the name is taken */
    bool passing;       /* trying again may help: 5xx, 429, a connection that broke */
    int64_t retry_after_ns; /* -1: the server did not say */
};

/* Takes bytes of what is fetched; -1 with *err ends it. */
typedef int (*destination_take)(void *context, const char *bytes, size_t length, struct error *err);

/* Takes what destination_objects.list finds; -1 with *err ends it. */
typedef int (*destination_note)(void *context, const char *name, const char *tag, struct error *err);

/* Small objects beside the archives: the receipts and pages of the index (ship/index.h). A name may have folders before it: "index/run-1.json". One try each. */
struct destination_objects {
    /* Where the object will be, as it may be shown; NULL: `to` names one archive or was signed for one, so that there is nothing beside it. free() it. */
    char *(*place)(const char *to, const char *name);
    /* Replaces it; readers see the old or the new one, whole. ERROR_PUBLISH. */
    int (*put)(const char *to, const char *name, const char *type, const void *bytes, size_t length, const struct destination_settings *settings,
               struct error *err);
    /* Appends it to *bytes, whose ceiling holds. There is none: *missing, and 0. ERROR_PUBLISH. */
    int (*get)(const char *to, const char *name, const struct destination_settings *settings, struct buf *bytes, bool *missing, struct error *err);
    /* All objects directly in `folder` ("index"), in any order: each one's name there, and a tag that is another whenever its bytes are (an
     * ETag), or "": not known. Whatever was put before this was called is among them. No folder: none. ERROR_PUBLISH. NULL: it cannot list. */
    int (*list)(const char *to, const char *folder, const struct destination_settings *settings, destination_note note, void *context,
                struct error *err);
};

struct destination {
    /* Is `to` well-formed? Touches nothing. ERROR_USAGE. */
    int (*check)(const char *to, struct error *err);
    /* The folder on this machine that is meant; NULL: there is none. free() it. The member is NULL where there never is one. */
    char *(*folder)(const char *to);
    /* Where the archive will be, as it may be shown. free() it. */
    char *(*place)(const char *to, const char *name);
    /* One try: looks what is there, sends what is missing (archive_stream_open as often as needed). ERROR_PUBLISH. delivery->to is already set,
     * ->retry_after_ns -1. What an earlier put left unfinished is completed where the protocol can. */
    int (*put)(const char *to, const struct archive_plan *plan, const struct destination_settings *settings,
               struct delivery *delivery, struct error *err);
    /* Gives the archive's bytes in order. name NULL: `to` is the archive itself; else it is what put() got as `to`, and name the plan's. sha256 (65
     * bytes, "" before) is filled where the destination knows what it should be. ERROR_PUBLISH. NULL: it gives nothing back. */
    int (*get)(const char *to, const char *name, const struct destination_settings *settings, destination_take take, void *context,
               char *sha256, struct error *err);
    const struct destination_objects *objects; /* NULL: it takes archives only */
};

/* ERROR_USAGE: an unknown scheme (the text names the known ones) or a malformed URL. */
int destination_check(const char *to, struct error *err);
/* The folder of this machine that `to`, which was checked, means; NULL: none. free() it. */
char *destination_folder(const char *to);
/* Delivers: tries again, takes a new name, verifies as the settings say. ERROR_PUBLISH (or ERROR_USAGE as above) with a text that names the place. */
int destination_put(const char *to, const struct archive_plan *plan, const struct destination_settings *settings,
                    struct delivery *delivery, struct error *err);
/* Fetches the archive at `from`; sha256 as in get(). ERROR_USAGE as above, ERROR_PUBLISH. */
int destination_get(const char *from, const struct destination_settings *settings, destination_take take, void *context, char *sha256,
                    struct error *err);
void delivery_free(struct delivery *delivery);
/* What `to`, which was checked, can keep beside the archives; NULL: nothing. */
const struct destination_objects *destination_objects_of(const char *to);

/* For the destinations: waits; false: a signal came first. */
bool destination_wait(int64_t wait_ns, const stop_flag *stop);
/* For the destinations: the digits at the begin of a line of sha256sum, lower case; false: there are none. hex holds 65. */
bool destination_read_checksum(const char *line, char *hex);

#define DESTINATION(scheme, name) extern const struct destination destination_##name;
#include "ship/destinations.def"
#undef DESTINATION

#endif
