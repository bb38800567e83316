/* What the server's gauges say of a window, and what they do not. */
#include "stats/server_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define assert_near(value, expected) assert_true(fabs((value) - (expected)) <= 1e-9)

static void add_queue(struct scrapes *scrapes, double t_s, double waiting)
{
    json_t *series = json_pack("{s:f}", "vllm:num_requests_waiting{engine=\"0\"}", waiting);
    scrapes_add(scrapes, &(struct metrics_line){.t = (int64_t)(t_s * (double)NS_PER_S), .series = series});
    json_decref(series);
}

static struct gauge queue(const struct scrapes *scrapes, double from_s, double to_s)
{
    return scrapes_gauge(scrapes, SERVER_QUEUE, (int64_t)(from_s * (double)NS_PER_S), (int64_t)(to_s * (double)NS_PER_S), 0);
}

/* A scrape a second from 0 to 9 s, and then the scraper is dead. */
static void add_ten(struct scrapes *scrapes)
{
    for (int k = 9; k >= 0; k--)
        add_queue(scrapes, k, k < 5 ? 0 : 2);
    scrapes_sort(scrapes);
}

/* One scrape of each server, and what is read out of it; a quantity that a server does not tell is not known. */
static void test_every_server_s_names(void **state)
{
    static const struct {
        const char *series;
        double value[SERVER_QUANTITY_COUNT];
    } servers[] = {
        {"{\"sglang:num_queue_reqs{dp_rank=\\\"0\\\"}\":2,\"sglang:num_queue_reqs{dp_rank=\\\"1\\\"}\":1,\"sglang:num_running_reqs\":7,"
         "\"sglang:token_usage{dp_rank=\\\"0\\\"}\":0.5,\"sglang:token_usage{dp_rank=\\\"1\\\"}\":0.25,\"sglang:prompt_tokens_total\":10,"
         "\"sglang:generation_tokens_total\":11,\"sglang:time_to_first_token_seconds_sum\":12,\"sglang:time_to_first_token_seconds_count\":13,"
         "\"sglang:inter_token_latency_seconds_sum\":14,\"sglang:inter_token_latency_seconds_count\":15}",
         {3, 7, 0.375, 10, 11, 12, 13, 14, 15}},
        {"{\"tgi_queue_size\":4,\"tgi_batch_current_size\":5,\"tgi_request_input_length_sum\":6,\"tgi_request_generated_tokens_sum\":7}",
         {4, 5, NAN, 6, 7, NAN, NAN, NAN, NAN}},
        {"{\"llamacpp:requests_deferred\":1,\"llamacpp:requests_processing\":2,\"llamacpp:prompt_tokens_total\":3,"
         "\"llamacpp:tokens_predicted_total\":4}",
         {1, 2, NAN, 3, 4, NAN, NAN, NAN, NAN}},
    };
    (void)state;
    for (size_t k = 0; k < sizeof servers / sizeof servers[0]; k++) {
        struct scrapes scrapes = {0};
        json_t *series = json_loads(servers[k].series, 0, NULL);
        assert_non_null(series);
        scrapes_add(&scrapes, &(struct metrics_line){.series = series});
        for (int q = 0; q < SERVER_QUANTITY_COUNT; q++)
            if (isnan(servers[k].value[q]))
                assert_true(isnan(scrapes.items[0].value[q]));
            else
                assert_near(scrapes.items[0].value[q], servers[k].value[q]);
        json_decref(series);
        scrapes_free(&scrapes);
    }
}

/* Levels of 2 s: around each end and begin the server is looked at within milliseconds. */
static void test_extra_looks_do_not_shorten_the_interval(void **state)
{
    (void)state;
    struct scrapes scrapes = {0};
    for (int k = 0; k <= 6; k++)
        add_queue(&scrapes, k, 1);
    for (int level = 1; level <= 3; level++)
        for (int k = 1; k <= 3; k++)
            scrapes_add_queue(&scrapes, 2 * level * NS_PER_S + k * 10 * NS_PER_MS, true, 1);
    scrapes_sort(&scrapes);
    assert_int_equal(scrapes.interval, NS_PER_S);
    assert_near(queue(&scrapes, 0, 6).covered, 1);
    scrapes_free(&scrapes);
}

static void test_a_value_holds_until_the_next(void **state)
{
    (void)state;
    struct scrapes scrapes = {0};
    add_ten(&scrapes);
    assert_int_equal(scrapes.interval, NS_PER_S);
    struct gauge gauge = queue(&scrapes, 2.5, 7.5);
    assert_near(gauge.mean, 1); /* half the time 0, half the time 2 */
    assert_near(gauge.max, 2);
    assert_near(gauge.share_above, 0.5);
    assert_near(gauge.covered, 1);
    scrapes_free(&scrapes);
}

