#include "load/sink_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

/* A record with its arrivals, or a tick. */
struct item {
    struct item *next;
    bool is_tick;
    int64_t t, tokens; /* of a tick */
    struct record record;
    size_t arrivals;
    int64_t gaps[];    /* behind them int32_t n[arrivals] */
};

struct sink_queue {
    struct sink sink;  /* first: the engine hands it back */
    struct sink *target;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake, idle;
    struct item *first, *last;
    bool flush, drain, closing, working, failed;
    struct error failure;
    _Atomic size_t bytes; /* queued; written under the lock, read without */
};

static struct sink_queue *queue_of(struct sink *sink)
{
    return (struct sink_queue *)sink;
}

static int32_t *n_of(struct item *item)
{
    return (int32_t *)&item->gaps[item->arrivals];
}

static size_t item_size(size_t arrivals)
{
    return sizeof(struct item) + arrivals * (sizeof(int64_t) + sizeof(int32_t));
}

/* --- the thread -------------------------------------------------------------------------- */

static int hand_on(struct sink *target, struct item *item, struct error *err)
{
    if (item->is_tick)
        return target->tick(target, item->t, item->tokens, err);
    return target->add(target, &item->record, item->gaps, n_of(item), item->arrivals, err);
}

/* Takes the bytes back one by one, so that `full` ends as soon as there is room. Returns -1 with *err at the first error; frees all. */
static int hand_on_all(struct sink_queue *queue, struct item *items, bool flush, struct error *err)
{
    int status = 0;
    while (items) {
        struct item *item = items;
        items = item->next;
        if (status == 0)
            status = hand_on(queue->target, item, err);
        atomic_fetch_sub(&queue->bytes, item_size(item->arrivals));
        free(item);
    }
    return status == 0 && flush ? queue->target->flush(queue->target, err) : status;
}

static bool has_work(const struct sink_queue *queue)
{
    return queue->flush || queue->drain || queue->closing || atomic_load(&queue->bytes) >= SINK_QUEUE_WAKE;
}

static void *work(void *argument)
{
    struct sink_queue *queue = argument;
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        while (!has_work(queue))
            pthread_cond_wait(&queue->wake, &queue->lock);
        struct item *items = queue->first;
        if (!items && queue->closing)
            break;
        bool flush = queue->flush && !queue->failed;
        struct error err = {.class = ERROR_NONE};
        queue->first = queue->last = NULL;
        queue->flush = queue->drain = false;
        queue->working = true;
        pthread_mutex_unlock(&queue->lock);
        int status = hand_on_all(queue, items, flush, &err);
        pthread_mutex_lock(&queue->lock);
        queue->working = false;
        if (status < 0 && !queue->failed) {
            queue->failed = true;
            queue->failure = err;
        }
        pthread_cond_broadcast(&queue->idle);
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

/* --- the sink ---------------------------------------------------------------------------- */

/* With the lock. */
static int result_of(const struct sink_queue *queue, struct error *err)
{
    if (queue->failed && err)
        *err = queue->failure;
    return queue->failed ? -1 : 0;
}

static int put(struct sink_queue *queue, struct item *item, struct error *err)
{
    pthread_mutex_lock(&queue->lock);
    int status = result_of(queue, err);
    if (status == 0) {
        if (queue->last)
            queue->last->next = item;
        else
            queue->first = item;
        queue->last = item;
        if (atomic_fetch_add(&queue->bytes, item_size(item->arrivals)) + item_size(item->arrivals) >= SINK_QUEUE_WAKE)
            pthread_cond_signal(&queue->wake);
    }
    pthread_mutex_unlock(&queue->lock);
    if (status < 0)
        free(item);
    return status;
}

static int add(struct sink *sink, const struct record *record, const int64_t *gaps, const int32_t *n, size_t arrivals, struct error *err)
{
    struct item *item = mem_alloc(item_size(arrivals));
    item->record = *record;
    item->arrivals = arrivals;
    if (arrivals > 0) {
        memcpy(item->gaps, gaps, arrivals * sizeof *gaps);
        memcpy(n_of(item), n, arrivals * sizeof *n);
    }
    return put(queue_of(sink), item, err);
}

static int tick(struct sink *sink, int64_t t, int64_t tokens, struct error *err)
{
    struct item *item = mem_alloc(item_size(0));
    item->is_tick = true;
    item->t = t;
    item->tokens = tokens;
    return put(queue_of(sink), item, err);
}

static int flush(struct sink *sink, struct error *err)
{
    struct sink_queue *queue = queue_of(sink);
    pthread_mutex_lock(&queue->lock);
    int status = result_of(queue, err);
    queue->flush = true;
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
    return status;
}

static bool full(struct sink *sink)
{
    return atomic_load_explicit(&queue_of(sink)->bytes, memory_order_relaxed) >= SINK_QUEUE_FULL;
}

/* Until all that came before was handed on, a flush too: then nobody but the caller is in the other sink. */
static int drain(struct sink_queue *queue, struct error *err)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->first || queue->flush || queue->working) {
        queue->drain = true;
        pthread_cond_signal(&queue->wake);
        pthread_cond_wait(&queue->idle, &queue->lock);
    }
    int status = result_of(queue, err);
    pthread_mutex_unlock(&queue->lock);
    return status;
}

static int level_start(struct sink *sink, const struct level *level, int repeat, int64_t start, int64_t measure_start, struct error *err)
{
    struct sink_queue *queue = queue_of(sink);
    if (drain(queue, err) < 0)
        return -1;
    return queue->target->level_start(queue->target, level, repeat, start, measure_start, err);
}

static int level_end(struct sink *sink, const struct level_end *end, struct error *err)
{
    struct sink_queue *queue = queue_of(sink);
    if (drain(queue, err) < 0)
        return -1;
    return queue->target->level_end(queue->target, end, err);
}

/* --- the queue --------------------------------------------------------------------------- */

static void let_go(struct sink_queue *queue)
{
    pthread_cond_destroy(&queue->wake);
    pthread_cond_destroy(&queue->idle);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

struct sink_queue *sink_queue_new(struct sink *target, struct error *err)
{
    struct sink_queue *queue = mem_alloc(sizeof *queue);
    queue->sink = (struct sink){
        .level_start = level_start, .level_end = level_end, .add = add, .tick = tick, .flush = flush, .full = full,
    };
    queue->target = target;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->wake, NULL);
    pthread_cond_init(&queue->idle, NULL);
    int status = thread_start(&queue->thread, work, queue);
    if (status == 0)
        return queue;
    error_set(err, ERROR_INTERNAL, "cannot start the thread that writes the records: %s", strerror(status));
    let_go(queue);
    return NULL;
}

struct sink *sink_queue_sink(struct sink_queue *queue)
{
    return &queue->sink;
}

int sink_queue_free(struct sink_queue *queue, struct error *err)
{
    if (!queue)
        return 0;
    pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
    pthread_join(queue->thread, NULL);
    int status = result_of(queue, err);
    let_go(queue);
    return status;
}
