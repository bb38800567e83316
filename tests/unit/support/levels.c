#include "support/levels.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "import/import.h"

void level_make(struct level_summary *level, double load, double ttft_p95_ms, double total_tps)
{
    level_summary_init(level);
    level->load = load;
    snprintf(level->unit, sizeof level->unit, "streams");
    level->latency[LATENCY_TTFT_CENSORED].percentile[P95] = ttft_p95_ms;
    level->rate[RATE_TOTAL_TPS] = total_tps;
}

void level_judge(struct level_summary *level)
{
    double values[SLA_METRIC_COUNT];
    level_sla_values(level, values);
    level->verdict = sla_judge(&sla_default, values);
}

size_t levels_read_table(const char *path, struct level_summary *levels)
{
    cleanup_free char *spec = mem_printf("levels-csv:%s", path);
    struct run_summary *run = import_read(spec, &sla_default, NULL);
    if (!run || run->level_count > TABLE_LEVELS_MAX)
        abort();
    size_t count = run->level_count;
    for (size_t k = 0; k < count; k++) {
        levels[k] = run->levels[k];
        levels[k].validity = (struct validity_summary){0}; /* texts are the run's */
        levels[k].missing_count = levels[k].derived_count = 0;
    }
    run_summary_free(run);
    return count;
}
