/* Runs put together by hand, for tests of comparisons and reports. */
#ifndef ROIBENCH_TESTS_RUNS_H
#define ROIBENCH_TESTS_RUNS_H

#include "stats/summary.h"

#define RUN_LEVELS_MAX 16

/* A run of a closed loop that all facts fit alike but its name, which is its run-id and its model. One level a row: load, TTFT p95 in ms, total
 * tok/s; all ended, of 100 requests, and valid. run_summary_free() it. */
struct run_summary *run_make(const char *name, int64_t price_micro_usd, int64_t gpus, const double (*rows)[3], size_t count);
/* After levels were changed: their classes, repeats and points. */
void run_judge(struct run_summary *run);

#endif
