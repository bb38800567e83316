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

/* Connects, if Kubernetes is to be asked: else *client is NULL. For `run` too, which has the last two options only. kube_client_free it. */
int command_kube_open(const struct app *app, const struct options *options, struct kube_client **client, struct error *err);

/* --kube, --kube-api, --kube-account: to be placed in a command's table. */
#define COMMAND_KUBE_OPTIONS                                                                                                     \
    {.type = OPTION_CHOICE, .name = "kube", .argument = "WHEN", .choices = "auto|on|off", .default_text = "auto",               \
     .help = "ask Kubernetes for the model's address and pods; auto: in a pod with a service account, or with --kube-api"},      \
    {.type = OPTION_TEXT, .name = "kube-api", .argument = "URL",                                                                 \
     .help = "its API, such as http://127.0.0.1:8001 of kubectl proxy; default: that of the pod's cluster"},                     \
    {.type = OPTION_TEXT, .name = "kube-account", .argument = "DIR", .default_text = KUBE_ACCOUNT_FOLDER,                        \
     .help = "folder with token and ca.crt of the service account; used with an https API"}

/* Where --target and --target-template are not given: waits until the service of the model is ready, and makes its address the plan's
 * target. client NULL: nothing. */
int prepare_kube_find_target(const struct app *app, const struct options *options, struct kube_client *client, struct plan *plan, struct error *err);

/* Fills plan->kubernetes, and the deployment's hardware and GPUs where no option tells them. plan->model is known. client NULL: nothing. */
int prepare_kube_learn(const struct app *app, const struct options *options, struct kube_client *client, struct plan *plan, struct error *err);

#endif
