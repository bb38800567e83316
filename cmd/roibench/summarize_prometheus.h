/* summarize --prometheus: what NVIDIA's DCGM exporter told Prometheus of a deployment's GPUs while the run went on, into the run's folder
 * (record/gpu_file.h), where this summary and every later one finds it. */
#ifndef ROIBENCH_CMD_SUMMARIZE_PROMETHEUS_H
#define ROIBENCH_CMD_SUMMARIZE_PROMETHEUS_H

#include "cmd/roibench/command.h"

/* Rows of summarize's table. */
#define SUMMARIZE_PROMETHEUS_OPTIONS                                                                                                     \
    {.type = OPTION_GROUP, .name = "GPUs"},                                                                                              \
    {.type = OPTION_TEXT, .name = "prometheus", .argument = "URL",                                                                       \
     .help = "Prometheus (or Thanos) that scrapes DCGM: utilisation, memory and power of the GPUs over each level are kept in the run's folder"}, \
    {.type = OPTION_TEXT, .name = "prometheus-selector", .argument = "MATCHERS",                                                         \
     .help = "which GPUs are the deployment's, as between { and } of PromQL; default: those of the plan's pods, else all that Prometheus knows"}, \
    {.type = OPTION_TEXT, .name = "prometheus-token-file", .argument = "FILE",                                                           \
     .help = "file with a bearer token for Prometheus"},                                                                                 \
    {.type = OPTION_TEXT, .name = "prometheus-cacert", .argument = "FILE",                                                               \
     .help = "PEM bundle to verify it with; default: SSL_CERT_FILE, the system's, the pod's service CA"}

/* Wrong options only (ERROR_USAGE): to be called before anything is read. */
int summarize_prometheus_check(const struct options *options, struct error *err);

/* Asks for the runs in these folders and their plans, if --prometheus is given. A Prometheus that does not answer, or knows none of the GPUs, costs the report its GPU
 * facts and is warned of: -1 only for options that are wrong. */
int summarize_prometheus(const struct app *app, const struct options *options, char *const *folders, struct plan *const *plans, size_t count,
                         struct error *err);

#endif
