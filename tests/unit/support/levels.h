/* Levels put together by hand or from a table, for tests of points and money. */
#ifndef ROIBENCH_TESTS_LEVELS_H
#define ROIBENCH_TESTS_LEVELS_H

#include "stats/level_summary.h"

#define TABLE_LEVELS_MAX 32

/* "streams"; nothing is known but the load, the censored TTFT p95 and the throughput. Not judged yet. */
void level_make(struct level_summary *level, double load, double ttft_p95_ms, double total_tps);
/* Gives it its classes. */
void level_judge(struct level_summary *level);
/* What `--import levels-csv` makes of a table, into TABLE_LEVELS_MAX levels, without what it says of its own doubts. Returns how many. */
size_t levels_read_table(const char *path, struct level_summary *levels);

#endif
