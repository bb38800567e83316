#include "stats/level_judge.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stats/level_summary.h"
#include "stats/series.h"

static int compare_waits(const void *a, const void *b)
{
    const struct level_wait *x = a, *y = b;
    return x->sent != y->sent ? (x->sent > y->sent) - (x->sent < y->sent) : (x->ttft_ms > y->ttft_ms) - (x->ttft_ms < y->ttft_ms);
}

static void describe_waits(struct level_summary *out, struct level_wait *waits, size_t count, const struct sla *sla)
{
    struct series series = {0};
    if (count > 1)
        qsort(waits, count, sizeof *waits, compare_waits);
    double *values = mem_calloc(count + 1, sizeof *values);
    for (size_t k = 0; k < count; k++) {
        values[k] = waits[k].ttft_ms;
        series_add(&series, waits[k].ttft_ms);
    }
    out->ttft_slices_above = saturation_slices_above(values, count, saturation_limit_ms(sla));
    out->latency[LATENCY_TTFT_CENSORED] = series_describe(&series);
    series_free(&series);
    free(values);
}

/* What conditions look at, of the members. */
static void summarize(struct level_summary *out, const struct level_sample *samples, size_t count, const struct steady_window *window,
                      const struct level_to_judge *level, const struct sla *sla)
{
    struct level_wait *waits = mem_calloc(count + 1, sizeof *waits);
    size_t wait_count = 0;
    double by_server = 0, ended = 0;
    for (size_t k = 0; k < count; k++) {
        int64_t at = level_sample_counted_at(&samples[k], level->steady.open_loop);
        if (at == TIME_NEVER || at < window->start || at >= window->end)
            continue;
        out->requests.ok += samples[k].outcome == OUTCOME_OK;
        out->requests.error += samples[k].outcome == OUTCOME_ERROR;
        ended += samples[k].outcome != OUTCOME_INCOMPLETE;
        by_server += failure_by_server(samples[k].failure);
        wait_count += level_sample_wait(&samples[k], level->end, &waits[wait_count]);
    }
    describe_waits(out, waits, wait_count, sla);
    if (ended > 0)
        out->rate[RATE_ERROR_RATE] = by_server / ended;
    free(waits);
}

struct level_judgement level_judge_samples(const struct level_sample *samples, size_t count, const struct level_to_judge *level,
                                           const struct sla *sla)
{
    struct steady_window window = {.start = level->window_start, .end = level->window_end};
    struct level_summary *summary = mem_alloc(sizeof *summary); /* large for a stack */
    level_summary_init(summary);
    steady_find(&window, samples, count, &level->steady);
    summarize(summary, samples, count, &window, level, sla);
    summary->grew = level->grew;
    summary->server.queue_depth.share_above = level->queue_share_above;
    struct level_judgement judgement = {saturation_judge(summary, sla), breaking_judge(summary, sla)};
    free(summary);
    return judgement;
}
