#include "stats/server_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define INTERVAL_MAX (3600 * NS_PER_S)

static const struct {
    const char *name;
    enum server_quantity quantity;
    bool mean; /* of the series, not their sum */
} names[] = {
    /* In order of preference within a quantity. TGI counts a request's tokens when it is done; it says nothing of its KV cache, and means of
     * requests only of its times. */
    {"vllm:num_requests_waiting", SERVER_QUEUE, false},
    {"sglang:num_queue_reqs", SERVER_QUEUE, false},
    {"llamacpp:requests_deferred", SERVER_QUEUE, false},
    {"tgi_queue_size", SERVER_QUEUE, false},
    {"vllm:num_requests_running", SERVER_RUNNING, false},
    {"sglang:num_running_reqs", SERVER_RUNNING, false},
    {"llamacpp:requests_processing", SERVER_RUNNING, false},
    {"tgi_batch_current_size", SERVER_RUNNING, false},
    {"vllm:kv_cache_usage_perc", SERVER_KV_CACHE, true},
    {"vllm:gpu_cache_usage_perc", SERVER_KV_CACHE, true},
    {"sglang:token_usage", SERVER_KV_CACHE, true},
    {"llamacpp:kv_cache_usage_ratio", SERVER_KV_CACHE, true},
    {"vllm:prompt_tokens_total", SERVER_PROMPT_TOKENS, false},
    {"sglang:prompt_tokens_total", SERVER_PROMPT_TOKENS, false},
    {"llamacpp:prompt_tokens_total", SERVER_PROMPT_TOKENS, false},
    {"tgi_request_input_length_sum", SERVER_PROMPT_TOKENS, false},
    {"vllm:generation_tokens_total", SERVER_OUTPUT_TOKENS, false},
    {"sglang:generation_tokens_total", SERVER_OUTPUT_TOKENS, false},
    {"llamacpp:tokens_predicted_total", SERVER_OUTPUT_TOKENS, false},
    {"tgi_request_generated_tokens_sum", SERVER_OUTPUT_TOKENS, false},
    {"vllm:time_to_first_token_seconds_sum", SERVER_TTFT_SUM, false},
    {"sglang:time_to_first_token_seconds_sum", SERVER_TTFT_SUM, false},
    {"vllm:time_to_first_token_seconds_count", SERVER_TTFT_COUNT, false},
    {"sglang:time_to_first_token_seconds_count", SERVER_TTFT_COUNT, false},
    {"vllm:inter_token_latency_seconds_sum", SERVER_ITL_SUM, false},
    {"vllm:time_per_output_token_seconds_sum", SERVER_ITL_SUM, false},
    {"sglang:inter_token_latency_seconds_sum", SERVER_ITL_SUM, false},
    {"vllm:inter_token_latency_seconds_count", SERVER_ITL_COUNT, false},
    {"vllm:time_per_output_token_seconds_count", SERVER_ITL_COUNT, false},
    {"sglang:inter_token_latency_seconds_count", SERVER_ITL_COUNT, false},
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
static struct scrape *add_scrape(struct scrapes *scrapes, int64_t t)
{
    MEM_GROW(scrapes->items, scrapes->cap, scrapes->count + 1);
    struct scrape *scrape = &scrapes->items[scrapes->count++];
    *scrape = (struct scrape){.t = t};
    for (int q = 0; q < SERVER_QUANTITY_COUNT; q++)
        scrape->value[q] = NAN;
    return scrape;
}

void scrapes_add(struct scrapes *scrapes, const struct metrics_line *line)
{
    double sum[NAME_COUNT] = {0};
    int count[NAME_COUNT] = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)line->series, key, value)
    {
        int k = name_index(key, strcspn(key, "{"));
        if (k < 0 || !json_is_number(value))
            continue;
        sum[k] += json_number_value(value);
        count[k]++;
    }
    struct scrape *scrape = add_scrape(scrapes, line->t);
    scrape->extra = line->extra;
    for (size_t k = 0; k < NAME_COUNT; k++)
        if (count[k] > 0 && isnan(scrape->value[names[k].quantity]))
            scrape->value[names[k].quantity] = names[k].mean ? sum[k] / count[k] : sum[k];
}

void scrapes_add_queue(struct scrapes *scrapes, int64_t t, bool extra, double waiting)
{
    struct scrape *scrape = add_scrape(scrapes, t);
    scrape->extra = extra;
    scrape->value[SERVER_QUEUE] = waiting;
}

void scrapes_free(struct scrapes *scrapes)
{
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

/* How many scrapes are at or before t. */
static size_t count_until(const struct scrapes *scrapes, int64_t t)
{
    size_t low = 0, high = scrapes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (scrapes->items[middle].t <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
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
