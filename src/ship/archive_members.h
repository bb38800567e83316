/* Inside of ship/: which files go into an archive, in which order. */
#ifndef ROIBENCH_SHIP_ARCHIVE_MEMBERS_H
#define ROIBENCH_SHIP_ARCHIVE_MEMBERS_H

#include "base/error.h"
#include "ship/archive.h"

struct archive_member {
    char *name; /* in the archive */
    char *path; /* on disk */
};

struct archive_members {
    struct archive_member *items; /* by name */
    size_t count, capacity;
    size_t folders_left_out;
};

int archive_members_find(struct archive_members *members, const struct archive_folder *folders, size_t count, struct error *err);
void archive_members_free(struct archive_members *members);

#endif
