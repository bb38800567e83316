/* What `prepare` asks Kubernetes: where the model is served, and on what.
 *
 * --kube auto (the default) asks where a pod has a service account, or --kube-api is given; what goes wrong is said, and the template
 * gives the address as it does elsewhere. With --kube on trouble is an error. */
#ifndef ROIBENCH_CMD_PREPARE_KUBE_H
#define ROIBENCH_CMD_PREPARE_KUBE_H

#include "base/error.h"
#include "base/options.h"
#include "cmd/roibench/command.h"
#include "kube/client.h"
#include "plan/plan.h"

/* Where --target and --target-template are not given: waits until the service of the model is ready, and makes its address the plan's
 * target. client NULL: nothing. */
int prepare_kube_find_target(const struct app *app, const struct options *options, struct kube_client *client, struct plan *plan, struct error *err);

/* Fills plan->kubernetes, and the deployment's hardware and GPUs where no option tells them. plan->model is known. client NULL: nothing. */
int prepare_kube_learn(const struct app *app, const struct options *options, struct kube_client *client, struct plan *plan, struct error *err);

#endif
