#include "stats/run_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/level_sample.h"
#include "stats/run_tokens.h"

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
    return 0;
}

bool run_level_is_open_loop(const struct run_level *level)
{
    return strcmp(level->bounds.unit, "req/s") == 0;
}

bool run_level_was_stopped(const struct run_level *level)
{
    static const char *const reasons[] = {"stopped", "target_refuses", "max_tokens_total", "max_usd"};
    for (size_t k = 0; k < sizeof reasons / sizeof reasons[0]; k++)
        if (strcmp(level->health.reason, reasons[k]) == 0)
            return true;
    return false;
}

bool run_level_grew(const struct run_level *level)
{
    return strcmp(level->health.reason, "saturated") == 0;
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

static int64_t when_counted(const struct run_level *level, const struct record *record)
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

/* A level that the run did not live to end: from its beginning to its last event. Its window is what was to be measured of that. */
static void guess_bounds(const struct run_data *data, struct run_level *level, const struct limits *limits)
{
    struct level_bounds *bounds = &level->bounds;
    int64_t low = TIME_NEVER, high = TIME_NEVER;
    widen(level->started, &low, &high);
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &data->file.records[level->records[k]];
        widen(when_counted(level, record), &low, &high);
        widen(record->end, &low, &high);
    }
    bounds->start = low == TIME_NEVER ? 0 : low;
    bounds->end = high == TIME_NEVER ? bounds->start : high + 1;
    int64_t measure_start = level->measure_start == TIME_NEVER ? bounds->start : level->measure_start;
    int64_t planned_end = limits->max_seconds_ns > 0 ? measure_start + limits->max_seconds_ns : bounds->end;
    int64_t length = planned_end - bounds->start;
    int64_t warm = bounds->start + trim_of(&limits->warmup, length);
    bounds->window_start = clamp_time(warm > measure_start ? warm : measure_start, bounds->start, bounds->end);
    /* Without a planned end nobody knows when its cool-down would have begun: it never did. */
    int64_t window_end = limits->max_seconds_ns > 0 ? planned_end - trim_of(&limits->cooldown, length) : bounds->end;
    bounds->window_end = clamp_time(window_end, bounds->window_start, bounds->end);
}

static void mark_members(struct run_data *data, const struct run_level *level)
{
    for (size_t k = 0; k < level->record_count; k++) {
        int64_t t = when_counted(level, &data->file.records[level->records[k]]);
        data->member[level->records[k]] = t != TIME_NEVER && run_level_in_window(level, t);
    }
}

static void make_levels(struct run_data *data)
{
    size_t at = 0, count = data->file.record_count;
    data->level_count = data->file.level_count;
    data->levels = mem_calloc(data->level_count + 1, sizeof *data->levels);
    for (size_t k = 0; k < data->level_count; k++) {
        struct run_level *level = &data->levels[k];
        level->bounds = data->file.levels[k];
        level->health = (struct client_health){.lag_p99 = -1, .cpu = NAN, .throttled = -1};
        level->started = level->measure_start = TIME_NEVER;
        level->records = data->order + at;
        while (at < count && data->file.records[data->order[at]].level == level->bounds.index &&
               data->file.records[data->order[at]].repeat == level->bounds.repeat)
            at++;
        level->record_count = (size_t)(data->order + at - level->records);
        int64_t *times[] = {&level->bounds.start, &level->bounds.end, &level->bounds.window_start, &level->bounds.window_end};
        for (size_t t = 0; t < sizeof times / sizeof times[0]; t++)
            *times[t] = scale_time(data, *times[t]);
    }
}

/* What of the plan's trims the window was made by; `auto` is looked for now. */
static void trim_level(const struct run_data *data, struct run_level *level, const struct limits *limits)
{
    static const enum steady_rule rules[] = {[TRIM_NONE] = STEADY_NONE, [TRIM_SHARE] = STEADY_SHARE, [TRIM_TIME] = STEADY_TIME};
    struct level_bounds *bounds = &level->bounds;
    int64_t length = bounds->end - bounds->start;
    struct steady_level wanted = {
        .open_loop = run_level_is_open_loop(level),
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
        if (!level->bounds.ended)
            guess_bounds(data, level, limits);
        trim_level(data, level, limits);
        mark_members(data, level);
        level->span = scrapes_span(&data->scrapes, level->bounds.window_start, level->bounds.window_end);
    }
}

