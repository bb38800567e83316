#include "plan/dataset_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "record/gzip_members.h"

#define BLOCK_SIZE ((size_t)1 << 20)
#define ENTRY_SIZE 8
#define FEISTEL_ROUNDS 4

static void store_offset(unsigned char *at, uint64_t offset)
{
    for (int k = 0; k < ENTRY_SIZE; k++)
        at[k] = (unsigned char)(offset >> (8 * k));
}

static uint64_t load_offset(const unsigned char *at)
{
    uint64_t offset = 0;
    for (int k = 0; k < ENTRY_SIZE; k++)
        offset |= (uint64_t)at[k] << (8 * k);
    return offset;
}

/* --- writing -------------------------------------------------------------------------------- */

struct stream {
    int fd;
    char *path;
    struct buf block;
};

struct dataset_writer {
    int64_t kept; /* rows */
    struct stream lines, index;
    uint64_t offset;
    int64_t count;
};

static int stream_open(struct stream *stream, const char *folder, const char *name, struct error *err)
{
    stream->path = folder ? file_join(folder, name) : mem_strdup(name);
    stream->block = BUF_INIT(BLOCK_SIZE);
    stream->fd = folder ? open(stream->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : memfd_create(name, MFD_CLOEXEC);
    return stream->fd < 0 ? record_write_error(err, errno, stream->path) : 0;
}

static int stream_flush(struct stream *stream, struct error *err)
{
    int status = record_write_all(stream->fd, stream->path, buf_text(&stream->block), stream->block.len, err);
    buf_reset(&stream->block);
    return status;
}

static int stream_write(struct stream *stream, const void *bytes, size_t length, struct error *err)
{
    if (stream->block.len + length > BLOCK_SIZE && stream_flush(stream, err) < 0)
        return -1;
    if (length > BLOCK_SIZE)
        return record_write_all(stream->fd, stream->path, bytes, length, err);
    return buf_append(&stream->block, bytes, length);
}

static void stream_free(struct stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    free(stream->path);
    buf_free(&stream->block);
}

static void writer_free(struct dataset_writer *writer)
{
    stream_free(&writer->lines);
    stream_free(&writer->index);
    free(writer);
}

struct dataset_writer *dataset_writer_open(const char *folder, int64_t kept, struct error *err)
{
    struct dataset_writer *writer = mem_alloc(sizeof *writer);
    writer->kept = folder ? DATASET_ROWS_MAX : kept;
    writer->lines.fd = writer->index.fd = -1;
    if (stream_open(&writer->lines, folder, DATASET_ROWS_FILE, err) == 0 && stream_open(&writer->index, folder, DATASET_INDEX_FILE, err) == 0)
        return writer;
    writer_free(writer);
    return NULL;
}

static int write_offset(struct dataset_writer *writer, struct error *err)
{
    unsigned char entry[ENTRY_SIZE];
    store_offset(entry, writer->offset);
    return stream_write(&writer->index, entry, sizeof entry, err);
}

int dataset_writer_add(struct dataset_writer *writer, const char *line, size_t length, struct error *err)
{
    if (writer->count == DATASET_ROWS_MAX)
        return error_set(err, ERROR_USAGE, "more than %lld rows. Take fewer by --data-rows", (long long)DATASET_ROWS_MAX);
    if (writer->count >= writer->kept)
        return 0;
    if (write_offset(writer, err) < 0 || stream_write(&writer->lines, line, length, err) < 0 || stream_write(&writer->lines, "\n", 1, err) < 0)
        return -1;
    writer->offset += length + 1;
    writer->count++;
    return 0;
}

struct dataset_rows {
    int lines, index;
    int64_t count;
};

static int stream_sync(struct stream *stream, struct error *err)
{
    if (stream_flush(stream, err) < 0)
        return -1;
    return fsync(stream->fd) < 0 && errno != EINVAL ? record_write_error(err, errno, stream->path) : 0;
}

int dataset_writer_close(struct dataset_writer *writer, struct dataset_rows **rows, struct error *err)
{
    int status = 0;
    if (write_offset(writer, err) < 0 || stream_sync(&writer->lines, err) < 0 || stream_sync(&writer->index, err) < 0)
        status = -1;
    if (status == 0 && rows) {
        *rows = mem_alloc(sizeof **rows);
        **rows = (struct dataset_rows){.lines = writer->lines.fd, .index = writer->index.fd, .count = writer->count};
        writer->lines.fd = writer->index.fd = -1;
    }
    writer_free(writer);
    return status;
}

/* --- reading -------------------------------------------------------------------------------- */

static int open_file(const char *folder, const char *name, int64_t *size, struct error *err)
{
    cleanup_free char *path = file_join(folder, name);
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        error_set_errno(err, ERROR_USAGE, errno, "cannot open %s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *size = status.st_size;
    return fd;
}

/* All of [offset, offset + length). */
static int read_at(int fd, void *to, size_t length, uint64_t offset, const char *name, struct error *err)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(fd, (char *)to + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s", name);
        if (got == 0)
            return error_set(err, ERROR_USAGE, "%s is cut off. Prepare the run again", name);
        done += (size_t)got;
    }
    return 0;
}

static int check_files(struct dataset_rows *rows, const char *folder, int64_t lines_size, int64_t index_size, struct error *err)
{
    unsigned char last[ENTRY_SIZE];
    if (index_size >= 2 * ENTRY_SIZE && index_size % ENTRY_SIZE == 0 && index_size / ENTRY_SIZE - 1 <= DATASET_ROWS_MAX) {
        rows->count = index_size / ENTRY_SIZE - 1;
        if (read_at(rows->index, last, sizeof last, (uint64_t)(index_size - ENTRY_SIZE), DATASET_INDEX_FILE, err) < 0)
            return -1;
        if (load_offset(last) == (uint64_t)lines_size)
            return 0;
    }
    return error_set(err, ERROR_USAGE, "%s: " DATASET_ROWS_FILE " and " DATASET_INDEX_FILE " do not belong together. Prepare the run again", folder);
}

struct dataset_rows *dataset_rows_open(const char *folder, struct error *err)
{
    struct dataset_rows *rows = mem_alloc(sizeof *rows);
    int64_t lines_size = 0, index_size = 0;
    rows->index = -1;
    rows->lines = open_file(folder, DATASET_ROWS_FILE, &lines_size, err);
    if (rows->lines >= 0)
        rows->index = open_file(folder, DATASET_INDEX_FILE, &index_size, err);
    if (rows->index >= 0 && check_files(rows, folder, lines_size, index_size, err) == 0)
        return rows;
    dataset_rows_free(rows);
    return NULL;
}

void dataset_rows_free(struct dataset_rows *rows)
{
    if (!rows)
        return;
    if (rows->lines >= 0)
        close(rows->lines);
    if (rows->index >= 0)
        close(rows->index);
    free(rows);
}

int64_t dataset_rows_count(const struct dataset_rows *rows)
{
    return rows->count;
}

/* --- one line -------------------------------------------------------------------------------- */

static bool take(const char **at, const char *text)
{
    size_t length = strlen(text);
    if (strncmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

static bool take_number(const char **at, int64_t *number)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    *number = strtoll(*at, &end, 10);
    *at = end;
    return errno == 0;
}

/* What prepare wrote, in the order in which it did. */
static bool parse_line(const char *at, const char *end, struct dataset_line *read)
{
    int64_t head;
    *read = (struct dataset_line){0};
    if (!take(&at, "{\"prompt_tokens\":") || !take_number(&at, &read->prompt_tokens) || !take(&at, ",\"counted\":"))
        return false;
    read->counted = take(&at, "true");
    if ((!read->counted && !take(&at, "false")) || !take(&at, ",\"output_tokens\":") || !take_number(&at, &read->output_tokens))
        return false;
    if (take(&at, ",\"hash_ids\":[")) {
        read->hash_ids = at;
        at += strspn(at, "0123456789,-");
        return strcmp(at, "]}") == 0;
    }
    if (strcmp(at, "}") == 0)
        return true;
    if (!take(&at, ",\"head\":") || !take_number(&at, &head) || !take(&at, ",") || head >= end - at || end[-1] != '}')
        return false;
    read->member = at;
    read->member_length = (size_t)(end - 1 - at);
    read->head = (size_t)head;
    return read->head <= read->member_length;
}

int dataset_rows_read(const struct dataset_rows *rows, int64_t row, struct buf *line, struct dataset_line *read, struct error *err)
{
    unsigned char entries[2 * ENTRY_SIZE];
    if (read_at(rows->index, entries, sizeof entries, (uint64_t)row * ENTRY_SIZE, DATASET_INDEX_FILE, err) < 0)
        return -1;
    uint64_t begin = load_offset(entries), end = load_offset(entries + ENTRY_SIZE);
    buf_reset(line);
    if (end <= begin || end - begin > DATASET_LINE_MAX)
        return error_set(err, ERROR_USAGE, DATASET_INDEX_FILE ": row %lld has no line. Prepare the run again", (long long)row);
    size_t length = (size_t)(end - begin) - 1; /* without the newline */
    if (line->cap < length + 1) {
        line->cap = length + 1;
        line->data = mem_realloc(line->data, line->cap, 1);
    }
    if (read_at(rows->lines, line->data, length, begin, DATASET_ROWS_FILE, err) < 0)
        return -1;
    line->len = length;
    line->data[length] = '\0';
    if (!parse_line(line->data, line->data + length, read))
        return error_set(err, ERROR_USAGE, DATASET_ROWS_FILE ": line %lld is not as prepare wrote it. Prepare the run again", (long long)row + 1);
    return 0;
}

/* --- the order -------------------------------------------------------------------------------- */

/* A permutation of [0, 4^half_bits). */
static uint64_t permute(uint64_t x, unsigned half_bits, uint64_t seed)
{
    uint64_t mask = (UINT64_C(1) << half_bits) - 1, left = x >> half_bits, right = x & mask;
    for (unsigned round = 0; round < FEISTEL_ROUNDS; round++) {
        struct random random;
        random_derive(&random, seed, "rows", round, right);
        uint64_t mixed = left ^ (random_u64(&random) & mask);
        left = right;
        right = mixed;
    }
    return left << half_bits | right;
}

int64_t dataset_row_of(int64_t i, int64_t count, bool shuffled, uint64_t seed)
{
    uint64_t row = (uint64_t)(i % count);
    unsigned half_bits = 1;
    if (!shuffled)
        return (int64_t)row;
    while (half_bits < 31 && UINT64_C(1) << (2 * half_bits) < (uint64_t)count)
        half_bits++;
    do
        row = permute(row, half_bits, seed);
    while (row >= (uint64_t)count);
    return (int64_t)row;
}
