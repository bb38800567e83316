#include "support/closed_loop.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct stream {
    struct scheduler_request request; /* first: the scheduler's pointer is the stream's */
    int64_t due, sent;
};

struct samples {
    int64_t *ttft, *e2e;
    size_t ttft_count, ttft_capacity, e2e_count, e2e_capacity;
};

static void take_token(struct stream *stream, struct samples *samples, const struct closed_loop *loop, int64_t now)
{
    if (stream->request.output_tokens == 1) {
        MEM_GROW(samples->ttft, samples->ttft_capacity, samples->ttft_count + 1);
        samples->ttft[samples->ttft_count++] = now - stream->sent;
    }
    if (stream->request.state != SCHEDULER_OUTSIDE)
        return;
    MEM_GROW(samples->e2e, samples->e2e_capacity, samples->e2e_count + 1);
    samples->e2e[samples->e2e_count++] = now - stream->sent;
    int64_t next = now + loop->turnaround_ns;
    stream->due = next < loop->seconds * NS_PER_S ? next : TIME_FOREVER;
}

static int64_t send_due(struct scheduler *scheduler, struct stream *streams, const struct closed_loop *loop, int64_t now)
{
    int64_t next = TIME_FOREVER;
    for (size_t k = 0; k < loop->streams; k++) {
        if (streams[k].due <= now) {
            streams[k].sent = streams[k].due;
            streams[k].due = TIME_FOREVER;
            scheduler_add(scheduler, &streams[k].request);
        } else if (streams[k].due < next) {
            next = streams[k].due;
        }
    }
    return next;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t nearest_rank_p95(int64_t *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, compare);
    return values[(count * 95 + 99) / 100 - 1];
}

static double mean(const int64_t *values, size_t count)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += (double)values[k];
    return sum / (double)count;
}

struct closed_loop_result closed_loop_run(const struct scheduler_settings *settings, const struct closed_loop *loop)
{
    struct scheduler *scheduler = scheduler_new(settings);
    struct stream *streams = mem_calloc(loop->streams, sizeof *streams);
    struct samples samples = {0};
    for (size_t k = 0; k < loop->streams; k++) {
        streams[k].request = (struct scheduler_request){.prompt_tokens = loop->prompt_tokens, .output_limit = loop->output_tokens};
        streams[k].due = (int64_t)k * loop->stagger_ns;
    }
    int64_t now = 0;
    for (;;) {
        int64_t next = send_due(scheduler, streams, loop, now);
        int64_t duration = scheduler_begin(scheduler, now);
        if (duration < 0 && next == TIME_FOREVER)
            break;
        now = duration < 0 ? next : now + duration;
        if (duration < 0)
            continue;
        size_t count;
        struct scheduler_request *const *tokens = scheduler_end(scheduler, &count);
        for (size_t k = 0; k < count; k++)
            take_token((struct stream *)tokens[k], &samples, loop, now);
    }
    double request_ns = mean(samples.e2e, samples.e2e_count);
    struct closed_loop_result result = {
        .requests = samples.e2e_count,
        .ttft_mean_ns = mean(samples.ttft, samples.ttft_count),
        .total_tps = (double)loop->streams * (double)(loop->prompt_tokens + loop->output_tokens) / (request_ns / 1e9),
        .ttft_p95_ns = nearest_rank_p95(samples.ttft, samples.ttft_count),
        .tpot_with_first_p95_ns = nearest_rank_p95(samples.e2e, samples.e2e_count) / loop->output_tokens,
    };
    free(samples.ttft);
    free(samples.e2e);
    free(streams);
    scheduler_free(scheduler);
    return result;
}
