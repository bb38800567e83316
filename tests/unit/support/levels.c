#include "support/levels.h"

#include <stdio.h>
#include <stdlib.h>

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
    char line[512], unit[16];
    double load, prompt, output, ttft, tpot_with_first, total;
    size_t count = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        abort();
    while (fgets(line, sizeof line, file)) {
        /* NOLINTNEXTLINE(cert-err34-c): a committed table */
        if (sscanf(line, "%lf,%15[^,],%lf,%lf,%lf,%lf,%lf", &load, unit, &prompt, &output, &ttft, &tpot_with_first, &total) != 7)
            continue;
        if (count == TABLE_LEVELS_MAX)
            abort();
        struct level_summary *level = &levels[count++];
        level_make(level, load, ttft, total);
        level->imported = true;
        level->index = (int)count - 1;
        level->latency[LATENCY_TTFT].percentile[P95] = ttft;
        level->latency[LATENCY_TPOT_WITH_FIRST].percentile[P95] = tpot_with_first;
        double tpot = (output * tpot_with_first - ttft) / (output - 1);
        level->latency[LATENCY_TPOT].percentile[P95] = tpot;
        level->rate[RATE_USER_TPS] = 1000 / tpot;
        level->rate[RATE_OUTPUT_TPS] = total * output / (prompt + output);
        level_judge(level);
    }
    fclose(file);
    return count;
}
