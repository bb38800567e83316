/* Shards on a fake clock: what N engines send and get is, request by request and byte by byte, what one engine would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "support/engine_bench.h"

#define START (7 * NS_PER_S)
#define SHARDS_MAX_HERE 11
#define LINE_MAX_HERE 2048

/* Each request's fate is its body's: how long it takes, and now and then a failure. FNV-1a. */
static struct fake_answer fate_of(const char *body)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *body; body++)
        hash = (hash ^ (unsigned char)*body) * UINT64_C(1099511628211);
    hash ^= hash >> 32;
    struct fake_answer answer = {
        .connect = (int64_t)(hash % 1000), .ttft = 100 * NS_PER_MS + (int64_t)(hash % 900) * NS_PER_MS + (int64_t)(hash % 977),
        .itl = 10 * NS_PER_MS + (int64_t)(hash % 31) * NS_PER_MS, .tokens = 1 + (int)(hash % 60),
    };
    if (hash % 37 == 0)
        answer.result = TRANSPORT_RESET;
    if (hash % 41 == 0)
        answer.status = 503;
    return answer;
}

struct load {
    const char *kind;
    double loads[3];
    size_t levels;
    enum stream_start start;
    int repeat;
    struct arrival_shape shape;
    struct variate think_time;
};

static struct bench *run_share(const struct load *load, struct share shard)
{
    struct bench *bench = bench_new(load->kind, load->loads[0]);
    for (size_t k = 1; k < load->levels; k++)
        bench_add_level(bench, load->loads[k]);
    bench->plan.stream_start = load->start;
    bench->plan.calibration.e2e_ns = 1500 * NS_PER_MS;
    bench->plan.limits.max_seconds_ns = 40 * NS_PER_S;
    bench->plan.limits.drain_ns = 500 * NS_PER_MS; /* some are cut off by it */
    bench->plan.repeat = load->repeat;
    bench->plan.arrival_shape = load->shape;
    bench->plan.think_time = load->think_time;
    bench->answer_by_body = fate_of;
    bench->shard = shard;
    bench->start_at = START;
    assert_int_equal(bench_run(bench), 0);
    return bench;
}

/* ---- records as lines ---- */

struct lines {
    char **items;
    size_t count, capacity;
};

