#include "load/warm.h"

#include <stdlib.h>

#include "base/mem.h"

struct opening {
    struct transfer transfer; /* first: the transport hands it back */
    struct openings *all;
    bool over;
};

struct openings {
    int64_t left, answered;
    bool abandoned; /* the transport is broken: who ends last frees them */
    struct opening items[];
};

static void on_sent(struct transfer *transfer, int64_t time, int64_t connected, bool reused)
{
    (void)transfer, (void)time, (void)connected, (void)reused;
}

static void on_headers(struct transfer *transfer, int64_t time, int status)
{
    (void)transfer, (void)time, (void)status;
}

static void on_bytes(struct transfer *transfer, int64_t time, const char *bytes, size_t length)
{
    (void)transfer, (void)time, (void)bytes, (void)length;
}

static void on_ended(struct transfer *transfer, int64_t time, enum transport_result result, const char *message)
{
    struct opening *opening = (struct opening *)transfer;
    struct openings *all = opening->all;
    (void)time, (void)message;
    opening->over = true;
    all->answered += result == TRANSPORT_OK;
    if (--all->left == 0 && all->abandoned)
        free(all);
}

static const struct transfer_handler handler = {.sent = on_sent, .headers = on_headers, .bytes = on_bytes, .ended = on_ended};

static struct openings *start_all(const struct warm *warm)
{
    const struct engine_settings *settings = warm->worker->engine->settings;
    struct openings *all = mem_alloc(sizeof *all + (size_t)warm->connections * sizeof all->items[0]);
    all->left = warm->connections;
    for (int64_t k = 0; k < warm->connections; k++) {
        int64_t number = warm->share.index + k * warm->share.count;
        all->items[k].transfer = (struct transfer){.handler = &handler, .url = settings->warm_urls[number % settings->url_count]};
        all->items[k].all = all;
        transport_start(warm->worker->transport, &all->items[k].transfer);
    }
    return all;
}

static void cancel_all(struct transport *transport, struct openings *all, int64_t count)
{
    for (int64_t k = 0; k < count; k++)
        if (!all->items[k].over)
            transport_cancel(transport, &all->items[k].transfer);
}

void warm_connections(struct warm *warm)
{
    const struct engine_settings *settings = warm->worker->engine->settings;
    int64_t deadline = clock_now(settings->clock) + WARM_SECONDS * NS_PER_S;
    struct openings *all = start_all(warm);
    struct error err = {.class = ERROR_NONE};
    bool cancelled = false;
    while (all->left > 0) {
        bool late = clock_now(settings->clock) >= deadline || (settings->stop && *settings->stop);
        if (late && !cancelled)
            cancel_all(warm->worker->transport, all, warm->connections);
        cancelled = cancelled || late;
        if (transport_wait(warm->worker->transport, cancelled ? clock_now(settings->clock) : deadline, &err) < 0) {
            engine_fail(warm->worker->engine, &err);
            break;
        }
    }
    warm->warmed = all->answered;
    all->abandoned = all->left > 0;
    if (!all->abandoned)
        free(all);
}
