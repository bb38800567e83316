#include "ship/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define READ_SIZE ((size_t)256 << 10)
#define SHOWN_MAX 100
#define COMPARISONS "comparisons/"

struct unpacking {
    const char *archive, *into;
    const stop_flag *stop;
    struct archive *tar;
    struct unpacked *unpacked;
    char *bytes; /* READ_SIZE */
    uint64_t allowed;
};

/* A member's name as it can be shown. */
static const char *shown(const char *name, char text[SHOWN_MAX])
{
    size_t k = 0;

    for (; k < SHOWN_MAX - 4 && name[k]; k++)
        text[k] = (unsigned char)name[k] >= ' ' && name[k] != 0x7f ? name[k] : '?';
    memcpy(text + k, name[k] ? "..." : "", name[k] ? 4 : 1);
    return text;
}

static int fail_tar(const struct unpacking *unpacking, struct error *err)
{
    const char *text = archive_error_string(unpacking->tar);

    return error_set(err, ERROR_PUBLISH, "%s is no whole tar.gz: %s", unpacking->archive, text ? text : "libarchive gave no reason");
}

static int fail_member(const struct unpacking *unpacking, const char *name, const char *what, struct error *err)
{
    char text[SHOWN_MAX];

    return error_set(err, ERROR_PUBLISH, "%s: the member '%s' %s. No archive of roibench has such a member, nothing is taken from it", unpacking->archive,
                     shown(name, text), what);
}

/* ---- names ---- */

static bool ends_in(const char *text, size_t length, const char *end)
{
    const size_t end_length = strlen(end);

    return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

static bool is_plain(const char *part, size_t length)
{
    if (length == 0 || length > NAME_MAX || *part == '.')
        return false;
    for (size_t k = 0; k < length; k++) {
        if ((unsigned char)part[k] < ' ' || part[k] == 0x7f)
            return false;
    }
    return true;
}

/* The length of the folder's part of "<folder>/<file>"; 0: no name of ours. */
static size_t folder_length(const char *name)
{
    const size_t before = strncmp(name, COMPARISONS, strlen(COMPARISONS)) == 0 ? strlen(COMPARISONS) : 0;
    const size_t folder = strcspn(name + before, "/");
    const char *file = name + before + folder + 1;

    if (!is_plain(name + before, folder) || name[before + folder] != '/')
        return 0;

    const size_t length = strlen(file);

    if (!is_plain(file, length) || strchr(file, '/') || strcmp(file, "publish.json") == 0 || ends_in(file, length, ".tmp"))
        return 0;
    return before + folder;
}

/* Names are stored as UTF-8; without a locale of that kind libarchive has them in one form or the other. */
static const char *name_of(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);

    return name ? name : archive_entry_pathname_utf8(entry);
}

/* ---- folders ---- */

static int add_folder(struct unpacking *unpacking, const char *name, size_t length, struct error *err)
{
    struct unpacked *unpacked = unpacking->unpacked;

    for (size_t k = 0; k < unpacked->folder_count; k++) {
        if (strncmp(unpacked->folders[k], name, length) == 0 && unpacked->folders[k][length] == '\0')
            return 0;
    }
    if (unpacked->folder_count == UNPACK_FOLDERS_MAX)
        return error_set(err, ERROR_PUBLISH, "%s holds more than %zu runs", unpacking->archive, UNPACK_FOLDERS_MAX);

    cleanup_free char *folder = mem_strndup(name, length);
    cleanup_free char *path = file_join(unpacking->into, folder);

    if (!unpacked->folders)
        unpacked->folders = mem_calloc(UNPACK_FOLDERS_MAX, sizeof *unpacked->folders);
    unpacked->folders[unpacked->folder_count++] = steal_pointer(&folder);
    return file_make_folder(path, err);
}

/* ---- files ---- */

