/* A tar.gz of run folders, the same bytes whenever and wherever it is made.
 *
 * pax format, members "<prefix>/<file>" sorted by name (bytes), times fixed by
 * the caller, owner 0, mode 0644, no date in the gzip header. Only the flat
 * regular files of each folder: publish.json (the receipt, written afterwards)
 * and *.tmp are left out, subfolders are left out and counted, and a symbolic
 * link or a device makes the whole archive fail: what it points to was never
 * meant to leave the workspace.
 *
 * The archive is made once, as a temporary file, before it is sent anywhere:
 * several destinations get the same bytes, an HTTP PUT needs the length before
 * the first byte, and a destination that already holds the archive is known by
 * its sha256 without sending it. */
#ifndef ROIBENCH_SHIP_ARCHIVE_H
#define ROIBENCH_SHIP_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"

#define ARCHIVE_MEMBERS_MAX ((size_t)100000) /* files of one archive */

struct archive_folder {
    const char *path;
    const char *prefix; /* of its members: "<run-id>" */
};

struct archive_request {
    const struct archive_folder *folders;
    size_t folder_count;
    int64_t mtime;           /* of every member; realtime ns, cut to seconds */
    const char *name;        /* "<run-id>.tar.gz" */
    const char *temporary;   /* folder for the file until archive_file_free; exists */
    const stop_flag *stop; /* non-zero: give up; may be NULL */
};

struct archive_file {
    char *path; /* where the bytes are: a temporary name */
    char *name;
    uint64_t size;
    char sha256[65];
    size_t members;
    size_t folders_left_out; /* subfolders that were there */
};

/* ERROR_PUBLISH: what the folders hold; ERROR_INTERNAL: the disk. On success *file must be given to archive_file_free. */
int archive_create(const struct archive_request *request, struct archive_file *file, struct error *err);
/* Removes the temporary file. */
void archive_file_free(struct archive_file *file);

/* The line of `sha256sum`: "<hex>  <name>\n". free() it. */
char *archive_checksum_line(const struct archive_file *file);

#endif
