/* summarize --baseline, --fail-on, --strict: a run beside earlier ones, and whether one may go on with it. */
#ifndef ROIBENCH_CMD_SUMMARIZE_HISTORY_H
#define ROIBENCH_CMD_SUMMARIZE_HISTORY_H

#include "cmd/roibench/command_history.h"

/* Puts baseline and trend into the run's summary (--baseline: of one run only, ERROR_USAGE), and asks the gate of each of them.
 * *conclusion: with what summarize is to end after everything was written, ERROR_NONE if well; --strict goes before --fail-on, since an
 * invalid measurement decides nothing. */
int summarize_judge(const struct app *app, const struct options *options, struct run_summary *const *runs, size_t count,
                    struct error *conclusion, struct error *err);

#endif
