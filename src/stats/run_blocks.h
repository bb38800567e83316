/* The blocks of a level's window: how long a request takes is known only when its members are. */
#ifndef ROIBENCH_STATS_RUN_BLOCKS_H
#define ROIBENCH_STATS_RUN_BLOCKS_H

#include "stats/run_data.h"

/* Finds level->blocks, each at least as long as the median e2e of the members that ended ok; no blocks where none did. */
void run_blocks_cut(const struct run_data *data, struct run_level *level);

#endif
