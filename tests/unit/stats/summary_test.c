/* Run folders written with known times, and the numbers they must give. */
#include "stats/summary.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "record/record_writer.h"
#include "stats/compare.h"
#include "stats/run_data.h"
#include "support/temp_folder.h"

#define SCALE 10 /* of the simulated server: ten model seconds in one of the wall */
#define MODEL_MS (NS_PER_MS / SCALE)

/* cmocka's own compares floats. */
#define assert_near(value, expected, tolerance) assert_true(fabs((value) - (expected)) <= (tolerance))

static const struct level_header header = {.index = 0, .kind = "concurrent", .load = 2, .unit = "streams"};

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

static struct plan *make_plan(const char *run_id)
{
    struct plan *plan = plan_new();
    plan->run_id = run_id;
    plan->model = run_id;
    plan->profile = "concurrent";
    plan->server.kind = "simulator";
    plan->server.time_scale = SCALE;
    plan->workload.prompt.mean = plan->workload.output.mean = 3;
    plan->limits.max_seconds_ns = 10 * NS_PER_S;
    plan->calibration.exact = true;
    return plan;
}

/* Times in model ms. Three tokens in two arrivals: one at the first token, two at the last; first < 0: none ever came. */
static void add_request(struct record_writer *writer, int64_t i, int64_t sent, int64_t first, int64_t last, enum failure failure)
{
    struct record record = record_empty();
    int64_t gaps[2] = {(first - sent) * MODEL_MS, (last - first) * MODEL_MS};
    const int32_t n[2] = {1, 2};
    record.i = i;
    record.stream = (int)(i % 2);
    record.intended = record.sent = sent * MODEL_MS;
    record.end = last * MODEL_MS;
    record.outcome = failure == FAILURE_NONE ? OUTCOME_OK : failure == FAILURE_CANCELLED ? OUTCOME_INCOMPLETE : OUTCOME_ERROR;
    record.failure = failure;
    if (first >= 0) {
        record.first_token = first * MODEL_MS;
        record.last_token = record.end;
        record.prompt_tokens = record.output_tokens = 3;
        record.first_tokens = 1;
        record.chunk_tokens = CHUNK_TOKENS_EXACT;
    }
    assert_int_equal(record_writer_add(writer, &record, gaps, n, first >= 0 ? 2 : 0, NULL), 0);
}

/* A level of 10 model s with a window of [1 s, 9 s). */
static struct record_writer *begin(const char *folder, const char *run_id)
{
    struct record_writer *writer = record_writer_open(folder, NO_SHARD, NULL);
    const struct record_header head = {.run_id = run_id, .anchor_realtime_ns = 1000 * NS_PER_S, .levels = &header, .level_count = 1};
    assert_non_null(writer);
    assert_int_equal(record_writer_header(writer, &head, NULL), 0);
    return writer;
}

static void finish(struct record_writer *writer)
{
    assert_int_equal(record_writer_level_end(writer, &header, 0, 0, 10000 * MODEL_MS, 1000 * MODEL_MS, 9000 * MODEL_MS, NULL), 0);
    assert_int_equal(record_writer_close(writer, NULL), 0);
}

static struct run_summary *summarize_plan(const char *folder, struct plan *plan)
{
    struct run_summary *summary = run_summary_make(folder, plan, &sla_default, NULL);
    plan_free(plan);
    assert_non_null(summary);
    return summary;
}

static struct run_summary *summarize(const char *folder, const char *run_id)
{
    return summarize_plan(folder, make_plan(run_id));
}

static void add_journal(struct record_writer *writer, json_t *line)
{
    assert_int_equal(record_writer_journal(writer, line, NULL), 0);
    json_decref(line);
}

/* Chunks said one token each, the usage at the end three: what came at once is no infinite speed. */
static void test_one_arrival_has_no_time_a_token(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 1000, 2000, 2000, FAILURE_NONE);
    finish(writer);
    struct run_summary *summary = summarize(*state, "a");
    const struct level_summary *level = &summary->levels[0];
    assert_int_equal(level->requests.ok, 1);
    assert_int_equal(level->latency[LATENCY_TPOT].count, 0);
    assert_true(isnan(level->rate[RATE_USER_TPS]));
    assert_near(level->latency[LATENCY_TPOT_WITH_FIRST].max, 1000 / 3.0, 1e-6);
    run_summary_free(summary);
}

