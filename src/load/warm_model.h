/* Requests that are measured by nobody, before the first level: a cold server compiles, captures graphs and fills caches for each number of
 * requests that it meets for the first time, and the first level would pay for it.
 *
 * For each level as many requests at once as it will have in flight, of the plan's lengths and with prompts of their own, so that nothing
 * of a level's requests is in a cache afterwards. The next level's begin when the last of these has ended. */
#ifndef ROIBENCH_LOAD_WARM_MODEL_H
#define ROIBENCH_LOAD_WARM_MODEL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"
#include "load/share.h"
#include "net/transport.h"
#include "plan/plan.h"

#define WARM_MODEL_REPEAT (-2) /* no level's body has it */

struct warm_model {
    struct transport *transport;
    const struct clock *clock;
    const stop_flag *stop;
    int64_t deadline;         /* of the clock: what is in flight then is cancelled; TIME_FOREVER: none */
    const struct plan *plan;
    struct share shard;
    const char *const *urls;  /* taken in turn */
    size_t url_count;
    int (*body)(void *context, int level, int repeat, int64_t i, struct buf *out, struct error *err);
    void *body_context;
    int64_t sent, answered;   /* out: answered by a 200 that came to its end */
    char trouble[256];        /* out: of the last that was not; "" none */
};

/* How many requests of this level may be in flight: its streams, or by Little's law what its rate makes of one request's time, at least 1
 * and at most the plan's max_concurrency. */
int64_t warm_model_streams(const struct plan *plan, const struct level *level);

/* Every level of the plan, in its order, once for each number of streams; a plan that finds its levels: one request. A signal and the deadline
 * end it early, and so does a burst none of whose requests was answered. -1 with *err only when the transport is broken or a
 * body cannot be made. */
int warm_model(struct warm_model *warm, struct error *err);

#endif
