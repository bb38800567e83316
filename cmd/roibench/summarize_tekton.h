/* What summarize tells a Tekton pipeline: results of at most TEKTON_RESULT_MAX bytes each, all of a Task TEKTON_TASK_MAX at most. */
#ifndef ROIBENCH_CMD_SUMMARIZE_TEKTON_H
#define ROIBENCH_CMD_SUMMARIZE_TEKTON_H

#include "cmd/roibench/command.h"
#include "stats/summary.h"

#define TEKTON_TASK_MAX 2500 /* bytes, names not counted: Kubernetes keeps 4096 of a container's last words, in which Tekton wraps them */

/* The path of the report; one too long for a result is left out with a warning. */
int summarize_put_report_path(const struct app *app, const char *dir, const char *report, struct error *err);
/* The results of a run. What is not known is "none", so that a pipeline finds every one of them. A comparison has none of these: they are of one run. */
int summarize_put_results(const char *dir, const struct run_summary *run, struct error *err);

#endif