static void test_window_and_scale(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 500, 1500, 2500, FAILURE_NONE);  /* sent before the window: no member, its tokens count */
    add_request(writer, 1, 1000, 1200, 2200, FAILURE_NONE); /* a member */
    add_request(writer, 2, 8000, 8400, 9000, FAILURE_NONE); /* a member; its last tokens come at the window's end: outside */
    finish(writer);
    struct run_summary *summary = summarize(*state, "a");
    const struct level_summary *level = &summary->levels[0];
    assert_int_equal(summary->level_count, 1);
    assert_int_equal(level->requests.members, 2);
    assert_near(level->window_start_s, 1, 1e-9);
    assert_near(level->window_end_s, 9, 1e-9);
    assert_near(level->latency[LATENCY_TTFT].max, 400, 1e-6);
    assert_near(level->latency[LATENCY_TTFT].min, 200, 1e-6);
    assert_near(level->latency[LATENCY_TPOT].max, 500, 1e-6);              /* 1000 ms for 3 - 1 tokens */
    assert_near(level->latency[LATENCY_TPOT_WITH_FIRST].max, 400, 1e-6);   /* 1200 ms for 3 */
    assert_near(level->latency[LATENCY_ITL].max, 500, 1e-6);
    assert_near(level->rate[RATE_USER_TPS], 2, 1e-9);
    assert_near(level->rate[RATE_OUTPUT_TPS], (3 + 3 + 1) / 8.0, 1e-9);
    assert_near(level->rate[RATE_TOTAL_TPS], (3 + 3 + 1 + 3 * 3) / 8.0, 1e-9);
    assert_near(level->rate[RATE_REQUEST_RPS], 2 / 8.0, 1e-9);             /* whenever sent */
    assert_near(level->rate[RATE_CONCURRENCY], (1.5 + 1.2 + 1.0) / 8, 1e-9);
    assert_near(level->rate[RATE_ERROR_RATE], 0, 1e-12);
    assert_true(isnan(level->rate[RATE_OFFERED_RPS]));
    assert_true(isnan(level->server.queue_depth.mean));
    run_summary_free(summary);
}

static void test_censored(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
    add_request(writer, 1, 2000, -1, 9500, FAILURE_CANCELLED); /* by us: waited for 7.5 s */
    add_request(writer, 2, 3000, -1, 4000, FAILURE_HTTP_5XX);
    add_request(writer, 3, 4000, -1, 4001, FAILURE_HTTP_4XX);  /* our own doing: in neither */
    finish(writer);
    struct run_summary *summary = summarize(*state, "a");
    const struct level_summary *level = &summary->levels[0];
    assert_int_equal(level->latency[LATENCY_TTFT].count, 1);
    assert_int_equal(level->latency[LATENCY_TTFT_CENSORED].count, 3);
    assert_true(isinf(level_ttft_p95(level)));
    assert_int_equal(level->requests.no_first_token, 2);
    assert_near(level->ttft_p95_at_least_ms, 7500, 1e-6);
    assert_near(level->unfinished_share, 2 / 3.0, 1e-9);
    assert_near(level->rate[RATE_ERROR_RATE], 1 / 3.0, 1e-9); /* ended: one ok, two errors */
    assert_int_equal(level->verdict.level, SLA_BREAKING);
    assert_int_equal(level->validity.verdict, VALIDITY_INVALID);     /* a third failed by the client's doing */
    assert_true(summary->any_ended);
    run_summary_free(summary);
}

/* A dead server: nothing was sent, and yet its users wait for ever. */
static void test_a_refused_connection_is_a_failed_member(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
    struct record refused = record_empty();
    refused.i = 1;
    refused.stream = 1;
    refused.intended = 2000 * MODEL_MS;
    refused.end = 2001 * MODEL_MS;
    refused.outcome = OUTCOME_ERROR;
    refused.failure = FAILURE_CONNECT;
    assert_int_equal(record_writer_add(writer, &refused, NULL, NULL, 0, NULL), 0);
    finish(writer);
    struct run_summary *summary = summarize(*state, "a");
    const struct level_summary *level = &summary->levels[0];
    assert_int_equal(level->requests.members, 2);
    assert_int_equal(level->requests.error, 1);
    assert_near(level->rate[RATE_ERROR_RATE], 0.5, 1e-12);
    assert_int_equal(level->latency[LATENCY_TTFT_CENSORED].count, 2);
    assert_true(isinf(level_ttft_p95(level)));
    run_summary_free(summary);
}

