#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/units.h"

#define FILE_CHUNK 65536
#define FILE_PROBE_SIZE 4096

static ssize_t file_read_some(int fd, void *bytes, size_t size)
{
    ssize_t got;

    do {
        got = read(fd, bytes, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

int file_read(const char *path, struct buf *out, enum error_class class, struct error *err)
{
    char size_text[UNITS_TEXT_SIZE];
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, class, errno, "cannot open %s", path);

    cleanup_free char *chunk = mem_alloc(FILE_CHUNK);

    for (;;) {
        ssize_t got = file_read_some(fd, chunk, FILE_CHUNK);

        if (got < 0)
            return error_set_errno(err, class, errno, "cannot read %s", path);
        if (got == 0)
            return 0;
        if (buf_append(out, chunk, (size_t)got) < 0)
            return error_set(err, class, "cannot read %s: it is larger than %s", path,
                             units_format_bytes(out->max, size_text));
    }
}

static int file_write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t written = write(fd, at, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            errno = written == 0 ? EIO : errno;
            return -1;
        }
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Writes, flushes to the disk and closes; -1 with errno. fd may be -1: errno is then that of open(). */
static int file_write_and_close(int fd, const void *bytes, size_t length, bool sync)
{
    if (fd < 0)
        return -1;

    int result = file_write_all(fd, bytes, length);

    if (result == 0 && sync && fsync(fd) < 0)
        result = -1;

    const int reason = errno;

    if (close(fd) < 0 && result == 0)
        return -1;
    errno = reason;
    return result;
}

static char *file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* A rename survives a power cut only when its folder is on the disk too. Some file systems cannot: then so be it. */
static int file_sync_folder(const char *path)
{
    cleanup_free char *folder = file_folder(path);
    cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == EACCES ? 0 : -1; /* a folder that can be written but not listed */
    if (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        return -1;
    return 0;
}

char *file_temporary_name(const char *path)
{
    static const char end[] = ".0123456789abcdef.tmp";
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash + 1 - path) : 0, name = strlen(path + folder);
    const size_t kept = name + sizeof end - 1 > NAME_MAX ? NAME_MAX - (sizeof end - 1) : name;
    uint64_t number = 0;

    if (random_bytes(&number, sizeof number) < 0)
        number = (uint64_t)getpid();
    return mem_printf("%.*s.%016" PRIx64 ".tmp", (int)(folder + kept), path, number);
}

static int file_replace(const char *temporary, const char *path, const void *bytes, size_t length)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return -1;
    if (file_write_and_close(fd, bytes, length, true) == 0 && rename(temporary, path) == 0)
        return file_sync_folder(path);

    const int reason = errno;

    unlink(temporary);
    errno = reason;
    return -1;
}

int file_write_atomic(const char *path, const void *bytes, size_t length, struct error *err)
{
    struct stat status;
    int result;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        result = file_write_and_close(open(path, O_WRONLY | O_CLOEXEC), bytes, length, false);
    } else {
        cleanup_free char *temporary = file_temporary_name(path);

        result = file_replace(temporary, path, bytes, length);
    }
    return result == 0 ? 0 : error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", path);
}

/* Makes one folder; one that is there already is fine. -1 with errno. */
static int file_make_one_folder(const char *path)
{
    struct stat status;

    if (mkdir(path, 0777) == 0)
        return 0;

    const int reason = errno;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    errno = reason == EEXIST ? ENOTDIR : reason;
    return -1;
}

int file_make_folder(const char *path, struct error *err)
{
    cleanup_free char *partial = mem_strdup(path);

    for (char *slash = strchr(partial + (*partial == '/'), '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (file_make_one_folder(partial) < 0)
            return error_set_errno(err, ERROR_INTERNAL, errno, "cannot make the folder %s: %s", path, partial);
        *slash = '/';
    }
    if (file_make_one_folder(partial) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot make the folder %s", path);
    return 0;
}

int file_check_writable(const char *folder, struct error *err)
{
    static const char zeros[FILE_PROBE_SIZE];

    if (file_make_folder(folder, err) < 0)
        return -1;

    cleanup_free char *name = file_join(folder, "write-test");
    cleanup_free char *path = file_temporary_name(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot write to the folder %s", folder);

    const int result = file_write_and_close(fd, zeros, sizeof zeros, true), reason = errno;

    unlink(path);
    return result == 0 ? 0 : error_set_errno(err, ERROR_INTERNAL, reason, "cannot write to the folder %s", folder);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_may_write(const char *path)
{
    return access(path, W_OK) == 0;
}

char *file_resolve(const char *path)
{
    cleanup_free char *partial = mem_strdup(*path ? path : ".");

    for (size_t end = strlen(partial);; partial[end] = '\0') {
        cleanup_free char *real = end == 0 && path[0] == '/' ? NULL : realpath(end ? partial : ".", NULL);

        if (real)
            return mem_printf("%s%s%s", real, path[end] == '/' || !path[end] ? "" : "/", path + end);
        if (end == 0)
            return mem_strdup(path);
        while (end > 0 && partial[end - 1] == '/')
            end--;
        while (end > 0 && partial[end - 1] != '/')
            end--;
        while (end > 0 && partial[end - 1] == '/')
            end--;
    }
}

char *file_join(const char *a, const char *b)
{
    const size_t length = strlen(a);

    if (length == 0)
        return mem_strdup(b);
    return mem_printf("%s%s%s", a, a[length - 1] == '/' ? "" : "/", b);
}

CLEANUP_DEFINE(EVP_MD_CTX, EVP_MD_CTX_free)

static EVP_MD_CTX *file_digest_new(void)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        abort(); /* memory, or an OpenSSL without sha256: nothing that this program can run with */
    return digest;
}

static void file_digest_hex(EVP_MD_CTX *digest, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    EVP_DigestFinal_ex(digest, bytes, &length);
    for (unsigned i = 0; i < length; i++) {
        *hex++ = digits[bytes[i] >> 4];
        *hex++ = digits[bytes[i] & 15];
    }
    *hex = '\0';
}

int file_sha256(const char *path, char *hex, unsigned long long *size, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot open %s", path);

    cleanup_with(EVP_MD_CTX_free) EVP_MD_CTX *digest = file_digest_new();
    cleanup_free char *chunk = mem_alloc(FILE_CHUNK);
    unsigned long long total = 0;
    ssize_t got;

    while ((got = file_read_some(fd, chunk, FILE_CHUNK)) > 0) {
        EVP_DigestUpdate(digest, chunk, (size_t)got);
        total += (unsigned long long)got;
    }
    if (got < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s", path);
    file_digest_hex(digest, hex);
    if (size)
        *size = total;
    return 0;
}

void file_sha256_bytes(const void *bytes, size_t length, char *hex)
{
    cleanup_with(EVP_MD_CTX_free) EVP_MD_CTX *digest = file_digest_new();

    EVP_DigestUpdate(digest, bytes, length);
    file_digest_hex(digest, hex);
}
