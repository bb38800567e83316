#include "cmd/roibench/self_test.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cgroup.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/process_costs.h"
#include "cmd/roibench/self_test_server.h"
#include "load/engine.h"
#include "net/headroom.h"
#include "report/table.h"
#include "stats/series.h"
#include "wire/openai_request.h"

#define MACHINE ""
#define STEP_MS 10
#define LEVEL_NS (1500 * NS_PER_MS)
#define FAST_TOKENS 200
#define PACED_TOKENS 16 /* on average: PACED_LENGTHS lengths around it */
#define PACED_LENGTHS 16
#define PROMPT_LENGTHS 256
#define DRAIN_NS (10 * NS_PER_S)
#define COUNTS_MAX 4
#define ADDED_MAX_MS 1.0 /* what METRICS allow the loop of its own lag */
#define BUSY 0.9

static const int64_t usual_counts[] = {1, 64, 512};

/* What one level found. */
struct finding {
    int64_t streams;
    int64_t start, measure_start, until; /* wall ns from the anchor; until: the last look at the tokens within the level */
    int64_t tokens;        /* from measure_start to then */
    int64_t all_tokens;
    double length_s;       /* with its start phase and its drain, as the CPU times */
    double cpu;            /* busiest worker's share of a CPU; NAN: unknown */
    double cpu_s;          /* of all workers */
    int64_t server_cpu_ns; /* during the level */
    struct lag_summary lag, stamp_delay;
    struct self_test_sight *seen; /* our requests; at a pace only */
    size_t seen_count, seen_capacity;
    double answer_p99_us, request_p99_us, ttft_p99_ms;
};

struct part {
    struct sink sink;      /* first: the engine hands it back */
    struct app *app;
    int64_t step_ns;       /* 0: at full speed */
    int64_t output_tokens;
    struct self_test_server *server;
    struct finding findings[COUNTS_MAX];
    size_t count, current;
    int64_t server_cpu_before, anchor;
    pthread_mutex_t lock;  /* of what was seen */
};

/* --- the sink: nothing is written ---------------------------------------------------------- */

static struct part *part_of(struct sink *sink)
{
    return (struct part *)sink;
}

static int on_level_start(struct sink *sink, const struct level *level, int repeat, int64_t start, int64_t measure_start, struct error *err)
{
    struct part *part = part_of(sink);
    (void)repeat, (void)err;
    part->current = (size_t)level->index;
    part->findings[part->current].start = start;
    part->findings[part->current].measure_start = part->findings[part->current].until = measure_start;
    part->server_cpu_before = self_test_server_cpu_ns(part->server);
    return 0;
}

static int on_level_end(struct sink *sink, const struct level_end *end, struct error *err)
{
    struct part *part = part_of(sink);
    struct finding *finding = &part->findings[part->current];
    (void)err;
    finding->lag = end->lag;
    finding->stamp_delay = end->stamp_delay;
    finding->server_cpu_ns = self_test_server_cpu_ns(part->server) - part->server_cpu_before;
    finding->length_s = (double)(clock_now(part->app->clock) - part->anchor - end->start) / (double)NS_PER_S;
    finding->cpu = NAN;
    for (int w = 0; w < end->workers; w++) {
        finding->cpu = fmax(finding->cpu, end->cpu[w]);
        finding->cpu_s += end->cpu[w] * finding->length_s;
    }
    return 0;
}

static int on_record(struct sink *sink, const struct record *record, const int64_t *gaps, const int32_t *n, size_t arrivals, struct error *err)
{
    struct part *part = part_of(sink);
    (void)gaps, (void)n, (void)arrivals, (void)err;
    struct finding *finding = &part->findings[part->current];
    if (part->step_ns == 0 || record->first_token == TIME_NEVER)
        return 0;
    pthread_mutex_lock(&part->lock);
    MEM_GROW(finding->seen, finding->seen_capacity, finding->seen_count + 1);
    finding->seen[finding->seen_count++] = (struct self_test_sight){
        .key = self_test_key(record->prompt_tokens, record->output_tokens),
        .request = part->anchor + record->sent, .token = part->anchor + record->first_token,
    };
    pthread_mutex_unlock(&part->lock);
    return 0;
}

/* The first ones are of the start phase, the last one comes after the drain. */
static int on_tick(struct sink *sink, int64_t t, int64_t tokens, struct error *err)
{
    struct part *part = part_of(sink);
    struct finding *finding = &part->findings[part->current];
    (void)err;
    finding->all_tokens += tokens;
    if (t > finding->until && t <= finding->measure_start + LEVEL_NS) {
        finding->tokens += tokens;
        finding->until = t;
    }
    return 0;
}

