/* Random times: what people write, what they get, and what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/plan.h"
#include "support/quantiles.h"

#define COUNT 20000
#define SEEDS 20

static struct variate parse(const char *text)
{
    struct variate variate;
    struct error err = {0};
    if (variate_parse(text, "--think-time", VARIATE_SECONDS, PLAN_SECONDS_MAX, &variate, &err) < 0)
        fail_msg("%s", err.text);
    return variate;
}

static void test_draws_are_distributed_as_scipy_says(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "exponential:2s", "exponential:mean=2s,min=500ms,max=3s", "lognormal:mean=2s,sigma=0.8", "lognormal:mean=2s,sigma=1.5,max=1m",
        "uniform:1s-3s",
        "normal:mean=5s,stddev=2s,max=8s",
    };
    double *values = mem_calloc(COUNT, sizeof *values);
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
        struct variate variate = parse(texts[k]);
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct random random;
            random_seed(&random, seed);
            for (size_t n = 0; n < COUNT; n++)
                values[n] = variate_draw(&variate, &random);
            double distance = quantiles_distance(texts[k], values, COUNT);
            if (distance >= quantiles_limit(COUNT))
                fail_msg("%s, seed %d: distance %g", texts[k], (int)seed, distance);
            assert_true(values[0] >= variate.min && values[COUNT - 1] <= variate.max);
        }
    }
    free(values);
}

static void test_a_constant_draws_nothing(void **state)
{
    (void)state;
    struct variate five = parse("5s"), same = parse("constant:5000ms"), none = parse("0");
    struct random random, before;
    random_seed(&random, 1);
    before = random;
    assert_true(variate_draw(&five, &random) == 5 && variate_draw(&same, &random) == 5 && variate_draw(&none, &random) == 0);
    assert_memory_equal(&random, &before, sizeof before);
}

/* Bounds that next to no draw lies between do not hang: a bound it is. */
static void test_bounds_far_out_are_reached(void **state)
{
    (void)state;
    struct variate variate = parse("normal:mean=10s,stddev=1000000s,min=9.9999999s,max=10.0000001s");
    struct random random;
    random_seed(&random, 3);
    double value = variate_draw(&variate, &random);
    assert_true(value >= variate.min && value <= variate.max);
}

static void test_forms_of_the_same(void **state)
{
    (void)state;
    struct variate short_form = parse("exponential:2s"), long_form = parse("exponential:mean=2000ms");
    assert_memory_equal(&short_form, &long_form, sizeof short_form);
    struct variate range = parse("uniform:500ms-1m"), ends = parse("uniform:min=0.5,max=60");
    assert_memory_equal(&range, &ends, sizeof range);
    assert_true(range.mean == 30.25);
}

static void assert_refused(const char *text, const char *expected)
{
    struct variate variate;
    struct error err = {0};
    if (variate_parse(text, "--think-time", VARIATE_SECONDS, PLAN_SECONDS_MAX, &variate, &err) == 0)
        fail_msg("'%s' was taken", text);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, "--think-time") || !strstr(err.text, expected))
        fail_msg("'%s' does not say '%s'", err.text, expected);
}

static void test_what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_refused("", "is not a time");
    assert_refused("-1s", "is not a time");
    assert_refused("weibull:2s", "exponential:2s");
    assert_refused("exponential:", "is not a time");
    assert_refused("exponential:sigma=2", "is not a time");
    assert_refused("exponential:2s,", "is not a time");
    assert_refused("uniform:mean=2s", "is not a time");
    assert_refused("uniform:1s", "is not a time");
    assert_refused("exponential:0", "nothing to be drawn");
    assert_refused("exponential:min=1s", "ascend");
    assert_refused("exponential:2s,max=1s", "ascend");
    assert_refused("uniform:3s-1s", "ascend");
    assert_refused("uniform:2s-2s", "nothing to be drawn");
    assert_refused("lognormal:2s", "more than 0");
    assert_refused("lognormal:mean=2s,sigma=-1", "more than 0");
    assert_refused("lognormal:mean=2s,sigma=6", "at most 5");
    assert_refused("lognormal:mean=2s,sigma=nan", "is not a time");
    assert_refused("normal:5s", "more than 0");
    assert_refused("exponential:2s,max=2000000s", "longest");
    assert_refused("2000000s", "longest");
}

static void test_it_is_told(void **state)
{
    (void)state;
    static const char *const told[][2] = {
        {"5s", "5.0 s"},
        {"exponential:2s", "exponential, mean 2.0 s"},
        {"lognormal:mean=2s,sigma=0.8", "lognormal, mean 2.0 s, sigma 0.8"},
        {"uniform:1s-3s", "uniform, 1 to 3 s"},
        {"normal:mean=5s,stddev=500ms", "normal, mean 5.0 s, stddev 0.5 s"},
    };
    for (size_t k = 0; k < sizeof told / sizeof told[0]; k++) {
        struct buf text = BUF_INIT(256);
        struct variate variate = parse(told[k][0]);
        variate_describe(&variate, &text);
        assert_string_equal(buf_text(&text), told[k][1]);
        buf_free(&text);
    }
}

/* --- of a plan ------------------------------------------------------------------------------------ */

static void test_a_think_time_belongs_to_its_request(void **state)
{
    (void)state;
    struct plan *plan = plan_new();
    plan->seed = 4;
    assert_int_equal(plan_think_ns(plan, 0, 0, 1), 0);
    plan->think_time = parse("exponential:2s");
    int64_t first = plan_think_ns(plan, 1, 2, 100);
    assert_true(first > 0 && first == plan_think_ns(plan, 1, 2, 100));
    assert_true(first != plan_think_ns(plan, 1, 2, 101));
    assert_true(first != plan_think_ns(plan, 2, 2, 100));
    assert_true(first != plan_think_ns(plan, 1, 1, 100));
    plan->seed = 5;
    assert_true(first != plan_think_ns(plan, 1, 2, 100));
    plan->seed = 4;
    plan->server.time_scale = 10;
    assert_int_equal(plan_think_ns(plan, 1, 2, 100), first / 10);
    plan->think_time = parse("uniform:1s-3s");
    assert_int_equal(plan_mean_think_ns(plan), 200000000);
    plan_free(plan);
}

/* Neighbouring requests and streams think as independently as draws of one generator. */
static void test_think_times_of_a_level_are_distributed_too(void **state)
{
    (void)state;
    struct plan *plan = plan_new();
    double *values = mem_calloc(COUNT, sizeof *values);
    plan->think_time = parse("exponential:2s");
    for (plan->seed = 1; plan->seed <= SEEDS; plan->seed++) {
        for (int64_t i = 0; i < COUNT; i++)
            values[i] = (double)plan_think_ns(plan, 0, 0, i) / 1e9;
        assert_true(quantiles_distance("exponential:2s", values, COUNT) < quantiles_limit(COUNT));
    }
    free(values);
    plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_are_distributed_as_scipy_says), cmocka_unit_test(test_a_constant_draws_nothing),
        cmocka_unit_test(test_bounds_far_out_are_reached),          cmocka_unit_test(test_forms_of_the_same),
        cmocka_unit_test(test_what_is_wrong_is_said),               cmocka_unit_test(test_it_is_told),
        cmocka_unit_test(test_a_think_time_belongs_to_its_request), cmocka_unit_test(test_think_times_of_a_level_are_distributed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
