/* What the server said of itself: a scrape a second of its gauges and sums. */
#ifndef ROIBENCH_STATS_SERVER_DATA_H
#define ROIBENCH_STATS_SERVER_DATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "record/record_reader.h"
#include "stats/level_summary.h"

/* Quantities, and under which names servers give them: the first name that is there counts. Series that
 * differ only in their labels are added up (of the KV cache: their mean). The first three are gauges, all others only grow. */
enum server_quantity {
    SERVER_QUEUE, SERVER_RUNNING, SERVER_KV_CACHE,
    SERVER_PROMPT_TOKENS, SERVER_OUTPUT_TOKENS,
    SERVER_TTFT_SUM, SERVER_TTFT_COUNT, SERVER_ITL_SUM, SERVER_ITL_COUNT,
    SERVER_E2E_SUM, SERVER_E2E_COUNT,             /* of requests that have ended */
    SERVER_QUEUE_TIME_SUM, SERVER_QUEUE_TIME_COUNT,
    SERVER_PREEMPTIONS,
    SERVER_CACHE_QUERIES, SERVER_CACHE_HITS,      /* tokens looked up in the prefix cache, and found there */
    SERVER_QUANTITY_COUNT
};

/* The quantity of a series, by its name without labels; -1: none of these. */
int server_quantity_find(const char *name, size_t length);

/* A histogram of TTFT as the server keeps it: how many were at or below each bound, since it started. */
#define SERVER_BUCKETS_MAX 64
struct server_buckets {
    double bound[SERVER_BUCKETS_MAX]; /* wall seconds, ascending; the last is +infinity */
    double count[SERVER_BUCKETS_MAX];
    size_t n;
};

struct scrape {
    int64_t t;                           /* first (base/sort.h): when it was asked for, */
    int64_t took;                        /* and how long the answer took: it may tell of any moment between */
    bool extra;                          /* as in struct metrics_line */
    double value[SERVER_QUANTITY_COUNT]; /* NAN: not there. Sums of seconds are wall seconds, as the server said them */
    struct server_buckets *ttft;         /* owned; NULL: not there (most scrapes leave them out) */
};

struct scrapes {
    struct scrape *items; /* ascending */
    size_t count, cap;
    int64_t interval;     /* the usual time from one to the next, without the extra ones: the median, 1 s where there are fewer than two */
    bool at_end[SERVER_QUANTITY_COUNT]; /* this server counts a request's share when it has ended, not as it goes */
};

/* One line of metrics.jsonl.gz, times already in model time. */
void scrapes_add(struct scrapes *scrapes, const struct metrics_line *line);
/* A scrape of which only the queue is of interest. */
void scrapes_add_queue(struct scrapes *scrapes, int64_t t, bool extra, double waiting);
void scrapes_free(struct scrapes *scrapes);
/* Sorts by time and finds the interval: call it once, after the last one was added. */
void scrapes_sort(struct scrapes *scrapes);

/* Of several targets that share the load, what they are together: whenever all have been looked at anew, one scrape of their sums (of the KV
 * cache: the mean), from the time of the oldest look on for as long as it took until the last one was there. What one does not tell is not
 * known. A single one is taken as it is. parts are empty afterwards. */
void scrapes_merge(struct scrapes *merged, struct scrapes *parts, size_t count);

/* The scrapes around a window: the last at or before its start, the first at or after its end. */
struct server_span {
    bool known;
    int64_t from, to;
    size_t first, last; /* indices of the two */
};
struct server_span scrapes_span(const struct scrapes *scrapes, int64_t start, int64_t end);

/* Whether a counter fell inside [start, end), or since the last scrape before it: the server was restarted, or another one answers. */
bool scrapes_restarted(const struct scrapes *scrapes, int64_t start, int64_t end);

/* A scraper may fail or die: its last value says nothing of later windows. */
#define SCRAPE_HOLDS 3 /* intervals */

/* Mean, max and share above the limit of a gauge inside [start, end): a value holds until the next scrape, but for SCRAPE_HOLDS
 * intervals at most. What no value covers is left out of all three; `covered` says how much is known. */
struct gauge scrapes_gauge(const struct scrapes *scrapes, enum server_quantity quantity, int64_t start, int64_t end, double limit);
/* The last value told at or before t; NAN: none, or longer ago than it holds. */
double scrapes_value(const struct scrapes *scrapes, enum server_quantity quantity, int64_t t);
/* Difference of a counter over a span; NAN when it is not there or was set back (the server restarted). */
double scrapes_difference(const struct scrapes *scrapes, const struct server_span *span, enum server_quantity quantity);
/* What was added to the histogram of TTFT over a span; false: its ends do not both have one, or the server restarted. */
bool scrapes_ttft_buckets(const struct scrapes *scrapes, const struct server_span *span, struct server_buckets *added);

#endif
