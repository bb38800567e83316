/* A folder: "file:///path" (percent-encoded as RFC 8089 says) or a path as it is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "ship/destination.h"

#define COPY_SIZE ((size_t)256 << 10)
#define CHECKSUM_FILE_MAX ((size_t)4096)

CLEANUP_DEFINE(struct archive_stream, archive_stream_close)

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

static int write_bytes(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t written = write(fd, bytes, length);

        if (written < 0 && errno != EINTR)
            return -1;
        bytes += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static int fail_write(const char *path, int reason, struct error *err)
{
    const bool full = reason == ENOSPC || reason == EDQUOT;

    return error_set(err, ERROR_PUBLISH, "cannot write %s: %s%s", path, strerrordesc_np(reason), full ? ". Free some space there" : "");
}

static int write_stream(int fd, struct archive_stream *stream, const char *path, struct error *err)
{
    cleanup_free char *bytes = mem_alloc(COPY_SIZE);
    long got;

    while ((got = archive_stream_read(stream, bytes, COPY_SIZE, err)) > 0) {
        if (write_bytes(fd, bytes, (size_t)got) < 0)
            return fail_write(path, errno, err);
    }
    return got < 0 ? -1 : 0;
}

/* When it fails, nothing stays. */
static int write_archive(const struct archive_plan *plan, const char *path, struct error *err)
{
    cleanup_with(archive_stream_close) struct archive_stream *stream = archive_stream_open(plan);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return fail_write(path, errno, err);

    int result = write_stream(fd, stream, path, err);

    if (result == 0 && fsync(fd) < 0)
        result = fail_write(path, errno, err);
    if (close(fd) < 0 && result == 0)
        result = fail_write(path, errno, err);
    if (result < 0)
        unlink(path);
    return result;
}

static int sync_folder(const char *folder)
{
    cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -1 : fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP ? -1 : 0;
}

/* The final name appears at once. */
static int place_archive(const struct archive_plan *plan, const char *folder, const char *path, struct error *err)
{
    cleanup_free char *temporary = file_temporary_name(path);

    if (write_archive(plan, temporary, err) < 0)
        return -1;
    if (rename(temporary, path) < 0) {
        const int reason = errno;

        unlink(temporary);
        return error_set_errno(err, ERROR_PUBLISH, reason, "cannot write %s", path);
    }
    return sync_folder(folder) < 0 ? error_set_errno(err, ERROR_PUBLISH, errno, "cannot write the folder %s", folder) : 0;
}

/* 1: the same archive is there; 0: nothing is there, or it may be replaced; -1. */
static int look(const char *path, const struct archive_plan *plan, bool overwrite, struct delivery *delivery, struct error *err)
{
    struct stat status;
    unsigned long long size;
    char sha256[65];

    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, ERROR_PUBLISH, errno, "cannot look at %s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_PUBLISH, "%s is there already, and is no regular file. Remove it", path);
    if ((uint64_t)status.st_size == plan->size) {
        if (file_sha256(path, sha256, &size, err) < 0)
            return -1;
        if (strcmp(sha256, plan->sha256) == 0)
            return 1;
    }
    if (overwrite)
        return 0;
    delivery->other_content = true;
    return error_set(err, ERROR_PUBLISH, "%s is there already with other content. Give --overwrite to replace it", path);
}

static int write_checksum(const struct archive_plan *plan, const char *path, struct error *err)
{
    cleanup_free char *beside = mem_printf("%s.sha256", path);
    cleanup_free char *line = archive_checksum_line(plan);

    return file_write_atomic(beside, line, strlen(line), err);
}

static int dir_put(const char *to, const struct archive_plan *plan, const struct destination_settings *settings,
                   struct delivery *delivery, struct error *err)
{
    cleanup_free char *folder = dir_folder(to);

    if (file_make_folder(folder, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);

    const int found = look(delivery->to, plan, settings->overwrite, delivery, err);

    if (found < 0 || (found == 0 && place_archive(plan, folder, delivery->to, err) < 0) || write_checksum(plan, delivery->to, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    delivery->already_there = delivery->verified = found == 1;
    return 0;
}

/* ---- back ---- */

static void read_checksum(const char *path, char *sha256)
{
    cleanup_buf struct buf line = BUF_INIT(CHECKSUM_FILE_MAX);
    cleanup_free char *beside = mem_printf("%s.sha256", path);

    if (file_read(beside, &line, ERROR_PUBLISH, NULL) == 0)
        destination_read_checksum(buf_text(&line), sha256);
}

static int dir_get(const char *to, const char *name, const struct destination_settings *settings, destination_take take, void *context,
                   char *sha256, struct error *err)
{
    cleanup_free char *path = name ? dir_place(to, name) : dir_folder(to);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    cleanup_free char *bytes = mem_alloc(COPY_SIZE);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, ERROR_PUBLISH, errno, "cannot open %s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_PUBLISH, "%s is no regular file", path);
    read_checksum(path, sha256);
    for (;;) {
        const ssize_t got = read(fd, bytes, COPY_SIZE);

        if (settings->net.stop && *settings->net.stop)
            return error_set(err, ERROR_PUBLISH, "stopped by a signal while reading %s", path);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, ERROR_PUBLISH, errno, "cannot read %s", path);
        if (got == 0)
            return 0;
        if (take(context, bytes, (size_t)got, err) < 0)
            return -1;
    }
}

/* ---- small objects ---- */

static int dir_put_object(const char *to, const char *name, const char *type, const void *bytes, size_t length,
                          const struct destination_settings *settings, struct error *err)
{
    cleanup_free char *path = dir_place(to, name);
    cleanup_free char *folder = mem_printf("%.*s", (int)(strrchr(path, '/') - path), path);

    (void)type;
    (void)settings;
    if (file_make_folder(folder, err) < 0 || file_write_atomic(path, bytes, length, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    return 0;
}

static int dir_get_object(const char *to, const char *name, const struct destination_settings *settings, struct buf *bytes, bool *missing,
                          struct error *err)
{
    cleanup_free char *path = dir_place(to, name);

    (void)settings;
    *missing = !file_exists(path);
    return *missing ? 0 : file_read(path, bytes, ERROR_PUBLISH, err);
}

static int list_entries(DIR *directory, const char *path, destination_note note, void *context, struct error *err)
{
    const struct dirent *entry;
    struct stat status;

    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (errno = 0, (entry = readdir(directory))) {
        const size_t length = strlen(entry->d_name);
        const bool temporary = length > 4 && strcmp(entry->d_name + length - 4, ".tmp") == 0;

        if (temporary || fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
            continue;
        if (note(context, entry->d_name, "", err) < 0)
            return -1;
    }
    return errno != 0 ? error_set_errno(err, ERROR_PUBLISH, errno, "cannot read the folder %s", path) : 0;
}

static int dir_list_objects(const char *to, const char *folder, const struct destination_settings *settings, destination_note note, void *context,
                            struct error *err)
{
    cleanup_free char *path = dir_place(to, folder);
    DIR *directory = opendir(path);

    (void)settings;
    if (!directory)
        return errno == ENOENT ? 0 : error_set_errno(err, ERROR_PUBLISH, errno, "cannot read the folder %s", path);

    const int result = list_entries(directory, path, note, context, err);

    closedir(directory);
    return result;
}

static const struct destination_objects dir_objects = {
    .place = dir_place, .put = dir_put_object, .get = dir_get_object, .list = dir_list_objects};

const struct destination destination_dir = {
    .check = dir_check, .folder = dir_folder, .place = dir_place, .put = dir_put, .get = dir_get, .objects = &dir_objects};
