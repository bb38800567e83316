/* When somebody's requests came: the arrivals of a replay.
 *
 * Out of a file of others (plan/dataset.h), whose every other member or column is left alone:
 *   JSON Lines, JSON arrays   member `timestamp`, as the Mooncake traces have it: milliseconds, unless another unit is given
 *   CSV                       a column `timestamp`: seconds as in BurstGPT, unless another unit is given
 * Capitals do not matter, gzip is read as it is, and nothing but the times is held.
 * A timestamp may be a date too, as in the Azure traces: "2023-11-16 18:17:03.9799600", or RFC 3339. The order of the lines does not
 * matter; the earliest is time 0.
 *
 * Our own is arrivals.jsonl.gz beside the plan: {"schema":"roibench/arrivals/v1","count":N}, then a number of ns a line, ascending. */
#ifndef ROIBENCH_PLAN_TRACE_H
#define ROIBENCH_PLAN_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "plan/plan.h"

#define TRACE_FILE "arrivals.jsonl.gz"
#define TRACE_MAX 10000000 /* arrivals */
#define TRACE_SPEED_MIN 0.001
#define TRACE_SPEED_MAX 1000

enum trace_unit { TRACE_UNIT_USUAL, TRACE_UNIT_S, TRACE_UNIT_MS };

struct trace_settings {
    enum trace_unit unit;
    double speed;  /* what was an hour takes 1/speed of it */
    bool skip_bad; /* rows without a time that can be read are counted and left out */
};

struct trace {
    const char *path; /* borrowed, for messages */
    int64_t *ns;      /* ascending from 0 */
    size_t count, capacity;
    int64_t left_out; /* bad rows */
};

/* ERROR_USAGE naming file, line and what was expected. */
int trace_import(const char *path, const struct trace_settings *settings, struct trace *trace, struct error *err);
int trace_write(const int64_t *ns, size_t count, const char *path, struct error *err);
void trace_free(struct trace *trace);

/* Reads <folder>/arrivals.jsonl.gz into the plan, where it has a replay. */
int plan_read_trace(struct plan *plan, const char *folder, struct error *err);

#endif
