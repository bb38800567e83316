/* What ends levels and runs before their time, or after it, on a fake clock before a server that is a queue. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "load/engine.h"
#include "load/limits.h"
#include "support/fake_transport.h"

#define LEVELS_MAX 16

struct bench {
    struct sink sink; /* first: the engine hands it back */
    struct fake_transport fake;
    struct plan plan;
    struct level levels[LEVELS_MAX];
    struct level_end ends[LEVELS_MAX];
    size_t end_count;
    int64_t free_at;          /* of the queue's one server */
    int64_t service;          /* of a request there, wall */
    int64_t overloaded_above; /* streams from which on TTFT is 3 s; 0: the server is the queue */
    int fails_from, fails_of; /* HTTP 500 where the request's number in fails_of is so high; 0: never */
    int64_t sent, cancelled;
    struct engine_result result;
    struct error err;
};

static struct fake_answer answer_of(void *context, const struct transfer *transfer, int64_t now, int64_t number)
{
    struct bench *bench = context;
    (void)transfer;
    if (bench->fails_of && number % bench->fails_of >= bench->fails_from)
        return (struct fake_answer){.ttft = 10 * NS_PER_MS, .status = 500, .error_body = "{}"};
    if (bench->overloaded_above)
        return (struct fake_answer){.ttft = bench->fake.in_flight > bench->overloaded_above ? 3 * NS_PER_S : NS_PER_S / 5,
                                    .itl = 10 * NS_PER_MS, .tokens = 10};
    int64_t begin = bench->free_at > now ? bench->free_at : now;
    bench->free_at = begin + bench->service;
    return (struct fake_answer){.ttft = begin - now + bench->service / 10, .itl = bench->service / 10, .tokens = 10};
}

static int sink_level_start(struct sink *sink, const struct level *level, int repeat, int64_t start, int64_t measure_start, struct error *err)
{
    (void)sink, (void)level, (void)repeat, (void)start, (void)measure_start, (void)err;
    return 0;
}

static int sink_level_end(struct sink *sink, const struct level_end *end, struct error *err)
{
    struct bench *bench = (struct bench *)sink;
    (void)err;
    assert_true(bench->end_count < LEVELS_MAX);
    bench->ends[bench->end_count++] = *end;
    return 0;
}

static int sink_add(struct sink *sink, const struct record *record, const int64_t *gaps, const int32_t *n, size_t arrivals, struct error *err)
{
    struct bench *bench = (struct bench *)sink;
    (void)gaps, (void)n, (void)arrivals, (void)err;
    bench->sent += record->sent != TIME_NEVER;
    bench->cancelled += record->failure == FAILURE_CANCELLED;
    return 0;
}

static int sink_tick(struct sink *sink, int64_t t, int64_t tokens, struct error *err)
{
    (void)sink, (void)t, (void)tokens, (void)err;
    return 0;
}

static int sink_flush(struct sink *sink, struct error *err)
{
    (void)sink, (void)err;
    return 0;
}

static int make_body(void *context, int level, int repeat, int64_t i, struct buf *out, struct error *err)
{
    (void)context, (void)level, (void)repeat, (void)i, (void)err;
    buf_reset(out);
    return buf_printf(out, "{}");
}

/* Requests take one second of the server, one after the other: it carries 1 a second. */
static struct bench *bench_new(const char *kind)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    bench->sink = (struct sink){
        .level_start = sink_level_start, .level_end = sink_level_end, .add = sink_add, .tick = sink_tick, .flush = sink_flush,
    };
    fake_transport_init(&bench->fake);
    bench->fake.answer = answer_of;
    bench->fake.context = bench;
    bench->service = NS_PER_S;
    bench->plan = (struct plan){
        .sla = sla_default,
        .run_id = "test", .target = "http://server/v1", .model = "m", .profile = kind, .sweep_arrivals = "poisson",
        .server = {.kind = "vllm", .version = "", .preset = "", .time_scale = 1, .usage = true},
        .levels = bench->levels, .stream_start = STREAM_START_TOGETHER,
        .limits = {.max_seconds_ns = 600 * NS_PER_S, .drain_ns = 6000 * NS_PER_S, .max_concurrency = 512, .max_error_rate = 1, .max_micro_usd = -1},
        .deployment = {.price_micro_usd = -1}, .repeat = 1, .seed = 1,
    };
    return bench;
}