/* kill -9 in a level that began at 500 ms, with a start phase until 1.5 s, and of which 8.5 s were seen. */
static void begin_cut_off(const char *folder)
{
    struct record_writer *writer = begin(folder, "a");
    add_journal(writer, json_pack("{s:{s:i,s:i,s:I,s:I}}", "level_start", "index", 0, "repeat", 0, "start",
                                  (json_int_t)500 * MODEL_MS, "measure_start", (json_int_t)1500 * MODEL_MS));
    for (int k = 0; k < 8; k++)
        add_request(writer, k, 600 + 1000 * k, 700 + 1000 * k, 1500 + 1000 * k, FAILURE_NONE);
    assert_int_equal(record_writer_close(writer, NULL), 0);
}

static void assert_window(const char *folder, struct plan *plan, double start_s, double end_s)
{
    struct run_summary *summary = summarize_plan(folder, plan);
    assert_near(summary->levels[0].start_s, 0.5, 1e-6);
    assert_near(summary->levels[0].window_start_s, start_s, 1e-6);
    assert_near(summary->levels[0].window_end_s, end_s, 1e-6);
    assert_false(summary->levels[0].ended);
    assert_int_equal(summary->levels[0].validity.verdict, VALIDITY_SUSPECT);
    run_summary_free(summary);
}

static void test_the_window_of_a_level_that_was_cut_off(void **state)
{
    begin_cut_off(*state);
    assert_window(*state, make_plan("a"), 1.5, 8.5); /* without its start phase */
    struct plan *plan = make_plan("a");
    plan->limits.warmup = (struct trim){.kind = TRIM_SHARE, .share = 0.2}; /* of the 11 s planned */
    assert_window(*state, plan, 2.7, 8.5);
    plan = make_plan("a");
    plan->limits.warmup = (struct trim){.kind = TRIM_TIME, .ns = 3 * NS_PER_S};
    plan->limits.cooldown = (struct trim){.kind = TRIM_TIME, .ns = 4 * NS_PER_S}; /* would have begun at 7.5 s */
    assert_window(*state, plan, 3.5, 7.5);
    plan = make_plan("a");
    plan->limits.max_seconds_ns = 0; /* bounded by requests: of what was seen, and its cool-down never came */
    plan->limits.max_requests = 100;
    plan->limits.warmup = (struct trim){.kind = TRIM_SHARE, .share = 0.25};
    plan->limits.cooldown = (struct trim){.kind = TRIM_SHARE, .share = 0.25};
    assert_window(*state, plan, 2.5, 8.5);
    plan = make_plan("a");
    plan->limits.warmup = (struct trim){.kind = TRIM_TIME, .ns = 60 * NS_PER_S}; /* longer than the level: an empty window */
    assert_window(*state, plan, 8.5, 8.5);
}

/* By a signal, 9.5 s after the level began: what was under way had not the time that the plan gives. */
static void end_by(struct record_writer *writer, const char *reason)
{
    add_journal(writer, json_pack("{s:{s:i,s:i,s:s}}", "level_end", "index", 0, "repeat", 0, "reason", reason));
    finish(writer);
}

static void test_requests_that_a_stop_cut_are_not_infinitely_late(void **state)
{
    static const char *const reasons[] = {"stopped", "max_seconds"};
    for (int k = 0; k < 2; k++) {
        struct record_writer *writer = begin(*state, "a");
        add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
        add_request(writer, 1, 8000, -1, 9500, FAILURE_CANCELLED); /* had waited 1.5 s: it may have been in time */
        add_request(writer, 2, 7000, -1, 9500, FAILURE_CANCELLED); /* 2.5 s: breaking in any case */
        add_request(writer, 3, 8500, -1, 9400, FAILURE_HTTP_5XX);  /* not cancelled: failed */
        end_by(writer, reasons[k]);
        struct run_summary *summary = summarize(*state, "a");
        const struct level_summary *level = &summary->levels[0];
        bool stopped = k == 0;
        assert_int_equal(level->requests.incomplete, 2);
        assert_int_equal(level->requests.left_out, stopped ? 1 : 0);
        assert_int_equal(level->requests.no_first_token, stopped ? 2 : 3);
        assert_int_equal(level->latency[LATENCY_TTFT_CENSORED].count, stopped ? 3 : 4);
        bool cut = false;
        for (size_t r = 0; r < level->validity.count; r++)
            cut |= strcmp(level->validity.reasons[r].tag, "cut off") == 0;
        assert_int_equal(cut, stopped);
        run_summary_free(summary);
    }
}

