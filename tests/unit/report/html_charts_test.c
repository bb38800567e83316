/* Which charts a run has: those that there is something to draw for. */
#include "report/html_charts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/small_run.h"
#include "support/temp_folder.h"

#define TEXT_MAX ((size_t)1 << 20)

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

/* One level of ten seconds, so no chart over the load; a server that preempts `preemptions` times in each of them, or tells nothing (-1). */
static struct buf draw(const char *folder, int preemptions)
{
    struct small_run *run = small_run_begin(folder, 1, 1000, 11000);
    struct buf out = BUF_INIT(TEXT_MAX);
    for (int k = 0; k < 20; k++)
        small_run_add(run, &(struct small_request){.sent = 1000 + 500 * k, .head = -1, .ttft = 100 + k, .gap = 50, .arrivals = 5, .tokens_each = 1});
    for (int k = 0; preemptions >= 0 && k < 13; k++)
        small_run_scrape(run, 900 + 1000 * k, 1, "{\"vllm:num_requests_running\":1,\"vllm:num_requests_waiting\":0,\"vllm:num_preemptions_total\":%d}", k * preemptions);
    small_run_end(run, true);
    struct run_summary *summary = small_run_summarize(folder, 1);
    html_run_charts(summary, &out);
    run_summary_free(summary);
    return out;
}

static void assert_charts(const char *folder, int preemptions, bool server)
{
    struct buf out = draw(folder, preemptions);
    assert_non_null(strstr(buf_text(&out), "Time to first token over time"));
    assert_non_null(strstr(buf_text(&out), "<title>1.5 s, 1 streams: p95 101; median 100</title>"));
    assert_null(strstr(buf_text(&out), "Latency against throughput"));
    assert_null(strstr(buf_text(&out), "the GPUs"));
    assert_int_equal(strstr(buf_text(&out), ">running<") != NULL, server);
    assert_int_equal(strstr(buf_text(&out), "Over time at the server: preemptions") != NULL, preemptions > 0);
    buf_free(&out);
}

static void test_what_there_is_something_of(void **state)
{
    assert_charts(*state, -1, false);
    assert_charts(*state, 0, true);
    assert_charts(*state, 2, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_what_there_is_something_of, make_folder, remove_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