static void add_level(struct bench *bench, double load)
{
    struct level *level = &bench->levels[bench->plan.level_count];
    bool open = strcmp(bench->plan.profile, "concurrent") != 0;
    *level = (struct level){.index = (int)bench->plan.level_count++, .load = load, .unit = open ? LOAD_REQUESTS_PER_S : LOAD_STREAMS};
    snprintf(level->kind, sizeof level->kind, "%s", bench->plan.profile);
}

static void bench_run(struct bench *bench)
{
    struct log log = {.stream = stderr, .clock = &bench->fake.clock, .command = "test", .threshold = LOG_LEVEL_ERROR};
    const char *const urls[] = {"http://server/v1/completions"};
    const struct engine_worker worker = {.transport = &bench->fake.transport};
    struct engine_settings settings = {
        .plan = &bench->plan, .clock = &bench->fake.clock, .workers = &worker, .worker_count = 1, .sink = &bench->sink, .log = &log,
        .urls = urls, .url_count = 1, .anchor = bench->fake.time.now, .shard = {.index = 0, .count = 1}, .start_at = TIME_NEVER,
        .body = make_body, .progress_interval_ns = NS_PER_S,
    };
    assert_int_equal(engine_run(&settings, &bench->result, &bench->err), 0);
}

static void bench_free(struct bench *bench)
{
    fake_transport_clear(&bench->fake);
    free(bench);
}

static double length_s(const struct level_end *end)
{
    return (double)(end->end - end->start) / (double)NS_PER_S;
}

/* --- a growing queue ------------------------------------------------------------------------- */

static void test_an_overloaded_level_is_ended_and_the_run_goes_on(void **state)
{
    struct bench *bench = bench_new("poisson");
    (void)state;
    bench->plan.limits.stop_when_saturated = true;
    add_level(bench, 0.5);
    add_level(bench, 2);
    add_level(bench, 0.4);
    bench_run(bench);
    assert_int_equal(bench->end_count, 3);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_SECONDS);
    assert_int_equal(bench->ends[1].reason, LEVEL_SATURATED);
    assert_true(length_s(&bench->ends[1]) >= 33 && length_s(&bench->ends[1]) < 150);
    assert_true(bench->ends[1].window_end == bench->ends[1].end);
    assert_int_equal(bench->ends[2].reason, LEVEL_MAX_SECONDS);
    assert_int_equal(bench->result.levels_done, 3);
    assert_int_equal(bench->cancelled, 0); /* what was under way had its drain */
    bench_free(bench);
}

static void test_nothing_is_ended_that_was_not_asked_for(void **state)
{
    struct bench *bench = bench_new("poisson");
    (void)state;
    add_level(bench, 2);
    bench_run(bench);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_SECONDS);
    bench_free(bench);
}

static void test_model_time_decides(void **state)
{
    struct bench *bench = bench_new("poisson");
    (void)state;
    bench->plan.limits.stop_when_saturated = true;
    bench->plan.server.time_scale = 10;
    bench->service = NS_PER_S / 10;
    add_level(bench, 2);
    bench_run(bench);
    assert_int_equal(bench->ends[0].reason, LEVEL_SATURATED);
    assert_true(length_s(&bench->ends[0]) >= 3.3 && length_s(&bench->ends[0]) < 15);
    bench_free(bench);
}

/* 20 streams before a server that carries one: always 20 under way. And what --max-concurrency keeps back waits too. */
static void test_what_waits_at_the_client_waits(void **state)
{
    (void)state;
    struct bench *bench = bench_new("concurrent");
    bench->plan.limits.stop_when_saturated = true;
    add_level(bench, 20);
    bench_run(bench);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_SECONDS);
    bench_free(bench);
    bench = bench_new("poisson");
    bench->plan.limits.stop_when_saturated = true;
    bench->plan.limits.max_concurrency = 4;
    add_level(bench, 2);
    bench_run(bench);
    assert_int_equal(bench->ends[0].reason, LEVEL_SATURATED);
    bench_free(bench);
}

