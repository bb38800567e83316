/* `publish --summarize-missing`: a run that failed, or was killed, before it had a report gets one before it leaves.
 *
 * Meant for the step that runs whatever became of those before it (`finally` of a Tekton pipeline): what could be measured is worth a report, and
 * a run of which nothing can be told is published as it is. */
#ifndef ROIBENCH_CMD_PUBLISH_SUMMARIZE_H
#define ROIBENCH_CMD_PUBLISH_SUMMARIZE_H

#include "cmd/roibench/command.h"
#include "cmd/roibench/publish_choose.h"

/* For each folder without summary.json: makes it as `summarize` does that is given nothing but the run, if --summarize-missing is; warns
 * where there is none afterwards. */
void publish_summarize_missing(const struct app *app, const struct options *options, const struct publication *publication);

#endif
