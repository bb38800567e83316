#include "ship/archive_members.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

static bool is_left_out(const char *name)
{
    const size_t length = strlen(name);

    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "publish.json") == 0 ||
           (length > 4 && strcmp(name + length - 4, ".tmp") == 0);
}

static int members_add(struct archive_members *members, const struct archive_folder *folder, const char *name, struct error *err)
{
    if (members->count == ARCHIVE_MEMBERS_MAX)
        return error_set(err, ERROR_PUBLISH, "more than %zu files to archive: %s is no folder of a run", ARCHIVE_MEMBERS_MAX,
                         folder->path);
    MEM_GROW(members->items, members->capacity, members->count + 1);
    members->items[members->count++] =
        (struct archive_member){.name = file_join(folder->prefix, name), .path = file_join(folder->path, name)};
    return 0;
}

static int members_look_at(struct archive_members *members, const struct archive_folder *folder, int fd, const char *name,
                           struct error *err)
{
    struct stat status;

    if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s/%s", folder->path, name);
    if (S_ISREG(status.st_mode))
        return members_add(members, folder, name, err);
    if (S_ISDIR(status.st_mode)) {
        members->folders_left_out++;
        return 0;
    }
    return error_set(err, ERROR_PUBLISH, "%s/%s is %s: only regular files are published. Remove it, or replace it by a copy",
                     folder->path, name, S_ISLNK(status.st_mode) ? "a symbolic link" : "no regular file");
}

static int members_read_folder(struct archive_members *members, const struct archive_folder *folder, DIR *directory,
                               struct error *err)
{
    const struct dirent *entry;

    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (errno = 0, (entry = readdir(directory))) {
        if (!is_left_out(entry->d_name) && members_look_at(members, folder, dirfd(directory), entry->d_name, err) < 0)
            return -1;
    }
    if (errno != 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the folder %s", folder->path);
    return 0;
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const struct archive_member *)a)->name, ((const struct archive_member *)b)->name);
}

static DIR *open_folder(const char *path, struct error *err)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode)) {
        error_set(err, ERROR_PUBLISH, "%s is a symbolic link: only folders that lie in the workspace are published", path);
        return NULL;
    }

    DIR *directory = opendir(path);

    if (!directory)
        error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the folder %s", path);
    return directory;
}

int archive_members_find(struct archive_members *members, const struct archive_folder *folders, size_t count, struct error *err)
{
    for (size_t k = 0; k < count; k++) {
        DIR *directory = open_folder(folders[k].path, err);

        if (!directory)
            return -1;

        const int result = members_read_folder(members, &folders[k], directory, err);

        closedir(directory);
        if (result < 0)
            return -1;
    }
    if (members->count == 0)
        return error_set(err, ERROR_PUBLISH, "%s holds no files: nothing to publish", count ? folders[0].path : "no folder");
    qsort(members->items, members->count, sizeof *members->items, compare_members);
    return 0;
}

void archive_members_free(struct archive_members *members)
{
    for (size_t k = 0; k < members->count; k++) {
        free(members->items[k].name);
        free(members->items[k].path);
    }
    free(members->items);
    *members = (struct archive_members){0};
}
