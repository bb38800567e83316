#include "stats/run_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/profile.h"
#include "stats/level_sample.h"
#include "stats/run_blocks.h"
#include "stats/run_tokens.h"
#include "stats/token_source.h"

/* The only place where wall time becomes model time. */
static int64_t scale_time(const struct run_data *data, int64_t wall)
{
    if (wall == TIME_NEVER || data->time_scale == 1)
        return wall;
    long double model = (long double)wall * (long double)data->time_scale;
    if (model > (long double)TIME_LIMIT)
        return TIME_LIMIT;
    return model < -(long double)TIME_LIMIT ? -TIME_LIMIT : (int64_t)llrintl(model);
}

static void scale_record(const struct run_data *data, struct record *record)
{
    int64_t *times[] = {&record->intended, &record->sent,       &record->connected, &record->headers,
                        &record->first_token, &record->last_token, &record->end};
    for (size_t k = 0; k < sizeof times / sizeof times[0]; k++)
        *times[k] = scale_time(data, *times[k]);
}

/* ---- order and levels ---- */

static int compare_ids(const struct record *x, int level, int repeat, int64_t i)
{
    if (x->level != level)
        return x->level < level ? -1 : 1;
    if (x->repeat != repeat)
        return x->repeat < repeat ? -1 : 1;
    return (x->i > i) - (x->i < i);
}

static int compare_order(const void *a, const void *b, void *context)
{
    const struct record *records = context;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    const struct record *y = &records[right];
    int order = compare_ids(&records[left], y->level, y->repeat, y->i);
    return order != 0 ? order : (left > right) - (left < right);
}

/* Shards own different requests: where two have the same one, the files are not of one run. */
static int check_order(const struct run_data *data, struct error *err)
{
    char id[RECORD_ID_SIZE];
    for (size_t k = 1; k < data->file.record_count; k++) {
        const struct record *before = &data->file.records[data->order[k - 1]], *record = &data->file.records[data->order[k]];
        if (before->shard == record->shard || compare_ids(before, record->level, record->repeat, record->i) != 0)
            continue;
        record_format_id(record, id);
        return error_set(err, ERROR_USAGE, "shards %d and %d both have a request %s: they are not shards of one run", before->shard,
                         record->shard, id);
    }
    return 0;
}

static int make_order(struct run_data *data, struct error *err)
{
    size_t count = data->file.record_count;
    if (count > UINT32_MAX)
        return error_set(err, ERROR_USAGE, "more than %u records", UINT32_MAX);
    data->order = mem_calloc(count + 1, sizeof *data->order);
    data->member = mem_calloc(count + 1, sizeof *data->member);
    for (size_t k = 0; k < count; k++)
        data->order[k] = (uint32_t)k;
    if (count > 1)
        qsort_r(data->order, count, sizeof *data->order, compare_order, data->file.records);
    return data->file.part_count > 1 ? check_order(data, err) : 0;
}

bool run_level_is_open_loop(const struct run_level *level)
{
    return strcmp(level->bounds.unit, "req/s") == 0;
}

static bool is_stopped(const struct client_health *health)
{
    static const char *const reasons[] = {"stopped", "target_refuses", "max_tokens_total", "max_usd"};
    for (size_t k = 0; k < sizeof reasons / sizeof reasons[0]; k++)
        if (strcmp(health->reason, reasons[k]) == 0)
            return true;
    return false;
}

bool run_level_was_stopped(const struct run_level *level)
{
    return is_stopped(&level->health);
}

bool run_level_grew(const struct run_level *level)
{
    return strcmp(level->health.reason, "saturated") == 0;
}

