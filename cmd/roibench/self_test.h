/* `run --self-test`: what this machine can measure. The real engine and the real transport load a simulator in this process over
 * loopback, and what they say is held against what it really did. Needs no workspace and no network; writes nothing.
 *
 * Each number of streams is run twice:
 *   at full speed  the simulator answers as fast as it can: output tokens received a second, and the CPU time that a token costs the client
 *   at a pace      every stream gets a token each STEP_MS: what lies between the simulator's having written a request's first
 *                  token and our time stamp of it, which is what we add to TTFT; between our having sent a request and the
 *                  simulator's having read it; the event loop's lag; how long the kernel had bytes before we stamped them (net/stamp_delay.h)
 * Both sides read the same clock. What one saw of a request is found by its lengths in what the other saw: requests of equal lengths
 * are far from each other, and come in the same order.
 * Client and simulator share the machine's CPUs, so a client alone is rather faster; the network is loopback, so nothing of a real one is in it. */
#ifndef ROIBENCH_CMD_SELF_TEST_H
#define ROIBENCH_CMD_SELF_TEST_H

#include "cmd/roibench/command.h"

/* plan_streams: those of the plan that is to be run, beside the usual numbers; 0: no plan. Prints to app->out. */
int self_test_run(struct app *app, int workers, int64_t plan_streams, struct error *err);

#endif
