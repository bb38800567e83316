#include "stats/course.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stats/level_sample.h"
#include "stats/run_data.h"

#define NS 1e9

const char *course_column_name(enum course_column column)
{
    static const char *const names[] = {
#define X(name, key) [COURSE_##name] = key,
        COURSE_COLUMNS(X)
#undef X
    };
    return names[column];
}

bool course_has(const struct course *course, enum course_column column)
{
    for (size_t k = 0; k < course->count; k++)
        if (!isnan(course->points[k].value[column]))
            return true;
    return false;
}

/* The points of one level: equal steps. */
struct part {
    const struct run_data *data;
    const struct run_level *level;
    struct course_point *points;
    size_t count;
    int64_t start, end;
};

static int64_t edge(const struct part *part, size_t k)
{
    return part->start + (int64_t)((double)(part->end - part->start) * ((double)k / (double)part->count));
}

/* t in [start, end). */
static size_t point_at(const struct part *part, int64_t t)
{
    size_t k = (size_t)((double)(t - part->start) / (double)(part->end - part->start) * (double)part->count);
    return k < part->count ? k : part->count - 1;
}

/* ---- the server ---- */

static void fill_gauges(const struct part *part, size_t k, int64_t from, int64_t to)
{
    const struct scrapes *scrapes = &part->data->scrapes;
    double *value = part->points[k].value;
    value[COURSE_QUEUE_DEPTH] = scrapes_gauge(scrapes, SERVER_QUEUE, from, to, NAN).mean;
    value[COURSE_RUNNING] = scrapes_gauge(scrapes, SERVER_RUNNING, from, to, NAN).mean;
    value[COURSE_KV_CACHE] = scrapes_gauge(scrapes, SERVER_KV_CACHE, from, to, NAN).mean;
}

/* NAN: not known at both ends, or set back between. */
static double added(const struct part *part, enum server_quantity quantity, int64_t from, int64_t to)
{
    double more = scrapes_value(&part->data->scrapes, quantity, to) - scrapes_value(&part->data->scrapes, quantity, from);
    return more >= 0 ? more : NAN;
}

static void fill_counters(const struct part *part, size_t k, int64_t from, int64_t to)
{
    double *value = part->points[k].value;
    double hits = added(part, SERVER_CACHE_HITS, from, to), queries = added(part, SERVER_CACHE_QUERIES, from, to);
    value[COURSE_PREEMPTIONS] = added(part, SERVER_PREEMPTIONS, from, to);
    value[COURSE_CACHE_HIT_SHARE] = queries > 0 ? hits / queries : NAN;
}

/* ---- the client ---- */

static void fill_ticks(const struct part *part)
{
    const struct run_data *data = part->data;
    size_t k = 0;
    if (!part->level->has_ticks)
        return;
    for (size_t p = 0; p < part->count; p++)
        part->points[p].value[COURSE_OUTPUT_TPS] = 0;
    /* A tick's tokens came in the time before it. */
    while (k < data->tick_count && data->ticks[k].t <= part->start)
        k++;
    for (; k < data->tick_count && data->ticks[k].t <= part->end; k++)
        part->points[point_at(part, data->ticks[k].t - 1)].value[COURSE_OUTPUT_TPS] += (double)data->ticks[k].tokens;
    for (size_t p = 0; p < part->count; p++)
        part->points[p].value[COURSE_OUTPUT_TPS] /= (double)(edge(part, p + 1) - edge(part, p)) / NS;
}

static void add_in_flight(const struct part *part, const struct record *record)
{
    int64_t from = record->sent > part->start ? record->sent : part->start;
    int64_t to = record->end != TIME_NEVER && record->end < part->end ? record->end : part->end;
    for (size_t k = from < to ? point_at(part, from) : part->count; k < part->count && edge(part, k) < to; k++) {
        int64_t begin = edge(part, k), end = edge(part, k + 1);
        double share = (double)((to < end ? to : end) - (from > begin ? from : begin)) / (double)(end - begin);
        part->points[k].value[COURSE_CONCURRENCY] += share > 0 ? share : 0;
    }
}