/* By the shard's number; the only part of a whole run. */
static size_t part_of(const struct record_file *file, const struct record *record)
{
    size_t low = 0, high = file->part_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (file->parts[middle].shard <= record->shard)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool run_data_was_stopped(const struct run_data *data, const struct run_level *level, const struct record *record)
{
    return is_stopped(&level->parts[part_of(&data->file, record)].health);
}

struct run_level *run_data_find_level(const struct run_data *data, int64_t index, int64_t repeat)
{
    size_t low = 0, high = data->level_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct level_bounds *bounds = &data->levels[middle].bounds;
        if (bounds->index < index || (bounds->index == index && bounds->repeat < repeat))
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < data->level_count && data->levels[low].bounds.index == index && data->levels[low].bounds.repeat == repeat;
    return found ? &data->levels[low] : NULL;
}

int64_t run_level_counted_at(const struct run_level *level, const struct record *record)
{
    struct level_sample sample = level_sample_of(record);
    return level_sample_counted_at(&sample, run_level_is_open_loop(level));
}

static void widen(int64_t t, int64_t *low, int64_t *high)
{
    if (t == TIME_NEVER)
        return;
    if (*low == TIME_NEVER || t < *low)
        *low = t;
    if (*high == TIME_NEVER || t > *high)
        *high = t;
}

static int64_t trim_of(const struct trim *trim, int64_t length)
{
    if (trim->kind == TRIM_SHARE)
        return (int64_t)(trim->share * (double)length);
    return trim->kind == TRIM_TIME ? trim->ns : 0;
}

static int64_t clamp_time(int64_t t, int64_t low, int64_t high)
{
    return t < low ? low : t > high ? high : t;
}

/* A level that a part did not live to end: from its beginning to its last event. Its window is what was to be measured of that. */
static void guess_bounds(const struct run_data *data, const struct run_level *level, size_t p, const struct limits *limits)
{
    struct level_part *part = &level->parts[p];
    struct level_bounds *bounds = &part->bounds;
    int64_t low = TIME_NEVER, high = TIME_NEVER;
    widen(part->started, &low, &high);
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &data->file.records[level->records[k]];
        if (part_of(&data->file, record) != p)
            continue;
        widen(run_level_counted_at(level, record), &low, &high);
        widen(record->end, &low, &high);
    }
    bounds->start = low == TIME_NEVER ? 0 : low;
    bounds->end = high == TIME_NEVER ? bounds->start : high + 1;
    int64_t measure_start = part->measure_start == TIME_NEVER ? bounds->start : part->measure_start;
    int64_t planned_end = limits->max_seconds_ns > 0 ? measure_start + limits->max_seconds_ns : bounds->end;
    int64_t length = planned_end - bounds->start;
    int64_t warm = bounds->start + trim_of(&limits->warmup, length);
    bounds->window_start = clamp_time(warm > measure_start ? warm : measure_start, bounds->start, bounds->end);
    /* Without a planned end nobody knows when its cool-down would have begun: it never did. */
    int64_t window_end = limits->max_seconds_ns > 0 ? planned_end - trim_of(&limits->cooldown, length) : bounds->end;
    bounds->window_end = clamp_time(window_end, bounds->window_start, bounds->end);
}

/* ---- what the parts of a run did together ---- */

/* A shard that had nothing to do in a level with fewer streams than shards: its level was over at once. */
static bool is_idle(const struct level_part *part)
{
    return part->bounds.ended && part->record_count == 0 && !is_stopped(&part->health);
}

/* Its own share of the requests ended it: its load was complete to its end, and behind it there is none to wait for. */
static bool is_done(const struct level_part *part)
{
    return part->bounds.ended && strcmp(part->health.reason, "max_requests") == 0;
}

/* What tells most of what became of the level: that a part was stopped, or ended it for a reason that only it saw. */
static int reason_rank(const struct client_health *health)
{
    static const char *const usual[] = {"", "max_requests", "max_seconds"};
    for (int k = 0; k < 3; k++)
        if (strcmp(health->reason, usual[k]) == 0)
            return k;
    return is_stopped(health) ? 4 : 3;
}

