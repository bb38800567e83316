#include "support/small_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "record/record_writer.h"

#define MS(ms) ((int64_t)((ms) * (double)NS_PER_MS))
#define ARRIVALS_MAX 1024
#define SERIES_MAX ((size_t)1 << 16)

struct small_run {
    struct record_writer *writer;
    struct gzip_stream *metrics;
    struct level_header level;
    double start, end;
    int64_t i;
};

struct small_run *small_run_begin(const char *folder, double streams, double start, double end)
{
    struct small_run *run = mem_alloc(sizeof *run);
    cleanup_free char *metrics = run_file_path(folder, RUN_METRICS, NO_SHARD);
    run->level = (struct level_header){.index = 0, .kind = "concurrent", .load = streams, .unit = "streams"};
    run->start = start;
    run->end = end;
    run->writer = record_writer_open(folder, NO_SHARD, NULL);
    run->metrics = gzip_stream_open(metrics, NULL);
    const struct record_header header = {.run_id = "small", .anchor_realtime_ns = 1764000000 * NS_PER_S, .levels = &run->level, .level_count = 1};
    assert_non_null(run->writer);
    assert_non_null(run->metrics);
    assert_int_equal(record_writer_header(run->writer, &header, NULL), 0);
    return run;
}

void small_run_add(struct small_run *run, const struct small_request *request)
{
    int64_t gaps[ARRIVALS_MAX];
    int32_t n[ARRIVALS_MAX];
    struct record record = record_empty();
    assert_true(request->arrivals <= ARRIVALS_MAX);
    record.i = run->i++;
    record.stream = (int)(record.i % (int64_t)run->level.load);
    record.intended = record.sent = MS(request->sent);
    if (request->head >= 0)
        record.headers = MS(request->sent + request->head);
    record.failure = request->failure;
    record.outcome = request->failure == FAILURE_NONE ? OUTCOME_OK : request->failure == FAILURE_CANCELLED ? OUTCOME_INCOMPLETE : OUTCOME_ERROR;
    for (int k = 0; k < request->arrivals; k++) {
        gaps[k] = MS(k == 0 ? request->ttft : request->gap);
        n[k] = request->tokens_each;
    }
    if (request->arrivals > 0) {
        record.first_token = MS(request->sent + request->ttft);
        record.last_token = record.end = MS(request->sent + request->ttft + (request->arrivals - 1) * request->gap);
        record.prompt_tokens = 7;
        record.output_tokens = (int64_t)request->arrivals * request->tokens_each;
        record.first_tokens = request->tokens_each;
        record.chunk_tokens = CHUNK_TOKENS_EXACT;
    }
    if (request->end > 0)
        record.end = MS(request->end);
    assert_int_equal(record_writer_add(run->writer, &record, gaps, n, (size_t)request->arrivals, NULL), 0);
}

void small_run_tick(struct small_run *run, double t, int tokens)
{
    json_t *line = json_pack("{s:{s:I,s:i}}", "tick", "t", (json_int_t)MS(t), "tokens", tokens);
    assert_int_equal(record_writer_journal(run->writer, line, NULL), 0);
    json_decref(line);
}

void small_run_scrape(struct small_run *run, double t, double took, const char *series, ...)
{
    cleanup_buf struct buf line = BUF_INIT(SERIES_MAX);
    va_list arguments;
    buf_printf(&line, "{\"t\":%lld,\"took\":%lld,\"series\":", (long long)MS(t), (long long)MS(took));
    va_start(arguments, series);
    buf_vprintf(&line, series, arguments);
    va_end(arguments);
    buf_append_text(&line, "}\n");
    assert_false(line.overflowed);
    assert_int_equal(gzip_stream_write(run->metrics, line.data, line.len, NULL), 0);
}

void small_run_end(struct small_run *run, bool ended)
{
    if (ended) {
        int64_t start = MS(run->start), end = MS(run->end);
        assert_int_equal(record_writer_level_end(run->writer, &run->level, 0, start, end, start, end, NULL), 0);
    }
    assert_int_equal(record_writer_close(run->writer, NULL), 0);
    assert_int_equal(gzip_stream_close(run->metrics, NULL), 0);
    free(run);
}

struct run_summary *small_run_summarize(const char *folder, double time_scale)
{
    struct plan *plan = plan_new();
    plan->run_id = plan->model = "small";
    plan->profile = "concurrent";
    plan->server.kind = "vllm";
    plan->server.time_scale = time_scale;
    plan->workload.prompt.mean = plan->workload.output.mean = 7;
    plan->limits.max_seconds_ns = 10 * NS_PER_S;
    plan->calibration.exact = true;
    struct run_summary *summary = run_summary_make(folder, plan, &sla_default, NULL);
    plan_free(plan);
    assert_non_null(summary);
    return summary;
}
