/* libarchive makes the tar, zlib the gzip around it: libarchive's own gzip filter has one level for the whole archive, and members that are
 * gzip already are to pass at level 0. Both write into `out`; whoever reads takes it from there, and only when it is empty the next step is made:
 * deflate's output depends on the sizes of its buffers, and the same steps give the same sizes each time. */
#include "ship/archive_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#define COPY_SIZE ((size_t)256 << 10)
#define OUT_ROOM ((size_t)64 << 10)         /* for one call of deflate */
#define OUT_ROOM_PARAMS ((size_t)512 << 10) /* deflateParams must write all that deflate still holds at once */
#define MEMBER_MODE 0644
#define GZIP_WINDOW_BITS (15 + 16)
#define GZIP_MEMORY_LEVEL 8
/* Every pass squeezes anew, and there are two at least: at level 4 both together take less time than one at 6, for a fifth more bytes of text. */
#define PLAIN_LEVEL 4

struct archive_stream {
    const struct archive_plan *plan;
    struct archive *tar;
    z_stream gzip;
    int level;
    EVP_MD_CTX *digest;
    char sha256[65];
    size_t member;     /* the one that is next, or in progress */
    int fd;            /* of the one in progress; -1: none */
    int64_t left;      /* of its bytes */
    bool first_chunk, closing, ended;
    char *bytes;       /* COPY_SIZE, as read from a member */
    char *out;
    size_t out_capacity, out_length, out_taken;
};

static void free_entry(struct archive_entry *entry)
{
    archive_entry_free(entry);
}

CLEANUP_DEFINE(struct archive_entry, free_entry)

/* ---- gzip ---- */

static void out_make_room(struct archive_stream *stream, size_t room)
{
    MEM_GROW(stream->out, stream->out_capacity, stream->out_length + room);
    stream->gzip.next_out = (Bytef *)stream->out + stream->out_length;
    stream->gzip.avail_out = (uInt)(stream->out_capacity - stream->out_length);
}

static void out_note(struct archive_stream *stream)
{
    stream->out_length = stream->out_capacity - stream->gzip.avail_out;
}

static void squeeze(struct archive_stream *stream, const void *bytes, size_t length, int flush)
{
    z_stream *gzip = &stream->gzip;
    int result;

    gzip->next_in = (Bytef *)(uintptr_t)bytes;
    gzip->avail_in = (uInt)length;
    do {
        out_make_room(stream, OUT_ROOM);
        result = deflate(gzip, flush);
        if (result == Z_STREAM_ERROR)
            abort();
        out_note(stream);
    } while (gzip->avail_in > 0 || gzip->avail_out == 0 || (flush == Z_FINISH && result != Z_STREAM_END));
}

