/* summary.json read back: what a run's history needs of it (stats/history.h). */
#ifndef ROIBENCH_REPORT_SUMMARY_READ_H
#define ROIBENCH_REPORT_SUMMARY_READ_H

#include "stats/history.h"

#define SUMMARY_LEVELS_MAX 10000

/* The file beside a plan. Gives what history_run_of gave when it was written, to the 9 digits that files have. NULL with *err: ERROR_USAGE,
 * naming the file, the path in it and what was expected. */
struct history_run *summary_read(const char *path, const struct plan *plan, struct error *err);
/* The same for bytes in memory; name is used in messages. */
struct history_run *summary_parse(const char *bytes, size_t length, const char *name, const struct plan *plan, struct error *err);

#endif
