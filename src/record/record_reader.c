#include "record/record_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "record/record_writer.h"

struct file_reader {
    struct record_file *file;
    const char *path;
    size_t level_capacity, record_capacity;
    size_t last_level; /* where the record before was: most follow in one level */
    bool has_header;
    int64_t shift; /* of this header's anchor against the first one's */
};

static int level_order(const struct level_bounds *level, int index, int repeat)
{
    return level->index != index ? (level->index > index) - (level->index < index)
                                 : (level->repeat > repeat) - (level->repeat < repeat);
}

/* Where (index, repeat) is, or would be put. */
static size_t find_level(const struct record_file *file, int index, int repeat)
{
    size_t low = 0, high = file->level_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (level_order(&file->levels[middle], index, repeat) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool level_is_at(const struct record_file *file, size_t at, int index, int repeat)
{
    return at < file->level_count && level_order(&file->levels[at], index, repeat) == 0;
}

/* What repeat 0 of a level says goes for its other repeats. */
static void level_inherit(const struct record_file *file, struct level_bounds *level)
{
    const size_t first = find_level(file, level->index, 0);

    if (!level_is_at(file, first, level->index, 0))
        return;
    memcpy(level->kind, file->levels[first].kind, sizeof level->kind);
    memcpy(level->unit, file->levels[first].unit, sizeof level->unit);
    level->load = file->levels[first].load;
}

/* Finds or adds; *at is its place. */
static int need_level(struct file_reader *reader, int index, int repeat, size_t *at, struct error *err)
{
    struct record_file *file = reader->file;

    *at = find_level(file, index, repeat);
    if (level_is_at(file, *at, index, repeat))
        return 0;
    if (file->level_count == RECORD_LEVELS_MAX)
        return error_set(err, ERROR_USAGE, "more than %zu levels", RECORD_LEVELS_MAX);

    struct level_bounds level = {.index = index, .repeat = repeat, .start = TIME_NEVER, .end = TIME_NEVER,
                                 .window_start = TIME_NEVER, .window_end = TIME_NEVER};

    level_inherit(file, &level);
    MEM_GROW(file->levels, reader->level_capacity, file->level_count + 1);
    memmove(file->levels + *at + 1, file->levels + *at, (file->level_count - *at) * sizeof level);
    file->levels[*at] = level;
    file->level_count++;
    return 0;
}

/* ---- lines ---- */

static int copy_bounded(struct json_reader *json, const char *key, const char *text, char *to, size_t size)
{
    const size_t length = text ? strlen(text) : 0;

    if (length >= size)
        return json_fail(json, key, "longer than %zu bytes", size - 1);
    memcpy(to, text ? text : "", length + 1);
    return 0;
}

static int get_index(struct json_reader *json, const json_t *object, const char *key)
{
    const int64_t number = json_get_integer(json, object, key);

    if (!json->failed && (number < 0 || number > INT32_MAX))
        json_fail(json, key, "expected a number from 0 to 2147483647");
    return json->failed ? 0 : (int)number;
}

static int64_t get_time(const struct file_reader *reader, struct json_reader *json, const json_t *object, const char *key)
{
    const int64_t time = json_get_integer_or(json, object, key, TIME_NEVER);

    if (time == TIME_NEVER || json->failed)
        return TIME_NEVER;
    if (time >= -RECORD_TIME_MAX && time <= RECORD_TIME_MAX)
        return time + reader->shift;
    json_fail(json, key, "a time beyond 70 years");
    return TIME_NEVER;
}

/* kind, load, unit of a level in the header or of a level_end. */
static struct level_bounds *read_level(struct file_reader *reader, struct json_reader *json, const json_t *object, int repeat,
                                       struct error *err)
{
    const int index = get_index(json, object, "index");
    size_t at;

    if (json->failed || need_level(reader, index, repeat, &at, err) < 0)
        return NULL;

    struct level_bounds *level = &reader->file->levels[at];
    const char *kind = json_get_text_or(json, object, "kind", NULL), *unit = json_get_text_or(json, object, "unit", NULL);

    if (kind)
        copy_bounded(json, "kind", kind, level->kind, sizeof level->kind);
    if (unit)
        copy_bounded(json, "unit", unit, level->unit, sizeof level->unit);
    level->load = json_get_number_or(json, object, "load", level->load);
    return json->failed ? NULL : level;
}

static int read_anchor(struct file_reader *reader, struct json_reader *json, const json_t *header)
{
    const char *text = json_get_text(json, header, "anchor");
    int64_t anchor;

    if (json->failed)
        return -1;
    if (clock_parse_rfc3339(text, &anchor) < 0)
        return json_fail(json, "anchor", "expected an RFC 3339 date");
    if (!reader->has_header)
        reader->file->anchor_realtime_ns = anchor;
    reader->has_header = true;
    if (__builtin_sub_overflow(anchor, reader->file->anchor_realtime_ns, &reader->shift) || reader->shift > RECORD_TIME_MAX ||
        reader->shift < -RECORD_TIME_MAX)
        return json_fail(json, "anchor", "70 years from the first one");
    return 0;
}

static int read_header(struct file_reader *reader, struct json_reader *json, const json_t *header, struct error *err)
{
    if (read_anchor(reader, json, header) < 0 ||
        copy_bounded(json, "run_id", json_get_text(json, header, "run_id"), reader->file->run_id, sizeof reader->file->run_id) < 0)
        return -1;

    const json_t *levels = json_get_array(json, header, "levels"), *level;
    size_t k;

    json_array_foreach(levels, k, level) {
        const size_t mark = json_enter(json, "levels", (int)k);

        if (!read_level(reader, json, level, 0, err))
            return -1;
        json_leave(json, mark);
    }
    return json->failed ? -1 : 0;
}

static int read_level_end(struct file_reader *reader, struct json_reader *json, const json_t *line, struct error *err)
{
    const json_t *object = json_get_object(json, line, "level_end");
    const size_t mark = json_enter(json, "level_end", -1);
    const int repeat = get_index(json, object, "repeat");

    if (json->failed)
        return -1;

    struct level_bounds *level = read_level(reader, json, object, repeat, err);

    if (!level)
        return -1;
    level->start = get_time(reader, json, object, "start");
    level->end = get_time(reader, json, object, "end");
    level->window_start = get_time(reader, json, object, "window_start");
    level->window_end = get_time(reader, json, object, "window_end");
    level->ended = true;
    json_leave(json, mark);
    return json->failed ? -1 : 0;
}

static int read_document(struct file_reader *reader, const char *line, size_t length, size_t number, bool header,
                         struct error *err)
{
    struct json_reader json;
    cleanup_free char *name = mem_printf("%s: line %zu", reader->path, number);
    json_t *document = json_parse(&json, line, length, name, header ? RECORDS_SCHEMA : NULL, err);

    if (!document)
        return -1;

    const int result = header ? read_header(reader, &json, document, err) : read_level_end(reader, &json, document, err);

    json_decref(document);
    return result;
}

static void shift_time(int64_t *time, int64_t shift)
{
    if (*time != TIME_NEVER)
        *time += shift;
}

static void shift_record(struct record *record, int64_t shift)
{
    int64_t *const times[] = {&record->intended,    &record->sent,       &record->connected, &record->headers,
                              &record->first_token, &record->last_token, &record->end};

    for (size_t k = 0; shift != 0 && k < sizeof times / sizeof *times; k++)
        shift_time(times[k], shift);
}

static int read_record(struct file_reader *reader, const char *line, size_t length, struct error *err)
{
    struct record_file *file = reader->file;

    if (file->record_count == RECORD_RECORDS_MAX)
        return error_set(err, ERROR_USAGE, "more than %zu records", RECORD_RECORDS_MAX);
    MEM_GROW(file->records, reader->record_capacity, file->record_count + 1);

    struct record *record = &file->records[file->record_count];

    if (record_parse_json(line, length, record, err) < 0)
        return -1;
    shift_record(record, reader->shift);
    file->record_count++;
    if (level_is_at(file, reader->last_level, record->level, record->repeat))
        return 0;
    return need_level(reader, record->level, record->repeat, &reader->last_level, err);
}

/* Does the line begin with {"<key>": whatever the spaces? */
static bool begins_with_key(const char *line, const char *key)
{
    line += strspn(line, " \t");
    if (*line != '{')
        return false;
    line += 1 + strspn(line + 1, " \t");

    const size_t length = strlen(key);

    return *line == '"' && strncmp(line + 1, key, length) == 0 && line[1 + length] == '"';
}

static int handle_line(void *context, char *line, size_t length, size_t number, struct error *err)
{
    struct file_reader *reader = context;
    const bool header = begins_with_key(line, "schema");

    if (header || begins_with_key(line, "level_end"))
        return read_document(reader, line, length, number, header, err);
    if (read_record(reader, line, length, err) == 0)
        return 0;
    return error_wrap(err, "%s: line %zu", reader->path, number);
}

/* ---- levels that were cut off ---- */

static void bounds_include(struct level_bounds *level, int64_t time)
{
    if (time == TIME_NEVER)
        return;
    if (level->start == TIME_NEVER || time < level->start)
        level->start = time;
    if (level->end == TIME_NEVER || time > level->end)
        level->end = time;
}

static void bound_by_records(struct record_file *file)
{
    for (size_t k = 0; k < file->record_count; k++) {
        const struct record *record = &file->records[k];
        struct level_bounds *level = &file->levels[find_level(file, record->level, record->repeat)];

        if (level->ended)
            continue;
        bounds_include(level, record->sent != TIME_NEVER ? record->sent : record->intended);
        bounds_include(level, record->end);
    }
    for (size_t k = 0; k < file->level_count; k++) {
        if (file->levels[k].ended)
            continue;
        file->levels[k].window_start = file->levels[k].start;
        file->levels[k].window_end = file->levels[k].end;
    }
}

int record_file_read(const char *folder, struct record_file *file, struct error *err)
{
    cleanup_free char *path = file_join(folder, "records.jsonl.gz");
    struct file_reader reader = {.file = file, .path = path};

    *file = (struct record_file){0};
    if (record_read_lines(path, handle_line, &reader, &file->truncated, err) < 0) {
        record_file_free(file);
        return -1;
    }
    if (!reader.has_header)
        file->truncated = true;
    bound_by_records(file);
    return 0;
}

void record_file_free(struct record_file *file)
{
    free(file->levels);
    free(file->records);
    *file = (struct record_file){0};
}
