/* What falls into which block, by hand: ten blocks of a second. */
#include "stats/measure_blocks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

#define TEN 10

static struct run_level make_level(void)
{
    struct run_level level = {.bounds = {.unit = "streams", .window_start = 5 * NS_PER_S, .window_end = 15 * NS_PER_S},
                              .blocks = {5 * NS_PER_S, 15 * NS_PER_S, TEN}};
    return level;
}

static struct record make_record(double sent_s, double first_s, double end_s)
{
    struct record record = record_empty();
    record.intended = record.sent = llround(sent_s * 1e9);
    record.first_token = llround(first_s * 1e9);
    record.last_token = record.end = llround(end_s * 1e9);
    record.outcome = OUTCOME_OK;
    record.prompt_tokens = 30;
    return record;
}

static void test_a_request_is_in_the_blocks_of_its_time(void **state)
{
    (void)state;
    struct run_level level = make_level();
    struct level_sums *sums = mem_calloc(1, sizeof *sums);
    struct record record = make_record(4.5, 6.25, 7.5), late = make_record(14.75, 15.5, 16);
    measure_blocks_request(sums, &level, &record, record.end);
    measure_blocks_request(sums, &level, &late, late.end);
    assert_true(sums->block[0].in_flight_ns == 1e9); /* not what was before the window */
    assert_true(sums->block[1].in_flight_ns == 1e9);
    assert_true(sums->block[2].in_flight_ns == 5e8);
    assert_true(sums->block[3].in_flight_ns == 0);
    assert_true(sums->block[9].in_flight_ns == 2.5e8);
    assert_true(sums->block[1].prompt_tokens == 30 && sums->block[2].ended_ok == 1);
    for (int k = 0; k < TEN; k++)
        assert_true(sums->block[k].ended_ok == (k == 2) && sums->block[k].prompt_tokens == (k == 1 ? 30 : 0));
    free(sums);
}

static void test_a_member_counts_where_it_was_sent(void **state)
{
    (void)state;
    struct run_level level = make_level();
    struct level_sums *sums = mem_calloc(1, sizeof *sums);
    struct record record = make_record(6, 6.5, 8);
    double ms[LATENCY_COUNT];
    for (int k = 0; k < LATENCY_COUNT; k++)
        ms[k] = NAN;
    ms[LATENCY_TTFT] = 500;
    measure_blocks_member(sums, &level, &record, ms, true);
    ms[LATENCY_TTFT] = 700;
    record.failure = FAILURE_HTTP_5XX;
    record.outcome = OUTCOME_ERROR;
    measure_blocks_member(sums, &level, &record, ms, false);
    const struct block_sums *block = &sums->block[1];
    assert_true(block->latency_ms[LATENCY_TTFT] == 1200 && block->samples[LATENCY_TTFT] == 2);
    assert_true(block->samples[LATENCY_E2E] == 0);
    assert_true(block->ended == 2 && block->by_server == 1 && block->good == 1);
    free(sums);
}