/* Whose part it was is what they differ in. */
static void add_lines(struct lines *lines, const struct bench *bench, int shard)
{
    for (size_t k = 0; k < bench->count; k++) {
        cleanup_buf struct buf line = BUF_INIT(LINE_MAX_HERE);
        struct record record = bench->records[k];
        assert_int_equal(record.shard, shard);
        record.shard = 0;
        record_append_json(&record, &line);
        MEM_GROW(lines->items, lines->capacity, lines->count + 1);
        lines->items[lines->count++] = mem_strdup(buf_text(&line));
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(const struct lines *lines)
{
    if (lines->count > 1)
        qsort(lines->items, lines->count, sizeof *lines->items, compare_lines);
}

static void free_lines(const struct lines *lines)
{
    for (size_t k = 0; k < lines->count; k++)
        free(lines->items[k]);
    free(lines->items);
}

static void assert_same_lines(const struct lines *merged, const struct lines *whole)
{
    for (size_t k = 0; k < merged->count && k < whole->count; k++)
        if (strcmp(merged->items[k], whole->items[k]) != 0)
            fail_msg("%s\ninstead of\n%s", merged->items[k], whole->items[k]);
    assert_int_equal(merged->count, whole->count);
}

/* ---- levels ---- */

static void assert_same_levels(const struct bench *shard, const struct bench *whole)
{
    assert_int_equal(shard->end_count, whole->end_count);
    for (size_t k = 0; k < whole->end_count; k++) {
        const struct level_end *end = &shard->ends[k], *expected = &whole->ends[k];
        assert_int_equal(end->level.index, expected->level.index);
        assert_int_equal(end->repeat, expected->repeat);
        assert_int_equal(end->start, expected->start);
        assert_int_equal(shard->measure_starts[k], whole->measure_starts[k]);
        assert_int_equal(end->end, expected->end);
        assert_int_equal(end->window_start, expected->window_start);
        assert_int_equal(end->window_end, expected->window_end);
        assert_int_equal(end->reason, expected->reason);
    }
}

static void assert_divided(const struct load *load, int shards)
{
    struct bench *whole = run_share(load, (struct share){0, 1});
    struct lines merged = {0}, expected = {0};
    int64_t sent = 0, drawn = 0, tokens = 0;
    add_lines(&expected, whole, 0);
    assert_true(expected.count > 0);
    assert_int_equal(whole->ends[0].start, START);
    for (int shard = 0; shard < shards; shard++) {
        struct bench *part = run_share(load, (struct share){shard, shards});
        add_lines(&merged, part, shard);
        assert_same_levels(part, whole);
        sent += part->result.sent;
        tokens += part->tick_tokens;
        for (size_t k = 0; k < part->end_count; k++)
            drawn += part->ends[k].drawn;
        bench_free(part);
    }
    for (size_t k = 0; k < whole->end_count; k++)
        drawn -= whole->ends[k].drawn;
    assert_int_equal(drawn, 0);
    assert_int_equal(sent, whole->result.sent);
    assert_int_equal(tokens, whole->tick_tokens);
    sort_lines(&merged);
    sort_lines(&expected);
    assert_same_lines(&merged, &expected);
    free_lines(&merged);
    free_lines(&expected);
    bench_free(whole);
}

static const int counts[] = {1, 2, 3, 4, SHARDS_MAX_HERE};
#define COUNTS (sizeof counts / sizeof *counts)

static void test_streams_are_divided(void **state)
{
    const struct load spread = {.kind = "concurrent", .loads = {5, 8, 1}, .levels = 3, .start = STREAM_START_SPREAD, .repeat = 1};
    const struct load together = {.kind = "concurrent", .loads = {13}, .levels = 1, .start = STREAM_START_TOGETHER, .repeat = 1};
    const struct load thinking = {.kind = "concurrent", .loads = {9, 4}, .levels = 2, .start = STREAM_START_SPREAD, .repeat = 2,
                                  .think_time = {VARIATE_LOGNORMAL, 2, 0.8, 0, 60}};
    (void)state;
    for (size_t k = 0; k < COUNTS; k++) {
        assert_divided(&spread, counts[k]);
        assert_divided(&together, counts[k]);
        assert_divided(&thinking, counts[k]);
    }
}

static void test_arrivals_are_divided(void **state)
{
    const struct load poisson = {.kind = "poisson", .loads = {3, 20}, .levels = 2, .repeat = 1};
    const struct load constant = {.kind = "constant", .loads = {7.5}, .levels = 1, .repeat = 1};
    const struct load gamma = {.kind = "gamma", .loads = {3, 20}, .levels = 2, .repeat = 1, .shape = {.burstiness = 0.3}};
    const struct load burst = {.kind = "burst", .loads = {6}, .levels = 1, .repeat = 1, .shape = {.burst_size = 5}};
    static const int64_t trace[] = {0, 0, 0, 5 * NS_PER_S, 5 * NS_PER_S + 1, 7 * NS_PER_S, 39 * NS_PER_S, 41 * NS_PER_S};
    const struct load replay = {.kind = "replay", .loads = {0.2}, .levels = 1, .repeat = 2, .shape = {.replay_count = 8, .replay = trace}};
    const struct load ramp = {.kind = "ramp", .loads = {8}, .levels = 1, .repeat = 2, .shape = {.ramp_from = 1, .ramp_to = 15}};
    (void)state;
    for (size_t k = 0; k < COUNTS; k++) {
        assert_divided(&poisson, counts[k]);
        assert_divided(&constant, counts[k]);
        assert_divided(&gamma, counts[k]);
        assert_divided(&burst, counts[k]);
        assert_divided(&ramp, counts[k]);
        assert_divided(&replay, counts[k]);
    }
}

/* Repeats are run in an order that is drawn: all shards draw the same. */
static void test_repeats_are_in_step(void **state)
{
    const struct load repeated = {.kind = "concurrent", .loads = {2, 4, 6}, .levels = 3, .start = STREAM_START_SPREAD, .repeat = 3};
    (void)state;
    assert_divided(&repeated, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_are_divided),
        cmocka_unit_test(test_arrivals_are_divided),
        cmocka_unit_test(test_repeats_are_in_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
