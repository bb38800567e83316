/* When a run took place, by the little of its files that tells so: the headers of its records, and its journals. */
#ifndef ROIBENCH_RECORD_RUN_SPAN_H
#define ROIBENCH_RECORD_RUN_SPAN_H

#include <stdint.h>

#include "base/error.h"

struct run_span {
    int64_t anchor_realtime_ns; /* of time 0: the first part's, as record_file has it */
    int64_t from_realtime_ns, to_realtime_ns; /* from the first level's beginning to the last thing that happened; of all shards */
};

/* -1 with *err: no header of records, or no journal that tells of a level. */
int run_span_read(const char *folder, struct run_span *span, struct error *err);

#endif
