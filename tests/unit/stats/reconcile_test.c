/* Twenty requests whose times are known, and servers that say different things of them. */
#include "stats/reconcile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/small_run.h"
#include "support/temp_folder.h"

#define REQUESTS 20 /* half a second apart, from 1 s on: head after 10 ms, first token after 100 ms, 4 more 50 ms apart */
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

/* What the server counted of the level, beyond 1000 of everything before. */
struct counted {
    double requests, prompt, output, ttft_s, ttft_n, itl_s, itl_n, e2e_s;
};
static const struct counted ours = {REQUESTS, 7 * REQUESTS, 5 * REQUESTS, 0.096 * REQUESTS, REQUESTS, 0.05 * 4 * REQUESTS, 4 * REQUESTS, 0.296 * REQUESTS};

static void scrape(struct small_run *run, double t, double took, const struct counted *counted)
{
    small_run_scrape(run, t, took,
                     "{\"vllm:e2e_request_latency_seconds_count{a=\\\"0\\\"}\":%g,\"vllm:prompt_tokens_total\":%g,\"vllm:generation_tokens_total\":%g,"
                     "\"vllm:time_to_first_token_seconds_sum\":%g,\"vllm:time_to_first_token_seconds_count\":%g,"
                     "\"vllm:inter_token_latency_seconds_sum\":%g,\"vllm:inter_token_latency_seconds_count\":%g,"
                     "\"vllm:e2e_request_latency_seconds_sum\":%g,\"vllm:num_requests_running\":0.6,\"vllm:num_requests_waiting\":0}",
                     1000 + counted->requests, 1000 + counted->prompt, 1000 + counted->output, 1000 + counted->ttft_s, 1000 + counted->ttft_n,
                     1000 + counted->itl_s, 1000 + counted->itl_n, 1000 + counted->e2e_s);
}

static struct small_run *begin(const char *folder, double end)
{
    struct small_run *run = small_run_begin(folder, 1, 1000, end);
    for (int k = 0; k < REQUESTS; k++)
        small_run_add(run, &(struct small_request){.sent = 1000 + 500 * k, .head = 10, .ttft = 100, .gap = 50, .arrivals = 5, .tokens_each = 1});
    return run;
}

static struct run_summary *summarize(const char *folder, const struct counted *counted)
{
    static const struct counted nothing = {0};
    struct small_run *run = begin(folder, 11000);
    scrape(run, 900, 1, &nothing);
    for (int k = 1; k < 10; k++)
        small_run_scrape(run, 1000 + 1000 * k, 1, "{\"vllm:num_requests_running\":0.6,\"vllm:num_requests_waiting\":0}");
    scrape(run, 11500, 1, counted);
    small_run_end(run, true);
    return small_run_summarize(folder, 1);
}

static const struct reconciled *both(const struct run_summary *summary, enum reconciled_item item)
{
    return &summary->levels[0].server.sums.both[item];
}

static void assert_says(const struct reconciled *both, enum agreement agreement, const char *why)
{
    if (both->agreement != agreement || (why && (!both->why || !strstr(both->why, why))))
        fail_msg("server %g, client %g: %s, %s", both->server, both->client, agreement_name(both->agreement), both->why ? both->why : "-");
}

static bool has_reason(const struct run_summary *summary, enum validity verdict, const char *tag)
{
    const struct validity_summary *validity = &summary->levels[0].validity;
    for (size_t k = 0; k < validity->count; k++)
        if (validity->reasons[k].verdict == verdict && strcmp(validity->reasons[k].tag, tag) == 0)
            return true;
    return false;
}

static void test_the_same_on_both_sides(void **state)
{
    struct run_summary *summary = summarize(*state, &ours);
    for (int item = 0; item < RECONCILED_COUNT; item++)
        if (item != RECONCILED_TTFT_P95)
            assert_says(both(summary, (enum reconciled_item)item), AGREEMENT_AGREES, NULL);
    assert_says(both(summary, RECONCILED_TTFT_P95), AGREEMENT_UNKNOWN, NULL); /* it tells of no buckets */
    assert_near(both(summary, RECONCILED_REQUESTS)->server, REQUESTS);
    assert_near(both(summary, RECONCILED_PROMPT_TOKENS)->client, 7 * REQUESTS);
    assert_near(both(summary, RECONCILED_OUTPUT_TOKENS)->client, 5 * REQUESTS);
    assert_near(both(summary, RECONCILED_TTFT_MEAN)->server, 96);
    assert_near(both(summary, RECONCILED_TTFT_MEAN)->client, 100);
    assert_near(both(summary, RECONCILED_ITL_MEAN)->server, 50);
    assert_near(both(summary, RECONCILED_ITL_MEAN)->client, 50);
    assert_near(both(summary, RECONCILED_E2E_MEAN)->client, 300);
    assert_near(both(summary, RECONCILED_IN_FLIGHT)->client, 0.6);
    assert_null(summary->levels[0].server.sums.foreign);
    assert_false(has_reason(summary, VALIDITY_SUSPECT, "other traffic"));
    run_summary_free(summary);
}

