#include "stats/figure.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_figures_are_found_where_they_are(void **state)
{
    (void)state;
    struct level_summary level;
    level_summary_init(&level);
    for (int k = 0; k < FIGURE_COUNT; k++) {
        struct interval interval = figure_interval_of(&level, (enum figure)k);
        assert_true(isnan(figure_of(&level, (enum figure)k)));
        assert_false(interval_is_known(&interval));
    }
    level.latency[LATENCY_TTFT_CENSORED].percentile[P95] = 900;
    level.latency[LATENCY_TTFT_CENSORED].interval[INTERVAL_P95] = (struct interval){800, 1000};
    level.latency[LATENCY_E2E].percentile[P50] = 5000;
    level.rate[RATE_GOODPUT_RPS] = 3;
    level.rate_interval[RATE_GOODPUT_RPS] = (struct interval){2, 4};
    level.server.queue_depth.mean = 0.5;
    level.server.kv_cache.mean = 0.25;
    assert_true(figure_of(&level, FIGURE_TTFT_P95) == 900);
    assert_true(figure_interval_of(&level, FIGURE_TTFT_P95).high == 1000);
    assert_true(figure_of(&level, FIGURE_E2E_P50) == 5000);
    assert_true(figure_of(&level, FIGURE_GOODPUT_RPS) == 3);
    assert_true(figure_interval_of(&level, FIGURE_GOODPUT_RPS).low == 2);
    assert_true(figure_of(&level, FIGURE_QUEUE_DEPTH) == 0.5);
    assert_true(figure_of(&level, FIGURE_KV_CACHE) == 0.25);
}

/* How large its TTFT became says only how long the level lasted. */
static void test_a_queue_that_grew_has_no_ttft(void **state)
{
    (void)state;
    struct level_summary level;
    level_summary_init(&level);
    level.latency[LATENCY_TTFT_CENSORED].percentile[P50] = 900;
    level.latency[LATENCY_TTFT_CENSORED].interval[INTERVAL_P50] = (struct interval){800, 1000};
    level.grew = true;
    assert_true(isinf(figure_of(&level, FIGURE_TTFT_P50)));
    assert_true(isnan(figure_interval_of(&level, FIGURE_TTFT_P50).low));
}

static void test_names_and_which_way_is_better(void **state)
{
    (void)state;
    for (int k = 0; k < FIGURE_COUNT; k++) {
        const char *name = figure_name((enum figure)k);
        bool is_time = strlen(name) > 3 && strcmp(name + strlen(name) - 3, "_ms") == 0;
        bool is_rate = strstr(name, "_tps") || strstr(name, "_rps");
        assert_int_equal(strcmp(figure_unit((enum figure)k), "ms") == 0, is_time);
        assert_int_equal(figure_better((enum figure)k), is_rate ? BETTER_MORE : BETTER_LESS);
        for (int other = 0; other < k; other++) {
            assert_string_not_equal(figure_name((enum figure)other), name);
            assert_string_not_equal(figure_title((enum figure)other), figure_title((enum figure)k));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_are_found_where_they_are),
        cmocka_unit_test(test_a_queue_that_grew_has_no_ttft),
        cmocka_unit_test(test_names_and_which_way_is_better),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
