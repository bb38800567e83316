#include "record/run_span.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "record/record_reader.h"

#define HEADER_READ 1 /* what the handler answers when it has seen the first line */

struct reading {
    struct run_span *span;
    int64_t anchor; /* of the part that is read; TIME_NEVER: its records have no header */
};

static int take_header(void *context, char *line, size_t length, size_t number, struct error *err)
{
    (void)number;
    (void)err;
    struct reading *reading = context;
    json_t *header = json_loadb(line, length, 0, NULL);
    const char *anchor = json_string_value(json_object_get(header, "anchor"));
    if (!anchor || clock_parse_rfc3339(anchor, &reading->anchor) < 0)
        reading->anchor = TIME_NEVER;
    json_decref(header);
    return HEADER_READ;
}

static void widen(struct reading *reading, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        return;
    int64_t t;
    if (__builtin_add_overflow(reading->anchor, (int64_t)json_integer_value(value), &t))
        return;
    struct run_span *span = reading->span;
    if (span->from_realtime_ns == TIME_NEVER || t < span->from_realtime_ns)
        span->from_realtime_ns = t;
    if (span->to_realtime_ns == TIME_NEVER || t > span->to_realtime_ns)
        span->to_realtime_ns = t;
}

static int take_line(void *context, const json_t *line, struct error *err)
{
    (void)err;
    const json_t *end = json_object_get(line, "level_end");
    widen(context, json_object_get(line, "level_start"), "start");
    widen(context, end, "start");
    widen(context, end, "end");
    widen(context, json_object_get(line, "tick"), "t");
    return 0;
}

static int read_part(const char *folder, int shard, struct reading *reading, struct error *err)
{
    cleanup_free char *records = run_file_path(folder, RUN_RECORDS, shard);
    reading->anchor = TIME_NEVER;
    if (record_read_lines(records, take_header, reading, NULL, err) < 0)
        return -1;
    if (reading->anchor == TIME_NEVER) /* a shard that never began */
        return 0;
    if (reading->span->anchor_realtime_ns == TIME_NEVER)
        reading->span->anchor_realtime_ns = reading->anchor;
    return record_read_journal(folder, shard, take_line, reading, NULL, err) < 0 ? -1 : 0;
}

int run_span_read(const char *folder, struct run_span *span, struct error *err)
{
    cleanup_free int *shards = NULL;
    size_t count;
    struct reading reading = {.span = span};
    *span = (struct run_span){TIME_NEVER, TIME_NEVER, TIME_NEVER};
    if (run_file_list(folder, RUN_RECORDS, &shards, &count, err) < 0)
        return -1;
    for (size_t k = 0; k < count; k++)
        if (read_part(folder, shards[k], &reading, err) < 0)
            return -1;
    if (span->anchor_realtime_ns == TIME_NEVER || span->from_realtime_ns == TIME_NEVER)
        return error_set(err, ERROR_USAGE, "%s: neither records nor journal tell when the run took place", folder);
    return 0;
}
