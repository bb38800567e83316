/* /metrics as vLLM has it: names, types, labels and buckets of its `vllm:` series, as far as the model feeds them.
 * Times are wall time, seen from the engine: a token counts when its step ends. */
#ifndef ROIBENCH_SERVE_SIMULATOR_METRICS_H
#define ROIBENCH_SERVE_SIMULATOR_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "serve/http_metrics.h"
#include "serve/process_stats.h"
#include "serve/scheduler.h"

/* Points of one request's life, ns of one clock; TIME_NEVER: not yet. */
struct metrics_times {
    int64_t arrived, scheduled, first_token, last_token;
};

enum metrics_histogram {
    METRICS_PROMPT_TOKENS,
    METRICS_GENERATION_TOKENS,
    METRICS_ITERATION_TOKENS,
    METRICS_MAX_GENERATION_TOKENS,
    METRICS_PARAMS_N,
    METRICS_PARAMS_MAX_TOKENS,
    METRICS_TTFT,
    METRICS_ITL,
    METRICS_TPOT,
    METRICS_E2E,
    METRICS_QUEUE,
    METRICS_INFERENCE,
    METRICS_PREFILL,
    METRICS_DECODE,
    METRICS_PREEMPTIONS,
    METRICS_PREFILL_COMPUTED,
    METRICS_HISTOGRAMS
};

#define METRICS_BUCKETS_MAX 32

struct metrics_buckets {
    size_t count; /* without +Inf */
    const double *bounds;
    uint64_t counts[METRICS_BUCKETS_MAX + 1];
    double sum;
};

struct metrics {
    struct metrics_buckets histograms[METRICS_HISTOGRAMS];
    double length_bounds[METRICS_BUCKETS_MAX]; /* 1, 2, 5, 10, ... up to max_model_len */
    uint64_t prompt_tokens, cached_tokens, generation_tokens, finished_length, finished_stop, aborted, rejected;
    int64_t longest; /* tokens of the longest request that has ended, prompt and output */
    struct http_metrics http;
    int64_t step_tokens; /* computed for prompts that have their first token, and generated, since the last step's end */
};

void metrics_init(struct metrics *metrics, int64_t max_model_len);

/* A request has one token more at `now`; sets times. */
void metrics_token(struct metrics *metrics, struct metrics_times *times, const struct scheduler_request *request, int64_t now);
/* All that got one in a step are told of. */
void metrics_step(struct metrics *metrics);
/* It has had its last one, of the max_tokens asked for; stopped: not because of their number. */
void metrics_finished(struct metrics *metrics, const struct metrics_times *times, const struct scheduler_request *request,
                      int64_t max_tokens, bool stopped);
/* So have all choices of its prompt; longest: tokens of the longest of them. */
void metrics_prompt_finished(struct metrics *metrics, int64_t choices, int64_t longest);
void metrics_aborted(struct metrics *metrics);
/* A request was refused because too many are open. */
void metrics_rejected(struct metrics *metrics);

struct metrics_identity {
    const char *model;
    double created;    /* seconds since 1970 when the server began */
    int64_t kv_blocks, block_size;
    bool prefix_caching;
    struct process_stats process;
};
/* Appends one histogram under another server's name, with its type; labels without braces, "" none. */
void metrics_write_histogram(const struct metrics *metrics, enum metrics_histogram which, const char *name, const char *labels, struct buf *out);
/* Appends the whole page. */
void metrics_write(const struct metrics *metrics, const struct metrics_identity *identity,
                   const struct scheduler *scheduler, struct buf *out);

#endif
