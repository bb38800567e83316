#include "stats/gpu.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sort.h"

#define INTERVAL_DEFAULT (60 * NS_PER_S) /* of a single sample */

/* ---- one series ---- */

static int64_t interval_of(const struct gpu_series *series)
{
    if (series->count < 2)
        return INTERVAL_DEFAULT;
    double *gaps = mem_calloc(series->count - 1, sizeof *gaps);
    for (size_t k = 0; k + 1 < series->count; k++)
        gaps[k] = (double)(series->samples[k + 1].t - series->samples[k].t);
    double median = series_select(gaps, series->count - 1, percentile_per_mille(P50));
    free(gaps);
    return (int64_t)median;
}

/* How many samples are at or before t. */
static size_t count_until(const struct gpu_series *series, int64_t t)
{
    return sort_count_until(series->samples, series->count, sizeof *series->samples, t);
}

struct held {
    double mean, max, covered; /* covered: share of the time */
};

static struct held hold(const struct gpu_series *series, int64_t interval, int64_t from, int64_t to)
{
    struct held held = {.mean = NAN, .max = NAN};
    double known = 0, area = 0;
    size_t first = count_until(series, from);
    for (size_t k = first > 0 ? first - 1 : 0; k < series->count && series->samples[k].t < to; k++) {
        int64_t begin = series->samples[k].t > from ? series->samples[k].t : from, end = series->samples[k].t + GPU_HOLDS * interval;
        if (k + 1 < series->count && series->samples[k + 1].t < end)
            end = series->samples[k + 1].t;
        if (end > to)
            end = to;
        if (end <= begin)
            continue;
        known += (double)(end - begin);
        area += (double)(end - begin) * series->samples[k].value;
        held.max = isnan(held.max) ? series->samples[k].value : fmax(held.max, series->samples[k].value);
    }
    if (known > 0) {
        held.mean = area / known;
        held.covered = known / (double)(to - from);
    }
    return held;
}

/* A counter's value at t, between the samples around it; NAN: there are none that are near enough. */
static double counter_at(const struct gpu_series *series, int64_t interval, int64_t t)
{
    size_t after = count_until(series, t);
    if (after > 0 && series->samples[after - 1].t == t)
        return series->samples[after - 1].value;
    if (after == 0 || after == series->count)
        return NAN;
    const struct gpu_sample *a = &series->samples[after - 1], *b = &series->samples[after];
    if (b->t - a->t > GPU_HOLDS * interval || b->value < a->value)
        return NAN;
    return a->value + (b->value - a->value) * (double)(t - a->t) / (double)(b->t - a->t);
}

/* ---- all GPUs together ---- */

struct asking {
    const struct gpu_samples *samples;
    const int64_t *intervals; /* by series */
    size_t gpus;
    int64_t from, to;         /* wall */
};

/* Sum of the means (or of the maxima); NAN where a GPU is not known. *covered: the least of all. */
static double add_up(const struct asking *asking, enum gpu_quantity quantity, bool maxima, double *covered)
{
    double sum = 0;
    size_t known = 0;
    for (size_t k = 0; k < asking->samples->count; k++) {
        const struct gpu_series *series = &asking->samples->series[k];
        if (series->quantity != quantity)
            continue;
        struct held held = hold(series, asking->intervals[k], asking->from, asking->to);
        if (isnan(held.mean))
            continue;
        sum += maxima ? held.max : held.mean;
        *covered = fmin(*covered, held.covered);
        known++;
    }
    return known == asking->gpus && known > 0 ? sum : NAN;
}

static double add_up_energy(const struct asking *asking)
{
    double sum = 0;
    size_t known = 0;
    for (size_t k = 0; k < asking->samples->count; k++) {
        const struct gpu_series *series = &asking->samples->series[k];
        if (series->quantity != GPU_ENERGY)
            continue;
        double used = counter_at(series, asking->intervals[k], asking->to) - counter_at(series, asking->intervals[k], asking->from);
        if (!(used >= 0))
            return NAN;
        sum += used;
        known++;
    }
    return known == asking->gpus && known > 0 ? sum : NAN;
}

