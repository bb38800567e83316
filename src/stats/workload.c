#include "stats/workload.h"

#include <string.h>

static const char *integer_text(struct arena *arena, int64_t integer)
{
    return arena_printf(arena, "%lld", (long long)integer);
}

/* What served an imported run is not known. */
static const char *server_text(const struct run_facts *facts)
{
    if (facts->imported)
        return "";
    return facts->simulated ? "simulated" : "real";
}

void workload_list(const struct run_facts *facts, struct arena *arena, struct workload_fact list[WORKLOAD_FACTS])
{
    const struct workload_fact all[WORKLOAD_FACTS] = {
        {"scenario", facts->scenario, true},
        {"length of prompts and outputs", facts->tokens, true},
        {"arrivals", facts->arrivals, true},
        {"endpoint", facts->endpoint, false},
        {"profile", facts->profile, false},
        {"limits of a level", facts->limits, false},
        {"stream start", facts->stream_start, false},
        {"think time", facts->think_time, false},
        {"warm-up", facts->warmup, false},
        {"cool-down", facts->cooldown, false},
        {"drain", facts->drain, false},
        {"--max-concurrency", facts->imported ? "" : integer_text(arena, facts->max_concurrency), false},
        {"number of targets", integer_text(arena, (int64_t)facts->other_targets + 1), true},
        {"kind of server", server_text(facts), false},
    };
    memcpy(list, all, sizeof all);
}
