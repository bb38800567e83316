/* The queue in front of a sink: order, threads, a slow and a broken sink behind it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "load/sink_queue.h"

#define THREADS 4
#define RECORDS 5000

/* The sink behind. It can be held up, and can fail. */
struct bench {
    struct sink sink; /* first: the queue hands it back */
    struct sink_queue *queue;
    pthread_mutex_t gate; /* whoever holds it holds the sink up */
    atomic_int entered;   /* add was called so often */
    int64_t fail_at;      /* the record that cannot be written; 0: none */
    int64_t count, gap_sum, ticks, tokens, flushes, starts, ends;
    int64_t last_of[THREADS];
    bool in_order, arrivals_whole;
};

static struct bench *bench_of(struct sink *sink)
{
    return (struct bench *)sink;
}

static int slow_add(struct sink *sink, const struct record *record, const int64_t *gaps, const int32_t *n, size_t arrivals, struct error *err)
{
    struct bench *bench = bench_of(sink);
    atomic_fetch_add(&bench->entered, 1);
    pthread_mutex_lock(&bench->gate);
    bench->count++;
    for (size_t k = 0; k < arrivals; k++) {
        bench->gap_sum += gaps[k];
        bench->arrivals_whole = bench->arrivals_whole && n[k] == (int32_t)gaps[k] + 1;
    }
    bench->in_order = bench->in_order && record->i == bench->last_of[record->stream] + 1;
    bench->last_of[record->stream] = record->i;
    pthread_mutex_unlock(&bench->gate);
    if (bench->fail_at && bench->count >= bench->fail_at)
        return error_set(err, ERROR_INTERNAL, "records.jsonl.gz: no space left on device");
    return 0;
}

static int count_tick(struct sink *sink, int64_t t, int64_t tokens, struct error *err)
{
    (void)t, (void)err;
    bench_of(sink)->ticks++;
    bench_of(sink)->tokens += tokens;
    return 0;
}

static int count_flush(struct sink *sink, struct error *err)
{
    (void)err;
    bench_of(sink)->flushes++;
    return 0;
}

static int count_start(struct sink *sink, const struct level *level, int repeat, int64_t start, int64_t measure_start, struct error *err)
{
    (void)level, (void)repeat, (void)start, (void)measure_start, (void)err;
    bench_of(sink)->starts++;
    return 0;
}

static int count_end(struct sink *sink, const struct level_end *end, struct error *err)
{
    (void)end, (void)err;
    bench_of(sink)->ends = bench_of(sink)->count;
    return 0;
}

static struct bench *bench_new(void)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    struct error err;
    bench->sink = (struct sink){
        .level_start = count_start, .level_end = count_end, .add = slow_add, .tick = count_tick, .flush = count_flush,
    };
    pthread_mutex_init(&bench->gate, NULL);
    bench->in_order = bench->arrivals_whole = true;
    for (int k = 0; k < THREADS; k++)
        bench->last_of[k] = -1;
    bench->queue = sink_queue_new(&bench->sink, &err);
    assert_non_null(bench->queue);
    return bench;
}

static void bench_free(struct bench *bench)
{
    pthread_mutex_destroy(&bench->gate);
    free(bench);
}

static int add_one(struct bench *bench, int stream, int64_t i, size_t arrivals, struct error *err)
{
    struct sink *sink = sink_queue_sink(bench->queue);
    struct record record = record_empty();
    int64_t *gaps = mem_calloc(arrivals + 1, sizeof *gaps);
    int32_t *n = mem_calloc(arrivals + 1, sizeof *n);
    for (size_t k = 0; k < arrivals; k++) {
        gaps[k] = (int64_t)k;
        n[k] = (int32_t)k + 1;
    }
    record.stream = stream;
    record.i = i;
    int status = sink->add(sink, &record, gaps, n, arrivals, err);
    /* What was handed in is the caller's again. */
    memset(gaps, 0xff, (arrivals + 1) * sizeof *gaps);
    memset(n, 0xff, (arrivals + 1) * sizeof *n);
    free(gaps);
    free(n);
    return status;
}

struct adder {
    struct bench *bench;
    int stream;
};

static void *add_many(void *argument)
{
    const struct adder *adder = argument;
    for (int64_t i = 0; i < RECORDS; i++)
        add_one(adder->bench, adder->stream, i, 3, NULL);
    return NULL;
}

static void test_records_of_many_threads_come_whole_and_in_order(void **state)
{
    struct bench *bench = bench_new();
    struct sink *sink = sink_queue_sink(bench->queue);
    struct adder adders[THREADS];
    pthread_t threads[THREADS];
    const struct level_end end = {0};
    (void)state;
    assert_int_equal(sink->level_start(sink, &end.level, 0, 0, 0, NULL), 0);
    for (int k = 0; k < THREADS; k++) {
        adders[k] = (struct adder){.bench = bench, .stream = k};
        assert_int_equal(pthread_create(&threads[k], NULL, add_many, &adders[k]), 0);
    }
    for (int k = 0; k < 10; k++)
        assert_int_equal(sink->tick(sink, k, 7, NULL), 0);
    for (int k = 0; k < THREADS; k++)
        pthread_join(threads[k], NULL);
    /* All of it is written before the level's end is. */
    assert_int_equal(sink->level_end(sink, &end, NULL), 0);
    assert_int_equal(bench->ends, THREADS * RECORDS);
    assert_int_equal(bench->starts, 1);
    assert_int_equal(bench->ticks, 10);
    assert_int_equal(bench->tokens, 70);
    assert_int_equal(bench->gap_sum, THREADS * RECORDS * 3);
    assert_true(bench->in_order);
    assert_true(bench->arrivals_whole);
    assert_int_equal(sink_queue_free(bench->queue, NULL), 0);
    bench_free(bench);
}

