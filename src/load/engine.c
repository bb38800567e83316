#include "load/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/thread.h"
#include "load/level.h"
#include "load/limits.h"
#include "load/warm.h"
#include "load/window.h"
#include "wire/openai.h"

/* Threads take a moment to begin: so much later a level starts that has several. */
#define WORKERS_START_NS (2 * NS_PER_MS)
/* Between two shards' levels: their clocks are not the same, and a level's end takes a moment. Model time. */
#define SLOT_MARGIN_NS NS_PER_S

const char *level_reason_name(enum level_reason reason)
{
    static const char *const names[] = {
        [LEVEL_MAX_REQUESTS] = "max_requests",         [LEVEL_MAX_SECONDS] = "max_seconds",
        [LEVEL_MAX_ERROR_RATE] = "max_error_rate",     [LEVEL_SATURATED] = "saturated",
        [LEVEL_MAX_TOKENS_TOTAL] = "max_tokens_total", [LEVEL_MAX_USD] = "max_usd",
        [LEVEL_TARGET_REFUSES] = "target_refuses",     [LEVEL_STOPPED] = "stopped",
    };
    return names[reason];
}

void engine_fail(struct engine *engine, const struct error *err)
{
    pthread_mutex_lock(&engine->lock);
    if (engine->failure.class == ERROR_NONE)
        engine->failure = *err;
    atomic_store(&engine->failed, true);
    pthread_mutex_unlock(&engine->lock);
}

static int64_t now_of(const struct engine *engine)
{
    return clock_now(engine->settings->clock) - engine->settings->anchor;
}

static bool told_to_stop(const struct engine_settings *settings)
{
    return settings->stop && *settings->stop;
}

/* --- which level is next ------------------------------------------------------------------ */

size_t engine_levels_total(const struct engine *engine)
{
    const struct plan *plan = engine->settings->plan;
    size_t levels = plan->find != FIND_NOTHING ? 0 : plan->level_count ? plan->level_count : (size_t)plan->sweep_levels;
    if (engine->repeat > 0)
        levels = engine->done_count;
    return levels * (size_t)plan->repeat;
}

/* The first repeat goes through the levels as planned (a sweep finds them then); the others each in an order of their own, so that neither a
 * drift nor what a level leaves behind always meets the same one (Fisher and Yates). */
static void shuffle(struct engine *engine)
{
    struct random random;
    random_derive(&random, engine->settings->plan->seed, "order", (uint64_t)engine->repeat, 0);
    free(engine->order);
    engine->order = mem_calloc(engine->done_count, sizeof *engine->order);
    for (size_t k = 0; k < engine->done_count; k++) {
        size_t other = (size_t)random_below(&random, k + 1);
        engine->order[k] = engine->order[other];
        engine->order[other] = k;
    }
    engine->position = 0;
}

/* 1: *level is filled, and engine->repeat says which repeat it belongs to. */
static int choose_level(struct engine *engine, struct level *level)
{
    const struct plan *plan = engine->settings->plan;
    if (engine->repeat == 0) {
        if (plan_next_level(plan, engine->done, engine->done_count, level))
            return 1;
        engine->position = engine->done_count;
    }
    if (engine->position == engine->done_count) {
        if (engine->done_count == 0 || engine->repeat + 1 >= plan->repeat)
            return 0;
        engine->repeat++;
        shuffle(engine);
    }
    *level = engine->done[engine->order[engine->position++]].level;
    return 1;
}

/* What is known of a level that was run before; NULL: it was not. */
static int64_t *mean_e2e_of(struct engine *engine, const struct level *level)
{
    for (size_t k = 0; k < engine->done_count; k++)
        if (engine->done[k].level.index == level->index)
            return &engine->mean_e2e[k];
    return NULL;
}

/* --- a level ------------------------------------------------------------------------------ */

/* Nobody's requests shall be counted to the next level. Patience ends when a shard's next slot begins. */
static void settle_server(const struct engine *engine)
{
    const struct engine_settings *settings = engine->settings;
    if (!settings->watch.level_end || told_to_stop(settings))
        return;
    const struct plan *plan = settings->plan;
    int64_t deadline = clock_now(settings->clock) + plan_wall_ns(plan, plan->limits.drain_ns);
    if (settings->start_at != TIME_NEVER && deadline > engine->slot + settings->anchor)
        deadline = engine->slot + settings->anchor;
    if (settings->watch.level_end(settings->watch.context, deadline) == 0)
        log_warning(settings->log, "the server still runs requests that are not ours: foreign traffic is in these numbers");
}

