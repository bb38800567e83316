/* Takes runs and comparisons out of a workspace.
 *
 * A folder is renamed to <parent>/.removed-<name> before anything in it goes: no id begins with a point, so whoever looks at the workspace
 * sees all of a run or nothing. What a crash leaves behind under such a name, the next removal takes along. Links are not followed. */
#ifndef ROIBENCH_RECORD_WORKSPACE_REMOVE_H
#define ROIBENCH_RECORD_WORKSPACE_REMOVE_H

#include <stdbool.h>

#include "base/error.h"

#define WORKSPACE_FOLDERS_MAX 32 /* inside one another */

/* Removes <parent>/<id> with all that is in it. *in_use: a run is going on in it, and nothing was removed. */
int workspace_remove(const char *parent, const char *id, bool *in_use, struct error *err);
/* Removes what earlier removals left behind. A parent that is not there holds nothing. */
int workspace_remove_leftovers(const char *parent, struct error *err);

#endif
