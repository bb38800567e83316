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
        struct {
            enum server_quantity quantity;
            double value;
            bool at_end;
        } told[SERVER_QUANTITY_COUNT];
        size_t count;
    } servers[] = {
        {"{\"vllm:num_requests_waiting\":1,\"vllm:num_requests_running\":2,\"vllm:kv_cache_usage_perc\":0.5,\"vllm:prompt_tokens_total\":3,"
         "\"vllm:generation_tokens_total\":4,\"vllm:e2e_request_latency_seconds_sum\":5,\"vllm:e2e_request_latency_seconds_count\":6,"
         "\"vllm:request_queue_time_seconds_sum\":7,\"vllm:request_queue_time_seconds_count\":8,\"vllm:num_preemptions_total\":9,"
         "\"vllm:prefix_cache_queries_total\":10,\"vllm:prefix_cache_hits_total\":11}",
         {{SERVER_QUEUE, 1, false}, {SERVER_RUNNING, 2, false}, {SERVER_KV_CACHE, 0.5, false}, {SERVER_PROMPT_TOKENS, 3, false},
          {SERVER_OUTPUT_TOKENS, 4, false}, {SERVER_E2E_SUM, 5, true}, {SERVER_E2E_COUNT, 6, true}, {SERVER_QUEUE_TIME_SUM, 7, true},
          {SERVER_QUEUE_TIME_COUNT, 8, true}, {SERVER_PREEMPTIONS, 9, false}, {SERVER_CACHE_QUERIES, 10, false}, {SERVER_CACHE_HITS, 11, false}},
         12},
        {"{\"sglang:num_queue_reqs{dp_rank=\\\"0\\\"}\":2,\"sglang:num_queue_reqs{dp_rank=\\\"1\\\"}\":1,\"sglang:num_running_reqs\":7,"
         "\"sglang:token_usage{dp_rank=\\\"0\\\"}\":0.5,\"sglang:token_usage{dp_rank=\\\"1\\\"}\":0.25,\"sglang:prompt_tokens_total\":10,"
         "\"sglang:generation_tokens_total\":11,\"sglang:time_to_first_token_seconds_sum\":12,\"sglang:time_to_first_token_seconds_count\":13,"
         "\"sglang:inter_token_latency_seconds_sum\":14,\"sglang:inter_token_latency_seconds_count\":15,\"sglang:cached_tokens_total\":16}",
         {{SERVER_QUEUE, 3, false}, {SERVER_RUNNING, 7, false}, {SERVER_KV_CACHE, 0.375, false}, {SERVER_PROMPT_TOKENS, 10, true},
          {SERVER_OUTPUT_TOKENS, 11, true}, {SERVER_TTFT_SUM, 12, false}, {SERVER_TTFT_COUNT, 13, false}, {SERVER_ITL_SUM, 14, false},
          {SERVER_ITL_COUNT, 15, false}, {SERVER_CACHE_HITS, 16, false}},
         10},
        {"{\"tgi_queue_size\":4,\"tgi_batch_current_size\":5,\"tgi_request_input_length_sum\":6,\"tgi_request_generated_tokens_sum\":7,"
         "\"tgi_request_duration_sum\":8,\"tgi_request_duration_count\":9}",
         {{SERVER_QUEUE, 4, false}, {SERVER_RUNNING, 5, false}, {SERVER_PROMPT_TOKENS, 6, true}, {SERVER_OUTPUT_TOKENS, 7, true},
          {SERVER_E2E_SUM, 8, true}, {SERVER_E2E_COUNT, 9, true}},
         6},
        {"{\"llamacpp:requests_deferred\":1,\"llamacpp:requests_processing\":2,\"llamacpp:prompt_tokens_total\":3,"
         "\"llamacpp:tokens_predicted_total\":4}",
         {{SERVER_QUEUE, 1, false}, {SERVER_RUNNING, 2, false}, {SERVER_PROMPT_TOKENS, 3, true}, {SERVER_OUTPUT_TOKENS, 4, true}},
         4},
    };
    (void)state;
    for (size_t k = 0; k < sizeof servers / sizeof servers[0]; k++) {
        struct scrapes scrapes = {0};
        double wanted[SERVER_QUANTITY_COUNT];
        json_t *series = json_loads(servers[k].series, 0, NULL);
        assert_non_null(series);
        scrapes_add(&scrapes, &(struct metrics_line){.series = series});
        for (int q = 0; q < SERVER_QUANTITY_COUNT; q++)
            wanted[q] = NAN;
        for (size_t t = 0; t < servers[k].count; t++) {
            wanted[servers[k].told[t].quantity] = servers[k].told[t].value;
            assert_int_equal(scrapes.at_end[servers[k].told[t].quantity], servers[k].told[t].at_end);
        }
        for (int q = 0; q < SERVER_QUANTITY_COUNT; q++)
            if (isnan(wanted[q]))
                assert_true(isnan(scrapes.items[0].value[q]));
            else
                assert_near(scrapes.items[0].value[q], wanted[q]);
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

/* Two engines, bounds in no order, one line that is none. */
static void test_buckets_of_ttft(void **state)
{
    static const char *const looks[] = {
        "{\"vllm:time_to_first_token_seconds_bucket{engine=\\\"0\\\",le=\\\"+Inf\\\"}\":5,\"vllm:time_to_first_token_seconds_bucket{engine=\\\"0\\\",le=\\\"0.5\\\"}\":2,"
        "\"vllm:time_to_first_token_seconds_bucket{engine=\\\"1\\\",le=\\\"0.5\\\"}\":1,\"vllm:time_to_first_token_seconds_bucket{engine=\\\"1\\\",le=\\\"+Inf\\\"}\":1,"
        "\"vllm:time_to_first_token_seconds_bucket{le=\\\"x\\\"}\":1}",
        "{\"vllm:num_requests_waiting\":1}",
        "{\"sglang:time_to_first_token_seconds_bucket{le=\\\"0.5\\\"}\":13,\"sglang:time_to_first_token_seconds_bucket{le=\\\"+Inf\\\"}\":26}",
    };
    struct scrapes scrapes = {0};
    struct server_buckets added;
    (void)state;
    for (size_t k = 0; k < sizeof looks / sizeof looks[0]; k++) {
        json_t *series = json_loads(looks[k], 0, NULL);
        scrapes_add(&scrapes, &(struct metrics_line){.t = (int64_t)k * NS_PER_S, .took = NS_PER_MS, .series = series});
        json_decref(series);
    }
    scrapes_sort(&scrapes);
    struct server_span span = scrapes_span(&scrapes, 0, 2 * NS_PER_S);
    assert_true(scrapes_ttft_buckets(&scrapes, &span, &added));
    assert_int_equal(added.n, 2);
    assert_near(added.count[0], 10);
    assert_near(added.count[1], 20);
    span = scrapes_span(&scrapes, 0, NS_PER_S); /* a look without buckets */
    assert_false(scrapes_ttft_buckets(&scrapes, &span, &added));
    span = (struct server_span){.known = true, .first = 2, .last = 0}; /* set back */
    assert_false(scrapes_ttft_buckets(&scrapes, &span, &added));
    scrapes_free(&scrapes);
}

static void look(struct scrapes *scrapes, double t_s, const char *text)
{
    json_t *series = json_loads(text, 0, NULL);
    assert_non_null(series);
    scrapes_add(scrapes, &(struct metrics_line){.t = (int64_t)(t_s * (double)NS_PER_S), .took = NS_PER_S / 10, .series = series});
    json_decref(series);
}

/* Of two targets: looked at together, one twice meanwhile, and at last one alone. */
static void test_targets_are_added_up(void **state)
{
    struct scrapes parts[3] = {0}, merged;
    (void)state;
    look(&parts[2], 0.2, "{\"vllm:num_requests_waiting\":1,\"vllm:kv_cache_usage_perc\":0.5,\"vllm:generation_tokens_total\":10}");
    look(&parts[2], 0.9, "{\"vllm:num_requests_waiting\":2,\"vllm:kv_cache_usage_perc\":0.5,\"vllm:generation_tokens_total\":20}");
    look(&parts[0], 0.1, "{\"vllm:num_requests_waiting\":4,\"vllm:kv_cache_usage_perc\":0.1,\"vllm:num_preemptions_total\":1}");
    look(&parts[2], 1.0, "{\"vllm:num_requests_waiting\":3,\"vllm:kv_cache_usage_perc\":0.7,\"vllm:generation_tokens_total\":30}");
    look(&parts[0], 1.2, "{\"vllm:num_requests_waiting\":5,\"vllm:kv_cache_usage_perc\":0.3}");
    look(&parts[0], 2.2, "{\"vllm:num_requests_waiting\":6}");
    scrapes_merge(&merged, parts, 3);
    scrapes_sort(&merged);
    assert_int_equal(merged.count, 2);
    assert_int_equal(merged.items[0].t, NS_PER_S / 10);
    assert_int_equal(merged.items[0].took, NS_PER_S / 5); /* until 0.3 s */
    assert_near(merged.items[0].value[SERVER_QUEUE], 5);
    assert_near(merged.items[0].value[SERVER_KV_CACHE], 0.3);
    assert_true(isnan(merged.items[0].value[SERVER_OUTPUT_TOKENS]) && isnan(merged.items[0].value[SERVER_PREEMPTIONS])); /* of one alone */
    assert_int_equal(merged.items[1].t, NS_PER_S);
    assert_near(merged.items[1].value[SERVER_QUEUE], 8);
    assert_int_equal(parts[0].count, 0);
    scrapes_free(&merged);
    look(&parts[1], 3, "{\"vllm:num_requests_waiting\":6}");
    scrapes_merge(&merged, parts, 3); /* a single one */
    assert_int_equal(merged.count, 1);
    assert_near(merged.items[0].value[SERVER_QUEUE], 6);
    scrapes_free(&merged);
}

static void test_the_last_value(void **state)
{
    (void)state;
    struct scrapes scrapes = {0};
    add_ten(&scrapes);
    assert_true(isnan(scrapes_value(&scrapes, SERVER_QUEUE, -1)));
    assert_near(scrapes_value(&scrapes, SERVER_QUEUE, 4 * NS_PER_S + 1), 0);
    assert_near(scrapes_value(&scrapes, SERVER_QUEUE, 5 * NS_PER_S), 2);
    assert_near(scrapes_value(&scrapes, SERVER_QUEUE, 12 * NS_PER_S), 2);
    assert_true(isnan(scrapes_value(&scrapes, SERVER_QUEUE, 12 * NS_PER_S + 1)));
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
        cmocka_unit_test(test_buckets_of_ttft),
        cmocka_unit_test(test_targets_are_added_up),
        cmocka_unit_test(test_the_last_value),
        cmocka_unit_test(test_a_value_holds_until_the_next),
        cmocka_unit_test(test_a_dead_scraper_says_nothing_of_later_windows),
        cmocka_unit_test(test_a_gap_is_left_out),
        cmocka_unit_test(test_slow_scrapes_hold_longer),
        cmocka_unit_test(test_a_single_scrape_and_an_empty_window),
        cmocka_unit_test(counters_that_fall_tell_of_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