static int on_flush(struct sink *sink, struct error *err)
{
    (void)sink, (void)err;
    return 0;
}

/* --- one part -------------------------------------------------------------------------------- */

/* At a pace, requests of equal lengths are PROMPT_LENGTHS x PACED_LENGTHS apart. */
static int make_body(void *context, int level, int repeat, int64_t i, struct buf *out, struct error *err)
{
    const struct part *part = context;
    char text[2 * PROMPT_LENGTHS];
    (void)level, (void)repeat, (void)err;
    size_t length = 2 * (1 + (size_t)(i % PROMPT_LENGTHS));
    for (size_t k = 0; k < length; k += 2)
        memcpy(&text[k], "a ", 2);
    int64_t shift = part->step_ns > 0 ? i / PROMPT_LENGTHS % PACED_LENGTHS - PACED_LENGTHS / 2 : 0;
    const struct openai_request request = {
        .model = SELF_TEST_MODEL, .chat = true, .text = text, .text_length = length, .max_tokens = part->output_tokens + shift,
        .ignore_eos = true, .stream = true, .include_usage = true, .continuous_usage = true,
    };
    buf_reset(out);
    return openai_request_write(&request, out);
}

static struct plan *make_plan(const struct part *part)
{
    struct plan *plan = plan_new();
    plan->profile = "concurrent";
    plan->model = SELF_TEST_MODEL;
    plan->server.usage = plan->server.continuous_usage = true;
    /* Requests that come together are read one after the other: that would be the simulator's lateness, not ours. */
    plan->stream_start = part->step_ns > 0 ? STREAM_START_SPREAD : STREAM_START_TOGETHER;
    plan->calibration.e2e_ns = part->step_ns * (part->output_tokens + 1);
    plan->limits.max_seconds_ns = LEVEL_NS;
    plan->limits.drain_ns = DRAIN_NS;
    plan->level_count = part->count;
    plan->levels = ARENA_ARRAY(plan->arena, part->count, struct level);
    for (size_t k = 0; k < part->count; k++) {
        plan->levels[k] = (struct level){.index = (int)k, .kind = "concurrent", .load = (double)part->findings[k].streams, .unit = LOAD_STREAMS};
        if (part->findings[k].streams > plan->limits.max_concurrency)
            plan->limits.max_concurrency = part->findings[k].streams;
    }
    return plan;
}

static void close_transports(struct engine_worker *workers, int count)
{
    for (int w = 0; w < count; w++)
        if (workers[w].transport)
            transport_free(workers[w].transport);
    free(workers);
}

static struct engine_worker *open_transports(struct part *part, int count, struct error *err)
{
    struct engine_worker *workers = mem_calloc((size_t)count, sizeof *workers);
    const struct transport_curl_settings settings = {
        .net = {.stop = part->app->stop}, .clock = part->app->clock, .stall_timeout_ns = DRAIN_NS, .time_scale = 1,
    };
    for (int w = 0; w < count; w++) {
        workers[w] = (struct engine_worker){.transport = transport_curl_new(&settings, err), .body_context = part};
        if (!workers[w].transport) {
            close_transports(workers, count);
            return NULL;
        }
    }
    return workers;
}

static int load_server(struct part *part, const struct plan *plan, int worker_count, struct error *err)
{
    const char *url = self_test_server_url(part->server);
    /* Every stream has both its ends in this process. */
    if (headroom_make(MACHINE, &url, 1, 2 * (size_t)plan->limits.max_concurrency, worker_count, err) < 0)
        return error_wrap(err, "both ends of the streams are in this process");
    struct engine_worker *workers = open_transports(part, worker_count, err);
    if (!workers)
        return -1;
    struct engine_result result;
    struct engine_settings settings = {
        .plan = plan, .clock = part->app->clock, .workers = workers, .worker_count = worker_count, .sink = &part->sink, .log = &part->app->log,
        .urls = &url, .url_count = 1, .anchor = part->anchor, .shard = {.index = 0, .count = 1}, .start_at = TIME_NEVER, .body = make_body,
        .costs = process_costs(), .stop = part->app->stop, .progress_interval_ns = NS_PER_S,
    };
    int status = engine_run(&settings, &result, err);
    close_transports(workers, worker_count);
    if (status == 0 && result.ok < result.sent && !*part->app->stop)
        status = error_set(err, ERROR_INTERNAL, "%lld of %lld requests to the simulator of this process failed: %s",
                           (long long)(result.sent - result.ok), (long long)result.sent, result.last_error);
    return status;
}

