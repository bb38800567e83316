#include "record/workspace_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "record/run_lock.h"

#define REMOVED ".removed-"

static int remove_content(int folder, int depth);

/* A file, a link, or a folder with its content. -1 with errno. */
static int remove_entry(int folder, const char *name, int depth)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* POSIX has EPERM for a folder, Linux EISDIR */
        return -1;
    if (depth >= WORKSPACE_FOLDERS_MAX) {
        errno = ELOOP;
        return -1;
    }

    const int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return inner < 0 || remove_content(inner, depth + 1) < 0 ? -1 : unlinkat(folder, name, AT_REMOVEDIR);
}

/* Takes the descriptor over. */
static int remove_content(int folder, int depth)
{
    DIR *directory = fdopendir(folder);
    const struct dirent *entry;
    int result = 0;

    if (!directory) {
        const int reason = errno;

        close(folder);
        errno = reason;
        return -1;
    }
    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (result == 0 && (errno = 0, (entry = readdir(directory))))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = remove_entry(dirfd(directory), entry->d_name, depth);
    if (result == 0 && errno != 0)
        result = -1;

    const int reason = errno;

    closedir(directory);
    errno = reason;
    return result;
}

static int remove_tree(const char *path, struct error *err)
{
    if (remove_entry(AT_FDCWD, path, 0) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot remove %s", path);
    return 0;
}

/* A run that begins while we look has its lock by the time that the folder has another name, or does not find the folder. */
int workspace_remove(const char *parent, const char *id, bool *in_use, struct error *err)
{
    cleanup_free char *folder = file_join(parent, id);
    cleanup_free char *removed = mem_printf("%s/" REMOVED "%s", parent, id);

    *in_use = run_lock_is_held(folder);
    if (*in_use)
        return 0;
    if (remove_tree(removed, err) < 0)
        return -1;
    if (rename(folder, removed) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot remove %s", folder);
    *in_use = run_lock_is_held(removed);
    if (!*in_use)
        return remove_tree(removed, err);
    if (rename(removed, folder) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "a run began in %s while it was to be removed, and it cannot be put back from %s", folder,
                               removed);
    return 0;
}

int workspace_remove_leftovers(const char *parent, struct error *err)
{
    DIR *directory = opendir(parent);
    const struct dirent *entry;
    int result = 0;

    if (!directory)
        return errno == ENOENT ? 0 : error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the folder %s", parent);
    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (result == 0 && (entry = readdir(directory))) {
        cleanup_free char *path = file_join(parent, entry->d_name);

        if (strncmp(entry->d_name, REMOVED, strlen(REMOVED)) == 0)
            result = remove_tree(path, err);
    }
    closedir(directory);
    return result;
}