static void set_level(struct archive_stream *stream, int level)
{
    if (level == stream->level)
        return;
    stream->gzip.avail_in = 0;
    out_make_room(stream, OUT_ROOM_PARAMS);
    if (deflateParams(&stream->gzip, level, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    out_note(stream);
    stream->level = level;
}

/* What libarchive writes. Once the stream is being closed early, nobody wants the trailer that archive_write_free still makes. */
static la_ssize_t take_tar(struct archive *tar, void *context, const void *bytes, size_t length)
{
    struct archive_stream *stream = context;

    (void)tar;
    if (!stream->closing)
        squeeze(stream, bytes, length, Z_NO_FLUSH);
    return (la_ssize_t)length;
}

/* ---- members ---- */

static int fail_tar(const struct archive_stream *stream, struct error *err)
{
    const char *text = archive_error_string(stream->tar);

    return error_set(err, ERROR_INTERNAL, "cannot make the archive %s: %s", stream->plan->name, text ? text : "libarchive gave no reason");
}

static int fail_changed(const char *path, struct error *err)
{
    return error_set(err, ERROR_PUBLISH, "%s changed while it was archived: is the run still going on? Publish again when it is over", path);
}

static int begin_member(struct archive_stream *stream, struct error *err)
{
    const struct archive_member *member = &stream->plan->members[stream->member];
    cleanup_with(free_entry) struct archive_entry *entry = archive_entry_new();
    struct stat status;

    if (!entry)
        abort();
    stream->fd = open(member->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (stream->fd < 0 || fstat(stream->fd, &status) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot open %s", member->path);
    if (!S_ISREG(status.st_mode))
        return fail_changed(member->path, err);
    stream->left = status.st_size;
    stream->first_chunk = true;
    archive_entry_set_pathname(entry, member->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, MEMBER_MODE);
    archive_entry_set_size(entry, status.st_size);
    archive_entry_set_mtime(entry, (time_t)(stream->plan->mtime / NS_PER_S), 0);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    /* A warning is about a name that is no text in this locale; its bytes are stored as they are. */
    return archive_write_header(stream->tar, entry) < ARCHIVE_WARN ? fail_tar(stream, err) : 0;
}

/* Fills stream->bytes as far as the file goes: the same sizes each time. */
static ssize_t read_chunk(const struct archive_stream *stream)
{
    size_t length = 0;

    while (length < COPY_SIZE) {
        const ssize_t got = read(stream->fd, stream->bytes + length, COPY_SIZE - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static bool is_gzip(const char *bytes, ssize_t length)
{
    return length >= 3 && memcmp(bytes, "\x1f\x8b\x08", 3) == 0;
}

static int end_member(struct archive_stream *stream, struct error *err)
{
    close(stream->fd);
    stream->fd = -1;
    stream->member++;
    set_level(stream, PLAIN_LEVEL);
    return archive_write_finish_entry(stream->tar) != ARCHIVE_OK ? fail_tar(stream, err) : 0;
}

static int copy_chunk(struct archive_stream *stream, struct error *err)
{
    const char *path = stream->plan->members[stream->member].path;
    const ssize_t got = read_chunk(stream);

    if (got < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s", path);
    if (got > stream->left || (got == 0 && stream->left > 0))
        return fail_changed(path, err);
    if (got == 0)
        return end_member(stream, err);
    if (stream->first_chunk && is_gzip(stream->bytes, got))
        set_level(stream, Z_NO_COMPRESSION);
    stream->first_chunk = false;
    stream->left -= got;
    return archive_write_data(stream->tar, stream->bytes, (size_t)got) == got ? 0 : fail_tar(stream, err);
}

/* ---- the stream ---- */

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

static int finish(struct archive_stream *stream, struct error *err)
{
    if (archive_write_close(stream->tar) != ARCHIVE_OK)
        return fail_tar(stream, err);
    squeeze(stream, NULL, 0, Z_FINISH);
    EVP_DigestUpdate(stream->digest, stream->out, stream->out_length);
    digest_to_hex(stream->digest, stream->sha256);
    if (*stream->plan->sha256 && strcmp(stream->sha256, stream->plan->sha256) != 0)
        return fail_changed(stream->plan->name, err);
    stream->ended = true;
    return 0;
}

static int step(struct archive_stream *stream, struct error *err)
{
    if (stream->plan->stop && *stream->plan->stop)
        return error_set(err, ERROR_PUBLISH, "stopped while making the archive %s", stream->plan->name);
    stream->out_length = stream->out_taken = 0;
    if (stream->fd < 0 && stream->member == stream->plan->member_count)
        return finish(stream, err);
    if ((stream->fd < 0 ? begin_member : copy_chunk)(stream, err) < 0)
        return -1;
    EVP_DigestUpdate(stream->digest, stream->out, stream->out_length);
    return 0;
}

struct archive_stream *archive_stream_open(const struct archive_plan *plan)
{
    struct archive_stream *stream = mem_alloc(sizeof *stream);

    *stream = (struct archive_stream){.plan = plan, .fd = -1, .level = PLAIN_LEVEL, .bytes = mem_alloc(COPY_SIZE),
                                      .tar = archive_write_new(), .digest = EVP_MD_CTX_new()};
    if (!stream->tar || !stream->digest || EVP_DigestInit_ex(stream->digest, EVP_sha256(), NULL) != 1 ||
        deflateInit2(&stream->gzip, stream->level, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK ||
        archive_write_set_format_pax_restricted(stream->tar) != ARCHIVE_OK || archive_write_add_filter_none(stream->tar) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(stream->tar, 0) != ARCHIVE_OK ||
        archive_write_open(stream->tar, stream, NULL, take_tar, NULL) != ARCHIVE_OK)
        abort();
    return stream;
}

long archive_stream_read(struct archive_stream *stream, char *bytes, size_t size, struct error *err)
{
    while (stream->out_taken == stream->out_length) {
        if (stream->ended)
            return 0;
        if (step(stream, err) < 0) {
            /* Not one byte more. */
            stream->out_taken = stream->out_length = 0;
            return -1;
        }
    }

    const size_t there = stream->out_length - stream->out_taken, length = there < size ? there : size;

    memcpy(bytes, stream->out + stream->out_taken, length);
    stream->out_taken += length;
    return (long)length;
}

int archive_stream_skip(struct archive_stream *stream, uint64_t length, struct error *err)
{
    cleanup_free char *bytes = mem_alloc(COPY_SIZE);

    while (length > 0) {
        const long got = archive_stream_read(stream, bytes, length < COPY_SIZE ? (size_t)length : COPY_SIZE, err);

        if (got < 0)
            return -1;
        if (got == 0)
            return error_set(err, ERROR_INTERNAL, "the archive %s is shorter than what was to be passed over", stream->plan->name);
        length -= (uint64_t)got;
    }
    return 0;
}

void archive_stream_sha256(const struct archive_stream *stream, char *hex)
{
    memcpy(hex, stream->sha256, sizeof stream->sha256);
}

void archive_stream_close(struct archive_stream *stream)
{
    if (!stream)
        return;
    stream->closing = true;
    archive_write_free(stream->tar);
    deflateEnd(&stream->gzip);
    EVP_MD_CTX_free(stream->digest);
    if (stream->fd >= 0)
        close(stream->fd);
    free(stream->bytes);
    free(stream->out);
    free(stream);
}