/* --- errors ---------------------------------------------------------------------------------- */

static void test_too_many_errors_end_a_level(void **state)
{
    struct bench *bench = bench_new("poisson");
    (void)state;
    bench->plan.limits.max_error_rate = 0.2;
    bench->fails_of = 10;
    bench->fails_from = 5; /* a half fails */
    add_level(bench, 0.5);
    bench_run(bench);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_ERROR_RATE);
    assert_true(bench->sent >= LIMITS_ERRORS_MIN && bench->sent < 40);
    bench_free(bench);
    bench = bench_new("poisson");
    bench->plan.limits.max_error_rate = 0.2;
    bench->fails_of = 10;
    bench->fails_from = 9; /* a tenth fails */
    add_level(bench, 0.5);
    bench_run(bench);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_SECONDS);
    bench_free(bench);
}

/* --- more time for few requests ---------------------------------------------------------------- */

static void check_length(const char *kind, double load, int64_t min_requests, double seconds)
{
    struct bench *bench = bench_new(kind);
    bench->service = 0; /* every request ends at once where it is not asked otherwise */
    bench->overloaded_above = 1000;
    bench->plan.limits.max_seconds_ns = 10 * NS_PER_S;
    bench->plan.limits.min_requests = min_requests;
    add_level(bench, load);
    bench_run(bench);
    assert_true(fabs(length_s(&bench->ends[0]) - seconds) < 1e-6);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_SECONDS);
    assert_true(seconds > 99 || bench->ends[0].drawn >= min_requests);
    bench_free(bench);
}

static void test_a_level_with_few_requests_goes_on(void **state)
{
    (void)state;
    check_length("constant", 1, 0, 10);
    check_length("constant", 1, 5, 10);   /* it has them */
    check_length("constant", 1, 20, 20);  /* the 20th is due after 20 s */
    check_length("constant", 1, 500, 100); /* ten times as long at most */
    /* Two streams, 0.29 s a request: the 100th is the 50th of a stream. */
    check_length("concurrent", 2, 100, 49 * 0.29);
    check_length("concurrent", 2, 20, 10);
    check_length("concurrent", 2, 100000, 100);
}

/* --- ceilings ----------------------------------------------------------------------------------- */

static void test_the_tokens_of_a_run_have_a_ceiling(void **state)
{
    struct bench *bench = bench_new("concurrent");
    (void)state;
    bench->plan.limits.max_tokens_total = 1000;
    bench->plan.limits.max_seconds_ns = 20 * NS_PER_S;
    bench->plan.workload.prompt.mean = 7;
    for (int k = 0; k < 4; k++)
        add_level(bench, 1);
    bench_run(bench);
    /* 17 tokens a second, 7 more with each request's beginning: 20 requests in the first level and in the second, then 18 and a bit. */
    assert_int_equal(bench->end_count, 3);
    assert_int_equal(bench->ends[1].reason, LEVEL_MAX_SECONDS);
    assert_int_equal(bench->ends[2].reason, LEVEL_MAX_TOKENS_TOTAL);
    assert_true(length_s(&bench->ends[2]) > 17 && length_s(&bench->ends[2]) < 20);
    assert_int_equal(bench->cancelled, 1);
    assert_int_equal(bench->result.ceiling, LEVEL_MAX_TOKENS_TOTAL);
    assert_in_range(bench->result.tokens, 1000, 1020);
    assert_int_equal(bench->result.levels_done, 2);
    bench_free(bench);
}

static void test_the_money_of_a_run_has_a_ceiling(void **state)
{
    struct bench *bench = bench_new("concurrent");
    (void)state;
    bench->plan.deployment.price_micro_usd = 3600000; /* 0.1 cents a second */
    bench->plan.limits.max_micro_usd = 45000;
    bench->plan.limits.max_seconds_ns = 20 * NS_PER_S;
    for (int k = 0; k < 4; k++)
        add_level(bench, 1);
    bench_run(bench);
    assert_int_equal(bench->end_count, 3);
    assert_int_equal(bench->ends[2].reason, LEVEL_MAX_USD);
    assert_true(fabs((double)bench->ends[2].end / (double)NS_PER_S - 45) <= 0.25);
    assert_int_equal(bench->result.ceiling, LEVEL_MAX_USD);
    bench_free(bench);
}