/* The last request is under way when the level ends, and when the server is looked at next. */
static void test_the_last_requests_end_in_the_drain(void **state)
{
    static const struct counted nothing = {0};
    struct counted most = ours;
    most.requests--;
    most.output -= 2;
    struct small_run *run = begin(*state, 10550);
    scrape(run, 900, 1, &nothing);
    scrape(run, 10700, 1, &most);
    scrape(run, 11500, 1, &ours);
    small_run_end(run, true);
    struct run_summary *summary = small_run_summarize(*state, 1);
    assert_says(both(summary, RECONCILED_REQUESTS), AGREEMENT_AGREES, NULL);
    assert_says(both(summary, RECONCILED_OUTPUT_TOKENS), AGREEMENT_AGREES, NULL);
    assert_near(both(summary, RECONCILED_REQUESTS)->client, REQUESTS);
    run_summary_free(summary);
}

static void test_traffic_that_is_not_ours(void **state)
{
    struct counted counted = ours;
    counted.requests += 5;
    counted.prompt += 5000;
    counted.output += 500;
    struct run_summary *summary = summarize(*state, &counted);
    assert_says(both(summary, RECONCILED_REQUESTS), AGREEMENT_DIFFERS, "5 requests (20.0 %) that are not ours");
    assert_says(both(summary, RECONCILED_OUTPUT_TOKENS), AGREEMENT_DIFFERS, "that are not ours");
    assert_non_null(summary->levels[0].server.sums.foreign);
    assert_true(has_reason(summary, VALIDITY_SUSPECT, "other traffic"));
    run_summary_free(summary);
}

/* A readiness probe that generates a token. */
static void test_a_little_is_told_and_does_no_harm(void **state)
{
    struct counted counted = ours;
    counted.prompt += 1;
    struct run_summary *summary = summarize(*state, &counted);
    assert_says(both(summary, RECONCILED_PROMPT_TOKENS), AGREEMENT_EXPLAINED, "1 prompt tokens (0.7 %) that are not ours");
    assert_null(summary->levels[0].server.sums.foreign);
    run_summary_free(summary);
}

static void test_one_of_two_servers(void **state)
{
    struct counted counted = {10, 70, 50, 0.95, 10, 2, 40, 2.95};
    struct run_summary *summary = summarize(*state, &counted);
    assert_says(both(summary, RECONCILED_REQUESTS), AGREEMENT_DIFFERS, "50.0 % of ours: its metrics are of one of several servers");
    assert_says(both(summary, RECONCILED_TTFT_MEAN), AGREEMENT_AGREES, NULL);
    assert_true(has_reason(summary, VALIDITY_SUSPECT, "part of a server"));
    run_summary_free(summary);
}

/* Of a request that was cut off the server may have counted more than reached us. */
static void test_requests_that_did_not_end(void **state)
{
    static const struct counted nothing = {0};
    struct counted counted = ours;
    struct small_run *run = begin(*state, 11000);
    small_run_add(run, &(struct small_request){.sent = 10800, .head = 10, .ttft = 100, .gap = 50, .arrivals = 2, .tokens_each = 1, .end = 11000, .failure = FAILURE_CANCELLED});
    scrape(run, 900, 1, &nothing);
    counted.prompt += 7;
    counted.output += 4;
    counted.ttft_n += 1;
    scrape(run, 11500, 1, &counted);
    small_run_end(run, true);
    struct run_summary *summary = small_run_summarize(*state, 1);
    assert_says(both(summary, RECONCILED_REQUESTS), AGREEMENT_AGREES, NULL);
    assert_says(both(summary, RECONCILED_OUTPUT_TOKENS), AGREEMENT_EXPLAINED, "1 of our requests did not end well");
    assert_near(both(summary, RECONCILED_OUTPUT_TOKENS)->client, 5 * REQUESTS + 2);
    run_summary_free(summary);
}

