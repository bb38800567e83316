/* What a model is warmed up with, on a fake clock. */
#include "load/warm_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/stop.h"
#include "support/fake_transport.h"

#define URLS 2

struct bench {
    struct fake_transport fake;
    struct plan plan;
    struct level levels[6];
    stop_flag stop;
    struct warm_model warm;
    int64_t in_flight[8]; /* the most of each burst */
    int bursts;
    int status;           /* of every answer; 0: 200 */
    int asked[URLS];
    bool hang, stops;
};

static const char *const urls[URLS] = {"http://a/v1/completions", "http://b/v1/completions"};

static struct fake_answer answer(void *context, const struct transfer *transfer, int64_t now, int64_t number)
{
    struct bench *bench = context;
    (void)now, (void)number;
    assert_non_null(strstr(transfer->body, " repeat -2 ")); /* WARM_MODEL_REPEAT */
    if (bench->fake.in_flight == 0) /* this one is not counted yet */
        bench->bursts++;
    bench->in_flight[bench->bursts - 1] = bench->fake.in_flight + 1;
    bench->asked[transfer->url == urls[1]]++;
    if (bench->stops)
        bench->stop = 15;
    return (struct fake_answer){.ttft = NS_PER_S, .itl = NS_PER_S, .tokens = 3, .status = bench->status, .hang = bench->hang};
}

static int make_body(void *context, int level, int repeat, int64_t i, struct buf *out, struct error *err)
{
    (void)context, (void)err;
    return buf_printf(out, "level %d repeat %d number %d", level, repeat, (int)i);
}

static void start(struct bench *bench, const double *loads, size_t count, enum load_unit unit)
{
    *bench = (struct bench){0};
    fake_transport_init(&bench->fake);
    bench->fake.answer = answer;
    bench->fake.context = bench;
    for (size_t k = 0; k < count; k++)
        bench->levels[k] = (struct level){.index = (int)k, .load = loads[k], .unit = unit};
    bench->plan = (struct plan){.levels = bench->levels, .level_count = count, .server.time_scale = 1, .limits.max_concurrency = 6,
                                .calibration.e2e_ns = 2 * NS_PER_S};
    bench->warm = (struct warm_model){.transport = &bench->fake.transport, .clock = &bench->fake.clock, .stop = &bench->stop,
                                      .deadline = TIME_FOREVER, .plan = &bench->plan, .shard = {0, 1}, .urls = urls, .url_count = 1, .body = make_body};
}

static void finish(struct bench *bench)
{
    transport_free(&bench->fake.transport);
    fake_transport_clear(&bench->fake);
}

#define START(bench, unit, ...) start(bench, (const double[]){__VA_ARGS__}, sizeof(double[]){__VA_ARGS__} / sizeof(double), unit)

static void test_each_number_of_streams_once(void **state)
{
    (void)state;
    struct bench bench;
    START(&bench, LOAD_STREAMS, 1, 3, 3, 5);
    bench.warm.url_count = URLS;
    int64_t begin = clock_now(&bench.fake.clock);
    assert_int_equal(warm_model(&bench.warm, NULL), 0);
    assert_int_equal(bench.bursts, 3);
    assert_int_equal(bench.in_flight[0], 1);
    assert_int_equal(bench.in_flight[1], 3);
    assert_int_equal(bench.in_flight[2], 5);
    assert_int_equal(bench.warm.sent, 9);
    assert_int_equal(bench.warm.answered, 9);
    assert_int_equal(bench.asked[0], 1 + 2 + 3); /* in turn */
    assert_int_equal(bench.asked[1], 0 + 1 + 2);
    assert_int_equal(clock_now(&bench.fake.clock), begin + 3 * 3 * NS_PER_S); /* one burst after the other */
    finish(&bench);
}

/* Rate times the time of one request, within 1 and max_concurrency; in model time, whatever the scale. */
static void test_rates_by_little_s_law(void **state)
{
    (void)state;
    struct bench bench;
    START(&bench, LOAD_REQUESTS_PER_S, 0.1, 1.2, 100);
    for (int scaled = 0; scaled < 2; scaled++) {
        assert_int_equal(warm_model_streams(&bench.plan, &bench.levels[0]), 1);
        assert_int_equal(warm_model_streams(&bench.plan, &bench.levels[1]), 3); /* 1.2 × 2 s */
        assert_int_equal(warm_model_streams(&bench.plan, &bench.levels[2]), 6);
        bench.plan.server.time_scale = 10;
        bench.plan.calibration.e2e_ns = NS_PER_S / 5;
    }
    finish(&bench);
}

static void test_a_shard_sends_its_part(void **state)
{
    (void)state;
    struct bench bench;
    START(&bench, LOAD_STREAMS, 1, 5);
    bench.warm.shard = (struct share){1, 2};
    assert_int_equal(warm_model(&bench.warm, NULL), 0);
    assert_int_equal(bench.warm.sent, 2); /* numbers 1 and 3 of the five; none of the one */
    finish(&bench);
}

static void test_a_plan_that_finds_its_levels_gets_one(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench, NULL, 0, LOAD_STREAMS);
    assert_int_equal(warm_model(&bench.warm, NULL), 0);
    assert_int_equal(bench.warm.sent, 1);
    finish(&bench);
}

static void test_failures_are_counted_and_end_it(void **state)
{
    (void)state;
    struct bench bench;
    START(&bench, LOAD_STREAMS, 2, 4);
    bench.status = 503;
    assert_int_equal(warm_model(&bench.warm, NULL), 0);
    assert_int_equal(bench.warm.sent, 2); /* the larger burst would fail likewise */
    assert_int_equal(bench.warm.answered, 0);
    assert_string_equal(bench.warm.trouble, "HTTP 503");
    finish(&bench);
}

static void test_the_deadline_and_a_signal_end_it(void **state)
{
    (void)state;
    for (int signal = 0; signal < 2; signal++) {
        struct bench bench;
        START(&bench, LOAD_STREAMS, 2, 4);
        int64_t begin = clock_now(&bench.fake.clock);
        bench.hang = true;
        bench.stops = signal == 1;
        bench.warm.deadline = signal ? TIME_FOREVER : begin + 7 * NS_PER_S;
        assert_int_equal(warm_model(&bench.warm, NULL), 0);
        assert_int_equal(bench.warm.sent, 2);
        assert_int_equal(bench.warm.answered, 0);
        assert_int_equal(bench.fake.in_flight, 0);
        if (!signal)
            assert_int_equal(clock_now(&bench.fake.clock), begin + 7 * NS_PER_S);
        finish(&bench);
    }
}

/* What is in flight on a transport that broke is freed when that is. */
static void test_a_broken_transport(void **state)
{
    (void)state;
    struct bench bench;
    struct error err = {0};
    START(&bench, LOAD_STREAMS, 3);
    bench.fake.broken_from = clock_now(&bench.fake.clock) + NS_PER_S / 2;
    assert_int_equal(warm_model(&bench.warm, &err), -1);
    finish(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_number_of_streams_once),
        cmocka_unit_test(test_rates_by_little_s_law),
        cmocka_unit_test(test_a_shard_sends_its_part),
        cmocka_unit_test(test_a_plan_that_finds_its_levels_gets_one),
        cmocka_unit_test(test_failures_are_counted_and_end_it),
        cmocka_unit_test(test_the_deadline_and_a_signal_end_it),
        cmocka_unit_test(test_a_broken_transport),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