/* Two hundred levels that never came are one note, and leave room for the others. */
static void test_levels_that_were_never_reached(void **state)
{
    struct record_writer *writer = record_writer_open(*state, NO_SHARD, NULL);
    struct level_header headers[200];
    for (int k = 0; k < 200; k++)
        headers[k] = (struct level_header){.index = k, .kind = "concurrent", .load = k + 1, .unit = "streams"};
    const struct record_header head = {.run_id = "a", .anchor_realtime_ns = 1000 * NS_PER_S, .levels = headers, .level_count = 200};
    assert_int_equal(record_writer_header(writer, &head, NULL), 0);
    add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
    assert_int_equal(record_writer_close(writer, NULL), 0);
    struct run_summary *summary = summarize(*state, "a");
    assert_int_equal(summary->level_count, 1);
    assert_string_equal(summary->notes[0], "199 levels from 2 to 200 streams were never reached: the run was cut off");
    assert_int_equal(summary->note_count, 3); /* no metrics, simulated */
    run_summary_free(summary);
}

static void test_nothing_ended(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 1000, -1, 9500, FAILURE_CANCELLED);
    finish(writer);
    struct run_summary *summary = summarize(*state, "a");
    assert_false(summary->any_ended);
    assert_true(isnan(summary->levels[0].rate[RATE_ERROR_RATE])); /* not known is not 0 */
    run_summary_free(summary);
}

static void test_the_journal_tells_of_pods(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    char longer[2 * PODS_CHANGED_SIZE];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
    add_journal(writer, json_pack("{s:{s:n,s:s}}", "kubernetes", "changes", "unknown", "forbidden"));
    add_journal(writer, json_pack("{s:s}", "kubernetes", "no object"));
    add_journal(writer, json_pack("{s:{s:s}}", "kubernetes", "changes", longer));
    finish(writer);
    struct run_summary *summary = summarize(*state, "a");
    const struct validity_summary *validity = &summary->levels[0].validity;
    const struct validity_reason *last = &validity->reasons[validity->count - 1];
    assert_string_equal(last->tag, "pods changed");
    assert_true(strlen(last->text) < PODS_CHANGED_SIZE + 100);
    run_summary_free(summary);
}

static void test_comparison(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
    finish(writer);
    struct run_summary *a = summarize(*state, "a"), *b = summarize(*state, "b");
    const struct run_summary *pair[] = {a, b}, *twice[] = {a, a};
    struct error err;
    assert_null(comparison_make(twice, 2, &err));
    assert_int_equal(err.class, ERROR_USAGE);
    assert_null(comparison_make(pair, 1, NULL));

    b->facts.tokens = "512 + 128 tokens";
    struct comparison *comparison = comparison_make(pair, 2, NULL);
    assert_non_null(comparison);
    assert_string_equal(comparison->id, "a-vs-b");
    assert_string_equal(comparison->unit, "streams");
    assert_int_equal(comparison->difference_count, 1);
    assert_non_null(strstr(comparison->differences[0], "512 + 128 tokens (b)"));
    assert_int_equal(comparison->roi.row_count, 2);
    comparison_free(comparison);
    run_summary_free(a);
    run_summary_free(b);
}

/* Means alone do not make workloads equal. */
static void test_what_makes_workloads_differ(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
    finish(writer);
    struct run_summary *a = summarize(*state, "a");
    struct plan *plan = make_plan("b");
    plan->workload.prompt.stddev = 2;
    plan->workload.prompt.min = 1;
    plan->workload.prompt.max = 9;
    plan->limits.warmup = (struct trim){.kind = TRIM_SHARE, .share = 0.1};
    plan->limits.cooldown = (struct trim){.kind = TRIM_TIME, .ns = 5 * NS_PER_S};
    plan->limits.drain_ns = 30 * NS_PER_S;
    plan->limits.max_concurrency = 8;
    struct run_summary *b = summarize_plan(*state, plan);
    const struct run_summary *pair[] = {a, b};
    struct comparison *comparison = comparison_make(pair, 2, NULL);
    static const char *const expected[] = {
        "length of prompts and outputs differs: 3 + 3 tokens (a) against 3 (standard deviation 2, 1 to 9) + 3 tokens (b)",
        "warm-up differs: none (a) against 10 % (b)",
        "cool-down differs: none (a) against 5.0 s (b)",
        "drain differs: 0 ms (a) against 30.0 s (b)",
        "--max-concurrency differs: 0 (a) against 8 (b)",
    };
    assert_int_equal(comparison->difference_count, 5);
    for (size_t k = 0; k < 5; k++)
        assert_string_equal(comparison->differences[k], expected[k]);
    comparison_free(comparison);
    run_summary_free(a);
    run_summary_free(b);
}

