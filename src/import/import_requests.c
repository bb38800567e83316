#include "import/import_requests.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "stats/measure.h"
#include "stats/run_blocks.h"

struct record *import_add_request(struct import_requests *requests)
{
    if (requests->count == IMPORT_REQUESTS_MAX)
        return NULL;
    MEM_GROW(requests->records, requests->cap, requests->count + 1);
    struct record *record = &requests->records[requests->count++];
    *record = record_empty();
    return record;
}

static int64_t began(const struct record *record)
{
    return record->sent != TIME_NEVER ? record->sent : record->intended;
}

static int compare_began(const void *a, const void *b)
{
    int64_t x = began(a), y = began(b);
    return (x > y) - (x < y);
}

/* From the first request to the last event; the last one is inside. */
static void find_window(struct import_requests *requests, bool open_loop)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t k = 0; k < requests->count; k++) {
        struct level_sample sample = level_sample_of(&requests->records[k]);
        int64_t at = level_sample_counted_at(&sample, open_loop), end = sample.end != TIME_NEVER ? sample.end : at;
        first = at != TIME_NEVER && at < first ? at : first;
        last = end != TIME_NEVER && end > last ? end : last;
    }
    if (requests->window_start == TIME_NEVER || (requests->from_first && first < requests->window_start))
        requests->window_start = first == INT64_MAX ? 0 : first;
    if (requests->window_end == TIME_NEVER)
        requests->window_end = last < requests->window_start ? requests->window_start : last + 1;
}

static struct run_level make_level(const struct level_summary *level, const struct import_requests *requests)
{
    struct run_level made = {.bounds = {.index = level->index, .load = level->load, .start = requests->window_start, .end = requests->window_end,
                                        .window_start = requests->window_start, .window_end = requests->window_end, .ended = true},
                             .record_count = requests->count,
                             .health = {.lag_p99 = -1, .stamp_delay_p99 = -1, .throttled = -1}};
    memcpy(made.bounds.kind, level->kind, sizeof made.bounds.kind);
    memcpy(made.bounds.unit, level->unit, sizeof made.bounds.unit);
    if (requests->cut)
        memcpy(made.health.reason, "stopped", sizeof "stopped");
    return made;
}

void import_measure(struct import *import, struct level_summary *level, struct import_requests *requests)
{
    if (requests->count == 0)
        return;
    qsort(requests->records, requests->count, sizeof *requests->records, compare_began);
    find_window(requests, level_is_open_loop(level));
    struct run_level run_level = make_level(level, requests);
    struct level_part part = {.bounds = run_level.bounds, .health = run_level.health};
    uint32_t *order = mem_calloc(requests->count, sizeof *order);
    bool *member = mem_calloc(requests->count, sizeof *member);
    for (size_t k = 0; k < requests->count; k++) {
        struct level_sample sample = level_sample_of(&requests->records[k]);
        int64_t at = level_sample_counted_at(&sample, level_is_open_loop(level));
        requests->records[k].i = (int64_t)k;
        order[k] = (uint32_t)k;
        member[k] = at != TIME_NEVER && run_level_in_window(&run_level, at);
    }
    run_level.records = order;
    run_level.parts = &part;
    struct run_data data = {.file = {.records = requests->records, .record_count = requests->count},
                            .time_scale = 1, .member = member, .levels = &run_level, .level_count = 1};
    level->requests = (struct request_counts){0};
    run_blocks_cut(&data, &run_level);
    measure_level(level, &data, &run_level, import->sla, NULL, import->arena);
    level->reason[0] = '\0';
    level->missing_count = 0;
    free(order);
    free(member);
}

enum failure import_failure(const char *message)
{
    static const struct {
        const char *words;
        enum failure failure;
    } known[] = {{"429", FAILURE_HTTP_429},
                 {"server error '5", FAILURE_HTTP_5XX},
                 {"client error '4", FAILURE_HTTP_4XX},
                 {"internal server error", FAILURE_HTTP_5XX},
                 {"bad gateway", FAILURE_HTTP_5XX},
                 {"service unavailable", FAILURE_HTTP_5XX},
                 {"bad request", FAILURE_HTTP_4XX},
                 {"unauthorized", FAILURE_HTTP_4XX},
                 {"not found", FAILURE_HTTP_4XX},
                 {"timeout", FAILURE_TIMEOUT},
                 {"timed out", FAILURE_TIMEOUT},
                 {"name or service not known", FAILURE_DNS},
                 {"name resolution", FAILURE_DNS},
                 {"too many open files", FAILURE_LOCAL},
                 {"certificate", FAILURE_TLS},
                 {"incomplete", FAILURE_TRUNCATED},
                 {"payload is not completed", FAILURE_TRUNCATED},
                 {"without sending complete", FAILURE_TRUNCATED},
                 {"disconnected", FAILURE_RESET},
                 {"reset", FAILURE_RESET},
                 {"connect", FAILURE_CONNECT}};
    for (int k = FAILURE_NONE + 1; k < FAILURE_COUNT; k++)
        if (strcmp(message, failure_name((enum failure)k)) == 0)
            return (enum failure)k;
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        if (strcasestr(message, known[k].words))
            return known[k].failure;
    return FAILURE_PROTOCOL;
}