static void fill_level(struct level_summary *level, struct asking *asking, double time_scale)
{
    struct gpu_summary *gpu = &level->gpu;
    double unused = 1, covered = 1, gpus = (double)asking->gpus;
    asking->from = (int64_t)(level->window_start_s / time_scale * 1e9);
    asking->to = (int64_t)(level->window_end_s / time_scale * 1e9);
    double seconds = (double)(asking->to - asking->from) / 1e9;
    if (!(seconds > 0))
        return;
    gpu->gpus = (int)asking->gpus;
    gpu->utilization = add_up(asking, GPU_UTILIZATION, false, &covered) / gpus;
    gpu->memory_active = add_up(asking, GPU_MEMORY_ACTIVE, false, &unused) / gpus;
    gpu->memory_used_bytes = add_up(asking, GPU_MEMORY_USED, true, &unused);
    gpu->memory_bytes = add_up(asking, GPU_MEMORY_USED, false, &unused) + add_up(asking, GPU_MEMORY_FREE, false, &unused);
    double energy = add_up_energy(asking), power = add_up(asking, GPU_POWER, false, &covered);
    gpu->by_counter = isfinite(energy);
    gpu->power_w = gpu->by_counter ? energy / seconds : power;
    gpu->energy_j = gpu->power_w * seconds;
    gpu->covered = isnan(gpu->utilization) && isnan(power) ? gpu->by_counter : covered;
    if (gpu->energy_j > 0) {
        /* Rates are of model time, the energy of the wall's: tokens of the window over its joules. */
        double model_seconds = level->window_end_s - level->window_start_s;
        gpu->output_tokens_per_joule = level->rate[RATE_OUTPUT_TPS] * model_seconds / gpu->energy_j;
        gpu->total_tokens_per_joule = level->rate[RATE_TOTAL_TPS] * model_seconds / gpu->energy_j;
    }
    if (!(gpu->covered > 0))
        gpu->gpus = 0;
}

static void fill_point(struct course_point *point, struct asking *asking, double time_scale)
{
    double unused = 1;
    asking->from = (int64_t)(point->start_s / time_scale * 1e9);
    asking->to = (int64_t)(point->end_s / time_scale * 1e9);
    point->value[COURSE_GPU_UTILIZATION] = add_up(asking, GPU_UTILIZATION, false, &unused) / (double)asking->gpus;
    point->value[COURSE_GPU_POWER] = add_up(asking, GPU_POWER, false, &unused);
}

static void note_count(struct run_summary *summary, size_t gpus)
{
    int64_t told = summary->facts.gpus;
    if (told > 0 && (size_t)told != gpus)
        run_summary_add_note(summary, arena_printf(summary->arena, "Prometheus knows %zu GPUs of this deployment, which was said to have %lld: power and memory are of %zu",
                                                   gpus, (long long)told, gpus));
}

void gpu_summarize(struct run_summary *summary, const struct gpu_samples *samples)
{
    int64_t *intervals = mem_calloc(samples->count + 1, sizeof *intervals);
    struct asking asking = {.samples = samples, .intervals = intervals, .gpus = gpu_samples_gpus(samples)};
    for (size_t k = 0; k < samples->count; k++)
        intervals[k] = interval_of(&samples->series[k]);
    for (size_t k = 0; asking.gpus > 0 && k < summary->level_count; k++) {
        fill_level(&summary->levels[k], &asking, summary->facts.time_scale);
        if (summary->levels[k].gpu.gpus == 0)
            level_add_missing(&summary->levels[k], "gpu", "Prometheus has no samples of this level's window");
    }
    for (size_t k = 0; asking.gpus > 0 && k < summary->course.count; k++)
        fill_point(&summary->course.points[k], &asking, summary->facts.time_scale);
    note_count(summary, asking.gpus);
    free(intervals);
}
