/* A level as it stands in summary.json: docs/schema lists its members. */
#ifndef ROIBENCH_REPORT_JSON_LEVEL_H
#define ROIBENCH_REPORT_JSON_LEVEL_H

#include <jansson.h>

#include "stats/level_summary.h"

/* A new reference. */
json_t *json_level_new(const struct level_summary *level);
/* The members "requests" and "errors": of a level, or of several together. */
void json_level_set_requests(json_t *object, const struct request_counts *counts, const struct failure_count *failures, size_t failure_count);

#endif
