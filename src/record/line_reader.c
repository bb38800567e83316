/* record_read_lines: lines are found in large blocks of inflated bytes, so a call is paid per line only. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "record/gzip_members.h"
#include "record/record_reader.h"

#define LINE_BLOCK_SIZE ((size_t)512 << 10)

CLEANUP_DEFINE(struct gzip_source, gzip_source_free)

struct line_blocks {
    char *bytes;
    size_t begin, end, capacity; /* bytes[begin..end) are not handled yet */
    size_t searched;             /* no newline in bytes[begin..searched) */
    size_t number;               /* of the line before begin */
};

/* Makes room behind `end`, moving what is left to the front. */
static int blocks_make_room(struct line_blocks *blocks, const char *path, struct error *err)
{
    const size_t left = blocks->end - blocks->begin;

    if (left > RECORD_LINE_MAX)
        return error_set(err, ERROR_USAGE, "%s: line %zu is longer than %zu MB", path, blocks->number + 1, RECORD_LINE_MAX >> 20);
    if (blocks->begin > 0 && left > 0)
        memmove(blocks->bytes, blocks->bytes + blocks->begin, left);
    blocks->searched -= blocks->begin;
    blocks->begin = 0;
    blocks->end = left;
    MEM_GROW(blocks->bytes, blocks->capacity, left + LINE_BLOCK_SIZE);
    return 0;
}

static int blocks_handle_lines(struct line_blocks *blocks, line_handler handler, void *context, struct error *err)
{
    char *newline;

    while ((newline = memchr(blocks->bytes + blocks->searched, '\n', blocks->end - blocks->searched))) {
        char *line = blocks->bytes + blocks->begin;
        const size_t length = (size_t)(newline - line);

        *newline = '\0';
        blocks->begin = blocks->searched = (size_t)(newline + 1 - blocks->bytes);

        const int result = handler(context, line, length, ++blocks->number, err);

        if (result != 0)
            return result;
    }
    blocks->searched = blocks->end;
    return 0;
}

static int blocks_read_all(struct line_blocks *blocks, struct gzip_source *source, const char *path, line_handler handler,
                           void *context, struct error *err)
{
    for (;;) {
        if (blocks_make_room(blocks, path, err) < 0)
            return -1;

        const int64_t got = gzip_source_read(source, blocks->bytes + blocks->end, blocks->capacity - blocks->end, err);

        if (got <= 0)
            return (int)got;
        blocks->end += (size_t)got;

        const int result = blocks_handle_lines(blocks, handler, context, err);

        if (result != 0)
            return result;
    }
}

static int read_source(struct gzip_source *source, const char *path, line_handler handler, void *context, bool *truncated,
                       struct error *err)
{
    struct line_blocks blocks = {0};
    const int result = blocks_read_all(&blocks, source, path, handler, context, err);

    if (truncated)
        *truncated = gzip_source_truncated(source) || blocks.end > blocks.begin;
    free(blocks.bytes);
    return result;
}

int record_read_lines(const char *path, line_handler handler, void *context, bool *truncated, struct error *err)
{
    cleanup_with(gzip_source_free) struct gzip_source *source = gzip_source_open(path, NULL, err);

    return source ? read_source(source, path, handler, context, truncated, err) : -1;
}

/* ---- JSON lines ---- */

typedef int (*document_handler)(void *context, const json_t *line, struct error *err);

struct document_reader {
    const char *path;
    document_handler handler;
    void *context;
};

static int handle_document(void *context, char *line, size_t length, size_t number, struct error *err)
{
    const struct document_reader *reader = context;
    json_error_t where;
    json_t *document = json_loadb(line, length, JSON_REJECT_DUPLICATES, &where);

    if (!document)
        return error_set(err, ERROR_USAGE, "%s: line %zu: no JSON: %s", reader->path, number, where.text);

    const int result = json_is_object(document) ? reader->handler(reader->context, document, err)
                                                : error_set(err, ERROR_USAGE, "expected a JSON object, got an array");

    json_decref(document);
    if (result < 0)
        error_wrap(err, "%s: line %zu", reader->path, number);
    return result;
}

static int read_documents(const char *folder, enum run_file file, int shard, document_handler handler, void *context, bool *truncated,
                          struct error *err)
{
    cleanup_free char *path = run_file_path(folder, file, shard);
    bool missing;
    cleanup_with(gzip_source_free) struct gzip_source *source = gzip_source_open(path, &missing, err);

    if (!source)
        return missing ? 1 : -1;

    struct document_reader reader = {path, handler, context};

    return read_source(source, path, handle_document, &reader, truncated, err);
}

struct metrics_reader {
    metrics_handler handler;
    void *context;
};

static bool is_time(const json_t *value)
{
    const json_int_t number = json_integer_value(value);

    return json_is_integer(value) && number >= -RECORD_TIME_MAX && number <= RECORD_TIME_MAX;
}

static int handle_metrics(void *context, const json_t *line, struct error *err)
{
    const struct metrics_reader *reader = context;
    const json_t *t = json_object_get(line, "t"), *took = json_object_get(line, "took"), *series = json_object_get(line, "series");

    const json_int_t target = json_integer_value(json_object_get(line, "target"));

    if (!is_time(t) || !is_time(took) || !json_is_object(series))
        return error_set(err, ERROR_USAGE, "expected integers \"t\" and \"took\" (ns) and an object \"series\"");
    if (target < 0 || target >= METRICS_TARGETS_MAX)
        return error_set(err, ERROR_USAGE, "\"target\" is beyond the %d there may be", METRICS_TARGETS_MAX);
    const struct metrics_line scrape = {
        .t = json_integer_value(t), .took = json_integer_value(took), .target = (size_t)target, .extra = json_is_true(json_object_get(line, "extra")), .series = series,
    };
    return reader->handler(reader->context, &scrape, err);
}

int record_read_metrics(const char *folder, int shard, metrics_handler handler, void *context, bool *truncated, struct error *err)
{
    struct metrics_reader reader = {handler, context};

    return read_documents(folder, RUN_METRICS, shard, handle_metrics, &reader, truncated, err);
}

int record_read_journal(const char *folder, int shard, journal_handler handler, void *context, bool *truncated, struct error *err)
{
    return read_documents(folder, RUN_JOURNAL, shard, handler, context, truncated, err);
}