static void test_time_on_the_way(void **state)
{
    static const struct {
        double ttft_s;
        enum agreement agreement;
        const char *why;
    } cases[] = {
        {0.087, AGREEMENT_EXPLAINED, "the response's head took 10 ms"},
        {0.020, AGREEMENT_DIFFERS, "80 ms that the server does not know of"},
        {0.150, AGREEMENT_DIFFERS, "50 ms more than passed at our side"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct counted counted = ours;
        counted.ttft_s = cases[k].ttft_s * REQUESTS;
        counted.e2e_s = (cases[k].ttft_s + 0.2) * REQUESTS;
        struct run_summary *summary = summarize(*state, &counted);
        assert_says(both(summary, RECONCILED_TTFT_MEAN), cases[k].agreement, cases[k].why);
        assert_says(both(summary, RECONCILED_E2E_MEAN), k == 0 ? AGREEMENT_AGREES : cases[k].agreement, k == 0 ? NULL : "as the TTFT");
        assert_int_equal(has_reason(summary, VALIDITY_VALID, "TTFT apart"), cases[k].agreement == AGREEMENT_DIFFERS);
        run_summary_free(summary);
    }
}

/* Speculative decoding: half as many steps, each twice as long, two tokens each. */
static void test_steps_of_several_tokens(void **state)
{
    struct counted counted = ours;
    counted.itl_n /= 2;
    struct run_summary *summary = summarize(*state, &counted);
    assert_says(both(summary, RECONCILED_ITL_MEAN), AGREEMENT_EXPLAINED, "the server's is of a step, which makes 2 tokens");
    run_summary_free(summary);
}

static void test_tokens_that_are_held_back(void **state)
{
    struct counted counted = ours;
    counted.itl_s /= 2;
    struct run_summary *summary = summarize(*state, &counted);
    assert_says(both(summary, RECONCILED_ITL_MEAN), AGREEMENT_DIFFERS, "tokens came 25 ms further apart than the server made them");
    run_summary_free(summary);
}

static void add_buckets(struct small_run *run, double t, const char *bound, int below, int all)
{
    small_run_scrape(run, t, 1, "{\"vllm:time_to_first_token_seconds_bucket{le=\\\"+Inf\\\"}\":%d,\"vllm:time_to_first_token_seconds_bucket{le=\\\"%s\\\",a=\\\"1\\\"}\":%d,"
                                "\"vllm:time_to_first_token_seconds_bucket{le=\\\"0.09\\\"}\":%d}", all, bound, below, below - (all - 3));
}

/* All twenty lie between 90 ms and the next bound; a dashboard goes 19/20 of the way between. */
static void test_coarse_buckets(void **state)
{
    static const struct {
        const char *bound;
        double server;
        enum agreement agreement;
        const char *why;
    } cases[] = {{"0.25", 242, AGREEMENT_EXPLAINED, "coarse buckets: the server knows only that it lies between 90 and 250 ms"}, {"0.1", 99.5, AGREEMENT_AGREES, NULL}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct small_run *run = begin(*state, 11000);
        add_buckets(run, 950, cases[k].bound, 3, 3);
        add_buckets(run, 11500, cases[k].bound, 23, 23);
        small_run_end(run, true);
        struct run_summary *summary = small_run_summarize(*state, 1);
        assert_near(both(summary, RECONCILED_TTFT_P95)->client, 100);
        assert_near(both(summary, RECONCILED_TTFT_P95)->server, cases[k].server);
        assert_says(both(summary, RECONCILED_TTFT_P95), cases[k].agreement, cases[k].why);
        run_summary_free(summary);
    }
}

/* Of a run that was cut off the last second is not on disk; a scrape that is missing leaves nothing to compare. */
static void test_what_cannot_be_compared(void **state)
{
    static const struct counted nothing = {0};
    struct small_run *run = begin(*state, 11000);
    scrape(run, 900, 1, &nothing);
    scrape(run, 11500, 1, &nothing);
    small_run_end(run, false);
    struct run_summary *summary = small_run_summarize(*state, 1);
    for (int item = 0; item < RECONCILED_COUNT; item++)
        assert_says(both(summary, (enum reconciled_item)item), AGREEMENT_UNKNOWN, NULL);
    run_summary_free(summary);
    run = begin(*state, 11000);
    scrape(run, 900, 1, &nothing);
    small_run_end(run, true);
    summary = small_run_summarize(*state, 1);
    assert_true(isnan(summary->levels[0].server.sums.from_s));
    assert_says(both(summary, RECONCILED_REQUESTS), AGREEMENT_UNKNOWN, NULL);
    run_summary_free(summary);
}

/* Gauges alone: a server without counters of ours. */
static void test_in_flight_where_nothing_is_counted(void **state)
{
    static const struct {
        double running, waiting;
        enum agreement agreement;
        const char *why;
    } cases[] = {{0.5, 0, AGREEMENT_AGREES, NULL}, {3, 1, AGREEMENT_DIFFERS, "3.4 requests on average that are not ours"}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct small_run *run = begin(*state, 11000);
        for (int t = 900; t < 12000; t += 500)
            small_run_scrape(run, t, 1, "{\"llamacpp:requests_processing\":%g,\"llamacpp:requests_deferred\":%g}", cases[k].running, cases[k].waiting);
        small_run_end(run, true);
        struct run_summary *summary = small_run_summarize(*state, 1);
        assert_says(both(summary, RECONCILED_IN_FLIGHT), cases[k].agreement, cases[k].why);
        assert_int_equal(has_reason(summary, VALIDITY_SUSPECT, "other traffic"), k);
        run_summary_free(summary);
    }
}

/* llama.cpp adds a request's tokens some time after it has ended. */
static void test_a_server_that_counts_when_a_request_has_ended(void **state)
{
    struct small_run *run = begin(*state, 11000);
    small_run_scrape(run, 900, 1, "{\"llamacpp:prompt_tokens_total\":0,\"llamacpp:tokens_predicted_total\":0}");
    small_run_scrape(run, 11500, 1, "{\"llamacpp:prompt_tokens_total\":133,\"llamacpp:tokens_predicted_total\":95}");
    small_run_end(run, true);
    struct run_summary *summary = small_run_summarize(*state, 1);
    assert_says(both(summary, RECONCILED_OUTPUT_TOKENS), AGREEMENT_EXPLAINED, "the last ones may come later");
    assert_says(both(summary, RECONCILED_PROMPT_TOKENS), AGREEMENT_EXPLAINED, "the last ones may come later");
    assert_near(summary->levels[0].server.sums.client_output_tokens, 100);
    run_summary_free(summary);
}

/* Ten times faster than its model: its seconds and its network's are the wall's. */
static void test_a_scaled_server(void **state)
{
    struct run_summary *summary = summarize(*state, &ours);
    run_summary_free(summary);
    summary = small_run_summarize(*state, 10);
    assert_near(both(summary, RECONCILED_TTFT_MEAN)->server, 960);
    assert_near(both(summary, RECONCILED_TTFT_MEAN)->client, 1000);
    assert_says(both(summary, RECONCILED_TTFT_MEAN), AGREEMENT_AGREES, NULL);
    assert_near(both(summary, RECONCILED_ITL_MEAN)->server, 500);
    run_summary_free(summary);
}

static void test_what_only_the_server_knows(void **state)
{
    struct small_run *run = begin(*state, 11000);
    for (int k = 0; k < 2; k++)
        small_run_scrape(run, k == 0 ? 900 : 11500, 1,
                         "{\"vllm:num_preemptions_total\":%d,\"vllm:prefix_cache_queries_total\":%d,\"vllm:prefix_cache_hits_total\":%d,"
                         "\"vllm:request_queue_time_seconds_sum\":%d,\"vllm:request_queue_time_seconds_count\":%d}", 3 * k, 200 * k, 50 * k, 4 * k, 20 * k);
    small_run_end(run, true);
    struct run_summary *summary = small_run_summarize(*state, 1);
    const struct server_sums *sums = &summary->levels[0].server.sums;
    assert_near(sums->preemptions, 3);
    assert_near(sums->prefix_cache_hit_share, 0.25);
    assert_near(sums->queue_time_mean_ms, 200);
    run_summary_free(summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_on_both_sides, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_the_last_requests_end_in_the_drain, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_traffic_that_is_not_ours, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_little_is_told_and_does_no_harm, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_one_of_two_servers, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_requests_that_did_not_end, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_time_on_the_way, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_steps_of_several_tokens, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_tokens_that_are_held_back, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_coarse_buckets, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_compared, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_in_flight_where_nothing_is_counted, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_server_that_counts_when_a_request_has_ended, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_scaled_server, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_only_the_server_knows, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