static void join_health(struct client_health *health, const struct client_health *part)
{
    health->known &= part->known;
    if (part->lag_p99 > health->lag_p99)
        health->lag_p99 = part->lag_p99;
    if (part->stamp_delay_p99 > health->stamp_delay_p99)
        health->stamp_delay_p99 = part->stamp_delay_p99;
    if (part->pause > health->pause)
        health->pause = part->pause;
    if (part->record_stall > health->record_stall)
        health->record_stall = part->record_stall;
    if (!isnan(part->cpu) && !(part->cpu <= health->cpu))
        health->cpu = part->cpu;
    if (part->throttled > health->throttled)
        health->throttled = part->throttled;
    if (reason_rank(part) > reason_rank(health))
        memcpy(health->reason, part->reason, sizeof health->reason);
}

/* The window of a level is when all its shards measured it: from the latest start phase to the first end of time. Those that had nothing
 * to do, or ended since their requests were done, do not end it for the others; where all ended so, it lasts to the last one's end. */
static void join_windows(struct run_level *level, size_t parts)
{
    struct level_bounds *bounds = &level->bounds;
    int64_t last = TIME_NEVER, any = TIME_NEVER;
    bounds->window_start = bounds->window_end = TIME_NEVER;
    for (size_t p = 0; p < parts; p++) {
        const struct level_part *part = &level->parts[p];
        if (!part->begun || (is_idle(part) && level->record_count > 0))
            continue;
        widen(part->bounds.window_start, &any, &bounds->window_start);
        widen(part->bounds.window_end, &any, &last);
        if (!is_done(part) && (bounds->window_end == TIME_NEVER || part->bounds.window_end < bounds->window_end))
            bounds->window_end = part->bounds.window_end;
        if (part->bounds.window_end - part->bounds.window_start > level->longest_window)
            level->longest_window = part->bounds.window_end - part->bounds.window_start;
    }
    if (bounds->window_end == TIME_NEVER)
        bounds->window_end = last;
    if (bounds->window_end < bounds->window_start)
        bounds->window_end = bounds->window_start;
    level->joint_window = bounds->window_end - bounds->window_start;
}

/* The first so many shards have a share of the level: stream j is shard j % shards's. */
static int shards_with_load(const struct run_data *data, const struct run_level *level)
{
    int shards = data->file.shards;
    return !run_level_is_open_loop(level) && level->bounds.load < shards ? (int)level->bounds.load : shards;
}

static void join_parts(const struct run_data *data, struct run_level *level, const struct limits *limits)
{
    struct level_bounds *bounds = &level->bounds;
    int64_t any = TIME_NEVER;
    int begun = 0, with_load = 0, shards = shards_with_load(data, level);
    level->health = (struct client_health){.known = true, .lag_p99 = -1, .stamp_delay_p99 = -1, .cpu = NAN, .throttled = -1};
    bounds->start = bounds->end = TIME_NEVER;
    for (size_t p = 0; p < data->file.part_count; p++) {
        struct level_part *part = &level->parts[p];
        part->begun = part->bounds.ended || part->record_count > 0 || part->started != TIME_NEVER;
        if (!part->begun)
            continue;
        begun++;
        with_load += data->file.parts[p].shard < shards;
        level->parts_cut += !part->bounds.ended;
        if (!part->bounds.ended)
            guess_bounds(data, level, p, limits);
        widen(part->bounds.start, &bounds->start, &any);
        widen(part->bounds.end, &any, &bounds->end);
        join_health(&level->health, &part->health);
    }
    level->parts_missing = shards > with_load ? shards - with_load : 0;
    bounds->ended = begun > 0 && level->parts_cut == 0;
    if (begun > 0)
        join_windows(level, data->file.part_count);
    else
        bounds->start = bounds->end = bounds->window_start = bounds->window_end = 0;
}

static void mark_members(struct run_data *data, struct run_level *level)
{
    level->drained = level->bounds.end;
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &data->file.records[level->records[k]];
        int64_t t = run_level_counted_at(level, record);
        if (record->end != TIME_NEVER && record->end > level->drained)
            level->drained = record->end;
        data->member[level->records[k]] = t != TIME_NEVER && run_level_in_window(level, t);
    }
}

