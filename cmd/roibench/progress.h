/* What a person sees while `run` works: a table whose last row moves on a terminal, a line every few seconds elsewhere. */
#ifndef ROIBENCH_CMD_PROGRESS_H
#define ROIBENCH_CMD_PROGRESS_H

#include "cmd/roibench/command.h"
#include "load/engine.h"

#define PROGRESS_TERMINAL_NS (250 * NS_PER_MS)
#define PROGRESS_PIPE_NS (5 * NS_PER_S)

struct progress {
    const struct app *app;
    bool header_shown;
    bool row_open; /* a row without newline stands on the terminal */
};

/* For engine_settings.progress; context is a struct progress. */
void progress_show(void *context, const struct engine_progress *now);
/* The level is over: its row stays. */
void progress_level_ended(struct progress *progress);
int64_t progress_interval(const struct app *app);

#endif
