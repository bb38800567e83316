/* The words before GuideLLM's options, and what is said of them. */
#ifndef ROIBENCH_CMD_BENCHMARK_HELP_H
#define ROIBENCH_CMD_BENCHMARK_HELP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cmd/roibench/command.h"

/* `benchmark run`, `benchmark`, `run`: *first is the first word behind them; *newer: it was `guidellm run`, as from 0.7.2 on. ERROR_USAGE for other commands of
 * GuideLLM's, with what to use instead. */
int benchmark_words(char *const *words, size_t count, size_t *first, bool *newer, struct error *err);

int benchmark_print_help(const struct app *app, bool version, struct error *err);

#endif
