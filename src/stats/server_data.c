#include "stats/server_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sort.h"

#define INTERVAL_MAX (3600 * NS_PER_S)

#define TTFT_BUCKETS "time_to_first_token_seconds_bucket" /* behind "vllm:" and "sglang:" */

static const struct {
    const char *name;
    enum server_quantity quantity;
    bool mean;   /* of the series, not their sum */
    bool at_end; /* counted when a request has ended */
} names[] = {
    /* In order of preference within a quantity. TGI says nothing of its KV cache, and of its times means of requests only. */
    {"vllm:num_requests_waiting", SERVER_QUEUE, false, false},
    {"sglang:num_queue_reqs", SERVER_QUEUE, false, false},
    {"llamacpp:requests_deferred", SERVER_QUEUE, false, false},
    {"tgi_queue_size", SERVER_QUEUE, false, false},
    {"vllm:num_requests_running", SERVER_RUNNING, false, false},
    {"sglang:num_running_reqs", SERVER_RUNNING, false, false},
    {"llamacpp:requests_processing", SERVER_RUNNING, false, false},
    {"tgi_batch_current_size", SERVER_RUNNING, false, false},
    {"vllm:kv_cache_usage_perc", SERVER_KV_CACHE, true, false},
    {"vllm:gpu_cache_usage_perc", SERVER_KV_CACHE, true, false},
    {"sglang:token_usage", SERVER_KV_CACHE, true, false},
    {"llamacpp:kv_cache_usage_ratio", SERVER_KV_CACHE, true, false},
    {"vllm:prompt_tokens_total", SERVER_PROMPT_TOKENS, false, false},
    {"sglang:prompt_tokens_total", SERVER_PROMPT_TOKENS, false, true},
    {"llamacpp:prompt_tokens_total", SERVER_PROMPT_TOKENS, false, true},
    {"tgi_request_input_length_sum", SERVER_PROMPT_TOKENS, false, true},
    {"vllm:generation_tokens_total", SERVER_OUTPUT_TOKENS, false, false},
    {"sglang:generation_tokens_total", SERVER_OUTPUT_TOKENS, false, true},
    {"llamacpp:tokens_predicted_total", SERVER_OUTPUT_TOKENS, false, true},
    {"tgi_request_generated_tokens_sum", SERVER_OUTPUT_TOKENS, false, true},
    {"vllm:time_to_first_token_seconds_sum", SERVER_TTFT_SUM, false, false},
    {"sglang:time_to_first_token_seconds_sum", SERVER_TTFT_SUM, false, false},
    {"vllm:time_to_first_token_seconds_count", SERVER_TTFT_COUNT, false, false},
    {"sglang:time_to_first_token_seconds_count", SERVER_TTFT_COUNT, false, false},
    {"vllm:inter_token_latency_seconds_sum", SERVER_ITL_SUM, false, false},
    {"vllm:time_per_output_token_seconds_sum", SERVER_ITL_SUM, false, false},
    {"sglang:inter_token_latency_seconds_sum", SERVER_ITL_SUM, false, false},
    {"vllm:inter_token_latency_seconds_count", SERVER_ITL_COUNT, false, false},
    {"vllm:time_per_output_token_seconds_count", SERVER_ITL_COUNT, false, false},
    {"sglang:inter_token_latency_seconds_count", SERVER_ITL_COUNT, false, false},
    {"vllm:e2e_request_latency_seconds_sum", SERVER_E2E_SUM, false, true},
    {"sglang:e2e_request_latency_seconds_sum", SERVER_E2E_SUM, false, true},
    {"tgi_request_duration_sum", SERVER_E2E_SUM, false, true},
    {"vllm:e2e_request_latency_seconds_count", SERVER_E2E_COUNT, false, true},
    {"sglang:e2e_request_latency_seconds_count", SERVER_E2E_COUNT, false, true},
    {"tgi_request_duration_count", SERVER_E2E_COUNT, false, true},
    {"vllm:request_queue_time_seconds_sum", SERVER_QUEUE_TIME_SUM, false, true},
    {"sglang:queue_time_seconds_sum", SERVER_QUEUE_TIME_SUM, false, true},
    {"tgi_request_queue_duration_sum", SERVER_QUEUE_TIME_SUM, false, true},
    {"vllm:request_queue_time_seconds_count", SERVER_QUEUE_TIME_COUNT, false, true},
    {"sglang:queue_time_seconds_count", SERVER_QUEUE_TIME_COUNT, false, true},
    {"tgi_request_queue_duration_count", SERVER_QUEUE_TIME_COUNT, false, true},
    {"vllm:num_preemptions_total", SERVER_PREEMPTIONS, false, false},
    {"sglang:num_retracted_requests_total", SERVER_PREEMPTIONS, false, false},
    {"vllm:prefix_cache_queries_total", SERVER_CACHE_QUERIES, false, false},
    {"vllm:gpu_prefix_cache_queries_total", SERVER_CACHE_QUERIES, false, false},
    {"vllm:prefix_cache_hits_total", SERVER_CACHE_HITS, false, false},
    {"vllm:gpu_prefix_cache_hits_total", SERVER_CACHE_HITS, false, false},
    {"sglang:cached_tokens_total", SERVER_CACHE_HITS, false, false},
};
#define NAME_COUNT (sizeof names / sizeof names[0])

