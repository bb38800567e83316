/* A level of which every request is known: it is measured by the code that measures our own records (stats/measure.h), so that a number means
 * the same in both. */
#ifndef ROIBENCH_IMPORT_IMPORT_REQUESTS_H
#define ROIBENCH_IMPORT_IMPORT_REQUESTS_H

#include "import/import.h"
#include "record/record.h"

#define IMPORT_REQUESTS_MAX 2000000 /* of a level */

struct import_requests {
    struct record *records; /* free() them */
    size_t count, cap;
    int64_t window_start, window_end; /* ns, as the times of the records; TIME_NEVER: from the first to the last of them */
    bool from_first; /* a first request before window_start is inside: nothing was left out as a warm-up */
    bool cut; /* the tool ends a level without waiting for what is under way: as one of our levels that was stopped */
};

/* A request with nothing known. NULL: there are too many. */
struct record *import_add_request(struct import_requests *requests);

/* Fills the level's counts, latencies and rates; the throughputs are left out (when tokens came is not known), and what it says of missing
 * values is the caller's matter. The records are put in the order of sending and numbered. */
void import_measure(struct import *import, struct level_summary *level, struct import_requests *requests);

/* By the words of a tool's message: "Server error '503 …'", "ReadTimeout", or the name that our own reports of its format have. What has no word that
 * is known is a protocol error. */
enum failure import_failure(const char *message);

#endif
