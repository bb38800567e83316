#include "load/warm_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define BODY_MAX ((size_t)64 << 20)
#define HTTP_OK 200

struct warming {
    struct transfer transfer; /* first: the transport hands it back */
    struct burst *burst;
    struct buf body;
    int status;
    bool over;
};

struct burst {
    struct warm_model *warm; /* NULL: it was given up on, and who ends last frees the burst */
    int64_t left, count;
    struct warming items[];
};

static void free_burst(struct burst *burst)
{
    for (int64_t k = 0; k < burst->count; k++)
        buf_free(&burst->items[k].body);
    free(burst);
}

static void on_sent(struct transfer *transfer, int64_t time, int64_t connected, bool reused)
{
    (void)transfer, (void)time, (void)connected, (void)reused;
}

static void on_headers(struct transfer *transfer, int64_t time, int status)
{
    (void)time;
    ((struct warming *)transfer)->status = status;
}

static void on_bytes(struct transfer *transfer, int64_t time, const char *bytes, size_t length)
{
    (void)transfer, (void)time, (void)bytes, (void)length;
}

static void on_ended(struct transfer *transfer, int64_t time, enum transport_result result, const char *message)
{
    struct warming *warming = (struct warming *)transfer;
    struct burst *burst = warming->burst;
    struct warm_model *warm = burst->warm;
    (void)time;
    warming->over = true;
    if (warm && result == TRANSPORT_OK && warming->status == HTTP_OK)
        warm->answered++;
    else if (warm && result == TRANSPORT_OK)
        snprintf(warm->trouble, sizeof warm->trouble, "HTTP %d", warming->status);
    else if (warm)
        snprintf(warm->trouble, sizeof warm->trouble, "%s", message);
    if (--burst->left == 0 && !warm)
        free_burst(burst);
}

static const struct transfer_handler handler = {.sent = on_sent, .headers = on_headers, .bytes = on_bytes, .ended = on_ended};

/* All bodies first: they go out together. */
static struct burst *make_burst(struct warm_model *warm, int level, int64_t count, struct error *err)
{
    struct burst *burst = mem_alloc(sizeof *burst + (size_t)count * sizeof burst->items[0]);
    burst->warm = warm;
    for (; burst->count < count; burst->count++) {
        struct warming *warming = &burst->items[burst->count];
        int64_t number = warm->shard.index + warm->shard.count * burst->count;
        warming->body = BUF_INIT(BODY_MAX);
        warming->burst = burst;
        if (warm->body(warm->body_context, level, WARM_MODEL_REPEAT, number, &warming->body, err) < 0) {
            buf_free(&warming->body);
            free_burst(burst);
            return NULL;
        }
        warming->transfer = (struct transfer){.handler = &handler, .url = warm->urls[(size_t)number % warm->url_count],
                                              .body = warming->body.data, .body_length = warming->body.len};
    }
    burst->left = count;
    return burst;
}

static bool is_over(const struct warm_model *warm)
{
    return *warm->stop || clock_now(warm->clock) >= warm->deadline;
}

static void cancel(struct warm_model *warm, struct burst *burst)
{
    for (int64_t k = 0; k < burst->count; k++)
        if (!burst->items[k].over)
            transport_cancel(warm->transport, &burst->items[k].transfer);
}

static int send_burst(struct warm_model *warm, int level, int64_t count, struct error *err)
{
    struct burst *burst = make_burst(warm, level, count, err);
    bool cancelled = false;
    int status = burst ? 0 : -1;
    for (int64_t k = 0; burst && k < count; k++) {
        warm->sent++;
        transport_start(warm->transport, &burst->items[k].transfer);
    }
    while (status == 0 && burst->left > 0) {
        bool late = is_over(warm);
        if (late && !cancelled)
            cancel(warm, burst);
        cancelled = cancelled || late;
        status = transport_wait(warm->transport, cancelled ? clock_now(warm->clock) : warm->deadline, err);
    }
    if (burst && burst->left > 0)
        burst->warm = NULL;
    else if (burst)
        free_burst(burst);
    return status;
}

int64_t warm_model_streams(const struct plan *plan, const struct level *level)
{
    double streams = level->load, most = (double)plan->limits.max_concurrency;
    if (level->unit == LOAD_REQUESTS_PER_S) {
        double e2e_s = (double)plan->calibration.e2e_ns * plan->server.time_scale / (double)NS_PER_S; /* model time, as the rate is */
        streams = fmin(ceil(level->load * e2e_s), most);
    }
    return streams > 1 ? (int64_t)streams : 1;
}

static bool was_before(const struct plan *plan, size_t level)
{
    for (size_t k = 0; k < level; k++)
        if (warm_model_streams(plan, &plan->levels[k]) == warm_model_streams(plan, &plan->levels[level]))
            return true;
    return false;
}

int warm_model(struct warm_model *warm, struct error *err)
{
    const struct plan *plan = warm->plan;
    size_t bursts = plan->level_count > 0 ? plan->level_count : 1;
    for (size_t k = 0; k < bursts && !is_over(warm); k++) {
        int64_t streams = plan->level_count > 0 ? warm_model_streams(plan, &plan->levels[k]) : 1, answered = warm->answered;
        int64_t ours = share_of(warm->shard, streams);
        if (ours == 0 || (plan->level_count > 0 && was_before(plan, k)))
            continue;
        if (send_burst(warm, (int)k, ours, err) < 0)
            return -1;
        if (warm->answered == answered)
            break;
    }
    return 0;
}
