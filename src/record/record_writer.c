#include "record/record_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "record/gzip_members.h"

#define LINE_BUFFER_MAX ((size_t)16 << 20)
#define TICKS_KEPT_MAX ((size_t)32 << 10) /* bytes of ticks kept back before they are written without being asked */
#define VARINT_MAX 10

struct record_writer {
    int shard;
    struct gzip_stream *records, *tokens;
    char *journal_path;
    int journal;
    struct buf line;    /* the one being built */
    struct buf ticks;   /* whole journal lines, not yet written */
    unsigned char *frame;
    size_t frame_capacity;
    bool failed;
    struct error first;
};

static int writer_result(struct record_writer *writer, struct error *err)
{
    if (!writer->failed)
        return 0;
    if (err)
        *err = writer->first;
    return -1;
}

/* Remembers the first failure of anything: `result` is a call that got &writer->first unless it failed before. */
static struct error *writer_error(struct record_writer *writer)
{
    return writer->failed ? NULL : &writer->first;
}

static void writer_note(struct record_writer *writer, int result)
{
    if (result < 0)
        writer->failed = true;
}

static struct gzip_stream *writer_open_stream(const char *folder, enum run_file file, int shard, struct error *err)
{
    cleanup_free char *path = run_file_path(folder, file, shard);

    return gzip_stream_open(path, err);
}

struct record_writer *record_writer_open(const char *folder, int shard, struct error *err)
{
    struct record_writer *writer = mem_alloc(sizeof *writer);

    writer->shard = shard;
    writer->line = BUF_INIT(LINE_BUFFER_MAX);
    writer->ticks = BUF_INIT(LINE_BUFFER_MAX);
    writer->journal_path = run_file_path(folder, RUN_JOURNAL, shard);
    writer->journal = open(writer->journal_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->journal < 0)
        error_set_errno(err, ERROR_INTERNAL, errno, "cannot create %s", writer->journal_path);
    else if ((writer->records = writer_open_stream(folder, RUN_RECORDS, shard, err)) &&
             (writer->tokens = writer_open_stream(folder, RUN_TOKENS, shard, err)))
        return writer;
    writer->failed = true;
    record_writer_close(writer, NULL);
    return NULL;
}

/* Ends the line that was built and gives it to the records. */
static int writer_write_line(struct record_writer *writer, struct error *err)
{
    buf_append_char(&writer->line, '\n');
    writer_note(writer, gzip_stream_write(writer->records, writer->line.data, writer->line.len, writer_error(writer)));
    buf_reset(&writer->line);
    return writer_result(writer, err);
}

static json_t *level_to_json(const struct level_header *level)
{
    json_t *object = json_object();

    json_set_integer(object, "index", level->index);
    json_set_text(object, "kind", level->kind);
    json_set_number(object, "load", level->load);
    json_set_text(object, "unit", level->unit);
    return object;
}

/* What is not known is left out. */
static void add_clock_check(json_t *document, const struct clock_check *clock)
{
    json_t *object = json_add_object(document, "clock");

    if (clock->error_ns >= 0) {
        json_set_integer(object, "offset_ns", clock->offset_ns);
        json_set_integer(object, "error_ns", clock->error_ns);
    }
    if (clock->synchronized >= 0)
        json_set_bool(object, "synchronized", clock->synchronized);
    if (clock->max_error_ns >= 0)
        json_set_integer(object, "max_error_ns", clock->max_error_ns);
}

int record_writer_header(struct record_writer *writer, const struct record_header *header, struct error *err)
{
    char anchor[CLOCK_RFC3339_SIZE];
    json_t *document = json_object();

    json_set_text(document, "schema", RECORDS_SCHEMA);
    json_set_text(document, "anchor", clock_format_rfc3339(header->anchor_realtime_ns, 9, anchor));
    json_set_text(document, "run_id", header->run_id);
    if (header->pair_id)
        json_set_text(document, "pair_id", header->pair_id);
    if (writer->shard != NO_SHARD) {
        json_set_integer(document, "shard", writer->shard);
        json_set_integer(document, "shards", header->shards);
    }
    if (header->clock)
        add_clock_check(document, header->clock);

    json_t *array = json_add_array(document, "levels");

    for (size_t k = 0; k < header->level_count; k++)
        json_array_append_new(array, level_to_json(&header->levels[k]));
    json_append_compact(document, &writer->line);
    json_decref(document);
    return writer_write_line(writer, err);
}

