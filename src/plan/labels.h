/* Labels of a run, NAME=VALUE: what a person, or a pipeline, wants to find it by. They change nothing that is measured. */
#ifndef ROIBENCH_PLAN_LABELS_H
#define ROIBENCH_PLAN_LABELS_H

#include "base/json.h"
#include "plan/plan.h"

#define LABELS_MAX 64
#define LABEL_TEXT_MAX 256 /* bytes of a name, and of a value */

/* Adds "env=staging" to the plan's; one of that name is replaced. ERROR_USAGE. */
int labels_add(struct plan *plan, const char *text, struct error *err);

/* The member `labels`, an object, where there are any. */
void labels_write(const struct deployment *deployment, json_t *object);
void labels_read(struct json_reader *reader, const json_t *object, struct plan *plan);

#endif
