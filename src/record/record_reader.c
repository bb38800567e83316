#include "record/record_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "record/record_writer.h"

struct file_reader {
    struct record_file *file;
    struct record_part *part; /* being read: the last of the file's */
    const char *path;
    size_t level_capacity, record_capacity; /* of the part's levels, of all records */
    size_t levels_before;                   /* of the parts before */
    size_t last_level; /* where the record before was: most follow in one level */
    bool has_header;
    int64_t shift; /* of this header's anchor against the first part's first one */
};

static int level_order(const struct level_bounds *level, int index, int repeat)
{
    return level->index != index ? (level->index > index) - (level->index < index)
                                 : (level->repeat > repeat) - (level->repeat < repeat);
}

/* Where (index, repeat) is, or would be put. */
static size_t find_level(const struct level_bounds *levels, size_t count, int index, int repeat)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (level_order(&levels[middle], index, repeat) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool level_is_at(const struct level_bounds *levels, size_t count, size_t at, int index, int repeat)
{
    return at < count && level_order(&levels[at], index, repeat) == 0;
}

/* Puts an empty one there. */
static int insert_level(struct level_bounds **levels, size_t *count, size_t *capacity, size_t at, int index, int repeat,
                        struct error *err)
{
    const struct level_bounds level = {.index = index, .repeat = repeat, .start = TIME_NEVER, .end = TIME_NEVER,
                                       .window_start = TIME_NEVER, .window_end = TIME_NEVER};

    if (*count == RECORD_LEVELS_MAX)
        return error_set(err, ERROR_USAGE, "more than %zu levels", RECORD_LEVELS_MAX);
    MEM_GROW(*levels, *capacity, *count + 1);
    memmove(*levels + at + 1, *levels + at, (*count - at) * sizeof level);
    (*levels)[at] = level;
    (*count)++;
    return 0;
}

static void copy_kind(struct level_bounds *to, const struct level_bounds *from)
{
    memcpy(to->kind, from->kind, sizeof to->kind);
    memcpy(to->unit, from->unit, sizeof to->unit);
    to->load = from->load;
}

/* Finds or adds; *at is its place. What repeat 0 of a level says goes for its other repeats. */
static int need_level(struct file_reader *reader, int index, int repeat, size_t *at, struct error *err)
{
    struct record_part *part = reader->part;

    *at = find_level(part->levels, part->level_count, index, repeat);
    if (level_is_at(part->levels, part->level_count, *at, index, repeat))
        return 0;
    if (reader->levels_before + part->level_count == RECORD_PART_LEVELS_MAX)
        return error_set(err, ERROR_USAGE, "more than %zu levels of all shards", RECORD_PART_LEVELS_MAX);
    if (insert_level(&part->levels, &part->level_count, &reader->level_capacity, *at, index, repeat, err) < 0)
        return -1;

    const size_t first = find_level(part->levels, part->level_count, index, 0);

    if (level_is_at(part->levels, part->level_count, first, index, 0))
        copy_kind(&part->levels[*at], &part->levels[first]);
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

    struct level_bounds *level = &reader->part->levels[at];
    const char *kind = json_get_text_or(json, object, "kind", NULL), *unit = json_get_text_or(json, object, "unit", NULL);

    if (kind)
        copy_bounded(json, "kind", kind, level->kind, sizeof level->kind);
    if (unit)
        copy_bounded(json, "unit", unit, level->unit, sizeof level->unit);
    level->load = json_get_number_or(json, object, "load", level->load);
    return json->failed ? NULL : level;
}

/* What is not told is not known. */
static void read_clock(struct clock_check *clock, struct json_reader *json, const json_t *header)
{
    const json_t *object = json_get_object_or_null(json, header, "clock");

    *clock = (struct clock_check){.error_ns = -1, .synchronized = -1, .max_error_ns = -1};
    if (!object || json->failed)
        return;

    const size_t mark = json_enter(json, "clock", -1);

    clock->offset_ns = json_get_integer_or(json, object, "offset_ns", 0);
    clock->error_ns = json_get_integer_or(json, object, "error_ns", -1);
    clock->max_error_ns = json_get_integer_or(json, object, "max_error_ns", -1);
    if (json_object_get(object, "synchronized"))
        clock->synchronized = json_get_bool(json, object, "synchronized");
    if (clock->offset_ns > RECORD_TIME_MAX || clock->offset_ns < -RECORD_TIME_MAX)
        json_fail(json, "offset_ns", "beyond 70 years");
    if (clock->error_ns > RECORD_TIME_MAX)
        json_fail(json, "error_ns", "beyond 70 years");
    json_leave(json, mark);
}

/* By how much this part's clock is ahead of the first part's; 0 where that may be nothing. */
static int64_t clock_difference(const struct clock_check *clock, const struct clock_check *first)
{
    const int64_t difference = clock->offset_ns - first->offset_ns;

    if (clock->error_ns < 0 || first->error_ns < 0)
        return 0;
    return llabs(difference) > clock->error_ns + first->error_ns ? difference : 0;
}

/* The first header of a part: when it began, by whose clock. */
static int begin_part(struct file_reader *reader, struct json_reader *json, const json_t *header, int64_t anchor)
{
    struct record_part *part = reader->part;
    struct record_file *file = reader->file;

    part->anchor_realtime_ns = anchor;
    read_clock(&part->clock, json, header);
    if (part == file->parts)
        file->anchor_realtime_ns = anchor;
    part->clock_shift = -clock_difference(&part->clock, &file->parts[0].clock);
    reader->has_header = true;
    return json->failed ? -1 : 0;
}

static int read_anchor(struct file_reader *reader, struct json_reader *json, const json_t *header)
{
    const char *text = json_get_text(json, header, "anchor");
    const bool first = !reader->has_header;
    int64_t anchor;

    if (json->failed)
        return -1;
    if (clock_parse_rfc3339(text, &anchor) < 0)
        return json_fail(json, "anchor", "expected an RFC 3339 date");
    if (first && begin_part(reader, json, header, anchor) < 0)
        return -1;
    if (__builtin_sub_overflow(anchor, reader->file->anchor_realtime_ns, &reader->shift) || reader->shift > RECORD_TIME_MAX ||
        reader->shift < -RECORD_TIME_MAX)
        return json_fail(json, "anchor", "70 years from the first one");
    reader->shift += reader->part->clock_shift;
    if (first)
        reader->part->shift = reader->shift;
    return 0;
}

/* The run's name, and which of how many parts this is: as all the others have it. */
static int read_identity(struct file_reader *reader, struct json_reader *json, const json_t *header)
{
    struct record_file *file = reader->file;
    const int shard = reader->part->shard;
    const int64_t number = json_get_integer_or(json, header, "shard", NO_SHARD), shards = json_get_integer_or(json, header, "shards", 0);
    char run_id[sizeof file->run_id] = "";

    copy_bounded(json, "run_id", json_get_text(json, header, "run_id"), run_id, sizeof run_id);
    copy_bounded(json, "pair_id", json_get_text_or(json, header, "pair_id", NULL), file->pair_id, sizeof file->pair_id);
    if (!json->failed && number != shard)
        return json_fail(json, "shard", "not what the file's name says");
    if (!json->failed && shard != NO_SHARD && (shards <= shard || shards > SHARDS_MAX))
        return json_fail(json, "shards", "expected a number from %d to %d", shard + 1, SHARDS_MAX);
    if (json->failed)
        return -1;
    if (file->part_count > 1 && strcmp(run_id, file->run_id) != 0)
        return json_fail(json, "run_id", "other shards are of run %s", file->run_id);
    if (file->part_count > 1 && shards != file->shards)
        return json_fail(json, "shards", "other shards are of %d", file->shards);
    memcpy(file->run_id, run_id, sizeof run_id);
    file->shards = shard == NO_SHARD ? 0 : (int)shards;
    return 0;
}

static int read_header(struct file_reader *reader, struct json_reader *json, const json_t *header, struct error *err)
{
    if (read_identity(reader, json, header) < 0 || read_anchor(reader, json, header) < 0)
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
    struct record_part *part = reader->part;

    if (file->record_count == RECORD_RECORDS_MAX)
        return error_set(err, ERROR_USAGE, "more than %zu records", RECORD_RECORDS_MAX);
    MEM_GROW(file->records, reader->record_capacity, file->record_count + 1);

    struct record *record = &file->records[file->record_count];

    if (record_parse_json(line, length, record, err) < 0)
        return -1;
    shift_record(record, reader->shift);
    if (part->shard != NO_SHARD)
        record->shard = part->shard;
    file->record_count++;
    part->record_count++;
    if (level_is_at(part->levels, part->level_count, reader->last_level, record->level, record->repeat))
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

static void bound_by_records(const struct record_file *file, struct record_part *part)
{
    for (size_t k = 0; k < part->record_count; k++) {
        const struct record *record = &file->records[part->first_record + k];
        struct level_bounds *level = &part->levels[find_level(part->levels, part->level_count, record->level, record->repeat)];

        if (level->ended)
            continue;
        bounds_include(level, record->sent != TIME_NEVER ? record->sent : record->intended);
        bounds_include(level, record->end);
    }
    for (size_t k = 0; k < part->level_count; k++) {
        if (part->levels[k].ended)
            continue;
        part->levels[k].window_start = part->levels[k].start;
        part->levels[k].window_end = part->levels[k].end;
    }
}

/* ---- parts ---- */

/* A shard of which there is nothing but the file's name never began. */
static int end_part(struct file_reader *reader, struct error *err)
{
    struct record_file *file = reader->file;
    struct record_part *part = reader->part;

    if (!reader->has_header)
        part->truncated = true;
    file->truncated |= part->truncated;
    reader->levels_before += part->level_count;
    bound_by_records(file, part);
    if (reader->has_header || part->shard == NO_SHARD)
        return 0;
    if (part->record_count > 0 || part->level_count > 0)
        return error_set(err, ERROR_USAGE, "%s: there is no header: nobody knows when this was", reader->path);
    file->part_count--;
    return 0;
}

static int read_part(struct file_reader *reader, const char *folder, int shard, struct error *err)
{
    struct record_file *file = reader->file;
    cleanup_free char *path = run_file_path(folder, RUN_RECORDS, shard);

    reader->path = path;
    reader->part = &file->parts[file->part_count++];
    *reader->part = (struct record_part){.shard = shard, .first_record = file->record_count,
                                         .clock = {.error_ns = -1, .synchronized = -1, .max_error_ns = -1}};
    reader->level_capacity = reader->last_level = 0;
    reader->has_header = false;
    reader->shift = 0;
    if (record_read_lines(path, handle_line, reader, &reader->part->truncated, err) < 0)
        return -1;
    return end_part(reader, err);
}

/* What the parts' levels are called; of a single part also their times. */
static int join_levels(struct record_file *file, const char *folder, struct error *err)
{
    size_t capacity = 0;

    for (size_t p = 0; p < file->part_count; p++) {
        const struct record_part *part = &file->parts[p];

        for (size_t k = 0; k < part->level_count; k++) {
            const struct level_bounds *level = &part->levels[k];
            const size_t at = find_level(file->levels, file->level_count, level->index, level->repeat);

            if (!level_is_at(file->levels, file->level_count, at, level->index, level->repeat) &&
                insert_level(&file->levels, &file->level_count, &capacity, at, level->index, level->repeat, err) < 0)
                return -1;
            if (file->part_count == 1)
                file->levels[at] = *level;
            else if (file->levels[at].kind[0] == '\0')
                copy_kind(&file->levels[at], level);
        }
    }
    if (file->level_count * file->part_count > RECORD_PART_LEVELS_MAX)
        return error_set(err, ERROR_USAGE, "%s: %zu levels of %zu shards are more than %zu", folder, file->level_count, file->part_count,
                         RECORD_PART_LEVELS_MAX);
    return 0;
}

static int read_parts(struct record_file *file, const char *folder, const int *shards, size_t count, struct error *err)
{
    struct file_reader reader = {.file = file};

    if (count > 1 && shards[0] == NO_SHARD)
        return error_set(err, ERROR_USAGE, "%s holds records of a whole run and of shards: they do not belong together", folder);
    file->parts = mem_calloc(count, sizeof *file->parts);
    for (size_t k = 0; k < count; k++) {
        if (read_part(&reader, folder, shards[k], err) < 0)
            return -1;
    }
    return join_levels(file, folder, err);
}

int record_file_read(const char *folder, struct record_file *file, struct error *err)
{
    static const int whole[] = {NO_SHARD};
    cleanup_free int *shards = NULL;
    size_t count;

    *file = (struct record_file){0};
    if (run_file_list(folder, RUN_RECORDS, &shards, &count, err) < 0)
        return -1;

    /* Nothing there: the error names what is missed. */
    const int result = count > 0 ? read_parts(file, folder, shards, count, err) : read_parts(file, folder, whole, 1, err);

    if (result < 0)
        record_file_free(file);
    return result;
}

const struct level_bounds *record_part_level(const struct record_part *part, int index, int repeat)
{
    const size_t at = find_level(part->levels, part->level_count, index, repeat);

    return level_is_at(part->levels, part->level_count, at, index, repeat) ? &part->levels[at] : NULL;
}

void record_file_free(struct record_file *file)
{
    for (size_t k = 0; k < file->part_count; k++)
        free(file->parts[k].levels);
    free(file->parts);
    free(file->levels);
    free(file->records);
    *file = (struct record_file){0};
}