/* --- both sides ---------------------------------------------------------------------------------- */

static int compare_sights(const void *a, const void *b)
{
    const struct self_test_sight *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->request > y->request) - (x->request < y->request);
}

/* What the server saw of a level, by when the requests were read; free() it. */
static struct self_test_sight *sights_of_level(struct part *part, size_t k, size_t *count)
{
    size_t all;
    const struct self_test_sight *truth = self_test_server_truth(part->server, &all);
    int64_t from = part->anchor + part->findings[k].start;
    int64_t to = k + 1 < part->count && part->findings[k + 1].start > 0 ? part->anchor + part->findings[k + 1].start : TIME_FOREVER;
    struct self_test_sight *sights = mem_calloc(all + 1, sizeof *sights);
    *count = 0;
    for (size_t j = 0; j < all; j++)
        if (truth[j].request >= from && truth[j].request < to)
            sights[(*count)++] = truth[j];
    return sights;
}

/* Where one side saw a request that the other did not, the level was cut off: nothing is compared. */
static void compare_sides(struct part *part, size_t k)
{
    struct finding *finding = &part->findings[k];
    size_t count;
    struct self_test_sight *theirs = sights_of_level(part, k, &count);
    struct series answer = {0}, request = {0}, ttft = {0};
    qsort(theirs, count, sizeof *theirs, compare_sights);
    if (finding->seen_count > 0)
        qsort(finding->seen, finding->seen_count, sizeof *finding->seen, compare_sights);
    for (size_t j = 0; j < count && count == finding->seen_count; j++) {
        const struct self_test_sight *ours = &finding->seen[j];
        if (ours->key != theirs[j].key)
            continue;
        series_add(&answer, (double)(ours->token - theirs[j].token) / (double)NS_PER_US);
        series_add(&request, (double)(theirs[j].request - ours->request) / (double)NS_PER_US);
        series_add(&ttft, (double)(theirs[j].token - theirs[j].request) / (double)NS_PER_MS);
    }
    finding->answer_p99_us = series_describe(&answer).percentile[P99];
    finding->request_p99_us = series_describe(&request).percentile[P99];
    finding->ttft_p99_ms = series_describe(&ttft).percentile[P99];
    series_free(&answer);
    series_free(&request);
    series_free(&ttft);
    free(theirs);
}

/* --- a part, from its server's start to its end ------------------------------------------------ */

static int run_part(struct part *part, int workers, struct error *err)
{
    struct plan *plan = make_plan(part);
    part->server = self_test_server_start(part->app->clock, part->step_ns, err);
    int status = part->server ? 0 : -1;
    if (status == 0) {
        part->anchor = clock_now(part->app->clock);
        status = load_server(part, plan, workers, err);
        struct error trouble;
        if (self_test_server_stop(part->server, &trouble) < 0 && status == 0) {
            *err = trouble;
            status = -1;
        }
    }
    for (size_t k = 0; status == 0 && part->step_ns > 0 && k < part->count; k++)
        compare_sides(part, k);
    self_test_server_free(part->server);
    plan_free(plan);
    return status;
}

/* --- what it means ----------------------------------------------------------------------------- */

static double tokens_per_s(const struct finding *finding)
{
    return (double)finding->tokens / ((double)(finding->until - finding->measure_start) / (double)NS_PER_S);
}

/* Share of one CPU. */
static double server_cpu(const struct finding *finding)
{
    return (double)finding->server_cpu_ns / (double)NS_PER_S / finding->length_s;
}

static void print_table(const struct app *app, struct part *fast, struct part *paced)
{
    static const struct table_column columns[] = {
        {"streams", true}, {"tokens/s", true}, {"client us/token", true}, {"client CPU", true}, {"simulator CPU", true},
        {"paced tokens/s", true}, {"TTFT p99 ms", true}, {"answer p99 us", true}, {"request p99 us", true}, {"lag p99 us", true},
        {"stamp delay p99 us", true}, {0},
    };
    cleanup_buf struct buf text = BUF_INIT(TABLE_TEXT_MAX);
    struct table table;
    table_begin(&table, columns);
    for (size_t k = 0; k < fast->count; k++) {
        struct finding *at_full = &fast->findings[k], *at_pace = &paced->findings[k];
        table_printf(&table, "%lld", (long long)at_full->streams);
        table_number(&table, tokens_per_s(at_full), 0);
        table_number(&table, at_full->cpu_s * 1e6 / (double)at_full->all_tokens, 2);
        table_printf(&table, "%.0f %%", at_full->cpu * 100);
        table_printf(&table, "%.0f %%", server_cpu(at_full) * 100);
        table_number(&table, tokens_per_s(at_pace), 0);
        table_number(&table, at_pace->ttft_p99_ms, 2);
        table_number(&table, at_pace->answer_p99_us, 0);
        table_number(&table, at_pace->request_p99_us, 0);
        table_number(&table, (double)at_pace->lag.p99 / 1000, 0);
        table_number(&table, at_pace->stamp_delay.p99 < 0 ? NAN : (double)at_pace->stamp_delay.p99 / 1000, 0);
    }
    table_end(&table, &text);
    fputs(buf_text(&text), app->out);
}

