/* summary.json and comparison.json as documents, for formats that say the same in another notation. */
#ifndef ROIBENCH_REPORT_REPORT_JSON_H
#define ROIBENCH_REPORT_REPORT_JSON_H

#include <jansson.h>

#include "report/report.h"

/* New references (json_decref). */
json_t *report_json_of_run(const struct run_summary *summary);
json_t *report_json_of_comparison(const struct comparison *comparison);

#endif
