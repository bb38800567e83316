/* Did a level break, did it saturate? Asked by a run that has to choose its next level (--find), when the level is over.
 *
 * The answers are those that `summarize` gives later: same window, same members, same functions (stats/steady.h,
 * stats/saturation.h); a test compares both on all golden runs. All times are model time. */
#ifndef ROIBENCH_STATS_LEVEL_JUDGE_H
#define ROIBENCH_STATS_LEVEL_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "stats/level_sample.h"
#include "stats/saturation.h"
#include "stats/steady.h"
#include "stats/verdict.h"

/* What is known of a level beside its requests. */
struct level_to_judge {
    struct steady_level steady;       /* which ends of the window are looked for */
    int64_t window_start, window_end; /* without what is looked for, as in its level_end */
    int64_t end;
    bool grew;                        /* it was ended because its queue grew without end */
    double queue_share_above;         /* of the window in which the server's queue was above 0; NAN: not known */
};

struct level_judgement {
    struct condition saturation, breaking;
};

/* samples: all of the level's, in any order. */
struct level_judgement level_judge_samples(const struct level_sample *samples, size_t count, const struct level_to_judge *level,
                                           const struct sla *sla);

#endif
