/* The serving model in virtual time: no sockets and no clock, an hour of load in milliseconds.
 *
 * Two kinds of load: requests that are sent at times known beforehand (an open loop, or what a run has recorded), and a closed
 * loop of streams of equal requests. Times are ns of model time from the load's start. An idle engine begins at once: the
 * few ms in which the simulator's front end collects requests are not in it. */
#ifndef ROIBENCH_SERVE_REHEARSAL_H
#define ROIBENCH_SERVE_REHEARSAL_H

#include <stddef.h>
#include <stdint.h>

#include "serve/scheduler.h"

struct rehearsal_request {
    int64_t sent;                        /* >= 0 */
    int64_t prompt_tokens, output_tokens; /* > 0, together no more than the KV cache holds */
    int64_t first_token, last_token;     /* filled */
};

/* requests: count > 0 of them, in the order of `sent`. */
void rehearsal_replay(const struct scheduler_settings *settings, struct rehearsal_request *requests, size_t count);

struct rehearsal_loop {
    size_t streams;                      /* > 0 */
    int64_t prompt_tokens, output_tokens;
    int64_t duration_ns;                 /* no request is sent from then on; those in flight are drained; TIME_FOREVER: no such limit */
    size_t requests_max;                 /* no request is sent after so many; 0: no such limit. One of the two limits is needed */
    int64_t stagger_ns;                  /* stream k sends its first request k x this after the start */
    int64_t turnaround_ns;               /* from a last token to the stream's next request */
};

/* Returns the requests in the order of sending; free() them. */
struct rehearsal_request *rehearsal_run(const struct scheduler_settings *settings, const struct rehearsal_loop *loop, size_t *count);

#endif
