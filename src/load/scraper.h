/* Looks at the servers while they are loaded: GET /metrics once a model second, into metrics.jsonl.gz.
 *
 * A thread of its own for each with a connection of its own, so that a slow /metrics
 * (vLLM takes up to 1.3 s under load) never delays a request's time stamp, nor the look at another server.
 * Each interval the series of scraper_keeps are written; before a level's first
 * request and after its last one, all of them. The run's first request does not wait for a slow one: its answer may tell of the
 * level's first moments. Later levels wait, if the server ever told. A scrape that fails leaves no line; a server's first that
 * does is said (one without /metrics has no lines), and never again.
 *
 * {"t":<ns from the anchor, when the answer was asked for>,"took":<ns>,"target":0,"extra":true,"series":{"name{labels}":value}}; `target`,
 * its place, is there where there are several; `extra` in the lines about a level's begin and end, which come between the others. */
#ifndef ROIBENCH_LOAD_SCRAPER_H
#define ROIBENCH_LOAD_SCRAPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "net/http_client.h"

#define SCRAPER_FIRST_PATIENCE_NS (30 * NS_PER_MS) /* the run's first request must not wait longer for the first scrape */
#define SCRAPER_INTERVAL_MIN_NS (100 * NS_PER_MS)  /* wall time, whatever the time scale */

struct scraper_settings {
    struct net_settings net;
    const struct clock *clock; /* CLOCK_MONOTONIC: the thread also waits by it */
    const struct log *log;
    const char *const *urls;   /* ".../metrics", one a target */
    size_t url_count;
    const char *path;          /* metrics.jsonl.gz, created */
    int64_t anchor;
    int64_t interval_ns;       /* wall */
    bool keeps_queue;          /* for scraper_queue_share: 80 bytes a scrape */
};

struct scraper;
struct scraper *scraper_new(const struct scraper_settings *settings, struct error *err);
/* Ends a scrape that is under way at once, stops the thread, closes the file; -1 with *err when it could not be written (a full disk). Frees in any case. */
int scraper_free(struct scraper *scraper, struct error *err);

/* For engine_watch: the pointer is a struct scraper. A scrape that fails is tried again until the deadline, unless none of the run
 * ever told. -1: so it is, or none of this waiting told, or a signal came. */
void scraper_level_start(void *scraper_pointer);
int scraper_level_end(void *scraper_pointer, int64_t deadline);
/* Share of [from, to), wall ns from the anchor, in which requests waited at the server, as the report will compute it; NAN: not known. */
double scraper_queue_share(void *scraper_pointer, int64_t from, int64_t to);

/* Is this series kept at every interval? name: without labels. Exposed for its test. */
bool scraper_keeps(const char *name, size_t length);

#endif
