/* How far this machine's clock is from the target's: what shards on several machines have in common is the target.
 *
 * An answer's Date has whole seconds. One with date D to a question asked at a and answered at b (our clock) was made at some time of
 * [a, b] while the target's clock showed [D, D + 1 s): our clock is ahead of it by more than a - D - 1 s and by at most b - D. Every
 * answer gives such an interval, and the offset lies in all of them. Two answers on either side of a second's change leave no more of it
 * than the time from the first question to the second answer; so the changes are watched: questions some 20 ms apart until one is
 * seen, then 2 ms apart around the next.
 *
 * Some servers make the text of Date once a second and send it until they make the next one (uvicorn, and so vLLM): it may be a second
 * old, and the interval is a second longer. A server whose answers contradict one another is taken for one of these. */
#ifndef ROIBENCH_LOAD_CLOCK_OFFSET_H
#define ROIBENCH_LOAD_CLOCK_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/http_client.h"
#include "record/record.h"

#define CLOCK_OFFSET_TIME_NS (2200 * NS_PER_MS) /* what it takes where nothing is amiss: two changes of the second */

/* One question. date: realtime ns of the answer's Date; may_be_old: by up to a second. -1: no answer, or none with a date. */
struct clock_answer {
    int64_t date;
    bool may_be_old;
};
typedef int (*clock_asker)(void *context, struct clock_answer *answer);

/* Fills offset_ns and error_ns of *check; error_ns is -1 where nothing was found out. Ends by `deadline` (of clock_now; a question
 * under way may take longer). */
void clock_offset_watch(const struct clock *clock, int64_t deadline, clock_asker ask, void *context, struct clock_check *check);

/* By GETs of url; what status they get is no matter. cached_date: the server is known to send old ones. */
void clock_offset_measure(const struct net_settings *net, const struct clock *clock, const char *url, bool cached_date, int64_t deadline,
                          struct clock_check *check);

#endif