/* The last row is what has most streams. */
static void print_verdict(const struct app *app, struct part *fast, struct part *paced)
{
    char most_text[UNITS_TEXT_SIZE];
    struct finding *best = &fast->findings[0], *widest = &paced->findings[paced->count - 1];
    for (size_t k = 1; k < fast->count; k++)
        if (tokens_per_s(&fast->findings[k]) > tokens_per_s(best))
            best = &fast->findings[k];
    const char *limit = best->cpu >= BUSY          ? ""
                        : server_cpu(best) >= BUSY ? " or more (the simulator was the limit)"
                                                   : " or more (client and simulator waited for each other, or for a CPU)";
    fprintf(app->out, "This pod receives %s tokens/s%s; adds %.0f us to TTFT p99 at %lld streams.\n",
            units_format_number(tokens_per_s(best), 0, most_text), limit, widest->answer_p99_us, (long long)widest->streams);
    for (size_t k = 0; k < paced->count; k++)
        if (paced->findings[k].answer_p99_us > ADDED_MAX_MS * 1000) { /* the first tells of the others */
            long long streams = paced->findings[k].streams;
            fprintf(app->out, "At %lld stream%s it adds more than %.0f ms: give it more CPU, fewer neighbours, or fewer streams a pod (--shard).\n",
                    streams, streams == 1 ? "" : "s", ADDED_MAX_MS);
            return;
        }
}

/* --- all of it --------------------------------------------------------------------------------- */

static void set_counts(struct part *part, int64_t plan_streams)
{
    bool told = plan_streams <= 0;
    for (size_t k = 0; k < sizeof usual_counts / sizeof usual_counts[0]; k++) {
        if (!told && plan_streams <= usual_counts[k]) {
            if (plan_streams < usual_counts[k])
                part->findings[part->count++].streams = plan_streams;
            told = true;
        }
        part->findings[part->count++].streams = usual_counts[k];
    }
    if (!told)
        part->findings[part->count++].streams = plan_streams;
}

static void init_part(struct part *part, struct app *app, int64_t step_ns, int64_t output_tokens, int64_t plan_streams)
{
    *part = (struct part){
        .sink = {.level_start = on_level_start, .level_end = on_level_end, .add = on_record, .tick = on_tick, .flush = on_flush},
        .app = app, .step_ns = step_ns, .output_tokens = output_tokens, .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    set_counts(part, plan_streams);
}

static void clear_part(struct part *part)
{
    for (size_t k = 0; k < part->count; k++)
        free(part->findings[k].seen);
    pthread_mutex_destroy(&part->lock);
}

int self_test_run(struct app *app, int workers, int64_t plan_streams, struct error *err)
{
    struct part fast, paced;
    setenv("no_proxy", "127.0.0.1", 1); /* no proxy is between us and ourselves */
    init_part(&fast, app, 0, FAST_TOKENS, plan_streams);
    init_part(&paced, app, STEP_MS * NS_PER_MS, PACED_TOKENS, plan_streams);
    log_info(&app->log, "measuring this machine against a simulator in this process, over loopback: some %.0f s",
             2 * (double)fast.count * (double)LEVEL_NS / (double)NS_PER_S);
    int status = run_part(&fast, workers, err);
    if (status == 0 && !*app->stop)
        status = run_part(&paced, workers, err);
    if (status == 0 && !*app->stop) {
        int cpus = cgroup_cpus(MACHINE);
        fprintf(app->out, "%d worker%s on %d CPU%s, shared with the simulator. Left: at full speed; right: a token each %d ms and stream.\n\n",
                workers, workers == 1 ? "" : "s", cpus, cpus == 1 ? "" : "s", STEP_MS);
        print_table(app, &fast, &paced);
        print_verdict(app, &fast, &paced);
    }
    clear_part(&fast);
    clear_part(&paced);
    return status;
}
