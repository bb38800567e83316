#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "record/gzip_members.h"

#define SOURCE_IN_SIZE ((size_t)256 << 10)

struct gzip_source {
    char *path;
    int fd;
    bool gzip, in_member, file_ended, ended, truncated;
    uint64_t offset; /* in the file, of in[0] */
    z_stream z;      /* next_in, avail_in: what is left of in */
    unsigned char in[SOURCE_IN_SIZE];
};

/* Moves what is left to the front and reads behind it. */
static int source_fill(struct gzip_source *source, struct error *err)
{
    const size_t left = source->z.avail_in;

    if (left > 0)
        memmove(source->in, source->z.next_in, left);
    source->offset += (uint64_t)(source->z.next_in - source->in);
    source->z.next_in = source->in;

    ssize_t got;

    do
        got = read(source->fd, source->in + left, SOURCE_IN_SIZE - left);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s", source->path);
    source->file_ended = got == 0;
    source->z.avail_in = (uInt)(left + (size_t)got);
    return 0;
}

/* At least `count` bytes in `in`, or all that the file has. */
static int source_need(struct gzip_source *source, size_t count, struct error *err)
{
    while (source->z.avail_in < count && !source->file_ended) {
        if (source_fill(source, err) < 0)
            return -1;
    }
    return 0;
}

static bool source_at_magic(const struct gzip_source *source)
{
    return source->z.avail_in >= 2 && source->z.next_in[0] == 0x1f && source->z.next_in[1] == 0x8b;
}

static int source_open(struct gzip_source *source, struct error *err)
{
    source->z.next_in = source->in;
    if (source_need(source, 2, err) < 0)
        return -1;
    source->gzip = source_at_magic(source);
    if (inflateInit2(&source->z, GZIP_WINDOW_BITS) != Z_OK)
        abort();
    return 0;
}

struct gzip_source *gzip_source_open(const char *path, bool *missing, struct error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (missing)
        *missing = fd < 0 && errno == ENOENT;
    if (fd < 0) {
        if (!missing || !*missing)
            error_set_errno(err, ERROR_USAGE, errno, "cannot open %s", path);
        return NULL;
    }

    struct gzip_source *source = mem_alloc(sizeof *source);

    source->path = mem_strdup(path);
    source->fd = fd;
    if (source_open(source, err) == 0)
        return source;
    gzip_source_free(source);
    return NULL;
}

/* Is all that follows zero? Reads the file to its end. */
static int source_rest_is_zero(struct gzip_source *source, bool *zero, struct error *err)
{
    do {
        for (; source->z.avail_in > 0; source->z.next_in++, source->z.avail_in--) {
            if (*source->z.next_in != 0) {
                *zero = false;
                return 0;
            }
        }
        if (source_fill(source, err) < 0)
            return -1;
    } while (!source->file_ended);
    *zero = true;
    return 0;
}

/* What stands here is no gzip. */
static int64_t source_end_or_fail(struct gzip_source *source, struct error *err)
{
    const uint64_t where = source->offset + (uint64_t)(source->z.next_in - source->in);
    bool zero = false;

    if (source_rest_is_zero(source, &zero, err) < 0)
        return -1;
    if (!zero)
        return error_set(err, ERROR_USAGE, "%s is damaged at byte %llu: no gzip data there", source->path,
                         (unsigned long long)where);
    source->truncated = source->ended = true;
    return 0;
}

static int64_t source_read_plain(struct gzip_source *source, void *to, size_t size, struct error *err)
{
    if (source_need(source, 1, err) < 0)
        return -1;

    const size_t take = source->z.avail_in < size ? source->z.avail_in : size;

    memcpy(to, source->z.next_in, take);
    source->z.next_in += take;
    source->z.avail_in -= (uInt)take;
    return (int64_t)take;
}

/* At the end of a member: 1 there is another, 0 the end, -1. */
static int64_t source_begin_member(struct gzip_source *source, struct error *err)
{
    if (source_need(source, 2, err) < 0)
        return -1;
    if (source->z.avail_in == 0) {
        source->ended = true;
        return 0;
    }
    if (!source_at_magic(source)) {
        if (source->z.avail_in > 1 || source->z.next_in[0] != 0x1f)
            return source_end_or_fail(source, err);
        source->truncated = source->ended = true;
        return 0;
    }
    inflateReset(&source->z);
    source->in_member = true;
    return 1;
}

/* One call of inflate. 0: went on, or ended early; -1. */
static int64_t source_inflate(struct gzip_source *source, struct error *err)
{
    if (source_need(source, 1, err) < 0)
        return -1;
    if (source->z.avail_in == 0) {
        source->truncated = source->ended = true;
        return 0;
    }
    switch (inflate(&source->z, Z_NO_FLUSH)) {
    case Z_STREAM_END: source->in_member = false; return 0;
    case Z_OK:
    case Z_BUF_ERROR: return 0;
    default: return source_end_or_fail(source, err);
    }
}

int64_t gzip_source_read(struct gzip_source *source, void *to, size_t size, struct error *err)
{
    if (!source->gzip)
        return source_read_plain(source, to, size, err);
    if (size > GZIP_STEP_MAX)
        size = GZIP_STEP_MAX;
    source->z.next_out = to;
    source->z.avail_out = (uInt)size;
    while (source->z.avail_out > 0 && !source->ended) {
        const int64_t result = source->in_member ? source_inflate(source, err) : source_begin_member(source, err);

        if (result < 0)
            return -1;
    }
    return (int64_t)(size - source->z.avail_out);
}

bool gzip_source_truncated(const struct gzip_source *source)
{
    return source->truncated;
}

void gzip_source_free(struct gzip_source *source)
{
    inflateEnd(&source->z);
    close(source->fd);
    free(source->path);
    free(source);
}
