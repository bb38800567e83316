/* What is kept of a request to judge its level: when it was due, when it went out, when its first token came, how it ended.
 *
 * `summarize` makes them of records, the engine of requests as they end: whatever is decided while a level runs is
 * decided by the same functions and on the same numbers as in the report. Times are ns of model time, from any one
 * beginning; TIME_NEVER: it never happened. */
#ifndef ROIBENCH_STATS_LEVEL_SAMPLE_H
#define ROIBENCH_STATS_LEVEL_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "record/record.h"

struct level_sample {
    int64_t intended, sent, first_token, end;
    enum outcome outcome;
    enum failure failure;
};

/* The record's times are taken as they are. */
struct level_sample level_sample_of(const struct record *record);

/* When it counts: an open loop's when it was due, a closed loop's when it was sent (due, where its connection failed before). */
int64_t level_sample_counted_at(const struct level_sample *sample, bool open_loop);

/* The request's place in ttft_censored_ms (docs/metrics.md). */
struct level_wait {
    int64_t sent;       /* due, where it never was sent */
    double ttft_ms;     /* +infinity: no first token came */
    double at_least_ms; /* the TTFT, or as long as it was waited for one */
    int64_t turn;       /* of its conversation, by who knows the record; else 0 */
};

/* level_end: until when a request that has no end was waited for. false: it tells nothing of TTFT (it failed by the client's doing). */
bool level_sample_wait(const struct level_sample *sample, int64_t level_end, struct level_wait *wait);

#endif