/* How each part of the run saw a level, as far as its records tell. */
static void make_parts(const struct run_data *data, struct run_level *level)
{
    for (size_t p = 0; p < data->file.part_count; p++) {
        struct level_part *part = &level->parts[p];
        const struct level_bounds *bounds = record_part_level(&data->file.parts[p], level->bounds.index, level->bounds.repeat);
        part->health = (struct client_health){.lag_p99 = -1, .stamp_delay_p99 = -1, .cpu = NAN, .throttled = -1};
        part->started = part->measure_start = TIME_NEVER;
        if (!bounds)
            continue;
        part->bounds = *bounds;
        int64_t *times[] = {&part->bounds.start, &part->bounds.end, &part->bounds.window_start, &part->bounds.window_end};
        for (size_t t = 0; t < sizeof times / sizeof times[0]; t++)
            *times[t] = scale_time(data, *times[t]);
    }
    for (size_t k = 0; k < level->record_count; k++)
        level->parts[part_of(&data->file, &data->file.records[level->records[k]])].record_count++;
}

static void make_levels(struct run_data *data)
{
    size_t at = 0, count = data->file.record_count, parts = data->file.part_count;
    data->level_count = data->file.level_count;
    data->levels = mem_calloc(data->level_count + 1, sizeof *data->levels);
    data->level_parts = mem_calloc(data->level_count * parts + 1, sizeof *data->level_parts);
    for (size_t k = 0; k < data->level_count; k++) {
        struct run_level *level = &data->levels[k];
        level->bounds = data->file.levels[k];
        level->parts = data->level_parts + k * parts;
        level->records = data->order + at;
        while (at < count && data->file.records[data->order[at]].level == level->bounds.index &&
               data->file.records[data->order[at]].repeat == level->bounds.repeat)
            at++;
        level->record_count = (size_t)(data->order + at - level->records);
        make_parts(data, level);
    }
}

/* What of the plan's trims the window was made by; `auto` is looked for now. */
static void trim_level(const struct run_data *data, struct run_level *level, const struct limits *limits)
{
    static const enum steady_rule rules[] = {[TRIM_NONE] = STEADY_NONE, [TRIM_SHARE] = STEADY_SHARE, [TRIM_TIME] = STEADY_TIME};
    struct level_bounds *bounds = &level->bounds;
    const struct profile *profile = profile_find(bounds->kind); /* NULL: of a later version */
    int64_t length = bounds->end - bounds->start;
    struct steady_level wanted = {
        .open_loop = run_level_is_open_loop(level),
        .changes = profile && profile_load_changes(profile),
        .max_requests_ended = strcmp(level->health.reason, "max_requests") == 0,
        .warmup = limits->warmup.kind == TRIM_AUTO,
        .cooldown = limits->cooldown.kind == TRIM_AUTO,
    };
    struct steady_window window = {.start = bounds->window_start, .end = bounds->window_end};
    if (!wanted.warmup)
        window.warmup = (struct steady_cut){.rule = rules[limits->warmup.kind], .ns = trim_of(&limits->warmup, length)};
    if (!wanted.cooldown)
        window.cooldown = (struct steady_cut){.rule = rules[limits->cooldown.kind], .ns = trim_of(&limits->cooldown, length)};
    if (wanted.warmup || wanted.cooldown) {
        struct level_sample *samples = mem_calloc(level->record_count + 1, sizeof *samples);
        for (size_t k = 0; k < level->record_count; k++)
            samples[k] = level_sample_of(&data->file.records[level->records[k]]);
        steady_find(&window, samples, level->record_count, &wanted);
        free(samples);
    }
    bounds->window_start = window.start;
    bounds->window_end = window.end;
    level->warmup = window.warmup;
    level->cooldown = window.cooldown;
}

/* With what the journal told. */
static void bound_levels(struct run_data *data, const struct limits *limits)
{
    for (size_t k = 0; k < data->level_count; k++) {
        struct run_level *level = &data->levels[k];
        join_parts(data, level, limits);
        trim_level(data, level, limits);
        mark_members(data, level);
        run_blocks_cut(data, level);
        level->span = scrapes_span(&data->scrapes, level->bounds.window_start, level->bounds.window_end);
    }
}