static int write_bytes(int fd, const char *path, const char *bytes, size_t length, struct error *err)
{
    while (length > 0) {
        const ssize_t written = write(fd, bytes, length);

        if (written < 0 && errno != EINTR)
            return error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", path);
        bytes += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static int copy_data(const struct unpacking *unpacking, int fd, const char *path, struct error *err)
{
    la_ssize_t got;

    while ((got = archive_read_data(unpacking->tar, unpacking->bytes, READ_SIZE)) > 0) {
        if (unpacking->stop && *unpacking->stop)
            return error_set(err, ERROR_PUBLISH, "stopped by a signal while unpacking %s", unpacking->archive);
        unpacking->unpacked->bytes += (uint64_t)got;
        if (unpacking->unpacked->bytes > unpacking->allowed)
            return error_set(err, ERROR_PUBLISH, "%s unpacks to more than %llu bytes, which no archive of its size does: nothing is taken from it",
                             unpacking->archive, (unsigned long long)unpacking->allowed);
        if (write_bytes(fd, path, unpacking->bytes, (size_t)got, err) < 0)
            return -1;
    }
    return got < 0 ? fail_tar(unpacking, err) : 0;
}

static int unpack_file(const struct unpacking *unpacking, const char *name, struct error *err)
{
    cleanup_free char *path = file_join(unpacking->into, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

    if (fd < 0 && errno == EEXIST)
        return fail_member(unpacking, name, "is there twice", err);
    if (fd < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot create %s", path);

    int result = copy_data(unpacking, fd, path, err);

    if (close(fd) < 0 && result == 0)
        result = error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", path);
    return result;
}

static int unpack_member(struct unpacking *unpacking, struct archive_entry *entry, struct error *err)
{
    const char *name = name_of(entry);
    const size_t folder = name ? folder_length(name) : 0;

    if (!name)
        return error_set(err, ERROR_PUBLISH, "%s: the name of a member is no text", unpacking->archive);
    if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
        return fail_member(unpacking, name, "is a link", err);
    if (archive_entry_filetype(entry) != AE_IFREG)
        return fail_member(unpacking, name, "is no regular file", err);
    if (folder == 0)
        return fail_member(unpacking, name, "has a name that is not <run-id>/<file>", err);
    if (unpacking->unpacked->file_count++ == UNPACK_MEMBERS_MAX)
        return error_set(err, ERROR_PUBLISH, "%s holds more than %zu files", unpacking->archive, UNPACK_MEMBERS_MAX);
    return add_folder(unpacking, name, folder, err) < 0 ? -1 : unpack_file(unpacking, name, err);
}

static int unpack_all(struct unpacking *unpacking, struct error *err)
{
    struct archive_entry *entry;
    int result;

    if (archive_read_open_filename(unpacking->tar, unpacking->archive, READ_SIZE) != ARCHIVE_OK)
        return fail_tar(unpacking, err);
    /* A warning is about a name's characters, which are checked here anyhow. */
    while ((result = archive_read_next_header(unpacking->tar, &entry)) == ARCHIVE_OK || result == ARCHIVE_WARN) {
        if (unpack_member(unpacking, entry, err) < 0)
            return -1;
    }
    if (result != ARCHIVE_EOF)
        return fail_tar(unpacking, err);
    return unpacking->unpacked->file_count > 0 ? 0 : error_set(err, ERROR_PUBLISH, "%s holds no files", unpacking->archive);
}

int archive_unpack(const char *archive, const char *into, const stop_flag *stop, struct unpacked *unpacked, struct error *err)
{
    cleanup_free char *bytes = mem_alloc(READ_SIZE);
    struct unpacking unpacking = {.archive = archive, .into = into, .stop = stop, .unpacked = unpacked, .tar = archive_read_new(), .bytes = bytes};
    struct stat status;

    *unpacked = (struct unpacked){0};
    if (!unpacking.tar || archive_read_support_format_tar(unpacking.tar) != ARCHIVE_OK || archive_read_support_filter_gzip(unpacking.tar) != ARCHIVE_OK)
        abort();

    int result = stat(archive, &status) < 0 ? error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s", archive) : 0;

    if (result == 0) {
        const uint64_t by_ratio = (uint64_t)status.st_size < UNPACK_BYTES_MAX ? (uint64_t)status.st_size * UNPACK_RATIO_MAX + UNPACK_FREE_BYTES : UINT64_MAX;

        unpacking.allowed = by_ratio < UNPACK_BYTES_MAX ? by_ratio : UNPACK_BYTES_MAX;
        result = unpack_all(&unpacking, err);
    }
    archive_read_free(unpacking.tar);
    return result;
}

void unpacked_free(struct unpacked *unpacked)
{
    for (size_t k = 0; k < unpacked->folder_count; k++)
        free(unpacked->folders[k]);
    free(unpacked->folders);
    *unpacked = (struct unpacked){0};
}
