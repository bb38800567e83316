/* What a plan will take: times, requests and dollars worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "plan/estimate.h"

/* Two seconds a request, alone; $3.60 an hour. */
static struct plan make_plan(struct level *levels, size_t count)
{
    return (struct plan){
        .profile = "sweep", .levels = levels, .level_count = count, .repeat = 1, .sweep_levels = 10,
        .server = {.time_scale = 1}, .stream_start = STREAM_START_TOGETHER,
        .workload = {.prompt = {.mean = 100}, .output = {.mean = 50}},
        .limits = {.max_seconds_ns = 60 * NS_PER_S, .drain_ns = 10 * NS_PER_S},
        .deployment = {.price_micro_usd = 3600000}, .calibration = {.e2e_ns = 2 * NS_PER_S},
    };
}

static void expect(double number, double expected)
{
    if (!(fabs(number - expected) < 1e-9))
        fail_msg("%.12g, expected %.12g", number, expected);
}

static void test_streams_send_at_most_what_one_request_alone_allows(void **state)
{
    struct level level = {.kind = "concurrent", .load = 5, .unit = LOAD_STREAMS};
    struct plan plan = make_plan(&level, 1);
    (void)state;
    struct estimate estimate = estimate_level(&plan, &level);
    expect(estimate.requests, 150);
    expect(estimate.prompt_tokens, 15000);
    expect(estimate.output_tokens, 7500);
    expect(estimate.load_s, 60);
    expect(estimate.start_s, 0);
    assert_true(estimate.requests_at_most);
    assert_false(estimate.seconds_at_least);
    /* 1 minute of $3.60 an hour */
    assert_int_equal(estimate_micro_usd(&plan, &estimate), 60000);
}

static void test_a_spread_start_takes_its_time(void **state)
{
    struct level level = {.kind = "concurrent", .load = 5, .unit = LOAD_STREAMS};
    struct plan plan = make_plan(&level, 1);
    (void)state;
    plan.stream_start = STREAM_START_SPREAD;
    struct estimate estimate = estimate_level(&plan, &level);
    expect(estimate.start_s, 1.6);
    expect(estimate.requests, 2.5 * (60 + 0.8));
    plan.server.time_scale = 10; /* what took 2 s of wall time are 20 s of the model */
    expect(estimate_level(&plan, &level).start_s, 16);
}

static void test_an_open_loop_sends_its_rate(void **state)
{
    struct level level = {.kind = "poisson", .load = 0.5, .unit = LOAD_REQUESTS_PER_S};
    struct plan plan = make_plan(&level, 1);
    (void)state;
    plan.calibration.e2e_ns = 0;
    struct estimate estimate = estimate_level(&plan, &level);
    expect(estimate.requests, 30);
    assert_false(estimate.requests_at_most);
    plan.limits.max_requests = 10;
    estimate = estimate_level(&plan, &level);
    expect(estimate.requests, 10);
    plan.limits.max_seconds_ns = 0;
    estimate = estimate_level(&plan, &level);
    expect(estimate.load_s, 20);
    assert_false(estimate.seconds_at_least);
}

static void test_requests_alone_bound_the_time_from_below(void **state)
{
    struct level level = {.kind = "concurrent", .load = 4, .unit = LOAD_STREAMS};
    struct plan plan = make_plan(&level, 1);
    (void)state;
    plan.limits.max_seconds_ns = 0;
    plan.limits.max_requests = 80;
    struct estimate estimate = estimate_level(&plan, &level);
    expect(estimate.requests, 80);
    expect(estimate.load_s, 40);
    assert_true(estimate.seconds_at_least);
    assert_false(estimate.requests_at_most);
}

static void test_what_is_not_known_is_no_number(void **state)
{
    struct level level = {.kind = "concurrent", .load = 4, .unit = LOAD_STREAMS};
    struct plan plan = make_plan(&level, 1);
    struct estimate sum;
    (void)state;
    plan.calibration.e2e_ns = 0;
    assert_true(isnan(estimate_level(&plan, &level).requests));
    plan.level_count = 0;
    assert_false(estimate_plan(&plan, &sum));
    expect(sum.load_s, 600);
    expect(sum.drain_s, 100);
    assert_true(isnan(sum.requests));
    plan.limits.max_seconds_ns = 0;
    plan.limits.max_requests = 5;
    assert_false(estimate_plan(&plan, &sum));
    assert_true(isnan(sum.load_s));
    assert_int_equal(estimate_micro_usd(&plan, &sum), -1);
    plan.deployment.price_micro_usd = -1;
    sum.load_s = 1;
    assert_int_equal(estimate_micro_usd(&plan, &sum), -1);
}

static void test_levels_and_repeats_add_up(void **state)
{
    struct level levels[2] = {{.kind = "concurrent", .load = 1, .unit = LOAD_STREAMS}, {.index = 1, .kind = "concurrent", .load = 3, .unit = LOAD_STREAMS}};
    struct plan plan = make_plan(levels, 2);
    struct estimate sum;
    (void)state;
    plan.repeat = 3;
    assert_true(estimate_plan(&plan, &sum));
    expect(sum.requests, 3 * (30 + 90));
    expect(sum.load_s, 360);
    expect(sum.drain_s, 60);
    plan.find = FIND_BREAKING;
    assert_false(estimate_plan(&plan, &sum));
    expect(sum.load_s, 180); /* one load, three times */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_send_at_most_what_one_request_alone_allows),
        cmocka_unit_test(test_a_spread_start_takes_its_time),
        cmocka_unit_test(test_an_open_loop_sends_its_rate),
        cmocka_unit_test(test_requests_alone_bound_the_time_from_below),
        cmocka_unit_test(test_what_is_not_known_is_no_number),
        cmocka_unit_test(test_levels_and_repeats_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
