/* Time is handed in.
 *
 * All times in the program are signed 64-bit nanoseconds of a `struct clock`;
 * nothing below cmd/ reads a clock that it was not given. The real clock is
 * CLOCK_MONOTONIC; tests hand in one that they move by hand. One anchor, a
 * CLOCK_REALTIME reading taken beside a monotonic one, turns times into dates. */
#ifndef ROIBENCH_BASE_CLOCK_H
#define ROIBENCH_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define TIME_NEVER INT64_MIN /* the event did not happen */
#define TIME_FOREVER INT64_MAX /* a deadline that never comes */

struct clock {
    int64_t (*now)(void *context);                       /* ns, monotonic */
    int64_t (*realtime)(void *context);                  /* ns since 1970-01-01 UTC */
    void (*sleep_until)(void *context, int64_t deadline); /* returns early when a signal arrives */
    void *context;
};

/* The machine's clocks; a constant. */
const struct clock *clock_system(void);

/* What the kernel says of the machine's CLOCK_REALTIME: 1 it is synchronized (NTP, PTP), and off by at most *max_error_ns; 0 it is not;
 * -1 it does not tell. */
int clock_system_synchronized(int64_t *max_error_ns);

static inline int64_t clock_now(const struct clock *clock)
{
    return clock->now(clock->context);
}

static inline int64_t clock_realtime(const struct clock *clock)
{
    return clock->realtime(clock->context);
}

static inline void clock_sleep_until(const struct clock *clock, int64_t deadline)
{
    clock->sleep_until(clock->context, deadline);
}

/* A clock for tests and simulations: now and realtime are read from the struct,
 * sleeping moves them. */
struct clock_fake {
    int64_t now, realtime_offset;
};
struct clock clock_fake_clock(struct clock_fake *fake);

#define CLOCK_RFC3339_SIZE 40

/* "2026-11-24T04:06:51.123456789Z"; digits (0 to 9) after the point. buffer holds CLOCK_RFC3339_SIZE. */
const char *clock_format_rfc3339(int64_t realtime_ns, int digits, char *buffer);
/* Accepts Z or +hh:mm, any number of fraction digits up to 9. Returns 0, or -1 when it is no such text. */
int clock_parse_rfc3339(const char *text, int64_t *realtime_ns);

#endif
