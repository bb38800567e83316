/* A simulator on a thread of this process, for `run --self-test`: it answers without any delay of its own, or makes a token each so many ns,
 * and tells what it really did. */
#ifndef ROIBENCH_CMD_SELF_TEST_SERVER_H
#define ROIBENCH_CMD_SELF_TEST_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

#define SELF_TEST_MODEL "self-test"

/* Of one request, as one side saw it; times of the clock. key: what both sides know of it. */
struct self_test_sight {
    int64_t key;
    int64_t request; /* ours: it was sent; the server's: it was read */
    int64_t token;   /* the first one. Ours: it came; the server's: it was written */
};

static inline int64_t self_test_key(int64_t prompt_tokens, int64_t output_tokens)
{
    return prompt_tokens * 1000000 + output_tokens;
}

struct self_test_server;

/* Listens on 127.0.0.1. step_ns: what the engine of the simulated server needs for a token of each request; 0: nothing. */
struct self_test_server *self_test_server_start(const struct clock *clock, int64_t step_ns, struct error *err);
/* "http://127.0.0.1:PORT/v1/chat/completions"; owned by the server. */
const char *self_test_server_url(const struct self_test_server *server);
/* CPU time of its thread so far; -1: unknown. */
int64_t self_test_server_cpu_ns(const struct self_test_server *server);
/* Ends it and waits for that. Afterwards all requests that got a first token are told of, in any order; the array is the server's. */
int self_test_server_stop(struct self_test_server *server, struct error *err);
struct self_test_sight *self_test_server_truth(const struct self_test_server *server, size_t *count);
/* Stopped before, or never started well. NULL is fine. */
void self_test_server_free(struct self_test_server *server);

#endif
