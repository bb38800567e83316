#include "stats/conversations.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/levels.h"

/* Eight streams, 2 requests a second of 4 s each, 3 $ an hour, three calls a turn. */
static void test_streams(void **state)
{
    (void)state;
    struct level_summary level;
    level_make(&level, 8, 500, 100);
    level.rate[RATE_REQUEST_RPS] = 2;
    level.latency[LATENCY_E2E].percentile[P50] = 4000;
    struct conversations three = conversations_of(&level, 3, 3000000);
    assert_true(fabs(three.at_once - 8.0 / 3) < 1e-12);
    assert_true(fabs(three.turns_per_s - 2.0 / 3) < 1e-12);
    assert_true(three.turn_ms == 12000);
    assert_true(fabs(three.usd_per_1000_turns - 3.0 / 2400 * 1000) < 1e-9); /* 2400 turns an hour */
    struct conversations one = conversations_of(&level, 1, 3000000);
    assert_true(one.at_once == 8 && one.turns_per_s == 2 && one.turn_ms == 4000);
}

static void test_what_is_not_known(void **state)
{
    (void)state;
    struct level_summary level;
    level_make(&level, 8, 500, 100);
    struct conversations nothing = conversations_of(&level, 3, 3000000);
    assert_true(isnan(nothing.turns_per_s) && isnan(nothing.turn_ms) && isnan(nothing.usd_per_1000_turns));
    level.rate[RATE_REQUEST_RPS] = 0;
    assert_true(isnan(conversations_of(&level, 3, 3000000).usd_per_1000_turns));
    level.rate[RATE_REQUEST_RPS] = 2;
    assert_true(isnan(conversations_of(&level, 3, -1).usd_per_1000_turns));
    assert_true(isnan(conversations_of(&level, 3, 0).usd_per_1000_turns));
}

static void test_an_open_loop_has_no_streams(void **state)
{
    (void)state;
    struct level_summary level;
    level_make(&level, 8, 500, 100);
    snprintf(level.unit, sizeof level.unit, "req/s");
    level.rate[RATE_REQUEST_RPS] = 6;
    struct conversations three = conversations_of(&level, 3, -1);
    assert_true(isnan(three.at_once));
    assert_true(three.turns_per_s == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_what_is_not_known),
        cmocka_unit_test(test_an_open_loop_has_no_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
