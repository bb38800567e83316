#include "support/queue.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"

double queue_arrivals_per_s(const struct queue *queue)
{
    return queue->load * queue->servers / queue->service_s;
}

static int first_free(const double *free_at, int servers)
{
    int first = 0;
    for (int k = 1; k < servers; k++)
        if (free_at[k] < free_at[first])
            first = k;
    return first;
}

static int64_t ns_of(double seconds)
{
    return llround(seconds * (double)NS_PER_S);
}

void queue_run(const struct queue *queue, struct level_sample *samples, size_t count)
{
    struct random random;
    random_seed(&random, queue->seed);
    double *free_at = mem_calloc((size_t)queue->servers, sizeof *free_at), now = 0, zero = 0;
    for (size_t k = 0; k < queue->served + count; k++) {
        if (k == queue->served)
            zero = now;
        now += random_exponential(&random, 1 / queue_arrivals_per_s(queue));
        int server = first_free(free_at, queue->servers);
        double begin = fmax(now, free_at[server]);
        free_at[server] = begin + (queue->fixed ? queue->service_s : random_exponential(&random, queue->service_s));
        if (k < queue->served)
            continue;
        samples[k - queue->served] = (struct level_sample){
            .intended = ns_of(now - zero),
            .sent = ns_of(now - zero),
            .first_token = ns_of(begin - zero + queue->prefill_s),
            .end = ns_of(fmax(begin + queue->prefill_s, free_at[server]) - zero),
            .outcome = OUTCOME_OK,
        };
    }
    free(free_at);
}
