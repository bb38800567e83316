/* A folder: "file:///path" (percent-encoded as RFC 8089 says) or a path as it is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "ship/destination.h"

#define COPY_SIZE ((size_t)256 << 10)

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place. -1: a % that no two digits follow, or %00. */
static int percent_decode(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }

        const int high = hex_value(at[1]), low = high < 0 ? -1 : hex_value(at[2]);

        if (low < 0 || high * 16 + low == 0)
            return -1;
        *to++ = (char)(high * 16 + low);
        at += 2;
    }
    *to = '\0';
    return 0;
}

/* The folder meant; NULL: malformed. free() it. */
static char *dir_folder(const char *to)
{
    const char *path = strstr(to, "://");

    if (!path)
        return *to ? mem_strdup(to) : NULL;
    path += 3;
    if (strncasecmp(path, "localhost/", 10) == 0)
        path += 9;
    if (*path != '/')
        return NULL;

    cleanup_free char *decoded = mem_strdup(path);

    return percent_decode(decoded) < 0 ? NULL : steal_pointer(&decoded);
}

static int dir_check(const char *to, struct error *err)
{
    cleanup_free char *folder = dir_folder(to);

    if (folder)
        return 0;
    return error_set(err, ERROR_USAGE, "'%.200s' names no folder: expected a path, or file:/// and an absolute path", to);
}

static char *dir_place(const char *to, const char *name)
{
    cleanup_free char *folder = dir_folder(to);
    size_t length = strlen(folder);

    while (length > 1 && folder[length - 1] == '/')
        folder[--length] = '\0';
    return file_join(strcmp(folder, "/") == 0 ? "" : folder, name);
}

static int copy_bytes(int from, int to, const struct destination_settings *settings)
{
    cleanup_free char *bytes = mem_alloc(COPY_SIZE);

    for (;;) {
        const ssize_t got = read(from, bytes, COPY_SIZE);

        if (settings->net.stop && *settings->net.stop) {
            errno = EINTR;
            return -1;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (int)got;
        for (ssize_t done = 0; done < got;) {
            const ssize_t written = write(to, bytes + done, (size_t)(got - done));

            if (written < 0 && errno != EINTR)
                return -1;
            done += written > 0 ? written : 0;
        }
    }
}

/* -1 with errno; then nothing stays. */
static int copy_file(const char *from, const char *to, const struct destination_settings *settings)
{
    cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
    const int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (out < 0)
        return -1;

    const int result = copy_bytes(in, out, settings) < 0 || fsync(out) < 0 ? errno : 0;

    if (close(out) < 0 || result != 0) {
        const int reason = result != 0 ? result : errno;

        unlink(to);
        errno = reason;
        return -1;
    }
    return 0;
}

static int sync_folder(const char *folder)
{
    cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -1 : fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP ? -1 : 0;
}

/* A copy, never a second name for the same bytes: two destinations must not change together. The final name appears at once. */
static int place_file(const struct archive_file *file, const char *folder, const char *path,
                      const struct destination_settings *settings, struct error *err)
{
    uint64_t random = 0;

    random_bytes(&random, sizeof random);

    cleanup_free char *temporary = mem_printf("%s.%016" PRIx64 ".tmp", path, random);

    if (copy_file(file->path, temporary, settings) < 0)
        return error_set_errno(err, ERROR_PUBLISH, errno, "cannot write %s", temporary);
    if (rename(temporary, path) < 0) {
        const int reason = errno;

        unlink(temporary);
        return error_set_errno(err, ERROR_PUBLISH, reason, "cannot write %s", path);
    }
    return sync_folder(folder) < 0 ? error_set_errno(err, ERROR_PUBLISH, errno, "cannot write the folder %s", folder) : 0;
}

/* 1: the same archive is there; 0: nothing is there, or it may be replaced; -1. */
static int look(const char *path, const struct archive_file *file, bool overwrite, struct error *err)
{
    struct stat status;
    unsigned long long size;
    char sha256[65];

    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, ERROR_PUBLISH, errno, "cannot look at %s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_PUBLISH, "%s is there already, and is no regular file. Remove it", path);
    if ((uint64_t)status.st_size == file->size) {
        if (file_sha256(path, sha256, &size, err) < 0)
            return -1;
        if (strcmp(sha256, file->sha256) == 0)
            return 1;
    }
    if (overwrite)
        return 0;
    return error_set(err, ERROR_PUBLISH, "%s is there already with other content. Give --overwrite to replace it", path);
}

static int write_checksum(const struct archive_file *file, const char *path, struct error *err)
{
    cleanup_free char *beside = mem_printf("%s.sha256", path);
    cleanup_free char *line = archive_checksum_line(file);

    return file_write_atomic(beside, line, strlen(line), err);
}

static int dir_put(const char *to, const struct archive_file *file, const struct destination_settings *settings,
                   struct delivery *delivery, struct error *err)
{
    cleanup_free char *folder = dir_folder(to);

    if (file_make_folder(folder, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);

    const int found = look(delivery->to, file, settings->overwrite, err);

    if (found < 0 || (found == 0 && place_file(file, folder, delivery->to, settings, err) < 0) ||
        write_checksum(file, delivery->to, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    delivery->already_there = found == 1;
    return 0;
}

const struct destination destination_dir = {.check = dir_check, .folder = dir_folder, .place = dir_place, .put = dir_put};
