/* Does a queue grow without end? `--stop-when-saturated` asks this while a level runs.
 *
 * Two things are looked at, over the newer half [T/2, T] of the time T since the level's start phase:
 *
 *   the backlog  requests that were due and have not ended, wherever they wait. The half is cut into ten equal times; what was
 *                added in each is an observation. Their mean is the growth; its lower bound is Student's, one-sided, 99 % (9
 *                degrees of freedom). Of a queue that is neither overloaded nor idle (a random walk) these additions are
 *                independent, whereas its lengths are not: a line fitted to lengths finds growth everywhere.
 *   the TTFT     from when the request was due, by the time of its first token, so that those still waiting do not have to be
 *                guessed. Ten groups of equal count; the slope of a line through their means (least squares), its lower bound
 *                again Student's, one-sided, 99 % (8).
 *
 * The queue grows when both lower bounds are above 0, and both growths are worth the name: GROWTH_SHARE_MIN of the requests
 * that became due in that half were added to the backlog, and the TTFT grew by GROWTH_SHARE_MIN of the time that passed. (Of an
 * overload by a factor r both tend to 1 - 1/r: 5 % is r = 1.05.) It is asked again whenever T is a tenth longer, never before
 * GROWTH_TIME_MIN and GROWTH_REQUESTS_MIN first tokens; a level is stopped when the answer is yes twice in a row.
 *
 * Of 200 levels of 300 s each, Poisson arrivals to a queue of eight servers with exponential service times of 4 s, from idle
 * (tests/unit/stats/growth_test.c): 0 are stopped at 0.5, 0.7 and 0.8 of the capacity, 1 at 0.9, 2 at 0.95, 5 at exactly the
 * capacity; 78 % at 1.25 of it (after 142 s on average), all at 1.5 (82 s).
 *
 * A closed loop's backlog cannot grow: its levels are never stopped.
 *
 * All times are model time. */
#ifndef ROIBENCH_STATS_GROWTH_H
#define ROIBENCH_STATS_GROWTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROWTH_TIME_MIN_S 30
#define GROWTH_REQUESTS_MIN 30
#define GROWTH_BATCHES 10
#define GROWTH_SHARE_MIN 0.05
#define GROWTH_RESOLUTION_S 0.25 /* of what is kept, and */
#define GROWTH_RESOLUTION 0.002  /* of T: whatever its length and rate, a level of a day needs less than 10,000 entries */
#define GROWTH_LOOK_FACTOR 1.1 /* from one look to the next */
#define GROWTH_LOOKS 2         /* in a row */

/* Requests that got their first token at about the same time: sums over them, s from the end of the level's start phase. */
struct growth_ttft {
    int64_t until; /* ns: what comes later is not of these */
    double count, t, ttft;
};

/* What is known at a time: how many requests were due until then, and how many of these had ended. */
struct growth_count {
    int64_t t, due, ended;
};

struct growth {
    struct growth_count *counts; /* ascending */
    size_t count, count_capacity;
    struct growth_ttft *ttfts;   /* ascending */
    size_t ttft_count, ttft_capacity;
    int64_t first_tokens;
    int64_t next_look;           /* ns; 0: the first */
    int yes_in_a_row;
};

void growth_free(struct growth *growth); /* all zero is an empty one, and what is left */
/* Some times a second of the model are enough. Times ascend. */
void growth_add_count(struct growth *growth, int64_t t, int64_t due, int64_t ended);
/* ns; first_token as it comes: somewhat later than one that was added before it does no harm. */
void growth_add_ttft(struct growth *growth, int64_t first_token, int64_t ttft);

struct growth_slope {
    double mean, low; /* low: one-sided 99 % bound. Backlog: share of the requests due that were added. TTFT: s a second. NAN: not known */
};
struct growth_slopes {
    struct growth_slope backlog, ttft;
};
/* Of the half before `now`, whatever was asked before. */
struct growth_slopes growth_slopes(const struct growth *growth, int64_t now);

/* To be asked as often as one likes: looks when it is time to. true: the queue grows, the level can be stopped. */
bool growth_found(struct growth *growth, int64_t now);

#endif
