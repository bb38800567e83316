/* Which API of Kubernetes a command asks, if any: --kube, --kube-api, --kube-account. */
#ifndef ROIBENCH_CMD_COMMAND_KUBE_H
#define ROIBENCH_CMD_COMMAND_KUBE_H

#include "base/error.h"
#include "base/options.h"
#include "cmd/roibench/command.h"
#include "kube/client.h"

/* Reads what is needed to ask Kubernetes, if it is to be asked: else *client is NULL. Sends nothing. kube_client_free it. */
int command_kube_open(const struct app *app, const struct options *options, struct kube_client **client, struct error *err);

/* --kube, --kube-api, --kube-account: to be placed in the tables of commands that have COMMAND_NET_OPTIONS. */
#define COMMAND_KUBE_OPTIONS                                                                                                     \
    {.type = OPTION_CHOICE, .name = "kube", .argument = "WHEN", .choices = "auto|on|off", .default_text = "auto",               \
     .help = "ask Kubernetes for the model's address and pods (prepare) and what became of them (run); auto: in a pod with a service account, or with --kube-api"},      \
    {.type = OPTION_TEXT, .name = "kube-api", .argument = "URL",                                                                 \
     .help = "its API, such as http://127.0.0.1:8001 of kubectl proxy; default: that of the pod's cluster"},                     \
    {.type = OPTION_TEXT, .name = "kube-account", .argument = "DIR", .default_text = KUBE_ACCOUNT_FOLDER,                        \
     .help = "folder with token and ca.crt of the service account; used with an https API"}

/* --kube on: what goes wrong is an error. */
bool command_kube_is_on(const struct options *options);

#endif
