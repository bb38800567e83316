#include "support/histories.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"

#define LEVELS_MAX 32

struct history_run *history_make(const char *run_id, double day)
{
    struct plan *plan = plan_new();
    plan->run_id = arena_strdup(plan->arena, run_id);
    plan->model = "m";
    plan->created = (int64_t)(day * (double)HISTORY_DAY);
    struct history_run *run = history_run_new(plan);
    plan_free(plan);
    run->unit = "streams";
    run->saturation = run->breaking = (struct history_point){NAN, NAN, -1, "unknown"};
    run->levels = ARENA_ARRAY(run->arena, LEVELS_MAX, struct history_level);
    return run;
}

struct history_level *history_add(struct history_run *run, double load, double ttft_ms, double share, double total_tps)
{
    if (run->level_count == LEVELS_MAX)
        abort();
    struct history_level *level = &run->levels[run->level_count++];
    struct history_value latency = {ttft_ms, ttft_ms * (1 - share), ttft_ms * (1 + share)};
    *level = (struct history_level){.load = load, .unit = "streams", .class = SLA_ACCEPTABLE, .ended = 1000};
    level->value[HISTORY_TTFT_P50] = level->value[HISTORY_TTFT_P95] = level->value[HISTORY_E2E_P50] = latency;
    level->value[HISTORY_USER_TPS] = history_speed(latency);
    level->value[HISTORY_TOTAL_TPS] = (struct history_value){total_tps, NAN, NAN};
    level->value[HISTORY_ERROR_RATE] = history_proportion(0, 1000);
    return level;
}

void history_fail(struct history_level *level, uint64_t failed)
{
    level->failed = failed;
    level->value[HISTORY_ERROR_RATE] = history_proportion(failed, level->ended);
}
