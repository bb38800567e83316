/* What happened in a span of time, as the distribution over that time of how fast it happened, or of how much of it went on at once: the
 * way GuideLLM makes a distribution of a throughput.
 *
 * Events of a rate that fall into one cell of 0.1 ms (of a long span: a millionth of it) are one event, at the time of the first of them. The time from
 * half way to the event before until half way to the next is an event's own, its weight divided by that its rate, and the rate counts
 * for that long. So the mean is the weight of all events / the span, exactly. */
#ifndef ROIBENCH_STATS_TIMELINE_H
#define ROIBENCH_STATS_TIMELINE_H

#include <stdint.h>

#include "stats/spread.h"

struct timeline {
    int64_t start, end, width; /* ns; of the span, and of a cell */
    size_t cells;
    struct timeline_cell {
        double weight;
        int64_t first; /* the earliest event in it */
    } *cell;
};

/* A span without length takes no events. */
void timeline_init(struct timeline *timeline, int64_t start, int64_t end);
void timeline_free(struct timeline *timeline);
/* Outside of [start, end]: nothing. */
void timeline_add(struct timeline *timeline, int64_t t, double weight);
/* All events of another with the same span. */
void timeline_add_all(struct timeline *timeline, const struct timeline *other);
/* Per second; count: the weight of all events. */
struct spread timeline_rate(const struct timeline *timeline);

/* How many intervals [from, to) contain each moment of [start, end]. */
struct interval_ends {
    int64_t *from, *to;
    size_t count, from_cap, to_cap;
};
void interval_ends_add(struct interval_ends *ends, int64_t from, int64_t to);
void interval_ends_free(struct interval_ends *ends);
/* Sorts. count: the intervals that reach into the span. */
struct spread interval_ends_overlap(struct interval_ends *ends, int64_t start, int64_t end);

#endif
