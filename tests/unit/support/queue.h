/* A queue to test statistics on: Poisson arrivals, some equal servers, first come first served. Drawn again by its seed. */
#ifndef TESTS_SUPPORT_QUEUE_H
#define TESTS_SUPPORT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/level_sample.h"

struct queue {
    int servers;
    double load;       /* arrivals x mean service time / servers: 1 is what it can just carry */
    double service_s;  /* mean */
    bool fixed;        /* every service takes the mean; else exponential */
    double prefill_s;  /* from the begin of a service to the first token */
    size_t served;     /* customers before the first sample: 0 begins with an empty queue */
    uint64_t seed;
};

double queue_arrivals_per_s(const struct queue *queue);
/* Fills count samples in the order of arrival; the first arrives one gap after time 0. Ends have no limit. */
void queue_run(const struct queue *queue, struct level_sample *samples, size_t count);

#endif
