#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "record/gzip_members.h"
#include "record/record_writer.h"

#define GZIP_OUT_SIZE ((size_t)64 << 10)
#define GZIP_MEMORY_LEVEL 8 /* zlib's default */
#define GZIP_WORTH 0.75     /* of what went in: larger, and packing costs the load and every reader more time than the disk is worth */
#define GZIP_TELLING 4096   /* bytes: a smaller member does not tell how its kind packs */
#define GZIP_STORED 15      /* members that are stored as they are before one is packed again, to see */

struct gzip_stream {
    char *path;
    int fd;
    bool failed;         /* then `first` is what every call says */
    bool holds;          /* something was written since the last member was closed */
    int stored_left;     /* members that are to be stored; 0: the one in progress is packed */
    struct error first;
    z_stream z;
    unsigned char out[GZIP_OUT_SIZE];
};

int record_write_error(struct error *err, int errno_value, const char *path)
{
    const char *advice = errno_value == ENOSPC || errno_value == EDQUOT ? ". Free some space there" : "";

    return error_set(err, ERROR_INTERNAL, "cannot write %s: %s%s", path, strerrordesc_np(errno_value), advice);
}

int record_write_all(int fd, const char *path, const void *bytes, size_t length, struct error *err)
{
    const char *at = bytes;

    while (length > 0) {
        const ssize_t written = write(fd, at, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return record_write_error(err, written < 0 ? errno : ENOSPC, path);
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

int record_sync_and_close(int fd, const char *path, struct error *err)
{
    /* What has no storage behind it (a pipe, a device) cannot be synced and need not be. */
    const int sync_errno = fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP ? errno : 0;
    const int close_errno = close(fd) < 0 && errno != EINTR ? errno : 0;

    if (sync_errno || close_errno)
        return record_write_error(err, sync_errno ? sync_errno : close_errno, path);
    return 0;
}

struct gzip_stream *gzip_stream_open(const char *path, struct error *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0) {
        error_set_errno(err, ERROR_INTERNAL, errno, "cannot create %s", path);
        return NULL;
    }

    struct gzip_stream *stream = mem_alloc(sizeof *stream);

    stream->path = mem_strdup(path);
    stream->fd = fd;
    /* The fastest level: the time belongs to the load, and disk is cheap. */
    if (deflateInit2(&stream->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    stream->z.next_out = stream->out;
    stream->z.avail_out = GZIP_OUT_SIZE;
    return stream;
}

/* Remembers the first error, hands out the one remembered. */
static int gzip_stream_result(struct gzip_stream *stream, struct error *err)
{
    if (!stream->failed)
        return 0;
    if (err)
        *err = stream->first;
    return -1;
}

static void gzip_stream_drain(struct gzip_stream *stream)
{
    const size_t length = GZIP_OUT_SIZE - stream->z.avail_out;

    if (!stream->failed && record_write_all(stream->fd, stream->path, stream->out, length, &stream->first) < 0)
        stream->failed = true;
    stream->z.next_out = stream->out;
    stream->z.avail_out = GZIP_OUT_SIZE;
}

/* Feeds what next_in points to; with Z_FINISH until the member is whole. */
static void gzip_stream_deflate(struct gzip_stream *stream, int flush)
{
    int result;

    do {
        if (stream->z.avail_out == 0)
            gzip_stream_drain(stream);
        result = deflate(&stream->z, flush);
    } while (!stream->failed && (stream->z.avail_in > 0 || (flush == Z_FINISH && result != Z_STREAM_END)));
}

int gzip_stream_write(struct gzip_stream *stream, const void *bytes, size_t length, struct error *err)
{
    const unsigned char *at = bytes;

    while (length > 0 && !stream->failed) {
        const uInt step = length > GZIP_STEP_MAX ? GZIP_STEP_MAX : (uInt)length;

        stream->z.next_in = (Bytef *)(uintptr_t)at;
        stream->z.avail_in = step;
        gzip_stream_deflate(stream, Z_NO_FLUSH);
        stream->holds = true;
        at += step;
        length -= step;
    }
    return gzip_stream_result(stream, err);
}

/* Gaps between tokens are mostly noise in ns, and pack badly; records pack well. Asked between two members. */
static void gzip_stream_choose_level(struct gzip_stream *stream)
{
    const bool packed = stream->stored_left == 0, telling = stream->z.total_in >= GZIP_TELLING;
    const bool worth = (double)stream->z.total_out <= GZIP_WORTH * (double)stream->z.total_in;

    deflateReset(&stream->z);
    if (packed && telling && !worth)
        stream->stored_left = GZIP_STORED;
    else if (!packed)
        stream->stored_left--;
    deflateParams(&stream->z, stream->stored_left > 0 ? Z_NO_COMPRESSION : Z_BEST_SPEED, Z_DEFAULT_STRATEGY);
}

int gzip_stream_flush(struct gzip_stream *stream, struct error *err)
{
    if (stream->holds && !stream->failed) {
        stream->z.avail_in = 0;
        gzip_stream_deflate(stream, Z_FINISH);
        gzip_stream_drain(stream);
        gzip_stream_choose_level(stream);
        stream->holds = false;
    }
    return gzip_stream_result(stream, err);
}

int gzip_stream_close(struct gzip_stream *stream, struct error *err)
{
    gzip_stream_flush(stream, NULL);
    if (record_sync_and_close(stream->fd, stream->path, stream->failed ? NULL : &stream->first) < 0)
        stream->failed = true;
    deflateEnd(&stream->z);

    const int result = gzip_stream_result(stream, err);

    free(stream->path);
    free(stream);
    return result;
}