/* ---- metrics and journal ---- */

/* One part's file under way. */
struct reading {
    struct run_data *data;
    const struct record_part *part;
    size_t p;                /* its place */
    struct scrapes *scrapes; /* of metrics, by target */
};

/* The readers answer 1 when a file is not there. */
static int note_file(struct reading *reading, int result, bool cut, enum run_file file)
{
    if (cut)
        run_file_name(file, reading->part->shard, reading->data->truncated);
    return result;
}

static int on_scrape(void *context, const struct metrics_line *line, struct error *err)
{
    (void)err;
    const struct reading *reading = context;
    struct metrics_line scaled = *line;
    scaled.t = scale_time(reading->data, line->t + reading->part->shift);
    scaled.took = scale_time(reading->data, line->took);
    scrapes_add(&reading->scrapes[line->target], &scaled);
    return 0;
}

/* Several targets of a part are one server to the report. */
static int read_part_metrics(struct run_data *data, const char *folder, size_t p, struct scrapes *scrapes, struct error *err)
{
    struct scrapes *targets = mem_calloc(METRICS_TARGETS_MAX, sizeof *targets);
    struct reading reading = {.data = data, .part = &data->file.parts[p], .p = p, .scrapes = targets};
    bool cut = false;
    int result = record_read_metrics(folder, reading.part->shard, on_scrape, &reading, &cut, err);
    result = note_file(&reading, result, cut, RUN_METRICS);
    data->has_metrics |= result == 0;
    scrapes_merge(scrapes, targets, METRICS_TARGETS_MAX);
    free(targets);
    return result < 0 ? -1 : 0;
}

/* Shards look at the same server: one of them tells it all. The one with the most scrapes lived longest; of equals the first. */
static int read_metrics(struct run_data *data, const char *folder, struct error *err)
{
    int with_scrapes = 0;
    for (size_t p = 0; p < data->file.part_count; p++) {
        struct scrapes scrapes = {0};
        int result = read_part_metrics(data, folder, p, &scrapes, err);
        with_scrapes += scrapes.count > 0;
        if (scrapes.count > data->scrapes.count) {
            scrapes_free(&data->scrapes);
            data->scrapes = scrapes;
            data->scrapes_shard = data->file.parts[p].shard;
        } else {
            scrapes_free(&scrapes);
        }
        if (result < 0)
            return -1;
    }
    if (with_scrapes < 2)
        data->scrapes_shard = NO_SHARD;
    scrapes_sort(&data->scrapes);
    return 0;
}

