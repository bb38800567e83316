/* A level of ten seconds whose points are known, and the number of points whatever a run's length. */
#include "stats/course.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/small_run.h"
#include "support/temp_folder.h"

#define assert_near(value, expected) assert_true(fabs((value) - (expected)) <= 1e-6)

static int make_folder(void **state)
{
    *state = temp_folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    temp_folder_remove(*state);
    return 0;
}

static double value(const struct run_summary *summary, size_t point, enum course_column column)
{
    return summary->course.points[point].value[column];
}

static void test_the_points_of_a_level(void **state)
{
    struct small_run *run = small_run_begin(*state, 1, 1000, 11000);
    small_run_add(run, &(struct small_request){.sent = 1000, .head = -1, .ttft = 100, .gap = 100, .arrivals = 5, .tokens_each = 1}); /* until 1.5 s */
    small_run_add(run, &(struct small_request){.sent = 1500, .head = -1, .ttft = 300, .gap = 100, .arrivals = 8, .tokens_each = 1}); /* until 2.5 s */
    small_run_add(run, &(struct small_request){.sent = 9000, .head = -1, .arrivals = 0, .end = 11000, .failure = FAILURE_CANCELLED});
    small_run_tick(run, 1100, 2);
    small_run_tick(run, 2000, 5);
    small_run_tick(run, 2001, 6);
    small_run_tick(run, 11100, 1); /* the journal goes on: what it has no ticks of had no tokens */
    for (int k = 0; k <= 11; k++)
        small_run_scrape(run, 500 + 1000 * k, 1, "{\"vllm:num_requests_running\":1,\"vllm:num_requests_waiting\":%d,\"vllm:kv_cache_usage_perc\":0.5,"
                                                 "\"vllm:num_preemptions_total\":%d,\"vllm:prefix_cache_queries_total\":%d,\"vllm:prefix_cache_hits_total\":%d}",
                         k, 2 * k, 10 * k, k < 5 ? 0 : 5 * k);
    small_run_end(run, true);
    struct run_summary *summary = small_run_summarize(*state, 1);
    assert_int_equal(summary->course.count, 10);
    assert_near(summary->course.points[0].start_s, 1);
    assert_near(summary->course.points[0].end_s, 2);
    assert_near(summary->course.points[9].end_s, 11);
    assert_near(value(summary, 0, COURSE_TTFT_P50), 100);
    assert_near(value(summary, 0, COURSE_TTFT_P95), 300);
    assert_true(isnan(value(summary, 1, COURSE_TTFT_P50)));
    assert_near(value(summary, 8, COURSE_TTFT_P50), 2000); /* waited for, and never came */
    assert_near(value(summary, 0, COURSE_OUTPUT_TPS), 7);
    assert_near(value(summary, 1, COURSE_OUTPUT_TPS), 6);
    assert_near(value(summary, 5, COURSE_OUTPUT_TPS), 0);
    assert_near(value(summary, 0, COURSE_CONCURRENCY), 1);
    assert_near(value(summary, 1, COURSE_CONCURRENCY), 0.5);
    assert_near(value(summary, 3, COURSE_CONCURRENCY), 0);
    assert_near(value(summary, 0, COURSE_QUEUE_DEPTH), 0.5);
    assert_near(value(summary, 9, COURSE_QUEUE_DEPTH), 9.5);
    assert_near(value(summary, 3, COURSE_KV_CACHE), 0.5);
    assert_near(value(summary, 3, COURSE_PREEMPTIONS), 2);
    assert_near(value(summary, 0, COURSE_CACHE_HIT_SHARE), 0);
    assert_near(value(summary, 9, COURSE_CACHE_HIT_SHARE), 0.5);
    assert_true(isnan(value(summary, 3, COURSE_GPU_POWER)));
    assert_true(course_has(&summary->course, COURSE_TTFT_P95));
    assert_false(course_has(&summary->course, COURSE_GPU_UTILIZATION));
    run_summary_free(summary);
}

static void test_ticks_that_end_before_the_level_are_no_throughput_of_zero(void **state)
{
    struct small_run *run = small_run_begin(*state, 1, 1000, 11000);
    small_run_add(run, &(struct small_request){.sent = 1000, .head = -1, .ttft = 100, .gap = 1000, .arrivals = 9, .tokens_each = 1});
    small_run_tick(run, 1100, 2);
    small_run_end(run, true);
    struct run_summary *summary = small_run_summarize(*state, 1);
    assert_true(summary->course.count > 0);
    assert_false(course_has(&summary->course, COURSE_OUTPUT_TPS));
    run_summary_free(summary);
}

static void test_a_long_run_has_no_more_points(void **state)
{
    static const struct {
        double hours;
        size_t points;
    } cases[] = {{1, 180}, {24, 172}, {240, 172}}; /* steps of 20, 500 and 5000 s */
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        double end = 3600e3 * cases[k].hours;
        struct small_run *run = small_run_begin(*state, 1, 0, end);
        small_run_add(run, &(struct small_request){.sent = 0, .head = -1, .ttft = 100, .gap = 100, .arrivals = 2, .tokens_each = 1});
        small_run_add(run, &(struct small_request){.sent = end - 1, .head = -1, .ttft = 100, .gap = 100, .arrivals = 2, .tokens_each = 1});
        small_run_end(run, true);
        struct run_summary *summary = small_run_summarize(*state, 1);
        assert_int_equal(summary->course.count, cases[k].points);
        assert_near(summary->course.points[summary->course.count - 1].end_s, end / 1000);
        assert_near(value(summary, summary->course.count - 1, COURSE_TTFT_P50), 100);
        run_summary_free(summary);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_points_of_a_level, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_ticks_that_end_before_the_level_are_no_throughput_of_zero, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_long_run_has_no_more_points, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
