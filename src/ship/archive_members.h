/* Inside of ship/: which files go into an archive, in which order. */
#ifndef ROIBENCH_SHIP_ARCHIVE_MEMBERS_H
#define ROIBENCH_SHIP_ARCHIVE_MEMBERS_H

#include <stdbool.h>

#include "base/error.h"
#include "ship/archive.h"

/* Fills plan->members and ->folders_left_out; also when it fails they are archive_plan_free's. */
int archive_members_find(struct archive_plan *plan, const struct archive_request *request, struct error *err);

/* Does a member ("run-1/data.jsonl") hold what is sent to a model: is it one of those that without_prompts leaves out? */
bool archive_member_has_prompts(const char *name);

#endif
