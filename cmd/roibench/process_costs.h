/* What a load costs, as the kernel tells of this process's threads and of its control group: for engines. */
#ifndef ROIBENCH_CMD_PROCESS_COSTS_H
#define ROIBENCH_CMD_PROCESS_COSTS_H

#include "load/engine.h"

struct engine_costs process_costs(void);

#endif
