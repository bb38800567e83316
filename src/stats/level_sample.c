#include "stats/level_sample.h"

#include <math.h>

struct level_sample level_sample_of(const struct record *record)
{
    return (struct level_sample){
        .intended = record->intended,
        .sent = record->sent,
        .first_token = record->first_token,
        .end = record->end,
        .outcome = record->outcome,
        .failure = record->failure,
    };
}

int64_t level_sample_counted_at(const struct level_sample *sample, bool open_loop)
{
    bool sent = sample->sent != TIME_NEVER; /* a connection that was refused: nothing was sent, and yet it was a request */
    return open_loop || !sent ? sample->intended : sample->sent;
}

bool level_sample_wait(const struct level_sample *sample, int64_t level_end, struct level_wait *wait)
{
    bool came = sample->first_token != TIME_NEVER && sample->sent != TIME_NEVER;
    if (!came && sample->outcome != OUTCOME_INCOMPLETE && !failure_by_server(sample->failure))
        return false;
    int64_t sent = sample->sent != TIME_NEVER ? sample->sent : sample->intended;
    int64_t end = came ? sample->first_token : sample->end != TIME_NEVER ? sample->end : level_end;
    double waited = fmax(0, (double)(end - sent) / (double)NS_PER_MS);
    *wait = (struct level_wait){sent, came ? (double)(end - sent) / (double)NS_PER_MS : INFINITY, waited, 0};
    return true;
}
