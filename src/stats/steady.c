#include "stats/steady.h"

#include <stdlib.h>

#include "base/mem.h"

const char *steady_rule_name(enum steady_rule rule)
{
    static const char *const names[] = {
#define X(name, key) [STEADY_##name] = key,
        STEADY_RULES(X)
#undef X
    };
    return names[rule];
}

const char *steady_series_name(enum steady_series series)
{
    return series == STEADY_BY_TTFT ? "ttft" : series == STEADY_BY_COMPLETIONS ? "completions" : NULL;
}

static double batch_mean(const double *values, size_t batch)
{
    double sum = 0;
    for (size_t k = 0; k < STEADY_BATCH; k++)
        sum += values[batch * STEADY_BATCH + k];
    return sum / STEADY_BATCH;
}

/* From the last batch to the first, by Welford's update: a series of equal values has a variance of exactly 0. */
size_t steady_mser5(const double *values, size_t count, bool *drifts)
{
    size_t batches = count / STEADY_BATCH, best = 0;
    double mean = 0, squares = 0, least = 0;
    *drifts = false;
    if (count < STEADY_SERIES_MIN)
        return 0;
    for (size_t d = batches; d-- > 0;) {
        double n = (double)(batches - d), value = batch_mean(values, d), before = mean;
        mean += (value - mean) / n;
        squares += (value - before) * (value - mean);
        double mser = squares / (n * n);
        if (d > batches / 2)
            continue;
        if (d == batches / 2 || mser <= least) { /* of equals the one that cuts the least */
            least = mser;
            best = d;
        }
    }
    *drifts = best == batches / 2;
    return best * STEADY_BATCH;
}

/* ---- the two series ---- */

struct observation {
    int64_t at;
    double value;
};

static int compare_observations(const void *a, const void *b)
{
    const struct observation *x = a, *y = b;
    return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : (x->value > y->value) - (x->value < y->value);
}

/* What a series wants to be cut. */
static struct steady_cut cut_of(enum steady_series by, size_t drop, bool drifts, int64_t ns)
{
    return (struct steady_cut){drifts ? STEADY_HALF : STEADY_MSER5, drop > 0 ? by : STEADY_BY_NEITHER, drop > 0 ? ns : 0};
}

static struct steady_cut cut_by_ttft(const struct level_sample *samples, size_t count, bool open_loop, int64_t from, int64_t to)
{
    struct observation *waits = mem_calloc(count + 1, sizeof *waits);
    double *values = mem_calloc(count + 1, sizeof *values);
    struct steady_cut cut = {.rule = STEADY_TOO_FEW};
    size_t n = 0;
    for (size_t k = 0; k < count; k++) {
        int64_t at = level_sample_counted_at(&samples[k], open_loop);
        struct level_wait wait;
        if (at != TIME_NEVER && at >= from && at < to && level_sample_wait(&samples[k], to, &wait))
            waits[n++] = (struct observation){at, wait.at_least_ms};
    }
    qsort(waits, n, sizeof *waits, compare_observations);
    for (size_t k = 0; k < n; k++)
        values[k] = waits[k].value;
    if (n >= STEADY_SERIES_MIN) {
        bool drifts;
        size_t drop = steady_mser5(values, n, &drifts);
        cut = cut_of(STEADY_BY_TTFT, drop, drifts, waits[drop].at - from);
    }
    free(waits);
    free(values);
    return cut;
}

static bool completed_inside(const struct level_sample *sample, int64_t from, int64_t to)
{
    return sample->outcome == OUTCOME_OK && sample->end != TIME_NEVER && sample->end >= from && sample->end < to;
}

static struct steady_cut cut_by_completions(const struct level_sample *samples, size_t count, int64_t from, int64_t to)
{
    size_t completions = 0;
    for (size_t k = 0; k < count; k++)
        completions += completed_inside(&samples[k], from, to);
    if (completions < STEADY_SERIES_MIN)
        return (struct steady_cut){.rule = STEADY_TOO_FEW};
    size_t bins = completions / STEADY_PER_BIN;
    bins = bins < STEADY_SERIES_MIN ? STEADY_SERIES_MIN : bins < STEADY_BINS_MAX ? bins : STEADY_BINS_MAX;
    double *values = mem_calloc(bins, sizeof *values);
    double width = (double)(to - from) / (double)bins;
    for (size_t k = 0; k < count; k++) {
        if (!completed_inside(&samples[k], from, to))
            continue;
        size_t bin = (size_t)((double)(samples[k].end - from) / width);
        values[bin < bins ? bin : bins - 1]++;
    }
    bool drifts;
    size_t drop = steady_mser5(values, bins, &drifts);
    free(values);
    return cut_of(STEADY_BY_COMPLETIONS, drop, drifts, (int64_t)((double)drop * width));
}

/* ---- both ends ---- */

/* most: what may be cut. */
static struct steady_cut find_warmup(const struct steady_window *window, const struct level_sample *samples, size_t count, bool open_loop,
                                     int64_t most)
{
    struct steady_cut by_ttft = cut_by_ttft(samples, count, open_loop, window->start, window->end);
    struct steady_cut by_completions = cut_by_completions(samples, count, window->start, window->end);
    struct steady_cut cut = by_ttft;
    if (by_ttft.rule == STEADY_TOO_FEW || (by_completions.rule != STEADY_TOO_FEW && by_completions.ns > by_ttft.ns))
        cut = by_completions;
    if (cut.ns > most) {
        cut.ns = most;
        cut.rule = STEADY_HALF;
    }
    return cut;
}

static struct steady_cut find_cooldown(const struct steady_window *window, const struct level_sample *samples, size_t count,
                                       const struct steady_level *level)
{
    if (!level->max_requests_ended)
        return (struct steady_cut){.rule = STEADY_FULL_LOAD};
    int64_t last = window->start;
    for (size_t k = 0; k < count; k++) {
        int64_t at = level_sample_counted_at(&samples[k], level->open_loop);
        if (at != TIME_NEVER && at > last && at < window->end)
            last = at;
    }
    int64_t ns = window->end - (last + 1); /* the window is half-open: that request is still inside */
    if (ns <= 0)
        return (struct steady_cut){.rule = STEADY_LAST_REQUEST};
    if (ns > (window->end - window->start) / 2)
        return (struct steady_cut){.rule = STEADY_BURST};
    return (struct steady_cut){.rule = STEADY_LAST_REQUEST, .ns = ns};
}

void steady_find(struct steady_window *window, const struct level_sample *samples, size_t count, const struct steady_level *level)
{
    int64_t most = (window->end - window->start) / 2;
    if (level->cooldown) {
        window->cooldown = find_cooldown(window, samples, count, level);
        window->end -= window->cooldown.ns;
        most -= window->cooldown.ns;
    }
    if (level->warmup && level->changes) {
        window->warmup = (struct steady_cut){.rule = STEADY_CHANGING};
    } else if (level->warmup) {
        window->warmup = find_warmup(window, samples, count, level->open_loop, most);
        window->start += window->warmup.ns;
    }
}
