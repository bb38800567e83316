/* A closed loop of streams against the serving model, in virtual time: no sockets, an hour in milliseconds. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_CLOSED_LOOP_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_CLOSED_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "serve/scheduler.h"

struct closed_loop {
    size_t streams;
    int64_t prompt_tokens, output_tokens;
    int64_t seconds;    /* no request is sent from then on; those in flight are drained */
    int64_t stagger_ns; /* stream k sends its first request k x this after the start */
    int64_t turnaround_ns; /* from a last token to the stream's next request */
};

struct closed_loop_result {
    size_t requests;
    int64_t ttft_p95_ns;            /* nearest rank over all requests */
    int64_t tpot_with_first_p95_ns; /* of (last token - sent) / output tokens */
    double total_tps;               /* streams x tokens / mean time of a request */
    double ttft_mean_ns;
};

struct closed_loop_result closed_loop_run(const struct scheduler_settings *settings, const struct closed_loop *loop);

#endif
