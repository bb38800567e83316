/* The workspace: the folder on a PVC in which the tasks meet.
 *
 *     <workspace>/latest                the run-id of the last prepare
 *     <workspace>/<run-id>/plan.json …  one folder a run
 *     <workspace>/comparisons/<id>/     comparison.json and its reports
 *     <workspace>/archives/             publish's default
 *
 * A run-id is a plain folder name: letters, digits, '.', '_', '-', at most 200 bytes, not beginning with '.' or '-',
 * and none of the names above. Everything that comes from outside is checked before it becomes a path. */
#ifndef ROIBENCH_RECORD_WORKSPACE_H
#define ROIBENCH_RECORD_WORKSPACE_H

#include <stddef.h>

#include "base/clock.h"
#include "base/error.h"

int workspace_check_run_id(const char *run_id, struct error *err);
/* The same rule for the id of a comparison (ERROR_USAGE, as above). */
int workspace_check_comparison_id(const char *id, struct error *err);
/* "<model>-<UTC time with ms>": "mistral-3-int4-20261124T040651.123Z"; characters a folder name cannot have become '-'. free() it. */
char *workspace_make_run_id(const char *model, int64_t realtime_ns);
/* run_id if given, else the name in <workspace>/latest. free() it. NULL: ERROR_USAGE saying that prepare comes first. */
char *workspace_find_run_id(const char *workspace, const char *run_id_or_null, struct error *err);
/* Creates <workspace>/<run-id> (it must not hold a plan.json already) and checks that it can be written. free() it. */
char *workspace_create_run(const char *workspace, const char *run_id, struct error *err);
char *workspace_run_folder(const char *workspace, const char *run_id);                /* of a checked id; free() it */
char *workspace_comparison_folder(const char *workspace, const char *comparison_id); /* of a checked id; free() it */
char *workspace_archives_folder(const char *workspace);                              /* free() it */
/* The ids of all folders in the workspace that have a plan.json, by name. workspace_free_ids them. A workspace that is not there has none. */
int workspace_list_runs(const char *workspace, char ***ids, size_t *count, struct error *err);
/* The same of its comparisons: those that have a comparison.json. */
int workspace_list_comparisons(const char *workspace, char ***ids, size_t *count, struct error *err);
void workspace_free_ids(char **ids, size_t count);
/* Replaces <workspace>/latest atomically. */
int workspace_set_latest(const char *workspace, const char *run_id, struct error *err);

#endif