static void test_a_flush_is_handed_on_without_waiting(void **state)
{
    struct bench *bench = bench_new();
    struct sink *sink = sink_queue_sink(bench->queue);
    (void)state;
    pthread_mutex_lock(&bench->gate);
    assert_int_equal(add_one(bench, 0, 0, 0, NULL), 0);
    assert_int_equal(sink->flush(sink, NULL), 0); /* comes back although the sink is held up */
    while (atomic_load(&bench->entered) == 0)
        ;
    assert_int_equal(bench->flushes, 0);
    pthread_mutex_unlock(&bench->gate);
    assert_int_equal(sink_queue_free(bench->queue, NULL), 0);
    assert_int_equal(bench->flushes, 1);
    assert_int_equal(bench->count, 1);
    bench_free(bench);
}

static void test_a_slow_sink_fills_the_queue_until_it_is_taken(void **state)
{
    struct bench *bench = bench_new();
    struct sink *sink = sink_queue_sink(bench->queue);
    const size_t arrivals = 100000; /* 1.2 MB */
    const struct level_end end = {0};
    int64_t i = 0;
    (void)state;
    pthread_mutex_lock(&bench->gate);
    assert_false(sink->full(sink));
    while (!sink->full(sink) && i < 1000)
        assert_int_equal(add_one(bench, 0, i++, arrivals, NULL), 0);
    assert_in_range(i, SINK_QUEUE_FULL / (13 * arrivals), SINK_QUEUE_FULL / (12 * arrivals) + 1);
    assert_int_equal(add_one(bench, 0, i++, arrivals, NULL), 0); /* what is in flight still ends */
    pthread_mutex_unlock(&bench->gate);
    assert_int_equal(sink->level_end(sink, &end, NULL), 0);
    assert_false(sink->full(sink));
    assert_int_equal(bench->count, i);
    assert_int_equal(sink_queue_free(bench->queue, NULL), 0);
    bench_free(bench);
}

static void test_an_error_comes_back_from_every_later_call(void **state)
{
    struct bench *bench = bench_new();
    struct sink *sink = sink_queue_sink(bench->queue);
    struct error err = {.class = ERROR_NONE};
    const struct level_end end = {0};
    (void)state;
    bench->fail_at = 2;
    for (int64_t i = 0; i < 5; i++)
        add_one(bench, 0, i, 1, NULL);
    assert_int_equal(sink->level_end(sink, &end, &err), -1);
    assert_string_equal(err.text, "records.jsonl.gz: no space left on device");
    assert_int_equal(bench->count, 2); /* nothing is tried behind the first error */
    assert_int_equal(add_one(bench, 0, 5, 1, &err), -1);
    assert_int_equal(sink->tick(sink, 1, 1, &err), -1);
    assert_int_equal(sink->flush(sink, &err), -1);
    assert_int_equal(sink->level_start(sink, &end.level, 0, 0, 0, &err), -1);
    assert_int_equal(sink_queue_free(bench->queue, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_int_equal(bench->flushes, 0);
    bench_free(bench);
}

static void test_what_is_left_is_handed_on_at_the_end(void **state)
{
    struct bench *bench = bench_new();
    (void)state;
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(add_one(bench, 0, i, 1, NULL), 0);
    assert_int_equal(sink_queue_free(bench->queue, NULL), 0);
    assert_int_equal(bench->count, 5);
    assert_int_equal(sink_queue_free(NULL, NULL), 0);
    bench_free(bench);
}

/* The other sink is never entered twice at a time: a flush that was asked for is over before a level's end is told. */
static void test_a_level_ends_after_the_flush_before_it(void **state)
{
    struct bench *bench = bench_new();
    struct sink *sink = sink_queue_sink(bench->queue);
    const struct level_end end = {.level = {.kind = "concurrent"}};
    (void)state;
    for (int64_t k = 0; k < 200; k++) {
        assert_int_equal(sink->flush(sink, NULL), 0);
        assert_int_equal(sink->level_end(sink, &end, NULL), 0);
        assert_int_equal(bench->flushes, k + 1);
    }
    assert_int_equal(sink_queue_free(bench->queue, NULL), 0);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_of_many_threads_come_whole_and_in_order),
        cmocka_unit_test(test_a_flush_is_handed_on_without_waiting),
        cmocka_unit_test(test_a_slow_sink_fills_the_queue_until_it_is_taken),
        cmocka_unit_test(test_an_error_comes_back_from_every_later_call),
        cmocka_unit_test(test_what_is_left_is_handed_on_at_the_end),
        cmocka_unit_test(test_a_level_ends_after_the_flush_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
