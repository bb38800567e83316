/* What arrivals of an open loop are made by, beside their rate: of the level kinds that need it. All zero: none does. */
#ifndef ROIBENCH_PLAN_ARRIVAL_SHAPE_H
#define ROIBENCH_PLAN_ARRIVAL_SHAPE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

#define ARRIVAL_SHAPE_TEXT_MAX 8192

struct arrival_shape {
    double burstiness;          /* gamma: the shape of the distances' distribution */
    int64_t burst_size;         /* burst: requests at once */
    double ramp_from, ramp_to;  /* ramp: requests/s */
    const char *replay_file;    /* replay: name of the trace, without its folder; NULL: none */
    double replay_speed;        /* how many times faster than it was */
    int64_t replay_count;       /* of arrivals in the trace */
    const int64_t *replay;      /* these, ns of model time after the first one, divided by the speed; NULL: not read (plan/trace.h) */
};

/* "burstiness 0.5", "from 1 to 20 req/s", "trace.jsonl at 2 times its speed"; nothing when it is all zero. Appends to out. */
void arrival_shape_describe(const struct arrival_shape *shape, struct buf *out);

/* Member "arrivals" of plan.json. Ranges are checked by the profiles (profile_fault). */
void arrival_shape_write(const struct arrival_shape *shape, json_t *root);
void arrival_shape_read(struct arrival_shape *shape, struct json_reader *reader, const json_t *root, struct arena *arena);

#endif
