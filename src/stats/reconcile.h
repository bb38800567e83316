/* What the server counted beside what we counted, and where the two differ, why.
 *
 * Counts (requests, tokens) are compared over the whole level, from the last scrape before its first request to the first one
 * after its last: nothing of ours is under way at either, so that they must be the same to the token. What may be missing or too
 * much is known: requests that did not end ok, of which the server may have counted any part, and what ran while a slow scrape was
 * under way. What the server counted beyond is traffic that is not ours; what it did not count was served by somebody else behind the
 * same address.
 *
 * Means (TTFT, ITL, end to end) are compared over the span of the window's scrapes. The server's clock for a request starts when
 * it has taken the request, ours when it was sent: our TTFT is longer by the network and by whatever waits in front of the server.
 * The head of the response, where it is not held back until the first token, tells how long that takes; a difference that it does not
 * explain is flagged. The server's ITL is of its steps: where a step makes several tokens (speculative decoding) it is divided
 * by as many. A server without a count of requests is compared by how many are with it at a time (running and waiting) and
 * how many of ours are under way.
 *
 * The server's TTFT p95 is what a dashboard makes of its buckets: known to a bucket only, and between the bounds a guess.
 *
 * All times are model time. */
#ifndef ROIBENCH_STATS_RECONCILE_H
#define ROIBENCH_STATS_RECONCILE_H

#include "base/arena.h"
#include "stats/run_data.h"

#define RECONCILE_SHARE 0.05      /* means agree when they differ by no more, or by */
#define RECONCILE_MS 5.0          /* of wall time; and concurrencies by */
#define RECONCILE_REQUESTS 1.0    /* or RECONCILE_FLIGHT_SHARE: a gauge once a second is a sample */
#define RECONCILE_FLIGHT_SHARE 0.15
#define RECONCILE_COUNT_SHARE 0.01 /* counts: what is beyond the known reasons and above this share matters */

/* Fills out->server.sums; the gauges and latencies of out are known already. A level that was cut off is compared with nothing: what it
 * received in its last second is not on disk. */
void reconcile_level(struct level_summary *out, const struct run_data *data, const struct run_level *level, struct arena *arena);

#endif