static unsigned char *put_varint(unsigned char *to, uint64_t number)
{
    while (number >= 0x80) {
        *to++ = (unsigned char)(number | 0x80);
        number >>= 7;
    }
    *to++ = (unsigned char)number;
    return to;
}

static void writer_add_tokens(struct record_writer *writer, const struct record *record, const int64_t *gaps, const int32_t *n,
                              size_t arrivals)
{
    char id[RECORD_ID_SIZE];

    record_format_id(record, id);

    const size_t id_length = strlen(id);

    MEM_GROW(writer->frame, writer->frame_capacity, RECORD_ID_SIZE + 2 * VARINT_MAX * (arrivals + 1));

    unsigned char *to = put_varint(writer->frame, id_length);

    memcpy(to, id, id_length);
    to = put_varint(to + id_length, arrivals);
    for (size_t k = 0; k < arrivals; k++) {
        to = put_varint(to, gaps[k] > 0 ? (uint64_t)gaps[k] : 0);
        to = put_varint(to, n[k] > 0 ? (uint64_t)n[k] : 0);
    }
    writer_note(writer,
                gzip_stream_write(writer->tokens, writer->frame, (size_t)(to - writer->frame), writer_error(writer)));
}

int record_writer_add(struct record_writer *writer, const struct record *record, const int64_t *gaps, const int32_t *n,
                      size_t arrivals, struct error *err)
{
    if (arrivals > TOKEN_ARRIVALS_MAX)
        return error_set(err, ERROR_INTERNAL, "a request with %zu arrivals: more than the %zu that tokens.bin.gz holds", arrivals,
                         TOKEN_ARRIVALS_MAX);
    if (arrivals > 0)
        writer_add_tokens(writer, record, gaps, n, arrivals);
    record_append_json(record, &writer->line);
    return writer_write_line(writer, err);
}

int record_writer_level_end(struct record_writer *writer, const struct level_header *header, int repeat, int64_t start, int64_t end,
                            int64_t window_start, int64_t window_end, struct error *err)
{
    json_t *line = json_object(), *level = level_to_json(header);

    json_object_set_new(line, "level_end", level);
    json_set_integer(level, "repeat", repeat);
    json_set_integer(level, "start", start);
    json_set_integer(level, "end", end);
    json_set_integer(level, "window_start", window_start);
    json_set_integer(level, "window_end", window_end);
    json_append_compact(line, &writer->line);
    json_decref(line);
    return writer_write_line(writer, err);
}

static void writer_write_ticks(struct record_writer *writer)
{
    if (writer->ticks.len > 0 && !writer->failed)
        writer_note(writer, record_write_all(writer->journal, writer->journal_path, writer->ticks.data, writer->ticks.len,
                                             &writer->first));
    buf_reset(&writer->ticks);
}

int record_writer_journal(struct record_writer *writer, const json_t *line, struct error *err)
{
    json_append_compact(line, &writer->ticks);
    buf_append_char(&writer->ticks, '\n');
    writer_write_ticks(writer);
    return writer_result(writer, err);
}

int record_writer_tick(struct record_writer *writer, int64_t t, int64_t tokens, struct error *err)
{
    buf_printf(&writer->ticks, "{\"tick\":{\"t\":%lld,\"tokens\":%lld}}\n", (long long)t, (long long)tokens);
    if (writer->ticks.len > TICKS_KEPT_MAX)
        writer_write_ticks(writer);
    return writer_result(writer, err);
}

int record_writer_flush(struct record_writer *writer, struct error *err)
{
    writer_note(writer, gzip_stream_flush(writer->records, writer_error(writer)));
    writer_note(writer, gzip_stream_flush(writer->tokens, writer_error(writer)));
    writer_write_ticks(writer);
    return writer_result(writer, err);
}

int record_writer_close(struct record_writer *writer, struct error *err)
{
    writer_write_ticks(writer);
    if (writer->records)
        writer_note(writer, gzip_stream_close(writer->records, writer_error(writer)));
    if (writer->tokens)
        writer_note(writer, gzip_stream_close(writer->tokens, writer_error(writer)));
    if (writer->journal >= 0)
        writer_note(writer, record_sync_and_close(writer->journal, writer->journal_path, writer_error(writer)));

    const int result = writer_result(writer, err);

    free(writer->journal_path);
    free(writer->frame);
    buf_free(&writer->line);
    buf_free(&writer->ticks);
    free(writer);
    return result;
}
