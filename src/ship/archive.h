/* A tar.gz of run folders, the same bytes whenever and wherever it is made.
 *
 * pax format, members "<prefix>/<file>" sorted by name (bytes), times fixed by
 * the caller, owner 0, mode 0644, no date in the gzip header. Members that are
 * gzip already are stored in it, not squeezed twice. Only the flat
 * regular files of each folder: publish.json (the receipt, written afterwards)
 * and *.tmp are left out, subfolders are left out and counted, and a symbolic
 * link or a device makes the whole archive fail: what it points to was never
 * meant to leave the workspace.
 *
 * No copy of it is ever made: archive_plan_make goes over the files once to find
 * size and sha256 (a PUT needs the length before the first byte, and a destination
 * that already holds the archive is known by its sha256 without sending it), and
 * archive_stream_open makes the same bytes anew for each destination and each try.
 * A file that changed in between makes the stream fail before its last byte is
 * handed out. Memory: below 2 MB a stream, whatever the size. */
#ifndef ROIBENCH_SHIP_ARCHIVE_H
#define ROIBENCH_SHIP_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"

#define ARCHIVE_MEMBERS_MAX ((size_t)100000) /* files of one archive */

struct archive_folder {
    const char *path;
    const char *prefix; /* of its members: "<run-id>" */
};

/* plan.json and manifest.json are in all of them. */
enum archive_content {
    ARCHIVE_ALL,
    ARCHIVE_REPORTS, /* what a reader looks at: everything but the files that a run measures and sends */
    ARCHIVE_RECORDS, /* these files and no report */
};

struct archive_request {
    const struct archive_folder *folders;
    size_t folder_count;
    enum archive_content content;
    bool without_prompts;  /* nor prompts.jsonl.gz, data.jsonl, data.index */
    int64_t mtime;         /* of every member; realtime ns, cut to seconds */
    const char *name;      /* "<run-id>.tar.gz" */
    const stop_flag *stop; /* non-zero: give up; may be NULL; outlives the plan */
};

struct archive_member {
    char *name; /* in the archive */
    char *path; /* on disk */
};

/* What is in the archive, and what its bytes will be. Members may be read by anybody; one plan serves several threads. */
struct archive_plan {
    char *name;
    uint64_t size;
    char sha256[65];
    struct archive_member *members; /* by name */
    size_t member_count;
    size_t folders_left_out; /* subfolders that were there */
    int64_t mtime;
    const stop_flag *stop;
};

/* ERROR_PUBLISH: what the folders hold; ERROR_INTERNAL: the disk. On success *plan must be given to archive_plan_free. */
int archive_plan_make(const struct archive_request *request, struct archive_plan *plan, struct error *err);
void archive_plan_free(struct archive_plan *plan);

/* The archive's bytes in order, from its begin. A stream belongs to one thread; the plan must outlive it. */
struct archive_stream;
struct archive_stream *archive_stream_open(const struct archive_plan *plan);
/* Up to `size` bytes; 0: that was all of plan->size, and its sha256 is right; -1. ERROR_PUBLISH: a file changed; ERROR_INTERNAL: the disk. */
long archive_stream_read(struct archive_stream *stream, char *bytes, size_t size, struct error *err);
/* Passes over so many bytes (makes them, hands them to nobody), to go on where another stream was cut off. Errors as above. */
int archive_stream_skip(struct archive_stream *stream, uint64_t length, struct error *err);
void archive_stream_close(struct archive_stream *stream);

/* The line of `sha256sum`: "<hex>  <name>\n". free() it. */
char *archive_checksum_line(const struct archive_plan *plan);

#endif
