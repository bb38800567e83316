#include "ship/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "ship/archive_members.h"

#define COPY_SIZE ((size_t)256 << 10)
#define MEMBER_MODE 0644

/* The file that is written, and what libarchive's callback needs. */
struct archive_output {
    const char *path;
    int fd;
    int errno_value; /* of the write that failed; 0: none */
    uint64_t size;
    EVP_MD_CTX *digest;
};

static void free_digest(EVP_MD_CTX *digest)
{
    EVP_MD_CTX_free(digest);
}

static void free_writer(struct archive *writer)
{
    archive_write_free(writer);
}

static void free_entry(struct archive_entry *entry)
{
    archive_entry_free(entry);
}

CLEANUP_DEFINE(EVP_MD_CTX, free_digest)
CLEANUP_DEFINE(struct archive, free_writer)
CLEANUP_DEFINE(struct archive_entry, free_entry)

static la_ssize_t output_write(struct archive *writer, void *context, const void *bytes, size_t length)
{
    struct archive_output *output = context;
    ssize_t written;

    do
        written = write(output->fd, bytes, length);
    while (written < 0 && errno == EINTR);
    if (written <= 0) {
        output->errno_value = written < 0 ? errno : ENOSPC;
        archive_set_error(writer, output->errno_value, "cannot write");
        return -1;
    }
    EVP_DigestUpdate(output->digest, bytes, (size_t)written);
    output->size += (uint64_t)written;
    return written;
}

/* What libarchive says, or why our own callback failed. */
static int output_fail(const struct archive_output *output, struct archive *writer, struct error *err)
{
    if (output->errno_value != 0)
        return error_set(err, ERROR_INTERNAL, "cannot write %s: %s%s", output->path, strerrordesc_np(output->errno_value),
                         output->errno_value == ENOSPC ? ". Free some space there" : "");

    const char *text = archive_error_string(writer);

    return error_set(err, ERROR_INTERNAL, "cannot make the archive %s: %s", output->path, text ? text : "libarchive gave no reason");
}

/* The date in gzip's header and the buffer's padding are what would differ from time to time. */
static int writer_open(struct archive *writer, struct archive_output *output, struct error *err)
{
    if (archive_write_set_format_pax_restricted(writer) != ARCHIVE_OK || archive_write_add_filter_gzip(writer) != ARCHIVE_OK ||
        archive_write_set_filter_option(writer, "gzip", "timestamp", NULL) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(writer, 1) != ARCHIVE_OK ||
        archive_write_open(writer, output, NULL, output_write, NULL) != ARCHIVE_OK)
        return output_fail(output, writer, err);
    return 0;
}

static int write_header(struct archive *writer, const struct archive_output *output, const struct archive_member *member,
                        const struct stat *status, int64_t mtime, struct error *err)
{
    cleanup_with(free_entry) struct archive_entry *entry = archive_entry_new();

    if (!entry)
        abort();
    archive_entry_set_pathname(entry, member->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, MEMBER_MODE);
    archive_entry_set_size(entry, status->st_size);
    archive_entry_set_mtime(entry, (time_t)(mtime / NS_PER_S), 0);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    /* A warning is about a name that is no text in this locale; its bytes are stored as they are. */
    return archive_write_header(writer, entry) < ARCHIVE_WARN ? output_fail(output, writer, err) : 0;
}

static int write_bytes(struct archive *writer, const struct archive_output *output, const char *bytes, size_t length,
                       struct error *err)
{
    while (length > 0) {
        const la_ssize_t written = archive_write_data(writer, bytes, length);

        if (written <= 0)
            return output_fail(output, writer, err);
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static int fail_changed(const char *path, struct error *err)
{
    return error_set(err, ERROR_PUBLISH, "%s changed while it was archived: is the run still going on? Publish again when it is over",
                     path);
}

static int write_content(struct archive *writer, const struct archive_request *request, const struct archive_output *output,
                         const char *path, int fd, int64_t size, struct error *err)
{
    cleanup_free char *bytes = mem_alloc(COPY_SIZE);
    int64_t left = size;

    for (;;) {
        const ssize_t got = read(fd, bytes, COPY_SIZE);

        if (request->stop && *request->stop)
            return error_set(err, ERROR_INTERNAL, "stopped while making the archive %s", request->name);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s", path);
        if (got > left || (got == 0 && left > 0))
            return fail_changed(path, err);
        if (got == 0)
            return 0;
        if (write_bytes(writer, output, bytes, (size_t)got, err) < 0)
            return -1;
        left -= got;
    }
}

static int write_member(struct archive *writer, const struct archive_request *request, const struct archive_output *output,
                        const struct archive_member *member, struct error *err)
{
    cleanup_close int fd = open(member->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot open %s", member->path);
    if (!S_ISREG(status.st_mode))
        return fail_changed(member->path, err);
    if (write_header(writer, output, member, &status, request->mtime, err) < 0)
        return -1;
    return write_content(writer, request, output, member->path, fd, status.st_size, err);
}

static int write_archive(const struct archive_request *request, const struct archive_members *members,
                         struct archive_output *output, struct error *err)
{
    cleanup_with(free_writer) struct archive *writer = archive_write_new();

    if (!writer)
        abort();
    if (writer_open(writer, output, err) < 0)
        return -1;
    for (size_t k = 0; k < members->count; k++) {
        if (write_member(writer, request, output, &members->items[k], err) < 0)
            return -1;
    }
    if (archive_write_close(writer) != ARCHIVE_OK)
        return output_fail(output, writer, err);
    return fsync(output->fd) < 0 ? error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", output->path) : 0;
}

static void digest_to_hex(EVP_MD_CTX *digest, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    if (EVP_DigestFinal_ex(digest, bytes, &length) != 1)
        abort();
    for (unsigned k = 0; k < length; k++) {
        *hex++ = digits[bytes[k] >> 4];
        *hex++ = digits[bytes[k] & 15];
    }
    *hex = '\0';
}

static int create_file(const struct archive_request *request, const struct archive_members *members, struct archive_file *file,
                       struct error *err)
{
    cleanup_with(free_digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    cleanup_close int fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot create %s", file->path);
    if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        abort();

    struct archive_output output = {.path = file->path, .fd = fd, .digest = digest};

    if (write_archive(request, members, &output, err) < 0) {
        unlink(file->path);
        return -1;
    }
    file->size = output.size;
    digest_to_hex(digest, file->sha256);
    return 0;
}

static char *temporary_path(const struct archive_request *request)
{
    uint64_t random = 0;

    random_bytes(&random, sizeof random);
    return mem_printf("%s/%s.%016" PRIx64 ".tmp", request->temporary, request->name, random);
}

int archive_create(const struct archive_request *request, struct archive_file *file, struct error *err)
{
    struct archive_members members = {0};
    int result = archive_members_find(&members, request->folders, request->folder_count, err);

    *file = (struct archive_file){.members = members.count, .folders_left_out = members.folders_left_out};
    if (result == 0) {
        file->path = temporary_path(request);
        file->name = mem_strdup(request->name);
        result = create_file(request, &members, file, err);
    }
    archive_members_free(&members);
    if (result < 0) {
        free(file->path);
        free(file->name);
        *file = (struct archive_file){0};
    }
    return result;
}

void archive_file_free(struct archive_file *file)
{
    if (file->path)
        unlink(file->path);
    free(file->path);
    free(file->name);
    *file = (struct archive_file){0};
}

char *archive_checksum_line(const struct archive_file *file)
{
    return mem_printf("%s  %s\n", file->sha256, file->name);
}
