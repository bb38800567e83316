/* What `run` asks Kubernetes at its end: are the model's pods still those that prepare saw? */
#ifndef ROIBENCH_CMD_RUN_KUBE_H
#define ROIBENCH_CMD_RUN_KUBE_H

#include "cmd/roibench/command.h"
#include "kube/client.h"
#include "plan/plan.h"
#include "record/record_writer.h"

/* Writes the journal's line {"kubernetes":{"changes":...,"unknown":...}} and warns of changes. client NULL, or a plan without pods: nothing. */
int run_kube_note_changes(const struct app *app, struct kube_client *client, const struct plan *plan, struct record_writer *writer, struct error *err);

#endif