/* 1, 2, ... 10 tokens a second, ten requests in each block, of which one more failed in every other. */
static void test_rates_and_their_intervals(void **state)
{
    (void)state;
    struct run_level level = make_level();
    struct run_data data = {0};
    level.token_source = TOKENS_BY_FRAMES;
    struct level_summary out;
    struct level_sums *sums = mem_calloc(1, sizeof *sums);
    level_summary_init(&out);
    for (size_t k = 0; k < TEN; k++) {
        level.tokens.block[k] = (struct block_tokens){.in_window = (double)k + 1, .itl_ns = 4e7, .itl_count = 2, .gap_ns = 4e7, .gap_count = 1};
        sums->block[k] = (struct block_sums){.ended_ok = 2, .in_flight_ns = 3e9, .prompts_unknown = 1, .by_server = (double)(k % 2), .ended = 10};
    }
    out.latency[LATENCY_ITL].mean = 20;
    out.latency[LATENCY_TPOT].interval[INTERVAL_P95] = (struct interval){20, 40};
    out.rate[RATE_USER_TPS] = 1000 / 30.0;
    measure_blocks_finish(&out, sums, &data, &level, 100);
    assert_int_equal(out.blocks.count, TEN);
    assert_true(out.blocks.seconds == 1 && out.blocks.output_tps[3] == 4 && out.blocks.concurrency[3] == 3 && out.blocks.request_rps[3] == 2);
    /* scipy: stats.t.interval(0.95, 9, 5.5, stats.sem(range(1, 11))) */
    assert_true(fabs(out.rate_interval[RATE_OUTPUT_TPS].low - 3.334149410331831) < 1e-9);
    assert_true(fabs(out.rate_interval[RATE_TOTAL_TPS].high - 107.66585058966817) < 1e-9);
    assert_true(out.rate_interval[RATE_REQUEST_RPS].low == 2 && out.rate_interval[RATE_REQUEST_RPS].high == 2);
    assert_true(out.rate_interval[RATE_ERROR_RATE].low < 0.05 && out.rate_interval[RATE_ERROR_RATE].high > 0.05);
    assert_true(out.rate_interval[RATE_USER_TPS].low == 25 && out.rate_interval[RATE_USER_TPS].high == 50);
    assert_true(out.latency[LATENCY_ITL].mean_interval.low == 20 && out.latency[LATENCY_ITL].mean_interval.high == 20);
    assert_true(isnan(out.latency[LATENCY_ARRIVAL_GAP].mean_interval.low)); /* its mean is not known */
    assert_true(isnan(out.rate_interval[RATE_GOODPUT_RPS].low));
    free(sums);
}

static void test_ticks_where_there_are_no_tokens(void **state)
{
    (void)state;
    struct run_level level = make_level();
    struct tick ticks[] = {{5 * NS_PER_S, 1000}, {5100 * NS_PER_MS, 3}, {6 * NS_PER_S, 4}, {6100 * NS_PER_MS, 5}, {15 * NS_PER_S, 6}, {16 * NS_PER_S, 1000}};
    struct run_data data = {.ticks = ticks, .tick_count = sizeof ticks / sizeof ticks[0]};
    struct level_summary out;
    struct level_sums *sums = mem_calloc(1, sizeof *sums);
    level_summary_init(&out);
    level.token_source = TOKENS_BY_TICKS;
    measure_blocks_finish(&out, sums, &data, &level, NAN);
    assert_true(out.blocks.output_tps[0] == 7 && out.blocks.output_tps[1] == 5 && out.blocks.output_tps[9] == 6);
    assert_true(interval_is_known(&out.rate_interval[RATE_OUTPUT_TPS]));
    level.token_source = TOKENS_NOWHERE;
    level_summary_init(&out);
    measure_blocks_finish(&out, sums, &data, &level, NAN);
    assert_true(isnan(out.blocks.output_tps[0]));
    assert_false(interval_is_known(&out.rate_interval[RATE_OUTPUT_TPS]));
    assert_true(out.blocks.request_rps[0] == 0);
    free(sums);
}

static void test_a_window_without_blocks(void **state)
{
    (void)state;
    struct run_level level = make_level();
    struct run_data data = {0};
    level.token_source = TOKENS_BY_FRAMES;
    struct level_summary out;
    struct level_sums *sums = mem_calloc(1, sizeof *sums);
    struct record record = make_record(6, 6.5, 8);
    double ms[LATENCY_COUNT] = {0};
    level.blocks.count = 0;
    level_summary_init(&out);
    measure_blocks_request(sums, &level, &record, record.end);
    measure_blocks_member(sums, &level, &record, ms, true);
    measure_blocks_finish(&out, sums, &data, &level, 100);
    assert_int_equal(out.blocks.count, 0);
    assert_false(interval_is_known(&out.rate_interval[RATE_REQUEST_RPS]));
    free(sums);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_in_the_blocks_of_its_time),
        cmocka_unit_test(test_a_member_counts_where_it_was_sent),
        cmocka_unit_test(test_rates_and_their_intervals),
        cmocka_unit_test(test_ticks_where_there_are_no_tokens),
        cmocka_unit_test(test_a_window_without_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