/* What a spread start spreads over, the time from a stream's request to its next: think time, and the level's own request time where it
 * was run before, else that of the level before, else the plan's. Throughput means: as much as there is, at once. Shards must agree, so they take what the plan says. */
static int64_t spread_over(struct engine *engine, const struct level *level)
{
    const struct plan *plan = engine->settings->plan;
    if (plan->stream_start == STREAM_START_TOGETHER || strcmp(level->kind, "throughput") == 0)
        return 0;
    const int64_t *own = mean_e2e_of(engine, level);
    int64_t measured = own ? *own : engine->done_count > 0 ? engine->mean_e2e[engine->done_count - 1] : 0;
    int64_t e2e = measured > 0 && engine->settings->start_at == TIME_NEVER ? measured : plan->calibration.e2e_ns;
    return e2e + plan_mean_think_ns(plan);
}

/* No more workers than streams: one without any would only wait. */
static int workers_of(const struct engine *engine, const struct level *level)
{
    const struct engine_settings *settings = engine->settings;
    bool streams = level->unit == LOAD_STREAMS;
    int64_t most = share_of(settings->shard, streams ? (int64_t)level->load : settings->plan->limits.max_concurrency);
    return most < 1 ? 1 : most < settings->worker_count ? (int)most : settings->worker_count;
}

/* When a level starts that could start at `ready`. */
static int64_t in_slot(const struct engine *engine, int64_t ready)
{
    if (ready <= engine->slot)
        return engine->slot;
    log_warning(engine->settings->log, "this shard is %.3f s late for the level: the others did not wait",
                (double)(ready - engine->slot) / (double)NS_PER_S);
    return ready;
}

/* Shards meet by the clock: each level has its time and that of its drain, whether it needs them or not. */
static void advance_slot(struct engine *engine)
{
    const struct plan *plan = engine->settings->plan;
    const struct level_shared *level = &engine->level;
    if (engine->settings->start_at != TIME_NEVER)
        engine->slot += level->measure_start - level->start +
                        plan_wall_ns(plan, plan->limits.max_seconds_ns + plan->limits.drain_ns + SLOT_MARGIN_NS);
}

/* Stream n - 1 starts (n - 1)/n of a mean request time after stream 0: then the start phase is over. */
static void begin_level(struct engine *engine, const struct level *level, int repeat)
{
    struct level_shared *shared = &engine->level;
    const struct plan *plan = engine->settings->plan;
    int64_t max_seconds_ns = plan->limits.max_seconds_ns, spread_ns = spread_over(engine, level);
    size_t levels_done = shared->levels_done;
    *shared = (struct level_shared){
        .level = *level,
        .repeat = repeat,
        .levels_done = levels_done,
        .mean_e2e_ns = spread_ns,
        .workers = workers_of(engine, level),
        .start = now_of(engine),
    };
    if (shared->workers > 1)
        shared->start += WORKERS_START_NS;
    if (engine->settings->start_at != TIME_NEVER)
        shared->start = in_slot(engine, shared->start);
    shared->measure_start = shared->start;
    if (level->unit == LOAD_STREAMS && level->load > 1)
        shared->measure_start += (int64_t)((double)spread_ns * (level->load - 1) / level->load);
    shared->planned_end = max_seconds_ns > 0 ? shared->measure_start + plan_wall_ns(plan, max_seconds_ns) : TIME_FOREVER;
    shared->deadline = shared->planned_end;
    if (max_seconds_ns > 0 && plan->limits.min_requests > 0)
        shared->deadline = shared->measure_start + PLAN_LONGER_MAX * plan_wall_ns(plan, max_seconds_ns);
    shared->ended_by = LEVEL_GOES_ON;
    oversight_begin(&engine->oversight, level, shared->measure_start);
}

/* Something that a worker does on its own thread. */
struct task {
    void (*work)(void *item);
    void *item;
};

static void *do_task(void *argument)
{
    const struct task *task = argument;
    task->work(task->item);
    return NULL;
}

/* The first task on the caller's thread, each other one on its own. Returns how many were done: all, or the engine has failed. */
static int do_tasks(struct engine *engine, struct task *tasks, int count)
{
    pthread_t threads[ENGINE_WORKERS_MAX] = {0};
    int started = 1;
    if (count <= 0)
        return 0;
    for (; started < count; started++) {
        int status = thread_start(&threads[started], do_task, &tasks[started]);
        if (status == 0)
            continue;
        struct error err;
        error_set(&err, ERROR_INTERNAL, "cannot start thread %d of %d: %s. Give fewer --workers", started + 1, count, strerror(status));
        engine_fail(engine, &err);
        break;
    }
    do_task(&tasks[0]);
    for (int k = 1; k < started; k++)
        pthread_join(threads[k], NULL);
    return started;
}