static int64_t integer_of(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

static int64_t time_of(const struct reading *reading, const json_t *object, const char *key)
{
    int64_t t = integer_of(object, key, TIME_NEVER);
    return t > -TIME_LIMIT && t < TIME_LIMIT ? scale_time(reading->data, t + reading->part->shift) : TIME_NEVER;
}

/* NULL: there is no such level. */
static struct level_part *part_of_line(const struct reading *reading, const json_t *object)
{
    const struct run_level *level = run_data_find_level(reading->data, integer_of(object, "index", -1), integer_of(object, "repeat", 0));
    return level ? &level->parts[reading->p] : NULL;
}

static void read_start(const struct reading *reading, const json_t *start)
{
    struct level_part *part = part_of_line(reading, start);
    if (!part)
        return;
    part->started = time_of(reading, start, "start");
    part->measure_start = time_of(reading, start, "measure_start");
}

static void read_health(const struct reading *reading, const json_t *end)
{
    struct level_part *part = part_of_line(reading, end);
    if (!part)
        return;
    struct client_health *health = &part->health;
    health->known = true;
    int64_t lag = integer_of(json_object_get(end, "lag_ns"), "p99", -1), delay = integer_of(json_object_get(end, "stamp_delay_ns"), "p99", -1);
    health->lag_p99 = lag < 0 ? -1 : scale_time(reading->data, lag);
    health->stamp_delay_p99 = delay < 0 ? -1 : scale_time(reading->data, delay);
    health->pause = scale_time(reading->data, integer_of(end, "pause_ns", 0));
    health->record_stall = scale_time(reading->data, integer_of(end, "record_stall_ns", 0));
    health->throttled = integer_of(end, "throttled_ns", -1);
    const char *reason = json_string_value(json_object_get(end, "reason"));
    if (reason && strlen(reason) < sizeof health->reason)
        memcpy(health->reason, reason, strlen(reason) + 1);
    size_t k;
    const json_t *share;
    json_array_foreach(json_object_get(end, "cpu"), k, share)
        if (json_is_number(share) && !(json_number_value(share) <= health->cpu))
            health->cpu = json_number_value(share);
}

static void read_tick(const struct reading *reading, const json_t *tick)
{
    struct run_data *data = reading->data;
    MEM_GROW(data->ticks, data->tick_cap, data->tick_count + 1);
    data->ticks[data->tick_count++] = (struct tick){time_of(reading, tick, "t"), integer_of(tick, "tokens", 0)};
}

static int on_journal(void *context, const json_t *line, struct error *err)
{
    (void)err;
    const struct reading *reading = context;
    const json_t *tick = json_object_get(line, "tick"), *end = json_object_get(line, "level_end");
    const json_t *start = json_object_get(line, "level_start");
    const char *changes = json_string_value(json_object_get(json_object_get(line, "kubernetes"), "changes"));
    if (changes)
        snprintf(reading->data->pods_changed, PODS_CHANGED_SIZE, "%s", changes);
    if (tick)
        read_tick(reading, tick);
    if (start)
        read_start(reading, start);
    if (end)
        read_health(reading, end);
    return 0;
}

/* Ticks of some shards only are no throughput. */
static int read_journals(struct run_data *data, const char *folder, struct error *err)
{
    data->has_journal = data->file.part_count > 0;
    data->last_ticks = mem_calloc(data->file.part_count + 1, sizeof *data->last_ticks);
    for (size_t p = 0; p < data->file.part_count; p++) {
        struct reading reading = {.data = data, .part = &data->file.parts[p], .p = p};
        bool cut = false;
        size_t ticks_before = data->tick_count;
        int result = record_read_journal(folder, reading.part->shard, on_journal, &reading, &cut, err);
        if (note_file(&reading, result, cut, RUN_JOURNAL) < 0)
            return -1;
        data->has_journal &= result == 0;
        token_source_note_ticks(data, p, ticks_before);
    }
    if (!data->has_journal)
        data->tick_count = 0;
    token_source_sort_ticks(data);
    return 0;
}

int run_data_read(struct run_data *data, const char *folder, const struct plan *plan, struct error *err)
{
    *data = (struct run_data){.time_scale = plan->server.time_scale};
    if (record_file_read(folder, &data->file, err) < 0)
        return -1;
    for (size_t p = 0; p < data->file.part_count; p++)
        if (data->file.parts[p].truncated)
            run_file_name(RUN_RECORDS, data->file.parts[p].shard, data->truncated);
    for (size_t k = 0; k < data->file.record_count; k++)
        scale_record(data, &data->file.records[k]);
    if (make_order(data, err) < 0)
        return -1;
    make_levels(data);
    if (read_metrics(data, folder, err) < 0 || read_journals(data, folder, err) < 0)
        return -1;
    bound_levels(data, &plan->limits);
    if (run_tokens_read(data, folder, err) < 0)
        return -1;
    token_source_find(data);
    return 0;
}

void run_data_drop_gaps(struct run_data *data)
{
    for (size_t k = 0; k < data->level_count; k++) {
        selection_free(data->levels[k].tokens.gaps);
        data->levels[k].tokens.gaps = NULL;
    }
}

void run_data_free(struct run_data *data)
{
    run_data_drop_gaps(data);
    free(data->levels);
    free(data->level_parts);
    free(data->order);
    free(data->member);
    free(data->ticks);
    free(data->last_ticks);
    scrapes_free(&data->scrapes);
    record_file_free(&data->file);
    *data = (struct run_data){0};
}