/* In the middle of a drain, and between two levels. */
static void test_a_ceiling_ends_a_drain(void **state)
{
    struct bench *bench = bench_new("poisson");
    (void)state;
    bench->plan.deployment.price_micro_usd = 3600000;
    bench->plan.limits.max_micro_usd = 300000;
    bench->plan.limits.max_seconds_ns = 200 * NS_PER_S;
    add_level(bench, 2); /* its queue would take 200 s more */
    add_level(bench, 2);
    bench_run(bench);
    assert_int_equal(bench->end_count, 1);
    assert_int_equal(bench->ends[0].reason, LEVEL_MAX_USD);
    assert_true(fabs(length_s(&bench->ends[0]) - 200) < 1e-6);
    assert_true(bench->cancelled > 50);
    assert_int_equal(bench->result.ceiling, LEVEL_MAX_USD);
    bench_free(bench);
}

/* --- --find --------------------------------------------------------------------------------------- */

static void check_loads(const struct bench *bench, const double *loads, size_t count)
{
    assert_int_equal(bench->end_count, count);
    for (size_t k = 0; k < count; k++) {
        assert_true(bench->ends[k].level.load == loads[k]);
        assert_int_equal(bench->ends[k].level.index, k);
    }
}

static void test_find_bisects_what_broke(void **state)
{
    struct bench *bench = bench_new("concurrent");
    (void)state;
    bench->overloaded_above = 6;
    bench->plan.find = FIND_BREAKING;
    bench->plan.refine = 5;
    bench->plan.limits.max_seconds_ns = 30 * NS_PER_S;
    static const double given[] = {1, 3, 5, 8, 10, 15};
    for (size_t k = 0; k < 6; k++)
        add_level(bench, given[k]);
    bench_run(bench);
    check_loads(bench, (const double[]){1, 3, 5, 8, 6, 7}, 6);
    bench_free(bench);
}

static void test_find_doubles_the_only_load(void **state)
{
    struct bench *bench = bench_new("concurrent");
    (void)state;
    bench->overloaded_above = 10;
    add_level(bench, 1);
    bench->plan.find = FIND_SATURATION;
    bench->plan.refine = 2;
    bench->plan.limits.max_seconds_ns = 30 * NS_PER_S;
    bench_run(bench);
    check_loads(bench, (const double[]){1, 2, 4, 8, 16, 12, 10}, 7);
    assert_string_equal(bench->ends[6].level.kind, "concurrent");
    bench_free(bench);
}

static void test_find_takes_a_growing_queue_for_a_break(void **state)
{
    struct bench *bench = bench_new("poisson");
    (void)state;
    bench->plan.find = FIND_BREAKING;
    bench->plan.refine = 1;
    bench->plan.limits.stop_when_saturated = true;
    bench->service = NS_PER_S / 2;
    add_level(bench, 0.6);
    bench_run(bench);
    check_loads(bench, (const double[]){0.6, 1.2, 2.4, 1.8}, 4);
    assert_int_equal(bench->ends[2].reason, LEVEL_SATURATED);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_overloaded_level_is_ended_and_the_run_goes_on),
        cmocka_unit_test(test_nothing_is_ended_that_was_not_asked_for),
        cmocka_unit_test(test_model_time_decides),
        cmocka_unit_test(test_what_waits_at_the_client_waits),
        cmocka_unit_test(test_too_many_errors_end_a_level),
        cmocka_unit_test(test_a_level_with_few_requests_goes_on),
        cmocka_unit_test(test_the_tokens_of_a_run_have_a_ceiling),
        cmocka_unit_test(test_the_money_of_a_run_has_a_ceiling),
        cmocka_unit_test(test_a_ceiling_ends_a_drain),
        cmocka_unit_test(test_find_bisects_what_broke),
        cmocka_unit_test(test_find_doubles_the_only_load),
        cmocka_unit_test(test_find_takes_a_growing_queue_for_a_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
