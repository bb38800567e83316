/* What a run keeps of the level under way to decide by: for --find and --stop-when-saturated. Private to the load layer.
 *
 * Workers hand in each request's first token and its end, under a lock: twice a request and only where the plan asks for
 * decisions, so it costs nothing on the path of the other tokens. All is model time. With --find a level
 * costs 40 bytes a request, else its length and rate do not matter. */
#ifndef ROIBENCH_LOAD_OVERSIGHT_H
#define ROIBENCH_LOAD_OVERSIGHT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/sink.h"
#include "plan/plan.h"
#include "record/record.h"
#include "stats/growth.h"
#include "stats/level_sample.h"

struct oversight {
    const struct plan *plan;
    pthread_mutex_t lock;
    bool finds, watches;           /* samples are kept; the queue's growth is watched */
    bool open_loop;
    int64_t measure_start;         /* wall, from the run's anchor */
    struct level_sample *samples;  /* model time from the run's anchor */
    size_t count, capacity;
    struct growth growth;          /* from measure_start */
};

void oversight_init(struct oversight *oversight, const struct plan *plan);
void oversight_free(struct oversight *oversight);

/* Empties what was kept of the level before. */
void oversight_begin(struct oversight *oversight, const struct level *level, int64_t measure_start);
/* A request got its first token; it ended, or never was sent. From any worker: wall times from the run's anchor. */
void oversight_first_token(struct oversight *oversight, const struct record *record);
void oversight_add(struct oversight *oversight, const struct record *record);
/* due, ended: requests of the level so far, as of `now`. true: the queue grows without end (stats/growth.h). */
bool oversight_sees_growth(struct oversight *oversight, int64_t now, int64_t due, int64_t ended);
/* How the finished level met what --find looks for. queue_share_above: of the window; NAN: not known. */
void oversight_judge(struct oversight *oversight, const struct level_end *end, double queue_share_above, struct level_result *result);

#endif
