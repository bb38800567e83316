/* A transport without a network and a clock that only it moves: an hour of load in milliseconds.
 *
 * Every started transfer asks `answer` what will happen to it; the fake then plays these events in the order of their
 * times. Waiting moves the clock to the next event or to the deadline. Whatever has the same time is handled in one
 * turn, as one return of epoll_wait would. */
#ifndef ROIBENCH_TESTS_FAKE_TRANSPORT_H
#define ROIBENCH_TESTS_FAKE_TRANSPORT_H

#include "base/clock.h"
#include "net/transport.h"

/* What a server does with one request; times in ns. Zeroed: 200, no token, ends at once. */
struct fake_answer {
    int64_t connect;        /* until the request is sent */
    int64_t ttft;           /* from sent to the first token */
    int64_t itl;            /* between tokens */
    int tokens;
    int tokens_a_chunk;     /* 0: 1 */
    int status;             /* 0: 200; else `error_body` is the answer's body, after ttft */
    const char *error_body;
    bool no_usage, no_done, error_event, continuous_usage, not_json, hang /* nothing after the headers */;
    int final_usage_extra;  /* usage says that many tokens more than there were chunks */
    enum transport_result result; /* how it ends, after the tokens */
    const char *message;
    int cut;                /* 0: an event comes whole; else in pieces of that many bytes with one time stamp */
};

struct fake_event;

struct fake_transport {
    struct transport transport; /* hand out &x.transport */
    struct clock_fake time;
    struct clock clock;
    struct fake_answer (*answer)(void *context, const struct transfer *transfer, int64_t now, int64_t number);
    void *context;
    int64_t started, in_flight, in_flight_max;
    struct fake_event *events;
    size_t count, capacity;
    uint64_t sequence;
    int64_t broken_from;    /* of its own clock: every wait fails from then on; 0: never */
    int64_t stopped_from, stopped_for; /* of its own clock: the wait that would be over then takes so much longer; 0: none does */
    /* Called after each wait; a test may set its stop flag here. */
    void (*after_wait)(void *context, int64_t now);
};

/* transport_free cancels what is still in flight, as every transport does. */
void fake_transport_init(struct fake_transport *fake);
void fake_transport_clear(struct fake_transport *fake);

#endif
