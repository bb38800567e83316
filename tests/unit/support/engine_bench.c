#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "plan/profile.h"
#include "support/engine_bench.h"

static struct fake_answer answer_of(void *context, const struct transfer *transfer, int64_t now, int64_t number)
{
    struct bench *bench = context;
    (void)number;
    if (!transfer->body) {
        assert_string_equal(transfer->url, "http://server/v1/models");
        bench->gets++;
        return (struct fake_answer){.ttft = NS_PER_MS, .no_usage = true, .hang = bench->get_fails};
    }
    snprintf(bench->seen_url, sizeof bench->seen_url, "%s", transfer->url);
    if (bench->down_from && now - 1000 * NS_PER_S >= bench->down_from)
        return (struct fake_answer){.result = TRANSPORT_CONNECT, .message = "connection refused"};
    if (now - 1000 * NS_PER_S < bench->refuse_until)
        return (struct fake_answer){.ttft = NS_PER_S, .status = 400, .error_body = "{\"error\":{\"message\":\"too long\"}}"};
    return bench->answer_by_body ? bench->answer_by_body(transfer->body) : bench->answer;
}

static void after_wait(void *context, int64_t now)
{
    struct bench *bench = context;
    if (bench->stop_at && now - 1000 * NS_PER_S >= bench->stop_at)
        bench->stop = SIGTERM;
    if (bench->hang_for && now - 1000 * NS_PER_S >= bench->hang_from) {
        bench->fake.time.now += bench->hang_for;
        bench->hang_for = 0;
    }
}

static int sink_level_start(struct sink *sink, const struct level *level, int repeat, int64_t start, int64_t measure_start,
                            struct error *err)
{
    struct bench *bench = (struct bench *)sink;
    (void)level, (void)repeat, (void)start, (void)err;
    bench->measure_starts[bench->start_count++] = measure_start;
    return 0;
}

static int sink_level_end(struct sink *sink, const struct level_end *end, struct error *err)
{
    struct bench *bench = (struct bench *)sink;
    (void)err;
    bench->ends[bench->end_count++] = *end;
    return 0;
}

static int sink_add(struct sink *sink, const struct record *record, const int64_t *gaps, const int32_t *n, size_t arrivals,
                    struct error *err)
{
    struct bench *bench = (struct bench *)sink;
    if (bench->fail_add_at && (int64_t)bench->count + 1 >= bench->fail_add_at)
        return error_set(err, ERROR_INTERNAL, "records.jsonl.gz: no space left on device");
    MEM_GROW(bench->records, bench->capacity, bench->count + 1);
    bench->records[bench->count++] = *record;
    for (size_t k = 0; k < arrivals; k++) {
        bench->gap_sum += gaps[k];
        bench->n_sum += n[k];
    }
    return 0;
}

static int sink_tick(struct sink *sink, int64_t t, int64_t tokens, struct error *err)
{
    struct bench *bench = (struct bench *)sink;
    (void)t, (void)err;
    bench->ticks++;
    bench->tick_tokens += tokens;
    return 0;
}

static int sink_flush(struct sink *sink, struct error *err)
{
    (void)err;
    ((struct bench *)sink)->flushes++;
    return 0;
}

static int make_body(void *context, int level, int repeat, int64_t i, struct buf *out, struct error *err)
{
    (void)context, (void)err;
    buf_reset(out);
    return buf_printf(out, "{\"level\":%d,\"repeat\":%d,\"i\":%lld}", level, repeat, (long long)i);
}

struct bench *bench_new(const char *kind, double load)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    bench->sink = (struct sink){
        .level_start = sink_level_start, .level_end = sink_level_end, .add = sink_add, .tick = sink_tick, .flush = sink_flush,
    };
    fake_transport_init(&bench->fake);
    bench->fake.answer = answer_of;
    bench->fake.after_wait = after_wait;
    bench->fake.context = bench;
    snprintf(bench->levels[0].kind, sizeof bench->levels[0].kind, "%s", kind);
    bench->levels[0].load = load;
    bench->levels[0].unit = profile_find(kind)->open_loop ? LOAD_REQUESTS_PER_S : LOAD_STREAMS;
    bench->plan = (struct plan){
        .sla = sla_default,
        .run_id = "test", .target = "http://server/v1", .model = "m", .profile = kind, .sweep_arrivals = "poisson",
        .server = {.kind = "vllm", .version = "", .preset = "", .time_scale = 1, .usage = true},
        .levels = bench->levels, .level_count = 1, .repeat = 1, .stream_start = STREAM_START_TOGETHER,
        .limits = {.max_seconds_ns = 60 * NS_PER_S, .drain_ns = 60 * NS_PER_S, .max_concurrency = 512, .max_error_rate = 1, .max_micro_usd = -1},
        .seed = 1,
    };
    bench->shard = (struct share){.index = 0, .count = 1};
    bench->start_at = TIME_NEVER;
    bench->answer = (struct fake_answer){.ttft = NS_PER_S, .itl = 100 * NS_PER_MS, .tokens = 10};
    return bench;
}

void bench_add_level(struct bench *bench, double load)
{
    struct level *level = &bench->levels[bench->plan.level_count];
    *level = bench->levels[0];
    level->index = (int)bench->plan.level_count++;
    level->load = load;
}

int bench_run(struct bench *bench)
{
    struct log log = {.stream = stderr, .clock = &bench->fake.clock, .command = "test", .threshold = LOG_LEVEL_ERROR};
    const char *const secret = "sesame";
    const char *const urls[] = {"http://server/v1/completions"}, *const warm_urls[] = {"http://server/v1/models"};
    const struct engine_worker worker = {.transport = &bench->fake.transport};
    struct engine_settings settings = {
        .plan = &bench->plan, .clock = &bench->fake.clock, .workers = &worker, .worker_count = 1, .sink = &bench->sink, .log = &log,
        .urls = urls, .url_count = 1, .warm_urls = bench->warm ? warm_urls : NULL, .anchor = bench->fake.time.now,
        .shard = bench->shard, .start_at = bench->start_at,
        .body = make_body, .stop = &bench->stop,
        .progress_interval_ns = NS_PER_S, .secrets = &secret, .secret_count = 1,
    };
    return engine_run(&settings, &bench->result, &bench->err);
}

void bench_free(struct bench *bench)
{
    fake_transport_clear(&bench->fake);
    free(bench->records);
    free(bench);
}

size_t bench_count(const struct bench *bench, enum outcome outcome, enum failure failure)
{
    size_t count = 0;
    for (size_t k = 0; k < bench->count; k++)
        count += bench->records[k].outcome == outcome && bench->records[k].failure == failure;
    return count;
}
