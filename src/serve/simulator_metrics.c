#include "serve/simulator_metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wire/promwrite.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* --- histograms ------------------------------------------------------------------------------ */

static const double iteration_bounds[] = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
static const double choice_bounds[] = {1, 2, 5, 10, 20};
static const double preemption_bounds[] = {1, 2, 3, 4, 5, 10, 20};
static const double ttft_bounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,  0.25, 0.5, 0.75,
                                     1,     2.5,   5,    7.5,  10,   20,   40,   80,   160,  640, 2560};
static const double token_time_bounds[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                                           0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
static const double request_time_bounds[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,  15,  20,
                                             30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};

#define FIXED(bounds_) .bounds = (bounds_), .count = COUNT(bounds_)

/* In the order of enum metrics_histogram. No bounds: lengths, up to the longest request. */
static const struct histogram_row {
    const char *name, *help;
    const double *bounds;
    size_t count;
} histogram_rows[METRICS_HISTOGRAMS] = {
    [METRICS_PROMPT_TOKENS] = {"vllm:request_prompt_tokens", "Prompt tokens of finished requests.", NULL, 0},
    [METRICS_GENERATION_TOKENS] = {"vllm:request_generation_tokens", "Generated tokens of finished requests.", NULL, 0},
    [METRICS_ITERATION_TOKENS] = {"vllm:iteration_tokens_total", "Tokens computed in an engine step.", FIXED(iteration_bounds)},
    [METRICS_MAX_GENERATION_TOKENS] = {"vllm:request_max_num_generation_tokens", "Tokens of the longest choice.", NULL, 0},
    [METRICS_PARAMS_N] = {"vllm:request_params_n", "Choices asked for.", FIXED(choice_bounds)},
    [METRICS_PARAMS_MAX_TOKENS] = {"vllm:request_params_max_tokens", "Tokens asked for.", NULL, 0},
    [METRICS_TTFT] = {"vllm:time_to_first_token_seconds", "Arrival to first token.", FIXED(ttft_bounds)},
    [METRICS_ITL] = {"vllm:inter_token_latency_seconds", "From one token of a request to its next.", FIXED(token_time_bounds)},
    [METRICS_TPOT] = {"vllm:request_time_per_output_token_seconds", "A request's mean time between tokens.", FIXED(token_time_bounds)},
    [METRICS_E2E] = {"vllm:e2e_request_latency_seconds", "Arrival to last token.", FIXED(request_time_bounds)},
    [METRICS_QUEUE] = {"vllm:request_queue_time_seconds", "Arrival to first step.", FIXED(request_time_bounds)},
    [METRICS_INFERENCE] = {"vllm:request_inference_time_seconds", "First step to last token.", FIXED(request_time_bounds)},
    [METRICS_PREFILL] = {"vllm:request_prefill_time_seconds", "First step to first token.", FIXED(request_time_bounds)},
    [METRICS_DECODE] = {"vllm:request_decode_time_seconds", "First token to last token.", FIXED(request_time_bounds)},
    [METRICS_PREEMPTIONS] = {"vllm:request_num_preemptions", "Preemptions of a request.", FIXED(preemption_bounds)},
    [METRICS_PREFILL_COMPUTED] = {"vllm:request_prefill_kv_computed_tokens", "Prompt tokens computed, not cached.", NULL, 0},
};

/* 1, 2, 5, 10, 20, ... not above the longest request. */
static size_t make_length_bounds(double *bounds, int64_t longest)
{
    static const double mantissas[] = {1, 2, 5};
    double power = 1;
    size_t count = 0;
    while (count < METRICS_BUCKETS_MAX && mantissas[count % COUNT(mantissas)] * power <= (double)longest) {
        bounds[count] = mantissas[count % COUNT(mantissas)] * power;
        count++;
        power *= count % COUNT(mantissas) == 0 ? 10 : 1;
    }
    return count;
}

void metrics_init(struct metrics *metrics, int64_t max_model_len)
{
    memset(metrics, 0, sizeof *metrics);
    size_t lengths = make_length_bounds(metrics->length_bounds, max_model_len);
    for (size_t k = 0; k < METRICS_HISTOGRAMS; k++) {
        bool fixed = histogram_rows[k].bounds != NULL;
        metrics->histograms[k].bounds = fixed ? histogram_rows[k].bounds : metrics->length_bounds;
        metrics->histograms[k].count = fixed ? histogram_rows[k].count : lengths;
    }
}

static void observe(struct metrics *metrics, enum metrics_histogram which, double value)
{
    struct metrics_buckets *buckets = &metrics->histograms[which];
    size_t k = 0;
    while (k < buckets->count && value > buckets->bounds[k])
        k++;
    buckets->counts[k]++;
    buckets->sum += value;
}

static void observe_time(struct metrics *metrics, enum metrics_histogram which, int64_t from, int64_t to)
{
    observe(metrics, which, to > from ? (double)(to - from) / (double)NS_PER_S : 0);
}

void metrics_token(struct metrics *metrics, struct metrics_times *times, const struct scheduler_request *request, int64_t now)
{
    if (times->first_token == TIME_NEVER) {
        times->scheduled = request->first_scheduled > times->arrived ? request->first_scheduled : times->arrived;
        times->first_token = now;
        metrics->prompt_tokens += (uint64_t)request->prompt_tokens;
        metrics->cached_tokens += (uint64_t)request->cached_tokens;
        metrics->step_tokens += request->prompt_tokens - request->cached_tokens;
        observe_time(metrics, METRICS_TTFT, times->arrived, now);
    } else {
        observe_time(metrics, METRICS_ITL, times->last_token, now);
    }
    times->last_token = now;
    metrics->generation_tokens++;
    metrics->step_tokens++;
}

/* A step that gives nobody a token is no iteration to vLLM: the chunks of a prompt count with the last of them. */
void metrics_step(struct metrics *metrics)
{
    if (metrics->step_tokens > 0)
        observe(metrics, METRICS_ITERATION_TOKENS, (double)metrics->step_tokens);
    metrics->step_tokens = 0;
}

void metrics_finished(struct metrics *metrics, const struct metrics_times *times, const struct scheduler_request *request,
                      int64_t max_tokens, bool stopped)
{
    int64_t tokens = request->prompt_tokens + request->output_tokens;
    metrics->longest = tokens > metrics->longest ? tokens : metrics->longest;
    (*(stopped ? &metrics->finished_stop : &metrics->finished_length))++;
    observe(metrics, METRICS_PROMPT_TOKENS, (double)request->prompt_tokens);
    observe(metrics, METRICS_GENERATION_TOKENS, (double)request->output_tokens);
    observe(metrics, METRICS_PARAMS_MAX_TOKENS, (double)max_tokens);
    int64_t gaps = request->output_tokens - 1;
    observe_time(metrics, METRICS_TPOT, 0, gaps > 0 ? (times->last_token - times->first_token) / gaps : 0);
    observe_time(metrics, METRICS_E2E, times->arrived, times->last_token);
    observe_time(metrics, METRICS_QUEUE, times->arrived, times->scheduled);
    observe_time(metrics, METRICS_INFERENCE, times->scheduled, times->last_token);
    observe_time(metrics, METRICS_PREFILL, times->scheduled, times->first_token);
    observe_time(metrics, METRICS_DECODE, times->first_token, times->last_token);
    observe(metrics, METRICS_PREEMPTIONS, (double)request->preemptions);
    observe(metrics, METRICS_PREFILL_COMPUTED, (double)(request->prompt_tokens - request->cached_tokens));
}

void metrics_prompt_finished(struct metrics *metrics, int64_t choices, int64_t longest)
{
    observe(metrics, METRICS_MAX_GENERATION_TOKENS, (double)longest);
    observe(metrics, METRICS_PARAMS_N, (double)choices);
}

void metrics_rejected(struct metrics *metrics)
{
    metrics->rejected++;
}

void metrics_aborted(struct metrics *metrics)
{
    metrics->aborted++;
}

/* --- the page -------------------------------------------------------------------------------- */

#define ENGINE "engine=\"0\","

struct page {
    const struct metrics *metrics;
    const struct metrics_identity *identity;
    const struct scheduler *scheduler;
    struct buf *out;
    struct buf model;   /* the name, escaped for a label */
    struct buf *labels; /* scratch */
};

/* before and after are labels that stand before and after model_name. */
static void append_sample(const struct page *page, const char *name, const char *suffix, const char *before,
                          const char *after, double value)
{
    struct buf *labels = page->labels;
    buf_reset(labels);
    buf_printf(labels, "%smodel_name=\"%s\"%s", before, buf_text(&page->model), after);
    promwrite_sample(page->out, name, suffix, buf_text(labels), value);
}

static void append_histogram(const struct page *page, size_t which)
{
    const struct histogram_row *row = &histogram_rows[which];
    const struct metrics_buckets *buckets = &page->metrics->histograms[which];
    cleanup_buf struct buf bound = BUF_INIT(64);
    uint64_t sum = 0;
    promwrite_head(page->out, row->name, "", "histogram", row->help);
    for (size_t k = 0; k <= buckets->count; k++) {
        buf_reset(&bound);
        buf_append_text(&bound, ENGINE "le=\"");
        if (k < buckets->count)
            promwrite_number(&bound, buckets->bounds[k]);
        else
            buf_append_text(&bound, "+Inf");
        buf_append_text(&bound, "\",");
        sum += buckets->counts[k];
        append_sample(page, row->name, "_bucket", buf_text(&bound), "", (double)sum);
    }
    append_sample(page, row->name, "_count", ENGINE, "", (double)sum);
    append_sample(page, row->name, "_sum", ENGINE, "", buckets->sum);
    promwrite_head(page->out, row->name, "_created", "gauge", row->help);
    append_sample(page, row->name, "_created", ENGINE, "", page->identity->created);
}

static double zero(const struct page *page, size_t k)
{
    (void)page, (void)k;
    return 0;
}

/* There is a limit of requests, and none of tokens. */
static double rejected(const struct page *page, size_t k)
{
    return k == 0 ? (double)page->metrics->rejected : 0;
}

static double only_first_is_one(const struct page *page, size_t k)
{
    (void)page;
    return k == 0;
}

static double running(const struct page *page, size_t k)
{
    (void)k;
    return (double)scheduler_running(page->scheduler);
}

/* Of waiting by reason, all wait for capacity, the first one. */
static double waiting(const struct page *page, size_t k)
{
    return k == 0 ? (double)scheduler_waiting(page->scheduler) : 0;
}

static double kv_usage(const struct page *page, size_t k)
{
    (void)k;
    return scheduler_kv_usage(page->scheduler);
}

static double preemptions(const struct page *page, size_t k)
{
    (void)k;
    return (double)scheduler_preemptions(page->scheduler);
}

static double cache_queries(const struct page *page, size_t k)
{
    (void)k;
    return (double)scheduler_cache_counts(page->scheduler)->queries;
}

/* By source: the device's own cache is the only one, the first. */
static double cache_hits(const struct page *page, size_t k)
{
    return k == 0 ? (double)scheduler_cache_counts(page->scheduler)->hits : 0;
}

static double prompt_tokens(const struct page *page, size_t k)
{
    (void)k;
    return (double)page->metrics->prompt_tokens;
}

static double cached_tokens(const struct page *page, size_t k)
{
    (void)k;
    return (double)page->metrics->cached_tokens;
}

/* Computed here, found in the cache here, or brought from elsewhere. */
static double prompt_tokens_by_source(const struct page *page, size_t k)
{
    const struct metrics *metrics = page->metrics;
    return k == 0 ? (double)(metrics->prompt_tokens - metrics->cached_tokens) : k == 1 ? (double)metrics->cached_tokens : 0;
}

static double generation_tokens(const struct page *page, size_t k)
{
    (void)k;
    return (double)page->metrics->generation_tokens;
}

/* stop, length, abort, ... */
static double finished(const struct page *page, size_t k)
{
    return k == 0   ? (double)page->metrics->finished_stop
           : k == 1 ? (double)page->metrics->finished_length
           : k == 2 ? (double)page->metrics->aborted : 0;
}

#define LABEL_VALUES_MAX 6

enum label_place { AFTER_MODEL, BEFORE_MODEL, WITHOUT_ENGINE /* after the model, and there is no label engine */ };

/* Gauges and counters in vLLM's order. A counter's samples end in _total, and it has a gauge _created beside it. Those that
 * are always zero are zero on vLLM's page, too, as long as what they count is not switched on. */
static const struct family {
    const char *name, *help;
    bool counter;
    enum label_place place;
    const char *label, *values[LABEL_VALUES_MAX];
    double (*value)(const struct page *page, size_t k);
} families[] = {
    {"vllm:estimated_flops_per_gpu", "Floating point operations a GPU, estimated; not switched on.", true, AFTER_MODEL, NULL, {NULL}, zero},
    {"vllm:estimated_read_bytes_per_gpu", "Bytes read a GPU, estimated; not switched on.", true, AFTER_MODEL, NULL, {NULL}, zero},
    {"vllm:estimated_write_bytes_per_gpu", "Bytes written a GPU, estimated; not switched on.", true, AFTER_MODEL, NULL, {NULL}, zero},
    {"vllm:num_requests_running", "Requests in the running batch.", false, AFTER_MODEL, NULL, {NULL}, running},
    {"vllm:num_requests_waiting", "Requests in the waiting queue.", false, AFTER_MODEL, NULL, {NULL}, waiting},
    {"vllm:num_requests_waiting_by_reason", "Requests in the waiting queue, by what they wait for.", false, AFTER_MODEL, "reason",
     {"capacity", "deferred"}, waiting},
    {"vllm:engine_sleep_state", "Whether the engine is awake.", false, AFTER_MODEL, "sleep_state",
     {"awake", "weights_offloaded", "discard_all"}, only_first_is_one},
    {"vllm:kv_cache_usage_perc", "Share of the KV cache's blocks in use, 0 to 1.", false, AFTER_MODEL, NULL, {NULL}, kv_usage},
    {"vllm:prefix_cache_queries", "Tokens looked up in the prefix cache.", true, AFTER_MODEL, NULL, {NULL}, cache_queries},
    {"vllm:prefix_cache_hits", "Tokens found in the prefix cache.", true, AFTER_MODEL, NULL, {NULL}, cache_hits},
    {"vllm:external_prefix_cache_queries", "Tokens looked up in a prefix cache elsewhere; there is none.", true, AFTER_MODEL, NULL, {NULL}, zero},
    {"vllm:external_prefix_cache_hits", "Tokens found there.", true, AFTER_MODEL, NULL, {NULL}, zero},
    {"vllm:mm_cache_queries", "Images and the like looked up; there are none.", true, AFTER_MODEL, NULL, {NULL}, zero},
    {"vllm:mm_cache_hits", "Images and the like found.", true, AFTER_MODEL, NULL, {NULL}, zero},
    {"vllm:num_preemptions", "Preemptions.", true, AFTER_MODEL, NULL, {NULL}, preemptions},
    {"vllm:prompt_tokens", "Prompt tokens of requests that have a first token.", true, AFTER_MODEL, NULL, {NULL}, prompt_tokens},
    {"vllm:prompt_tokens_by_source", "The same by where they came from.", true, AFTER_MODEL, "source",
     {"local_compute", "local_cache_hit", "external_kv_transfer"}, prompt_tokens_by_source},
    {"vllm:prompt_tokens_cached", "Prompt tokens found in a cache.", true, AFTER_MODEL, NULL, {NULL}, cached_tokens},
    {"vllm:prompt_tokens_cached_by_source", "Tokens found in a prefix cache, by where that is.", true, AFTER_MODEL, "source",
     {"device", "host", "p2p", "disk", "external_unspecified"}, cache_hits},
    {"vllm:generation_tokens", "Generated tokens.", true, AFTER_MODEL, NULL, {NULL}, generation_tokens},
    {"vllm:request_success", "Ended requests by reason.", true, BEFORE_MODEL, "finished_reason",
     {"stop", "length", "abort", "error", "repetition"}, finished},
    {"vllm:admission_rejections", "Requests refused because too many were open.", true, WITHOUT_ENGINE, "reason",
     {"max_num_queued_reqs", "max_num_queued_tokens"}, rejected},
};

static void append_labelled(const struct page *page, const struct family *family, const char *suffix, size_t k, double value)
{
    char label[128];
    const char *format = family->place == BEFORE_MODEL ? ENGINE "%s=\"%s\"," : ",%s=\"%s\"";
    snprintf(label, sizeof label, format, family->label, family->values[k]);
    if (family->place == BEFORE_MODEL)
        append_sample(page, family->name, suffix, label, "", value);
    else
        append_sample(page, family->name, suffix, family->place == WITHOUT_ENGINE ? "" : ENGINE, label, value);
}

static void append_samples(const struct page *page, const struct family *family, const char *suffix,
                           double (*value)(const struct page *, size_t))
{
    if (!family->label)
        append_sample(page, family->name, suffix, ENGINE, "", value(page, 0));
    for (size_t k = 0; family->label && k < LABEL_VALUES_MAX && family->values[k]; k++)
        append_labelled(page, family, suffix, k, value(page, k));
}

static double created(const struct page *page, size_t k)
{
    (void)k;
    return page->identity->created;
}

static void append_family(const struct page *page, const struct family *family)
{
    const char *suffix = family->counter ? "_total" : "";
    promwrite_head(page->out, family->name, suffix, family->counter ? "counter" : "gauge", family->help);
    append_samples(page, family, suffix, family->value);
    if (!family->counter)
        return;
    promwrite_head(page->out, family->name, "_created", "gauge", family->help);
    append_samples(page, family, "_created", created);
}

static void append_process(const struct page *page)
{
    const struct process_stats *stats = &page->identity->process;
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"process_virtual_memory_bytes", "gauge", "Virtual memory.", stats->virtual_bytes},
        {"process_resident_memory_bytes", "gauge", "Resident memory.", stats->resident_bytes},
        {"process_start_time_seconds", "gauge", "When the process began, seconds since 1970.", page->identity->created},
        {"process_cpu_seconds_total", "counter", "User and system time.", stats->cpu_seconds},
        {"process_open_fds", "gauge", "Open file descriptors.", stats->open_fds},
        {"process_max_fds", "gauge", "File descriptors that may be open.", stats->max_fds},
    };
    for (size_t k = 0; k < COUNT(rows); k++) {
        promwrite_head(page->out, rows[k].name, "", rows[k].type, rows[k].help);
        promwrite_sample(page->out, rows[k].name, "", "", rows[k].value);
    }
}

