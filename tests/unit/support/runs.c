#include "support/runs.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "support/levels.h"

void run_judge(struct run_summary *run)
{
    for (size_t k = 0; k < run->level_count; k++)
        level_judge(&run->levels[k]);
    run_summary_find_points(run, &sla_default);
}

struct run_summary *run_make(const char *name, int64_t price_micro_usd, int64_t gpus, const double (*rows)[3], size_t count)
{
    if (count > RUN_LEVELS_MAX)
        abort();
    struct run_summary *run = mem_calloc(1, sizeof *run);
    run->arena = arena_new();
    run->facts = (struct run_facts){
        .run_id = arena_strdup(run->arena, name), .model = arena_strdup(run->arena, name), .target = "http://127.0.0.1:8000/v1",
        .server = "vllm 0.11.0", .time_scale = 1, .profile = "concurrent", .stream_start = "spread", .arrivals = "", .think_time = "none",
        .scenario = "chat", .endpoint = "chat", .tokens = "64 + 64 tokens", .limits = "60 s a level", .warmup = "none", .cooldown = "none",
        .drain = "60 s", .objectives = "", .max_concurrency = 512, .prompt_tokens = 64, .output_tokens = 64, .hardware = "", .gpus = gpus,
        .price_micro_usd = price_micro_usd, .price_source = "", .quality = "", .quality_source = "", .pair_id = "", .plan = json_object(),
    };
    run->calls_per_turn = 1;
    run->any_ended = true;
    run->levels = ARENA_ARRAY(run->arena, count + 1, struct level_summary);
    run->level_count = count;
    for (size_t k = 0; k < count; k++) {
        struct level_summary *level = &run->levels[k];
        level_make(level, rows[k][0], rows[k][1], rows[k][2]);
        level->index = (int)k;
        snprintf(level->kind, sizeof level->kind, "concurrent");
        level->ended = true;
        level->requests.members = level->requests.ok = 100;
    }
    run_judge(run);
    return run;
}
