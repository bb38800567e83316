#include "serve/truth_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "serve/simulator_truth.h"

#define FLUSH_BYTES ((size_t)64 << 10)
#define FLUSH_INTERVAL NS_PER_S
#define LINE_MAX_BYTES ((size_t)1 << 30) /* more than the times that are held at most */
#define DIGITS_MAX 20

struct truth_file {
    char *path;
    int fd;
    int64_t started, flushed; /* of the clock */
    off_t length;             /* of whole lines */
    size_t held; /* times in memory */
    int error; /* errno of the first write that failed; 0: none */
    struct buf pending;
};

/* --- writing --------------------------------------------------------------------------------- */

static int write_whole(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

void truth_file_flush(struct truth_file *file)
{
    if (!file)
        return;
    if (!file->error && write_whole(file->fd, file->pending.data, file->pending.len) < 0) {
        file->error = errno;
        (void)!ftruncate(file->fd, file->length); /* a pipe keeps its half line */
    }
    file->length += (off_t)file->pending.len;
    buf_reset(&file->pending);
}

static void write_head(struct truth_file *file, const struct truth_file_head *head)
{
    char date[CLOCK_RFC3339_SIZE];
    json_t *object = json_object();
    json_set_text(object, "schema", "roibench/truth-file/v1");
    json_set_text(object, "started", clock_format_rfc3339(head->started_realtime, 9, date));
    json_set_integer(object, "monotonic_ns", head->started);
    json_set_text(object, "model", head->model);
    json_set_text(object, "preset", head->preset);
    json_set_number(object, "time_scale", head->time_scale);
    json_append_compact(object, &file->pending);
    buf_append_char(&file->pending, '\n');
    json_decref(object);
    truth_file_flush(file);
}

int truth_file_close(struct truth_file *file, struct error *err)
{
    if (!file)
        return 0;
    truth_file_flush(file);
    if (close(file->fd) < 0 && !file->error)
        file->error = errno;
    int result = 0;
    if (file->error)
        result = error_set_errno(err, ERROR_INTERNAL, file->error, "the truth file %s is not whole", file->path);
    buf_free(&file->pending);
    free(file->path);
    free(file);
    return result;
}

struct truth_file *truth_file_new(const char *path, const struct truth_file_head *head, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        error_set_errno(err, ERROR_INTERNAL, errno, "cannot write the truth file %s", path);
        return NULL;
    }
    struct truth_file *file = mem_alloc(sizeof *file);
    *file = (struct truth_file){.path = mem_strdup(path), .fd = fd, .started = head->started, .flushed = head->started,
                                .pending = BUF_INIT(LINE_MAX_BYTES)};
    write_head(file, head);
    if (!file->error)
        return file;
    error_set_errno(err, ERROR_INTERNAL, file->error, "cannot write the truth file %s", path);
    struct error ignored;
    truth_file_close(file, &ignored);
    return NULL;
}

/* --- a request ------------------------------------------------------------------------------- */

/* Returns how many of the times found no room. */
static int64_t add(struct truth_file *file, struct truth_series *series, int64_t count, int64_t time)
{
    for (; count > 0 && file->held < TRUTH_FILE_HELD_MAX; count--, file->held++) {
        MEM_GROW(series->times, series->capacity, series->count + 1);
        series->times[series->count++] = time;
    }
    return count;
}

void truth_file_due(struct truth_file *file, struct truth_times *times, int64_t due)
{
    if (file)
        times->left_out += (uint64_t)add(file, &times->due, 1, due);
}

void truth_file_sent(struct truth_file *file, struct truth_times *times, int64_t tokens, int64_t now)
{
    if (file)
        times->left_out += (uint64_t)add(file, &times->sent, tokens, now);
}

/* As "%lld", five times as fast: this is done twice a token. */
static void append_integer(struct buf *out, int64_t value)
{
    char digits[DIGITS_MAX];
    size_t k = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        digits[--k] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        buf_append_char(out, '-');
    buf_append(out, digits + k, sizeof digits - k);
}

static void append_series(struct truth_file *file, const char *key, struct truth_series *series, int64_t start)
{
    buf_printf(&file->pending, ",\"%s\":[", key);
    for (size_t k = 0; k < series->count; k++) {
        if (k > 0)
            buf_append_char(&file->pending, ',');
        append_integer(&file->pending, series->times[k] - start);
    }
    buf_append_char(&file->pending, ']');
    file->held -= series->count;
    free(series->times);
    *series = (struct truth_series){0};
}

void truth_file_end(struct truth_file *file, struct truth_request *request)
{
    if (!file)
        return;
    struct truth_times *times = &request->times;
    buf_printf(&file->pending,
               "{\"id\":%.*s,\"arrived_ns\":%" PRId64 ",\"stream\":%s,\"disconnected\":%s,\"struck\":%s,\"prompt_tokens\":%" PRId64
               ",\"output_tokens\":%" PRId64 ",\"chunks\":%" PRIu64 ",\"buffered\":%" PRId64 ",\"times_left_out\":%" PRIu64,
               (int)request->id_length, request->id, request->arrived - file->started, request->stream ? "true" : "false",
               request->disconnected ? "true" : "false", request->struck ? "true" : "false", request->prompt_tokens, request->tokens, request->chunks,
               request->buffered, times->left_out);
    append_series(file, "due_ns", &times->due, request->arrived);
    append_series(file, "sent_ns", &times->sent, request->arrived);
    buf_append_text(&file->pending, "}\n");
    bool is_time = request->last_sent != TIME_NEVER && request->last_sent - file->flushed >= FLUSH_INTERVAL;
    if (file->pending.len >= FLUSH_BYTES || is_time) {
        truth_file_flush(file);
        file->flushed = request->last_sent;
    }
}
