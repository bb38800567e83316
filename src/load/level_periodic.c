/* What worker 0 does now and then while a level runs: ticks, the progress line, and a look at what may end the level early. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/level.h"
#include "load/limits.h"

#define TICK_NS (100 * NS_PER_MS)
#define FLUSH_NS (500 * NS_PER_MS) /* well below the second after which everything must be readable */
#define LOOK_NS (250 * NS_PER_MS)  /* of the model, but not more often than */
#define LOOK_MIN_NS (5 * NS_PER_MS)

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double recent_ttft_ms(const struct level_run *run)
{
    int64_t sorted[LEVEL_RECENT];
    size_t count = run->recent_count < LEVEL_RECENT ? run->recent_count : LEVEL_RECENT;
    if (count == 0)
        return NAN;
    memcpy(sorted, run->recent_ttft, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], compare_ns);
    size_t median = (count - 1) / 2;
    return (double)sorted[median] * run->time_scale / (double)NS_PER_MS;
}

/* The level so far, of all workers. */
struct level_sums {
    int64_t drawn, sent, ended, failed, by_server, in_flight, tokens, prompt_tokens;
};

static struct level_sums sum_counts(const struct level_run *run)
{
    struct level_sums sum = {0};
    for (int w = 0; w < run->engine->level.workers; w++) {
        const struct worker_counts *counts = &run->engine->workers[w].counts;
        sum.drawn += counter_look(&counts->drawn);
        sum.sent += counter_look(&counts->sent);
        sum.ended += counter_look(&counts->ended);
        sum.failed += counter_look(&counts->failed);
        sum.by_server += counter_look(&counts->by_server);
        sum.in_flight += counter_look(&counts->in_flight);
        sum.tokens += counter_look(&counts->tokens);
        sum.prompt_tokens += counter_look(&counts->prompt_tokens);
    }
    return sum;
}

static void report_progress(struct level_run *run, int64_t now)
{
    struct engine *engine = run->engine;
    const struct engine_settings *settings = engine->settings;
    const struct limits *limits = &run->plan->limits;
    char last_error[ENGINE_ERROR_SIZE];
    if (!settings->progress)
        return;
    double elapsed_s = (double)(now - run->start) * run->time_scale / (double)NS_PER_S;
    double planned_s = (double)limits->max_seconds_ns / (double)NS_PER_S;
    if (planned_s > 0)
        planned_s += (double)(run->measure_start - run->start) * run->time_scale / (double)NS_PER_S;
    pthread_mutex_lock(&engine->lock);
    memcpy(last_error, engine->last_error, sizeof last_error);
    pthread_mutex_unlock(&engine->lock);
    const struct level_sums sum = sum_counts(run);
    struct engine_progress progress = {
        .level = run->level,
        .levels_done = engine->level.levels_done,
        .levels_total = engine_levels_total(engine),
        .elapsed_s = elapsed_s,
        .planned_s = planned_s,
        .planned_requests = limits->max_requests,
        .sent = sum.sent,
        .ended = sum.ended,
        .failed = sum.failed,
        .in_flight = sum.in_flight,
        .tokens = sum.tokens,
        .tokens_per_s = elapsed_s > 0 ? (double)sum.tokens / elapsed_s : 0,
        .ttft_ms = recent_ttft_ms(run),
        .draining = run->phase != LEVEL_SENDING,
        .last_error = last_error[0] ? last_error : NULL,
    };
    settings->progress(settings->progress_context, &progress);
}

static void tick(struct level_run *run, int64_t now)
{
    struct engine *engine = run->engine;
    struct sink *sink = engine->settings->sink;
    struct error err = {.class = ERROR_NONE};
    int64_t tokens = sum_counts(run).tokens, more = tokens - run->ticked_tokens;
    run->ticked_tokens = tokens;
    if (more > 0 && sink->tick(sink, now, more, &err) < 0)
        engine_fail(engine, &err);
}

static bool is_looked_after(const struct plan *plan)
{
    const struct limits *limits = &plan->limits;
    return limits->max_error_rate < 1 || limits->stop_when_saturated || limits->max_tokens_total > 0 || limits->max_micro_usd >= 0;
}

static int64_t look_interval(const struct plan *plan)
{
    int64_t interval = plan_wall_ns(plan, LOOK_NS);
    return interval > LOOK_MIN_NS ? interval : LOOK_MIN_NS;
}

void level_begin_periodic(struct level_run *run)
{
    run->next_tick = run->next_flush = run->next_progress = run->start;
    run->next_look = is_looked_after(run->plan) && run->worker->index == 0 ? run->start : TIME_FOREVER;
    run->look_interval = look_interval(run->plan);
}

/* Worker 0 decides for all of them; what others send until they see it was sent after the level's end. */
static void end_early(struct level_run *run, enum level_reason reason, int64_t now)
{
    struct level_shared *shared = &run->engine->level;
    if (atomic_load(&shared->ended_by) >= (int)reason) /* of two the graver */
        return;
    atomic_store(&shared->ended_at, now);
    atomic_store(&shared->ended_by, (int)reason);
}

/* For what ends the level, or the run, before its time. */
static void look_around(struct level_run *run, int64_t now)
{
    struct engine *engine = run->engine;
    const struct level_sums sum = sum_counts(run);
    int64_t tokens = engine->result.tokens + sum.tokens + sum.prompt_tokens;
    enum level_reason ceiling = limits_ceiling(run->plan, tokens, now);
    run->next_look = now + run->look_interval;
    if (limits_is_ceiling(ceiling))
        end_early(run, ceiling, now);
    else if (run->phase != LEVEL_SENDING)
        return;
    else if (limits_too_many_errors(run->plan->limits.max_error_rate, sum.ended, sum.by_server))
        end_early(run, LEVEL_MAX_ERROR_RATE, now);
    else if (oversight_sees_growth(&engine->oversight, now, sum.drawn, sum.ended))
        end_early(run, LEVEL_SATURATED, now);
}

/* Worker 0 speaks for all; the others only wake up now and then, to see what these have decided. */
void level_do_periodic(struct level_run *run, int64_t now)
{
    struct engine *engine = run->engine;
    struct sink *sink = engine->settings->sink;
    struct error err = {.class = ERROR_NONE};
    bool first = run->worker->index == 0;
    if (now >= run->next_tick) {
        run->next_tick = now + TICK_NS;
        if (first)
            tick(run, now);
    }
    if (!first)
        return;
    if (now >= run->next_look)
        look_around(run, now);
    if (now >= run->next_flush) {
        run->next_flush = now + FLUSH_NS;
        if (sink->flush(sink, &err) < 0)
            engine_fail(engine, &err);
    }
    if (now >= run->next_progress) {
        run->next_progress = now + engine->settings->progress_interval_ns;
        report_progress(run, now);
    }
}

void level_report_last(struct level_run *first)
{
    int64_t now = level_now(first);
    tick(first, now);
    report_progress(first, now);
}
