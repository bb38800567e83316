#include "stats/run_blocks.h"

#include <stdlib.h>

#include "base/mem.h"
#include "stats/series.h"

void run_blocks_cut(const struct run_data *data, struct run_level *level)
{
    double *e2e = mem_calloc(level->record_count + 1, sizeof *e2e);
    size_t count = 0;
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &data->file.records[level->records[k]];
        if (data->member[level->records[k]] && record->outcome == OUTCOME_OK && record->sent != TIME_NEVER && record->end != TIME_NEVER)
            e2e[count++] = (double)(record->end - record->sent);
    }
    int64_t median = count > 0 ? (int64_t)series_select(e2e, count, percentile_per_mille(P50)) : 0;
    level->blocks = blocks_cut(level->bounds.window_start, level->bounds.window_end, median);
    free(e2e);
}