static void run_part(void *item)
{
    struct level_run *run = item;
    level_run_part(run, run->worker);
}

static void run_workers(struct engine *engine, struct level_run *runs)
{
    struct task tasks[ENGINE_WORKERS_MAX];
    for (int w = 0; w < engine->level.workers; w++) {
        runs[w].worker = &engine->workers[w];
        engine->workers[w].counts = (struct worker_counts){0}; /* before anybody looks at another's */
        tasks[w] = (struct task){.work = run_part, .item = &runs[w]};
    }
    engine->level.workers = do_tasks(engine, tasks, engine->level.workers);
}

static void warm_part(void *item)
{
    warm_connections(item);
}

/* As many as there are streams; in an open loop as requests in flight by Little's law, and once more for the crowds of a random process. */
static int64_t connections_of(const struct engine *engine, const struct level *level)
{
    const struct plan *plan = engine->settings->plan;
    if (level->unit == LOAD_STREAMS)
        return (int64_t)level->load;
    double e2e_s = (double)plan->calibration.e2e_ns * plan->server.time_scale / (double)NS_PER_S;
    double expected = 1 + 2 * level->load * e2e_s;
    return expected < (double)plan->limits.max_concurrency ? (int64_t)expected : plan->limits.max_concurrency;
}

static int64_t warm_level(struct engine *engine, const struct level *level)
{
    const struct engine_settings *settings = engine->settings;
    struct task tasks[ENGINE_WORKERS_MAX];
    struct warm warms[ENGINE_WORKERS_MAX];
    int workers = workers_of(engine, level);
    int64_t wanted = connections_of(engine, level), warmed = 0;
    if (!settings->warm_urls || told_to_stop(settings))
        return 0;
    for (int w = 0; w < workers; w++) {
        struct share share = share_of_worker(settings->shard, w, workers);
        warms[w] = (struct warm){.worker = &engine->workers[w], .share = share, .connections = share_of(share, wanted)};
        tasks[w] = (struct task){.work = warm_part, .item = &warms[w]};
    }
    do_tasks(engine, tasks, workers);
    for (int w = 0; w < workers; w++)
        warmed += warms[w].warmed;
    return warmed;
}

/* --- what the workers found --------------------------------------------------------------- */

static struct lag_summary worst_lag(const struct engine *engine)
{
    struct lag_summary worst = {.p50 = -1, .p99 = -1, .max = -1};
    for (int w = 0; w < engine->level.workers; w++) {
        struct lag_summary lag = lag_summarize(&engine->workers[w].lag);
        if (lag.p99 > worst.p99 || (lag.p99 == worst.p99 && lag.max > worst.max))
            worst = lag;
    }
    return worst;
}

static struct lag_summary whole_slip(struct engine *engine)
{
    for (int w = 1; w < engine->level.workers; w++)
        lag_merge(&engine->workers[0].slip, &engine->workers[w].slip);
    return lag_summarize(&engine->workers[0].slip);
}

/* Of all workers, in the first one's. */
static struct lag_summary whole_stamp_delay(const struct engine *engine)
{
    struct lag *whole = transport_stamp_delay(engine->workers[0].transport);
    if (!whole)
        return (struct lag_summary){.p50 = -1, .p99 = -1, .max = -1};
    for (int w = 1; w < engine->level.workers; w++)
        lag_merge(whole, transport_stamp_delay(engine->workers[w].transport));
    return lag_summarize(whole);
}

/* A level that is bounded by requests lasts until its last one ended. Windows are half-open: that end is still inside. */
static int64_t end_of(const struct level_run *run)
{
    return run->end == TIME_NEVER ? run->last_ended + 1 : run->end;
}

static void add_part(struct level_end *end, const struct level_run *run)
{
    if (run->reason > end->reason) /* by what cut off most */
        end->reason = run->reason;
    end->end = end_of(run) > end->end ? end_of(run) : end->end;
    end->drawn += run->worker->counts.drawn;
    end->sent += run->worker->counts.sent;
    end->pause_ns = run->pause_ns > end->pause_ns ? run->pause_ns : end->pause_ns;
    end->record_stall_ns = run->held_ns > end->record_stall_ns ? run->held_ns : end->record_stall_ns;
    if (run->switches.voluntary < 0 || end->switches.voluntary < 0) {
        end->switches = (struct context_switches){-1, -1};
    } else {
        end->switches.voluntary += run->switches.voluntary;
        end->switches.involuntary += run->switches.involuntary;
    }
}