static void append_cache_config(const struct page *page)
{
    const struct metrics_identity *identity = page->identity;
    promwrite_head(page->out, "vllm:cache_config_info", "", "gauge", "The KV cache.");
    buf_printf(page->out,
               "vllm:cache_config_info{block_size=\"%" PRId64 "\",enable_prefix_caching=\"%s\",engine=\"0\","
               "kv_cache_size_tokens=\"%" PRId64 "\",num_gpu_blocks=\"%" PRId64 "\"} 1.0\n",
               identity->block_size, identity->prefix_caching ? "True" : "False", identity->kv_blocks * identity->block_size, identity->kv_blocks);
}

void metrics_write_histogram(const struct metrics *metrics, enum metrics_histogram which, const char *name, const char *labels, struct buf *out)
{
    const struct metrics_buckets *buckets = &metrics->histograms[which];
    uint64_t sum = 0;
    buf_printf(out, "# TYPE %s histogram\n", name);
    for (size_t k = 0; k <= buckets->count; k++) {
        sum += buckets->counts[k];
        buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, labels[0] ? "," : "");
        if (k < buckets->count)
            promwrite_number(out, buckets->bounds[k]);
        else
            buf_append_text(out, "+Inf");
        buf_printf(out, "\"} %" PRIu64 "\n", sum);
    }
    const char *open = labels[0] ? "{" : "", *close = labels[0] ? "}" : "";
    buf_printf(out, "%s_sum%s%s%s %.17g\n%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, buckets->sum, name, open, labels, close, sum);
}

void metrics_write(const struct metrics *metrics, const struct metrics_identity *identity,
                   const struct scheduler *scheduler, struct buf *out)
{
    cleanup_buf struct buf labels = BUF_INIT(1 << 17);
    struct page page = {.metrics = metrics, .identity = identity, .scheduler = scheduler, .out = out, .model = BUF_INIT(1 << 16),
                        .labels = &labels};
    promwrite_label_value(&page.model, identity->model);
    append_process(&page);
    for (size_t k = 0; k < COUNT(families); k++)
        append_family(&page, &families[k]);
    for (size_t k = 0; k < METRICS_HISTOGRAMS; k++)
        append_histogram(&page, k);
    append_cache_config(&page);
    http_metrics_write(&metrics->http, identity->created, out);
    buf_free(&page.model);
}
