#include "load/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define HOUR (3600 * NS_PER_S)

/* Wilson's one-sided 99 % lower bounds: 10 of 10: 0.649; 9 of 10: 0.533; 1 of 10: 0.014; 20 of 200: 0.061. */
static void test_errors_must_be_above_the_limit_for_sure(void **state)
{
    (void)state;
    assert_true(limits_too_many_errors(0.64, 10, 10));
    assert_false(limits_too_many_errors(0.65, 10, 10));
    assert_true(limits_too_many_errors(0.53, 10, 9));
    assert_false(limits_too_many_errors(0.54, 10, 9));
    assert_true(limits_too_many_errors(0.01, 10, 1));
    assert_false(limits_too_many_errors(0.05, 10, 1)); /* 10 % were seen */
    assert_true(limits_too_many_errors(0.06, 200, 20));
    assert_false(limits_too_many_errors(0.07, 200, 20));
    assert_false(limits_too_many_errors(0.05, 1000, 0));
    assert_false(limits_too_many_errors(0, 1000, 0));
    assert_true(limits_too_many_errors(0, 1000, 1)); /* none is allowed */
}

static void test_few_requests_and_no_limit_end_nothing(void **state)
{
    (void)state;
    assert_false(limits_too_many_errors(0.05, LIMITS_ERRORS_MIN - 1, LIMITS_ERRORS_MIN - 1));
    assert_true(limits_too_many_errors(0.05, LIMITS_ERRORS_MIN, LIMITS_ERRORS_MIN));
    assert_false(limits_too_many_errors(1, 1000, 1000));
}

static void test_ceilings(void **state)
{
    (void)state;
    struct plan plan = {.limits = {.max_micro_usd = -1}, .deployment = {.price_micro_usd = -1}};
    assert_false(limits_is_ceiling(limits_ceiling(&plan, INT64_MAX, INT64_MAX)));
    plan.limits.max_tokens_total = 1000;
    assert_false(limits_is_ceiling(limits_ceiling(&plan, 999, HOUR)));
    assert_int_equal(limits_ceiling(&plan, 1000, 0), LEVEL_MAX_TOKENS_TOTAL);
    plan.limits.max_tokens_total = 0;
    plan.limits.max_micro_usd = 500000;
    assert_false(limits_is_ceiling(limits_ceiling(&plan, 0, HOUR))); /* no price */
    plan.deployment.price_micro_usd = 2000000;
    assert_false(limits_is_ceiling(limits_ceiling(&plan, 0, HOUR / 4 - NS_PER_S)));
    assert_int_equal(limits_ceiling(&plan, 0, HOUR / 4), LEVEL_MAX_USD);
    assert_int_equal(limits_micro_usd(&plan, HOUR / 2), 1000000);
    plan.deployment.price_micro_usd = -1;
    assert_int_equal(limits_micro_usd(&plan, HOUR), 0);
}

static void test_only_ceilings_end_the_run(void **state)
{
    (void)state;
    for (int reason = LEVEL_MAX_REQUESTS; reason <= LEVEL_STOPPED; reason++)
        assert_int_equal(limits_is_ceiling((enum level_reason)reason), reason == LEVEL_MAX_TOKENS_TOTAL || reason == LEVEL_MAX_USD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_must_be_above_the_limit_for_sure),
        cmocka_unit_test(test_few_requests_and_no_limit_end_nothing),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_only_ceilings_end_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