/* -1: none of ours. */
static int name_index(const char *name, size_t length)
{
    for (size_t k = 0; k < NAME_COUNT; k++)
        if (strlen(names[k].name) == length && memcmp(names[k].name, name, length) == 0)
            return (int)k;
    return -1;
}

int server_quantity_find(const char *name, size_t length)
{
    int k = name_index(name, length);
    return k < 0 ? -1 : (int)names[k].quantity;
}

/* That tells nothing yet. */
static struct scrape *add_scrape(struct scrapes *scrapes, int64_t t, int64_t took)
{
    MEM_GROW(scrapes->items, scrapes->cap, scrapes->count + 1);
    struct scrape *scrape = &scrapes->items[scrapes->count++];
    *scrape = (struct scrape){.t = t, .took = took};
    for (int q = 0; q < SERVER_QUANTITY_COUNT; q++)
        scrape->value[q] = NAN;
    return scrape;
}

/* ---- the histogram of TTFT ---- */

static bool is_ttft_bucket(const char *key, size_t length)
{
    size_t ending = strlen(TTFT_BUCKETS);
    return length > ending && memcmp(key + length - ending, TTFT_BUCKETS, ending) == 0;
}

/* Buckets of the same bound (of several engines) are added up. */
static void add_bucket(struct scrape *scrape, const char *labels, double count)
{
    const char *le = strstr(labels, "le=\"");
    char *end = NULL;
    double bound = le ? strtod(le + strlen("le=\""), &end) : NAN; /* "+Inf" too */
    if (!end || *end != '"' || isnan(bound))
        return;
    if (!scrape->ttft)
        scrape->ttft = mem_calloc(1, sizeof *scrape->ttft);
    struct server_buckets *buckets = scrape->ttft;
    size_t k = 0;
    while (k < buckets->n && buckets->bound[k] < bound)
        k++;
    if (k == buckets->n || buckets->bound[k] > bound) {
        if (buckets->n == SERVER_BUCKETS_MAX)
            return;
        memmove(&buckets->bound[k + 1], &buckets->bound[k], (buckets->n - k) * sizeof *buckets->bound);
        memmove(&buckets->count[k + 1], &buckets->count[k], (buckets->n - k) * sizeof *buckets->count);
        buckets->bound[k] = bound;
        buckets->count[k] = 0;
        buckets->n++;
    }
    buckets->count[k] += count;
}

bool scrapes_ttft_buckets(const struct scrapes *scrapes, const struct server_span *span, struct server_buckets *added)
{
    const struct server_buckets *first = span->known ? scrapes->items[span->first].ttft : NULL;
    const struct server_buckets *last = span->known ? scrapes->items[span->last].ttft : NULL;
    if (!last || !first || first->n != last->n)
        return false;
    *added = *last;
    for (size_t k = 0; k < last->n; k++) {
        added->count[k] -= first->count[k];
        if (last->bound[k] != first->bound[k] || !(added->count[k] >= 0) || (k > 0 && added->count[k] < added->count[k - 1]))
            return false;
    }
    return added->n > 1 && isinf(added->bound[added->n - 1]);
}

/* ---- scrapes ---- */

void scrapes_add(struct scrapes *scrapes, const struct metrics_line *line)
{
    double sum[NAME_COUNT] = {0};
    int count[NAME_COUNT] = {0};
    const char *key;
    json_t *value;
    struct scrape *scrape = add_scrape(scrapes, line->t, line->took);
    scrape->extra = line->extra;
    json_object_foreach((json_t *)(uintptr_t)line->series, key, value)
    {
        size_t length = strcspn(key, "{");
        int k = name_index(key, length);
        if (json_is_number(value) && is_ttft_bucket(key, length))
            add_bucket(scrape, key + length, json_number_value(value));
        if (k < 0 || !json_is_number(value))
            continue;
        sum[k] += json_number_value(value);
        count[k]++;
    }
    for (size_t k = 0; k < NAME_COUNT; k++) {
        enum server_quantity quantity = names[k].quantity;
        if (count[k] == 0 || !isnan(scrape->value[quantity]))
            continue;
        scrape->value[quantity] = names[k].mean ? sum[k] / count[k] : sum[k];
        scrapes->at_end[quantity] = names[k].at_end;
    }
}

