#include "load/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "load/level.h"
#include "wire/openai.h"

const char *level_reason_name(enum level_reason reason)
{
    static const char *const names[] = {
        [LEVEL_MAX_SECONDS] = "max_seconds",   [LEVEL_MAX_REQUESTS] = "max_requests",
        [LEVEL_STOPPED] = "stopped",           [LEVEL_TARGET_REFUSES] = "target_refuses",
    };
    return names[reason];
}

static bool told_to_stop(const struct engine_settings *settings)
{
    return settings->stop && *settings->stop;
}

/* Between two levels: nobody's requests shall be counted to the next one. */
static void settle_server(const struct engine *engine)
{
    const struct engine_settings *settings = engine->settings;
    if (!settings->watch.level_end || told_to_stop(settings))
        return;
    const struct plan *plan = settings->plan;
    int64_t patience = plan_wall_ns(plan, plan->limits.drain_ns);
    if (settings->watch.level_end(settings->watch.context, clock_now(settings->clock) + patience) == 0)
        log_warning(settings->log, "the server still runs requests that are not ours: foreign traffic is in these numbers");
}

static int refused(const struct engine *engine, struct error *err)
{
    const char *advice = openai_refusal_advice(engine->refusal_status);
    return error_set(err, ERROR_TARGET, "%s refuses every request (%s); nothing was measured%s", engine->settings->url,
                     engine->result->last_error, advice[0] ? advice : ". Look at the model's name and the token counts of the plan");
}

/* Why the run cannot go on after this level; 0: it can. */
static int check_target(struct engine *engine, const struct level *level, const struct level_facts *facts, struct error *err)
{
    if (facts->reason == LEVEL_TARGET_REFUSES)
        return refused(engine, err);
    if (facts->ended > 0 && facts->connect_failures == facts->ended)
        return error_set(err, ERROR_TARGET, "%s could not be reached during the whole of level %d (%s)%s", engine->settings->url,
                         level->index + 1, engine->result->last_error, level->index > 0 ? "; the levels before it are kept" : "");
    return 0;
}

static int64_t spread_over(const struct plan *plan, const struct level_facts *before)
{
    if (plan->stream_start == STREAM_START_TOGETHER)
        return 0;
    return before->mean_e2e_ns > 0 ? before->mean_e2e_ns : plan->calibration.e2e_ns;
}

static int run_levels(struct engine *engine, struct level_result **done, struct error *err)
{
    const struct engine_settings *settings = engine->settings;
    struct level_facts facts = {0};
    size_t count = 0, capacity = 0;
    struct level level;
    while (!told_to_stop(settings) && plan_next_level(settings->plan, *done, count, &level)) {
        /* Throughput means: as much as there is, at once. */
        int64_t spread = strcmp(level.kind, "throughput") == 0 ? 0 : spread_over(settings->plan, &facts);
        if (level_run_whole(engine, &level, 0, spread, count, &facts) < 0) {
            *err = engine->failure;
            return -1;
        }
        if (check_target(engine, &level, &facts, err) < 0)
            return -1;
        settle_server(engine);
        MEM_GROW(*done, capacity, count + 1);
        (*done)[count++] = (struct level_result){.level = level, .request_rps = facts.request_rps};
        engine->result->levels_done += facts.reason != LEVEL_STOPPED;
    }
    return engine->refusals > 0 && !told_to_stop(settings) ? refused(engine, err) : 0;
}

int engine_run(const struct engine_settings *settings, struct engine_result *result, struct error *err)
{
    struct engine *engine = mem_alloc(sizeof *engine); /* its histograms are too large for a stack */
    struct level_result *done = NULL;
    *result = (struct engine_result){0};
    engine->settings = settings;
    engine->result = result;
    int status = run_levels(engine, &done, err);
    while (engine->free_requests) {
        struct request *request = engine->free_requests;
        engine->free_requests = request->next_free;
        request_free(request);
    }
    free(done);
    free(engine);
    return status;
}