static void fill_concurrency(const struct part *part)
{
    for (size_t k = 0; k < part->count; k++)
        part->points[k].value[COURSE_CONCURRENCY] = 0;
    for (size_t k = 0; k < part->level->record_count; k++) {
        const struct record *record = &part->data->file.records[part->level->records[k]];
        if (record->sent != TIME_NEVER)
            add_in_flight(part, record);
    }
}

static bool wait_of(const struct part *part, size_t k, struct level_wait *wait)
{
    struct level_sample sample = level_sample_of(&part->data->file.records[part->level->records[k]]);
    return level_sample_wait(&sample, part->end, wait) && wait->sent >= part->start && wait->sent < part->end;
}

/* The waits are sorted into their points by counting, and each point's percentiles selected. */
static void fill_ttft(const struct part *part)
{
    size_t *begin = mem_calloc(part->count + 2, sizeof *begin); /* of point k: begin[k + 1], while they are filled in */
    double *waits = mem_calloc(part->level->record_count + 1, sizeof *waits);
    struct level_wait wait;
    for (size_t k = 0; k < part->level->record_count; k++)
        if (wait_of(part, k, &wait))
            begin[point_at(part, wait.sent) + 2]++;
    for (size_t k = 2; k < part->count + 2; k++)
        begin[k] += begin[k - 1];
    for (size_t k = 0; k < part->level->record_count; k++)
        if (wait_of(part, k, &wait))
            waits[begin[point_at(part, wait.sent) + 1]++] = wait.at_least_ms;
    for (size_t k = 0; k < part->count; k++) {
        size_t count = begin[k + 1] - begin[k];
        if (count == 0)
            continue;
        part->points[k].value[COURSE_TTFT_P50] = series_select(waits + begin[k], count, percentile_per_mille(P50));
        part->points[k].value[COURSE_TTFT_P95] = series_select(waits + begin[k], count, percentile_per_mille(P95));
    }
    free(waits);
    free(begin);
}

/* ---- the whole ---- */

static double nice_step(double least)
{
    double power = pow(10, floor(log10(least)));
    return least <= power ? power : least <= 2 * power ? 2 * power : least <= 5 * power ? 5 * power : 10 * power;
}

static double length_of(const struct level_summary *level)
{
    double length = level->end_s - level->start_s;
    return length > 0 ? length : 0;
}

static size_t steps_of(const struct level_summary *level, double step)
{
    double length = length_of(level);
    return length > 0 ? (size_t)fmax(1, floor(length / step)) : 0;
}

static void fill_part(const struct part *part, size_t level)
{
    for (size_t k = 0; k < part->count; k++) {
        int64_t from = edge(part, k), to = edge(part, k + 1);
        part->points[k] = (struct course_point){.level = level, .start_s = (double)from / NS, .end_s = (double)to / NS};
        for (int column = 0; column < COURSE_COLUMN_COUNT; column++)
            part->points[k].value[column] = NAN;
        fill_gauges(part, k, from, to);
        fill_counters(part, k, from, to);
    }
    fill_ticks(part);
    fill_concurrency(part);
    fill_ttft(part);
}

void course_find(struct course *course, const struct run_data *data, const struct level_summary *levels, size_t count, struct arena *arena)
{
    double length = 0, shortest = data->scrapes.count > 1 ? fmax(1, (double)data->scrapes.interval / NS) : 1;
    size_t total = 0;
    for (size_t k = 0; k < count; k++)
        length += length_of(&levels[k]);
    double step = nice_step(fmax(shortest, length / COURSE_POINTS_MAX));
    for (size_t k = 0; k < count; k++)
        total += steps_of(&levels[k], step);
    course->points = ARENA_ARRAY(arena, total + 1, struct course_point);
    for (size_t k = 0; k < count; k++) {
        const struct run_level *level = run_data_find_level(data, levels[k].index, levels[k].repeat);
        struct part part = {.data = data, .level = level, .points = course->points + course->count, .count = steps_of(&levels[k], step)};
        if (!level || part.count == 0)
            continue;
        part.start = level->bounds.start;
        part.end = level->bounds.end;
        fill_part(&part, k);
        course->count += part.count;
    }
}