void scrapes_add_queue(struct scrapes *scrapes, int64_t t, bool extra, double waiting)
{
    struct scrape *scrape = add_scrape(scrapes, t, 0);
    scrape->extra = extra;
    scrape->value[SERVER_QUEUE] = waiting;
}

void scrapes_free(struct scrapes *scrapes)
{
    for (size_t k = 0; k < scrapes->count; k++)
        free(scrapes->items[k].ttft);
    free(scrapes->items);
    *scrapes = (struct scrapes){0};
}

static int compare_scrapes(const void *a, const void *b)
{
    int64_t x = ((const struct scrape *)a)->t, y = ((const struct scrape *)b)->t;
    return (x > y) - (x < y);
}

/* Where levels are short, most scrapes are extra ones, within milliseconds of another. */
static int64_t median_gap(const struct scrapes *scrapes)
{
    double *gaps = mem_calloc(scrapes->count + 1, sizeof *gaps);
    size_t count = 0;
    const struct scrape *last = NULL;
    for (size_t k = 0; k < scrapes->count; k++) {
        if (scrapes->items[k].extra)
            continue;
        if (last)
            gaps[count++] = (double)(scrapes->items[k].t - last->t);
        last = &scrapes->items[k];
    }
    double median = count > 0 ? series_select(gaps, count, percentile_per_mille(P50)) : (double)NS_PER_S;
    free(gaps);
    return median < (double)INTERVAL_MAX ? (int64_t)median : INTERVAL_MAX;
}

void scrapes_sort(struct scrapes *scrapes)
{
    if (scrapes->count > 1)
        qsort(scrapes->items, scrapes->count, sizeof *scrapes->items, compare_scrapes);
    scrapes->interval = median_gap(scrapes);
}

/* ---- several targets ---- */

/* Buckets of other bounds cannot be added. */
static void add_buckets(struct scrape *sum, const struct server_buckets *more)
{
    bool same = sum->ttft && more && sum->ttft->n == more->n;
    for (size_t k = 0; same && k < more->n; k++)
        same = sum->ttft->bound[k] == more->bound[k];
    for (size_t k = 0; same && k < more->n; k++)
        sum->ttft->count[k] += more->count[k];
    if (!same) {
        free(sum->ttft);
        sum->ttft = NULL;
    }
}

static struct server_buckets *copy_buckets(const struct server_buckets *buckets)
{
    struct server_buckets *copy = buckets ? mem_alloc(sizeof *copy) : NULL;
    if (copy)
        *copy = *buckets;
    return copy;
}

/* latest: by part. */
static void add_together(struct scrapes *merged, const struct scrape *const *latest, size_t count)
{
    struct scrape *sum = add_scrape(merged, latest[0]->t, 0);
    int64_t end = latest[0]->t + latest[0]->took;
    memcpy(sum->value, latest[0]->value, sizeof sum->value);
    sum->ttft = copy_buckets(latest[0]->ttft);
    sum->extra = latest[0]->extra;
    for (size_t k = 1; k < count; k++) {
        const struct scrape *part = latest[k];
        sum->t = part->t < sum->t ? part->t : sum->t;
        sum->extra = sum->extra || part->extra;
        end = part->t + part->took > end ? part->t + part->took : end;
        for (int q = 0; q < SERVER_QUANTITY_COUNT; q++)
            sum->value[q] += part->value[q];
        add_buckets(sum, part->ttft);
    }
    sum->value[SERVER_KV_CACHE] /= (double)count;
    sum->took = end - sum->t;
}

/* The part whose next scrape is the earliest; -1: none has any left. */
static int next_part(const struct scrapes *parts, const size_t *at, size_t count)
{
    int next = -1;
    for (size_t k = 0; k < count; k++)
        if (at[k] < parts[k].count && (next < 0 || parts[k].items[at[k]].t < parts[next].items[at[next]].t))
            next = (int)k;
    return next;
}