static void test_a_dead_scraper_says_nothing_of_later_windows(void **state)
{
    (void)state;
    struct scrapes scrapes = {0};
    add_ten(&scrapes);
    struct gauge gauge = queue(&scrapes, 20, 30);
    assert_true(isnan(gauge.mean) && isnan(gauge.max) && isnan(gauge.share_above));
    assert_near(gauge.covered, 0);
    gauge = queue(&scrapes, 8, 18); /* known until 9 s + SCRAPE_HOLDS intervals */
    assert_near(gauge.mean, 2);
    assert_near(gauge.covered, (1 + SCRAPE_HOLDS) / 10.0);
    scrapes_free(&scrapes);
}

static void test_a_gap_is_left_out(void **state)
{
    (void)state;
    struct scrapes scrapes = {0};
    add_ten(&scrapes);
    add_queue(&scrapes, 19, 10);
    scrapes_sort(&scrapes);
    struct gauge gauge = queue(&scrapes, 8, 20);
    assert_near(gauge.mean, (2 * (1 + SCRAPE_HOLDS) + 10) / (2.0 + SCRAPE_HOLDS));
    assert_near(gauge.covered, (2.0 + SCRAPE_HOLDS) / 12);
    scrapes_free(&scrapes);
}

/* The interval is that of the data: a scraper that looks every ten seconds has no gaps. */
static void test_slow_scrapes_hold_longer(void **state)
{
    (void)state;
    struct scrapes scrapes = {0};
    for (int k = 0; k < 4; k++)
        add_queue(&scrapes, 10 * k, k);
    scrapes_sort(&scrapes);
    assert_int_equal(scrapes.interval, 10 * NS_PER_S);
    struct gauge gauge = queue(&scrapes, 0, 40);
    assert_near(gauge.mean, 1.5);
    assert_near(gauge.covered, 1);
    scrapes_free(&scrapes);
}

static void test_a_single_scrape_and_an_empty_window(void **state)
{
    (void)state;
    struct scrapes scrapes = {0};
    scrapes_sort(&scrapes);
    assert_true(isnan(queue(&scrapes, 0, 10).mean));
    add_queue(&scrapes, 1, 7);
    scrapes_sort(&scrapes);
    struct gauge gauge = queue(&scrapes, 0, 10);
    assert_near(gauge.mean, 7);
    assert_near(gauge.covered, SCRAPE_HOLDS / 10.0);
    assert_true(isnan(queue(&scrapes, 2, 2).mean));
    scrapes_free(&scrapes);
}

static void add_tokens(struct scrapes *scrapes, double t_s, double tokens)
{
    json_t *series = json_pack("{s:f}", "vllm:generation_tokens_total{engine=\"0\"}", tokens);
    scrapes_add(scrapes, &(struct metrics_line){.t = (int64_t)(t_s * (double)NS_PER_S), .series = series});
    json_decref(series);
}

static void counters_that_fall_tell_of_a_restart(void **state)
{
    (void)state;
    struct scrapes scrapes = {0};
    add_tokens(&scrapes, 1, 10);
    add_tokens(&scrapes, 2, 20);
    add_queue(&scrapes, 3, 0); /* tells of no tokens */
    add_tokens(&scrapes, 4, 30);
    add_tokens(&scrapes, 5, 2);
    add_tokens(&scrapes, 6, 12);
    scrapes_sort(&scrapes);
    assert_false(scrapes_restarted(&scrapes, 1 * NS_PER_S, 4 * NS_PER_S));
    assert_true(scrapes_restarted(&scrapes, 1 * NS_PER_S, 6 * NS_PER_S));
    assert_true(scrapes_restarted(&scrapes, 9 * NS_PER_S / 2, 6 * NS_PER_S)); /* since the last scrape before the window */
    assert_false(scrapes_restarted(&scrapes, 5 * NS_PER_S, 7 * NS_PER_S));
    assert_false(scrapes_restarted(&scrapes, 0, NS_PER_S));
    scrapes_free(&scrapes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_server_s_names),
        cmocka_unit_test(test_extra_looks_do_not_shorten_the_interval),
        cmocka_unit_test(test_a_value_holds_until_the_next),
        cmocka_unit_test(test_a_dead_scraper_says_nothing_of_later_windows),
        cmocka_unit_test(test_a_gap_is_left_out),
        cmocka_unit_test(test_slow_scrapes_hold_longer),
        cmocka_unit_test(test_a_single_scrape_and_an_empty_window),
        cmocka_unit_test(counters_that_fall_tell_of_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