static struct run_summary *summarize_deployment(const char *workspace, const char *run_id, const char *digest, int64_t gpus, const char *last_argument)
{
    struct plan *plan = make_plan(run_id);
    plan->kubernetes = kubernetes_facts_new(plan->arena, "n", "s");
    plan->kubernetes->kind = "InferenceService";
    plan->kubernetes->image = "vllm:latest";
    plan->kubernetes->image_digest = digest;
    plan->kubernetes->gpu_resource = "nvidia.com/gpu";
    plan->kubernetes->gpus_per_pod = gpus;
    plan->kubernetes->pods[plan->kubernetes->pod_count++] = (struct kubernetes_pod){.name = "p", .uid = "u", .node = ""};
    plan->kubernetes->arguments[plan->kubernetes->argument_count++] = "--port=8080";
    plan->kubernetes->arguments[plan->kubernetes->argument_count++] = "--kv-cache-dtype";
    plan->kubernetes->arguments[plan->kubernetes->argument_count++] = last_argument;
    return summarize_plan(workspace, plan);
}

/* Other hardware is often what is compared: it is told, and is no reason to doubt the ratios. */
static void test_deployments_are_compared(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
    finish(writer);
    struct run_summary *a = summarize_deployment(*state, "a", "sha256:1", 1, "auto"), *b = summarize_deployment(*state, "b", "sha256:2", 4, "fp8");
    struct run_summary *untold = summarize(*state, "c");
    const struct run_summary *all[] = {a, b, untold}, *alike[] = {a, untold};
    struct comparison *comparison = comparison_make(all, 3, NULL), *nothing = comparison_make(alike, 2, NULL);
    static const char *const expected[] = {
        "image: sha256:1 (a) against sha256:2 (b)",
        "hardware: 1 x nvidia.com/gpu (a) against 4 x nvidia.com/gpu (b)",
        "arguments: --kv-cache-dtype auto (a) against --kv-cache-dtype fp8 (b)",
    };
    assert_int_equal(comparison->difference_count, 0);
    assert_int_equal(comparison->deployment_difference_count, 3);
    for (size_t k = 0; k < 3; k++)
        assert_string_equal(comparison->deployment_differences[k], expected[k]);
    assert_int_equal(nothing->deployment_difference_count, 0);
    comparison_free(comparison);
    comparison_free(nothing);
    run_summary_free(a);
    run_summary_free(b);
    run_summary_free(untold);
}

static struct comparison *compare_outputs(const struct run_summary *const *pair, struct mean_tokens a, struct mean_tokens b)
{
    ((struct run_summary *)(uintptr_t)pair[0])->facts.output = a;
    ((struct run_summary *)(uintptr_t)pair[1])->facts.output = b;
    return comparison_make(pair, 2, NULL);
}

/* A server that does not know ignore_eos stops when it likes. */
static void test_measured_lengths_are_compared(void **state)
{
    struct record_writer *writer = begin(*state, "a");
    add_request(writer, 0, 1000, 1100, 2000, FAILURE_NONE);
    add_request(writer, 1, 1000, 1100, 2000, FAILURE_HTTP_5XX);
    add_request(writer, 2, 9500, 9600, 9900, FAILURE_NONE); /* no member */
    finish(writer);
    struct run_summary *a = summarize(*state, "a"), *b = summarize(*state, "b");
    assert_int_equal(a->facts.output.requests, 1);
    assert_true(a->facts.output.mean == 3 && a->facts.prompt.mean == 3);
    const struct run_summary *pair[] = {a, b};
    struct mean_tokens full = {100, 256, 0}, nearly = {100, 252, 0}, shorter = {100, 250, 0}, drawn = {100, 250, 4}, none = {0, NAN, 0};
    struct comparison *comparison = compare_outputs(pair, full, shorter);
    assert_int_equal(comparison->difference_count, 1);
    assert_string_equal(comparison->differences[0], "mean length of the outputs that came differs: 256 (a) against 250 (b)");
    comparison_free(comparison);
    const struct mean_tokens alike[] = {nearly, drawn, none};
    for (size_t k = 0; k < 3; k++) {
        comparison = compare_outputs(pair, full, alike[k]);
        assert_int_equal(comparison->difference_count, 0);
        comparison_free(comparison);
    }
    run_summary_free(a);
    run_summary_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_arrival_has_no_time_a_token, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_window_and_scale, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_censored, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_refused_connection_is_a_failed_member, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_the_window_of_a_level_that_was_cut_off, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_requests_that_a_stop_cut_are_not_infinitely_late, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_levels_that_were_never_reached, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_nothing_ended, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_the_journal_tells_of_pods, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_comparison, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_makes_workloads_differ, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_deployments_are_compared, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_measured_lengths_are_compared, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
