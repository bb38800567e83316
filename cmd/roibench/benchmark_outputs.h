/* GuideLLM's files and tables, out of a run that was summarized. */
#ifndef ROIBENCH_CMD_BENCHMARK_OUTPUTS_H
#define ROIBENCH_CMD_BENCHMARK_OUTPUTS_H

#include <stdbool.h>

#include "base/error.h"
#include "cmd/roibench/command.h"
#include "plan/guidellm_options.h"

/* The value of summarize's --format: what is needed here, and what a run has anyhow. */
const char *benchmark_formats(bool schema_2);

/* The folder that a file is in. free() it. */
char *benchmark_folder_of(const char *path);

/* Before anything is measured: can all files be written? */
int benchmark_check_outputs(const struct guidellm_options *options, struct error *err);

/* Writes the files and, with `tables`, prints GuideLLM's tables. folder: of the run. */
int benchmark_write_outputs(const struct app *app, const struct guidellm_options *options, bool tables, const char *folder, bool schema_2,
                            struct error *err);

#endif
