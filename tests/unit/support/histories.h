/* Runs of a history put together by hand. */
#ifndef ROIBENCH_TESTS_HISTORIES_H
#define ROIBENCH_TESTS_HISTORIES_H

#include "stats/history.h"

#define HISTORY_DAY (INT64_C(86400) * NS_PER_S)

/* A run of model "m" that began on that day; no levels, nothing advised. history_run_free it. */
struct history_run *history_make(const char *run_id, double day);
/* A level of streams: every latency is ttft_ms with an interval of +/- share of it, the throughput total_tps without an interval; 1,000 requests
 * ended well. Its class is acceptable. It must be freed with the run: at most 32. */
struct history_level *history_add(struct history_run *run, double load, double ttft_ms, double share, double total_tps);
/* So many of its requests failed by the server's doing. */
void history_fail(struct history_level *level, uint64_t failed);

#endif
