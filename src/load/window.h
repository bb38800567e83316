/* Which part of a level is measured: what is left when the warm-up and the cool-down are cut off. */
#ifndef ROIBENCH_LOAD_WINDOW_H
#define ROIBENCH_LOAD_WINDOW_H

#include "load/sink.h"
#include "plan/plan.h"

/* Sets end->window_start and window_end from its start and end. The window never begins before measure_start, the end of the start
 * phase. */
void window_trim(const struct plan *plan, int64_t measure_start, struct level_end *end);

#endif
