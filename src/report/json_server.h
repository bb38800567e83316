/* What summary.json says of the server's side. Each adds its member to the object. */
#ifndef ROIBENCH_REPORT_JSON_SERVER_H
#define ROIBENCH_REPORT_JSON_SERVER_H

#include <jansson.h>

#include "stats/summary.h"

void json_server(json_t *level, const struct server_summary *server);
/* null where no Prometheus told of GPUs. */
void json_gpu(json_t *level, const struct gpu_summary *gpu);
/* By columns: one array for each thing, with a number for each step; of what no step knows there is no array. */
void json_timeline(json_t *root, const struct run_summary *summary);

#endif