/* cpu: room for every worker. */
static struct level_end make_end(struct engine *engine, const struct level_run *runs, double *cpu)
{
    const struct level_shared *shared = &engine->level;
    struct level_end end = {
        .level = shared->level,
        .repeat = shared->repeat,
        .start = shared->start,
        .end = shared->start,
        .lag = worst_lag(engine),
        .slip = whole_slip(engine),
        .stamp_delay = whole_stamp_delay(engine),
        .cpu = cpu,
        .workers = shared->workers,
        .throttled_ns = -1,
        .reason = LEVEL_MAX_REQUESTS,
    };
    for (int w = 0; w < shared->workers; w++) {
        bool known = runs[w].cpu_ns >= 0 && runs[w].over > runs[w].start;
        cpu[w] = known ? (double)runs[w].cpu_ns / (double)(runs[w].over - runs[w].start) : NAN;
        add_part(&end, &runs[w]);
    }
    window_trim(engine->settings->plan, shared->measure_start, &end);
    return end;
}

static struct level_facts facts_of(const struct engine *engine, const struct level_run *runs, const struct level_end *end)
{
    double scale = engine->settings->plan->server.time_scale;
    double length_s = (double)(end->end - engine->level.measure_start) * scale / (double)NS_PER_S;
    struct level_facts facts = {.reason = end->reason};
    int64_t e2e_sum = 0, ok_inside = 0;
    for (int w = 0; w < engine->level.workers; w++) {
        facts.sent += runs[w].worker->counts.sent;
        facts.tokens += runs[w].worker->counts.tokens + runs[w].worker->counts.prompt_tokens;
        facts.ended += runs[w].worker->counts.ended;
        facts.ok += runs[w].ok;
        facts.connect_failures += runs[w].connect_failures;
        e2e_sum += runs[w].e2e_sum;
        ok_inside += runs[w].ok_inside;
    }
    facts.mean_e2e_ns = facts.ok > 0 ? e2e_sum / facts.ok : 0;
    facts.request_rps = length_s > 0 ? (double)ok_inside / length_s : 0;
    return facts;
}

/* The server's queue, as its metrics told of the window. */
static double queue_share(const struct engine *engine, const struct level_end *end)
{
    const struct engine_watch *watch = &engine->settings->watch;
    return watch->queue_share ? watch->queue_share(watch->context, end->window_start, end->window_end) : NAN;
}

/* *result: how the level met what the plan looks for. */
static int run_level(struct engine *engine, const struct level *level, int repeat, struct level_facts *facts, struct level_result *result,
                     struct error *err)
{
    const struct engine_settings *settings = engine->settings;
    const struct engine_costs *costs = &settings->costs;
    struct sink *sink = settings->sink;
    struct error trouble = {.class = ERROR_NONE};
    if (settings->watch.level_start)
        settings->watch.level_start(settings->watch.context);
    int64_t warmed = warm_level(engine, level);
    int64_t throttled = costs->throttled_ns ? costs->throttled_ns(costs->context) : -1;
    begin_level(engine, level, repeat);
    if (sink->level_start(sink, level, repeat, engine->level.start, engine->level.measure_start, &trouble) < 0)
        engine_fail(engine, &trouble);
    struct level_run *runs = mem_calloc((size_t)engine->level.workers, sizeof *runs);
    double *cpu = mem_calloc((size_t)engine->level.workers, sizeof *cpu);
    run_workers(engine, runs);
    struct level_end end = make_end(engine, runs, cpu);
    end.connections_warmed = warmed;
    if (throttled >= 0)
        end.throttled_ns = costs->throttled_ns(costs->context) - throttled;
    level_report_last(&runs[0]);
    if (sink->level_end(sink, &end, &trouble) < 0 || sink->flush(sink, &trouble) < 0)
        engine_fail(engine, &trouble);
    *facts = facts_of(engine, runs, &end);
    if (end.reason < LEVEL_MAX_TOKENS_TOTAL)
        oversight_judge(&engine->oversight, &end, queue_share(engine, &end), result);
    for (int w = 0; w < engine->level.workers; w++)
        level_run_free(&runs[w]);
    free(cpu);
    free(runs);
    if (engine->failure.class != ERROR_NONE)
        *err = engine->failure;
    return engine->failure.class == ERROR_NONE ? 0 : -1;
}