/* ---- metrics and journal ---- */

static int on_scrape(void *context, int64_t t, int64_t took, const json_t *series, struct error *err)
{
    (void)took;
    (void)err;
    struct run_data *data = context;
    scrapes_add(&data->scrapes, scale_time(data, t), series);
    return 0;
}

static int64_t integer_of(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

static int64_t time_of(const struct run_data *data, const json_t *object, const char *key)
{
    int64_t t = integer_of(object, key, TIME_NEVER);
    return t > -TIME_LIMIT && t < TIME_LIMIT ? scale_time(data, t) : TIME_NEVER;
}

static void read_start(const struct run_data *data, const json_t *start)
{
    struct run_level *level = run_data_find_level(data, integer_of(start, "index", -1), integer_of(start, "repeat", 0));
    if (!level)
        return;
    level->started = time_of(data, start, "start");
    level->measure_start = time_of(data, start, "measure_start");
}

static void read_health(struct run_data *data, const json_t *end)
{
    struct run_level *level = run_data_find_level(data, integer_of(end, "index", -1), integer_of(end, "repeat", 0));
    if (!level)
        return;
    struct client_health *health = &level->health;
    health->known = true;
    int64_t lag = integer_of(json_object_get(end, "lag_ns"), "p99", -1);
    health->lag_p99 = lag < 0 ? -1 : scale_time(data, lag);
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

static int on_journal(void *context, const json_t *line, struct error *err)
{
    (void)err;
    struct run_data *data = context;
    const json_t *tick = json_object_get(line, "tick"), *end = json_object_get(line, "level_end");
    const json_t *start = json_object_get(line, "level_start");
    if (tick) {
        MEM_GROW(data->ticks, data->tick_cap, data->tick_count + 1);
        data->ticks[data->tick_count++] =
            (struct tick){scale_time(data, integer_of(tick, "t", 0)), integer_of(tick, "tokens", 0)};
    }
    if (start)
        read_start(data, start);
    if (end)
        read_health(data, end);
    return 0;
}

/* The readers answer 1 when a file is not there. */
static int note_file(struct run_data *data, int result, bool cut, const char *name, bool *has)
{
    if (result < 0)
        return -1;
    *has = result == 0;
    if (cut)
        data->truncated = name;
    return 0;
}

static int read_server_and_journal(struct run_data *data, const char *folder, struct error *err)
{
    bool cut = false;
    int result = record_read_metrics(folder, on_scrape, data, &cut, err);
    if (note_file(data, result, cut, "metrics.jsonl.gz", &data->has_metrics) < 0)
        return -1;
    scrapes_sort(&data->scrapes);
    cut = false;
    result = record_read_journal(folder, on_journal, data, &cut, err);
    return note_file(data, result, cut, "journal.jsonl", &data->has_journal);
}

int run_data_read(struct run_data *data, const char *folder, const struct plan *plan, struct error *err)
{
    *data = (struct run_data){.time_scale = plan->server.time_scale};
    if (record_file_read(folder, &data->file, err) < 0)
        return -1;
    if (data->file.truncated)
        data->truncated = "records.jsonl.gz";
    for (size_t k = 0; k < data->file.record_count; k++)
        scale_record(data, &data->file.records[k]);
    if (make_order(data, err) < 0)
        return -1;
    make_levels(data);
    if (read_server_and_journal(data, folder, err) < 0)
        return -1;
    bound_levels(data, &plan->limits);
    return run_tokens_read(data, folder, err);
}

void run_data_free(struct run_data *data)
{
    for (size_t k = 0; k < data->level_count; k++) {
        selection_free(data->levels[k].tokens.itl);
        selection_free(data->levels[k].tokens.gap);
    }
    free(data->levels);
    free(data->order);
    free(data->member);
    free(data->ticks);
    scrapes_free(&data->scrapes);
    record_file_free(&data->file);
    *data = (struct run_data){0};
}
