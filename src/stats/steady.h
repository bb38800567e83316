/* Where in a level the steady state begins, and until when its load was kept up: `--warmup auto`, `--cooldown auto`.
 *
 * Warm-up by MSER-5. Of a series of N batch means (five observations each; what is left over at the end is dropped) the first d
 * are cut for which
 *
 *     MSER(d) = sum of (x[i] - mean of x[d..N))^2 over i in [d, N) / (N - d)^2
 *
 * is smallest, with d <= N / 2: the width of the mean's confidence interval, were what is left steady. K. P. White, "An
 * effective truncation heuristic for bias reduction in simulation output", Simulation 69 (1997) 323-334; batches of five: W.
 * Franklin and K. P. White, "Stationarity tests and MSER-5", Proc. Winter Simulation Conference 2008, 541-546. A series that
 * drifts from its beginning to its end has its minimum at d = N / 2: then half of the level is cut, and that no steady state
 * was found in it is said.
 *
 * Two series are looked at, and the later of the two is taken: the TTFT of the requests in the order of sending (one without a
 * first token counts with the time it waited), and the completions in equal bins, four a bin on average (50 to 500 bins). A
 * series of fewer than STEADY_SERIES_MIN observations has too few batches to tell anything, and is left out.
 *
 * Cool-down. A level that its time ends is under its full load to the last moment: nothing is to be cut there. A level that
 * --max-requests ends is not: from the moment its last request was sent streams fall idle. So the window ends there, whatever
 * the series look like; MSER-5 on the reversed series would guess at what is known.
 *
 * Both together never cut more than half of the level after its start phase. Where more would be needed for the cool-down (all
 * requests were sent at once) nothing is cut, and that is said.
 *
 * What it does to 200 levels of 300 requests to queues (tests/unit/stats/steady_test.c): from levels that are steady from their
 * beginning, 18 % is cut on average (median 13 %); where nothing can end in the first 11 % of the level, its throughput is 10.6
 * % too low as a whole and 0.3 % too low in what is left, with 21 % cut on average. */
#ifndef ROIBENCH_STATS_STEADY_H
#define ROIBENCH_STATS_STEADY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/level_sample.h"

#define STEADY_BATCH 5
#define STEADY_SERIES_MIN 50 /* observations: ten batches */
#define STEADY_PER_BIN 4 /* completions */
#define STEADY_BINS_MAX 500

/* How much was cut, and why that much: enum, name in files. */
#define STEADY_RULES(X)                                                                    \
    X(NONE, "none")                 /* nothing was to be cut */                            \
    X(SHARE, "share")               /* a share of the level */                             \
    X(TIME, "time")                                                                        \
    X(MSER5, "mser5")               /* auto: as long as the series says */                 \
    X(HALF, "half")                 /* auto: no steady state in the first half */          \
    X(TOO_FEW, "too_few")           /* auto: too few requests to tell; nothing was cut */  \
    X(CHANGING, "changing")         /* auto: the load is to change; nothing was cut */     \
    X(LAST_REQUEST, "last_request") /* auto: what came after the last request was sent */  \
    X(FULL_LOAD, "full_load")       /* auto: the load was kept up to the end */            \
    X(BURST, "burst")               /* auto: it was kept up for less than half of the level; nothing was cut */

enum steady_rule {
#define X(name, key) STEADY_##name,
    STEADY_RULES(X)
#undef X
        STEADY_RULE_COUNT
};
const char *steady_rule_name(enum steady_rule rule); /* "mser5" */

enum steady_series { STEADY_BY_NEITHER, STEADY_BY_TTFT, STEADY_BY_COMPLETIONS };
const char *steady_series_name(enum steady_series series); /* "ttft", "completions"; NULL: neither */

struct steady_cut {
    enum steady_rule rule;
    enum steady_series by; /* of rules MSER5 and HALF: the series that wanted the more; neither: nothing to cut */
    int64_t ns;            /* cut off, model time */
};

/* Observations to cut from the beginning of a series: a multiple of STEADY_BATCH. *drifts: the minimum lies at the half. Fewer than
 * STEADY_SERIES_MIN: 0. */
size_t steady_mser5(const double *values, size_t count, bool *drifts);

/* What of a level is measured: [start, end), and what was cut off before and behind. */
struct steady_window {
    int64_t start, end;
    struct steady_cut warmup, cooldown;
};

/* What is known of a level when its window is sought. */
struct steady_level {
    bool open_loop;
    bool changes;            /* its load is to change while it lasts (a ramp): nothing is steady, and nothing cut as a warm-up */
    bool max_requests_ended; /* it ended since all its requests were done, and not since its time was over */
    bool warmup, cooldown;   /* which of its ends are looked for: `auto` */
};

/* The samples of a level in any order; window: start and end as they are without what is looked for. Cuts that are not looked for are left
 * as they are. */
void steady_find(struct steady_window *window, const struct level_sample *samples, size_t count, const struct steady_level *level);

#endif