/* --- can the run go on? ------------------------------------------------------------------- */

static int refused(const struct engine *engine, struct error *err)
{
    const char *advice = openai_refusal_advice(engine->refusal_status);
    return error_set(err, ERROR_TARGET, "%s refuses every request (%s); nothing was measured%s", engine->settings->urls[0],
                     engine->last_error, advice[0] ? advice : ". Look at the model's name and the token counts of the plan");
}

static int check_target(struct engine *engine, const struct level *level, const struct level_facts *facts, struct error *err)
{
    if (facts->reason == LEVEL_TARGET_REFUSES)
        return refused(engine, err);
    if (facts->ended > 0 && facts->connect_failures == facts->ended)
        return error_set(err, ERROR_TARGET, "%s could not be reached during the whole of level %d (%s)%s", engine->settings->urls[0],
                         level->index + 1, engine->last_error, level->index > 0 ? "; the levels before it are kept" : "");
    return 0;
}

/* --- the engine --------------------------------------------------------------------------- */

struct engine *engine_new(const struct engine_settings *settings)
{
    struct engine *engine = mem_alloc(sizeof *engine);
    engine->settings = settings;
    engine->workers = mem_calloc((size_t)settings->worker_count, sizeof *engine->workers);
    for (int w = 0; w < settings->worker_count; w++) {
        engine->workers[w].engine = engine;
        engine->workers[w].index = w;
        engine->workers[w].transport = settings->workers[w].transport;
        engine->workers[w].body_context = settings->workers[w].body_context;
    }
    engine->slot = settings->start_at;
    pthread_mutex_init(&engine->lock, NULL);
    oversight_init(&engine->oversight, settings->plan);
    return engine;
}

int engine_next(struct engine *engine, struct error *err)
{
    const struct engine_settings *settings = engine->settings;
    struct engine_result *result = &engine->result;
    struct level_facts facts = {0};
    struct level level;
    if (told_to_stop(settings))
        return 0;
    if (!choose_level(engine, &level))
        return engine->refusals > 0 && !atomic_load(&engine->answered) ? refused(engine, err) : 0;
    result->ceiling = limits_ceiling(settings->plan, result->tokens, now_of(engine));
    if (limits_is_ceiling(result->ceiling))
        return 0;
    struct level_result found = {.level = level};
    int status = run_level(engine, &level, engine->repeat, &facts, &found, err);
    result->tokens += facts.tokens;
    result->sent += facts.sent;
    result->ended += facts.ended;
    result->ok += facts.ok;
    memcpy(result->last_error, engine->last_error, sizeof result->last_error);
    advance_slot(engine);
    if (status < 0 || check_target(engine, &level, &facts, err) < 0)
        return -1;
    settle_server(engine);
    if (engine->repeat == 0) {
        MEM_GROW(engine->done, engine->done_capacity, engine->done_count + 1);
        MEM_GROW(engine->mean_e2e, engine->mean_e2e_capacity, engine->done_count + 1);
        engine->mean_e2e[engine->done_count] = facts.mean_e2e_ns;
        found.request_rps = facts.request_rps;
        engine->done[engine->done_count++] = found;
    }
    engine->level.levels_done++;
    result->levels_done += facts.reason < LEVEL_MAX_TOKENS_TOTAL;
    if (limits_is_ceiling(facts.reason))
        result->ceiling = facts.reason;
    return limits_is_ceiling(facts.reason) ? 0 : 1;
}

const struct engine_result *engine_result(const struct engine *engine)
{
    return &engine->result;
}

void engine_free(struct engine *engine)
{
    for (int w = 0; w < engine->settings->worker_count; w++) {
        while (engine->workers[w].free_requests) {
            struct request *request = engine->workers[w].free_requests;
            engine->workers[w].free_requests = request->next_free;
            request_free(request);
        }
    }
    oversight_free(&engine->oversight);
    pthread_mutex_destroy(&engine->lock);
    free(engine->workers);
    free(engine->done);
    free(engine->mean_e2e);
    free(engine->order);
    free(engine);
}

int engine_run(const struct engine_settings *settings, struct engine_result *result, struct error *err)
{
    struct engine *engine = engine_new(settings);
    int status;
    while ((status = engine_next(engine, err)) > 0)
        ;
    *result = *engine_result(engine);
    engine_free(engine);
    return status;
}