static void merge_in_time(struct scrapes *merged, const struct scrapes *parts, size_t count)
{
    size_t *at = mem_calloc(count, sizeof *at), fresh = 0;
    const struct scrape **latest = mem_calloc(count, sizeof *latest);
    for (int k; (k = next_part(parts, at, count)) >= 0;) {
        fresh += latest[k] == NULL;
        latest[k] = &parts[k].items[at[k]++];
        if (fresh < count)
            continue;
        add_together(merged, latest, count);
        memset(latest, 0, count * sizeof *latest);
        fresh = 0;
    }
    free(latest);
    free(at);
}

void scrapes_merge(struct scrapes *merged, struct scrapes *parts, size_t count)
{
    size_t used = 0;
    for (size_t k = 0; k < count; k++) {
        if (parts[k].count == 0)
            continue;
        struct scrapes part = parts[k];
        parts[k] = (struct scrapes){0};
        scrapes_sort(&part);
        parts[used++] = part;
    }
    *merged = (struct scrapes){0};
    if (used == 1) {
        *merged = parts[0];
        parts[0] = (struct scrapes){0};
    } else if (used > 1) {
        memcpy(merged->at_end, parts[0].at_end, sizeof merged->at_end);
        merge_in_time(merged, parts, used);
    }
    for (size_t k = 0; k < used; k++)
        scrapes_free(&parts[k]);
}

/* How many scrapes are at or before t. */
static size_t count_until(const struct scrapes *scrapes, int64_t t)
{
    return sort_count_until(scrapes->items, scrapes->count, sizeof *scrapes->items, t);
}

struct server_span scrapes_span(const struct scrapes *scrapes, int64_t start, int64_t end)
{
    struct server_span span = {0};
    size_t before = count_until(scrapes, start);
    size_t after = count_until(scrapes, end);
    if (after > 0 && scrapes->items[after - 1].t == end)
        after--;
    if (before == 0 || after == scrapes->count || after < before)
        return span;
    span = (struct server_span){true, scrapes->items[before - 1].t, scrapes->items[after].t, before - 1, after};
    return span;
}

struct gauge scrapes_gauge(const struct scrapes *scrapes, enum server_quantity quantity, int64_t start, int64_t end, double limit)
{
    struct gauge gauge = {.mean = NAN, .max = NAN, .limit = limit, .share_above = NAN};
    double known = 0, area = 0, above = 0;
    size_t first = count_until(scrapes, start);
    for (size_t k = first > 0 ? first - 1 : 0; k < scrapes->count && scrapes->items[k].t < end; k++) {
        double value = scrapes->items[k].value[quantity];
        int64_t from = scrapes->items[k].t > start ? scrapes->items[k].t : start;
        int64_t to = scrapes->items[k].t + SCRAPE_HOLDS * scrapes->interval;
        if (k + 1 < scrapes->count && scrapes->items[k + 1].t < to)
            to = scrapes->items[k + 1].t;
        if (to > end)
            to = end;
        if (isnan(value) || to <= from)
            continue;
        double length = (double)(to - from);
        known += length;
        area += value * length;
        above += value > limit ? length : 0;
        gauge.max = isnan(gauge.max) || value > gauge.max ? value : gauge.max;
    }
    if (known > 0) {
        gauge.mean = area / known;
        gauge.share_above = isnan(limit) ? NAN : above / known;
        gauge.covered = known / (double)(end - start);
    }
    return gauge;
}

double scrapes_value(const struct scrapes *scrapes, enum server_quantity quantity, int64_t t)
{
    size_t until = count_until(scrapes, t);
    const struct scrape *scrape = until > 0 ? &scrapes->items[until - 1] : NULL;
    return scrape && t - scrape->t <= SCRAPE_HOLDS * scrapes->interval ? scrape->value[quantity] : NAN;
}

double scrapes_difference(const struct scrapes *scrapes, const struct server_span *span, enum server_quantity quantity)
{
    if (!span->known)
        return NAN;
    double difference = scrapes->items[span->last].value[quantity] - scrapes->items[span->first].value[quantity];
    return difference >= 0 ? difference : NAN;
}

bool scrapes_restarted(const struct scrapes *scrapes, int64_t start, int64_t end)
{
    size_t before = count_until(scrapes, start);
    for (size_t k = before > 0 ? before : 1; k < scrapes->count && scrapes->items[k - 1].t < end; k++)
        for (int q = SERVER_PROMPT_TOKENS; q < SERVER_QUANTITY_COUNT; q++)
            if (scrapes->items[k].value[q] < scrapes->items[k - 1].value[q])
                return true;
    return false;
}
