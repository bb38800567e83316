/* GuideLLM's reports in JSON, 0.2 to 0.8. Where a report holds every request (it does unless it was told to sample), they are measured as our
 * own; else its distributions are taken. Throughputs are GuideLLM's in either case: tokens of the measured time / its length.
 *
 * Where the versions differ: a benchmark's strategy is in args (0.2, 0.3) or config; times of a request are members of it (0.2, 0.3) or in
 * info.timings; the model and the target are told by the worker, by args, or by config. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "import/import.h"
#include "import/import_requests.h"

#define TIME_STEP_NS 500 /* more than the steps of a double that holds seconds of our epoch: two times that are equal may differ by one */
#define LACKS "GuideLLM's report does not tell it"
#define CUT_TEXT "GuideLLM ends a level without waiting for what is under way: a request without a first token counts only if it had waited for more than 2 s"

/* The first of several places, in newer and older reports, that holds a number. */
static double first_number(const json_t *object, const char *const *paths)
{
    double number = NAN;
    for (; *paths && isnan(number); paths++)
        number = import_number(object, *paths);
    return number;
}

static const char *first_text(const json_t *object, const char *const *paths)
{
    const char *text = NULL;
    for (; *paths && (!text || !text[0]); paths++)
        text = import_text(object, *paths);
    return text;
}

#define PLACES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- the load ---- */

struct load {
    const char *kind;
    double load;
    enum load_unit unit;
    const char *derived; /* from what, where the strategy does not say it; NULL: it does */
};

/* As many at once as it may have, and as there are. */
static struct load throughput_load(const json_t *benchmark, double streams)
{
    double requests = first_number(benchmark, PLACES("metrics.request_totals.total", "request_totals.total"));
    if (streams >= 1 && !(requests < streams))
        return (struct load){"throughput", streams, LOAD_STREAMS, NULL};
    if (requests >= 1 && requests < streams)
        return (struct load){"throughput", requests, LOAD_STREAMS, "the number of requests: there were fewer than max_concurrency"};
    double most = first_number(benchmark, PLACES("metrics.request_concurrency.total.max", "metrics.request_concurrency.successful.max"));
    return (struct load){"throughput", most, LOAD_STREAMS, "the most requests that were under way: the strategy has no bound"};
}

static struct load read_load(const json_t *benchmark)
{
    const json_t *strategy = import_at(benchmark, "config.strategy");
    strategy = json_is_object(strategy) ? strategy : import_at(benchmark, "args.strategy");
    const char *type = import_text(strategy, "type_");
    double streams = first_number(strategy, PLACES("streams", "max_concurrency"));
    type = type ? type : "";
    if (strcmp(type, "synchronous") == 0)
        return (struct load){"synchronous", 1, LOAD_STREAMS, NULL};
    if (strcmp(type, "concurrent") == 0)
        return (struct load){"concurrent", streams, LOAD_STREAMS, NULL};
    if (strcmp(type, "throughput") == 0)
        return throughput_load(benchmark, streams);
    double rate = first_number(strategy, PLACES("rate", "initial_rate"));
    return (struct load){strcmp(type, "poisson") == 0 ? "poisson" : "constant", rate, LOAD_REQUESTS_PER_S, NULL};
}

/* ---- requests ---- */

struct clock_origin {
    double seconds; /* epoch, that times count from */
};

static int64_t time_of(const json_t *request, const struct clock_origin *origin, const char *const *paths)
{
    double seconds = (first_number(request, paths) - origin->seconds) * 1e9;
    return fabs(seconds) < (double)RECORD_TIME_MAX ? llround(seconds) : TIME_NEVER;
}

static int64_t count_of(const json_t *request, const char *path)
{
    double count = import_number(request, path);
    return count >= 0 && count <= (double)RECORD_COUNT_MAX ? llround(count) : -1;
}

static int read_request(const json_t *item, const struct clock_origin *origin, enum outcome outcome, bool open_loop,
                        struct import_requests *requests)
{
    struct record *record = import_add_request(requests);
    if (!record)
        return -1;
    record->outcome = outcome;
    record->sent = time_of(item, origin, PLACES("info.timings.request_start", "request_start_time", "start_time"));
    if (open_loop) /* a stream's target is a matter of its own answers */
        record->intended = time_of(item, origin, PLACES("info.timings.targeted_start", "scheduler_info.targeted_start_time"));
    record->first_token = time_of(item, origin, PLACES("info.timings.first_token_iteration", "info.timings.first_iteration", "first_token_time"));
    record->last_token = time_of(item, origin, PLACES("info.timings.last_token_iteration", "info.timings.last_iteration", "last_token_time"));
    record->end = time_of(item, origin, PLACES("info.timings.request_end", "request_end_time", "end_time"));
    record->prompt_tokens = count_of(item, "prompt_tokens");
    record->output_tokens = count_of(item, "output_tokens");
    if (outcome == OUTCOME_INCOMPLETE)
        record->failure = FAILURE_CANCELLED;
    if (outcome == OUTCOME_ERROR) {
        const char *message = first_text(item, PLACES("info.error", "error"));
        record->failure = import_failure(message ? message : "");
    }
    return 0;
}

static const struct {
    const char *path;
    enum outcome outcome;
} request_lists[] = {{"requests.successful", OUTCOME_OK}, {"requests.errored", OUTCOME_ERROR}, {"requests.incomplete", OUTCOME_INCOMPLETE}};
#define REQUEST_LISTS (sizeof request_lists / sizeof request_lists[0])

/* All that the totals count are there. */
static bool has_all_requests(const json_t *benchmark)
{
    size_t count = 0;
    double total = first_number(benchmark, PLACES("metrics.request_totals.total", "request_totals.total"));
    for (size_t k = 0; k < REQUEST_LISTS; k++)
        count += json_array_size(import_at(benchmark, request_lists[k].path));
    return count > 0 && (double)count >= total;
}

/* The window is what GuideLLM measured; without a warm-up it begins with the first request, if that was due earlier. */
static void find_window(const json_t *benchmark, const struct clock_origin *origin, struct import_requests *requests)
{
    double warmup = import_number(benchmark, "warmup_duration"), cooldown = import_number(benchmark, "cooldown_duration");
    requests->window_start = time_of(benchmark, origin, PLACES("start_time"));
    requests->window_end = time_of(benchmark, origin, PLACES("end_time"));
    requests->from_first = !(warmup > 0);
    if (requests->window_start != TIME_NEVER && warmup > 0)
        requests->window_start -= TIME_STEP_NS;
    if (requests->window_end != TIME_NEVER && !(cooldown > 0))
        requests->window_end++; /* what ended at that moment is inside */
}

/* 0 with count 0: they are not all there. */
static int read_requests(const json_t *benchmark, const struct clock_origin *origin, bool open_loop, struct import_requests *requests)
{
    size_t k;
    const json_t *item;
    if (!has_all_requests(benchmark))
        return 0;
    for (size_t list = 0; list < REQUEST_LISTS; list++)
        json_array_foreach(import_at(benchmark, request_lists[list].path), k, item)
            if (read_request(item, origin, request_lists[list].outcome, open_loop, requests) < 0)
                return -1;
    find_window(benchmark, origin, requests);
    return 0;
}

/* ---- distributions ---- */

static struct distribution read_distribution(const json_t *benchmark, const char *path, double unit)
{
    static const char *const keys[] = {[P1] = "p01", [P5] = "p05", [P10] = "p10", [P25] = "p25", [P50] = "p50",
                                       [P75] = "p75", [P90] = "p90", [P95] = "p95", [P99] = "p99", [P999] = "p999"};
    struct distribution made = distribution_empty();
    const json_t *found = import_at(benchmark, path), *percentiles = import_at(found, "percentiles");
    double count = import_number(found, "count");
    if (!(count >= 1))
        return made;
    made.count = (uint64_t)count;
    made.mean = unit * import_number(found, "mean");
    made.std = unit * import_number(found, "std_dev");
    made.min = unit * import_number(found, "min");
    made.max = unit * import_number(found, "max");
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        made.percentile[k] = unit * import_number(percentiles, keys[k]);
    if (isnan(made.percentile[P50]))
        made.percentile[P50] = unit * import_number(found, "median");
    return made;
}

/* Its percentiles of times between tokens weigh each request by its tokens: they have no count of requests. */
static struct distribution read_weighted(const json_t *benchmark, const char *path)
{
    struct distribution made = read_distribution(benchmark, path, 1);
    made.count = 0;
    return made;
}

static uint64_t read_count(const json_t *benchmark, const char *status)
{
    char new[64], old[64];
    snprintf(new, sizeof new, "metrics.request_totals.%s", status);
    snprintf(old, sizeof old, "request_totals.%s", status);
    double count = first_number(benchmark, PLACES(new, old));
    return isnan(count) ? COUNT_UNKNOWN : (uint64_t)count;
}

static void read_counts(struct level_summary *level, const json_t *benchmark)
{
    level->requests.members = read_count(benchmark, "total");
    level->requests.ok = read_count(benchmark, "successful");
    level->requests.error = read_count(benchmark, "errored");
    level->requests.incomplete = read_count(benchmark, "incomplete");
    if (level->requests.ok == COUNT_UNKNOWN || level->requests.error == COUNT_UNKNOWN || level->requests.ok + level->requests.error == 0)
        return;
    level->rate[RATE_ERROR_RATE] = (double)level->requests.error / (double)(level->requests.ok + level->requests.error);
    level_add_derived(level, "error_rate", "all that failed, by whose doing is not told");
}

static void read_summary(struct level_summary *level, const json_t *benchmark)
{
    read_counts(level, benchmark);
    level->latency[LATENCY_TTFT] = read_distribution(benchmark, "metrics.time_to_first_token_ms.successful", 1);
    level->latency[LATENCY_E2E] = read_distribution(benchmark, "metrics.request_latency.successful", 1000);
    level->latency[LATENCY_TPOT_WITH_FIRST] = read_weighted(benchmark, "metrics.time_per_output_token_ms.successful");
    level->latency[LATENCY_TPOT_VLLM] = read_weighted(benchmark, "metrics.inter_token_latency_ms.successful");
    if (distribution_is_known(&level->latency[LATENCY_TPOT_VLLM]))
        level_add_derived(level, "tpot_vllm_ms", "inter_token_latency_ms of the report, whose percentiles weigh each request by its tokens");
    level->rate[RATE_REQUEST_RPS] = import_number(benchmark, "metrics.requests_per_second.successful.mean");
    level->rate[RATE_CONCURRENCY] = first_number(benchmark, PLACES("metrics.request_concurrency.total.mean", "metrics.request_concurrency.successful.mean"));
    if (level_is_open_loop(level))
        level->rate[RATE_OFFERED_RPS] = level->load;
    import_derive_censored(level);
}

/* ---- a benchmark is a level ---- */

static void read_lengths(struct import *import, const json_t *benchmark)
{
    static const struct {
        const char *path;
        bool prompt;
    } lengths[] = {{"metrics.prompt_token_count.successful", true}, {"metrics.output_token_count.successful", false}};
    for (size_t k = 0; k < 2; k++) {
        const json_t *found = import_at(benchmark, lengths[k].path);
        double count = import_number(found, "count"), std = import_number(found, "std_dev");
        struct mean_tokens *sum = lengths[k].prompt ? &import->facts->prompt : &import->facts->output;
        if (count >= 1)
            import_add_tokens(sum, (uint64_t)count, import_number(found, "mean"), std > 0 ? std / sqrt(count) : 0);
    }
}

static int read_benchmark(struct import *import, const json_t *benchmark, const struct clock_origin *origin, struct error *err)
{
    struct load load = read_load(benchmark);
    struct level_summary *level = import_add_level(import, load.kind, load.load, load.unit, err);
    struct import_requests requests = {.cut = true};
    if (!level)
        return -1;
    if (load.derived)
        level_add_derived(level, "load", load.derived);
    int status = read_requests(benchmark, origin, load.unit == LOAD_REQUESTS_PER_S, &requests);
    if (status < 0)
        error_set(err, ERROR_USAGE, "more than %d requests in a level", IMPORT_REQUESTS_MAX);
    else if (requests.count > 0)
        import_measure(import, level, &requests);
    else
        read_summary(level, benchmark);
    free(requests.records);
    if (status < 0)
        return -1;
    if (requests.count > 0 && level->failure_count > 0)
        level_add_derived(level, "errors", "classes of failures by the words of the report's messages");
    level->rate[RATE_OUTPUT_TPS] = import_number(benchmark, "metrics.output_tokens_per_second.total.mean");
    level->rate[RATE_TOTAL_TPS] = import_number(benchmark, "metrics.tokens_per_second.total.mean");
    if (level->requests.incomplete > 0)
        import_note(import, CUT_TEXT);
    import_derive_tpot(level);
    read_lengths(import, benchmark);
    return 0;
}

/* ---- the run ---- */

static const char *tool_of(const struct import *import, const json_t *root)
{
    const char *version = import_text(root, "metadata.guidellm_version");
    if (version)
        return arena_printf(import->arena, "GuideLLM %.40s", version);
    return json_object_get(root, "args") ? "GuideLLM 0.4" : "GuideLLM 0.2 or 0.3";
}

static const char *endpoint_of(const char *format)
{
    if (!format)
        return NULL;
    return strstr(format, "chat") ? endpoint_name(ENDPOINT_CHAT) : strstr(format, "completions") ? endpoint_name(ENDPOINT_COMPLETIONS) : NULL;
}

/* As our own limits are told: "60 s a level", "60 s or 15 requests a level". */
static const char *limits_of(struct import *import, const json_t *benchmark)
{
    double seconds = first_number(benchmark, PLACES("config.constraints.max_duration.args.seconds.0", "config.constraints.max_duration.args.seconds",
                                                    "config.constraints.max_duration.args.max_duration", "config.constraints.max_seconds.max_duration",
                                                    "config.constraints.max_seconds", "args.max_duration"));
    double requests = first_number(benchmark, PLACES("config.constraints.max_requests.args.count.0", "config.constraints.max_requests.args.count",
                                                     "config.constraints.max_requests.max_num", "config.constraints.max_requests", "args.max_number"));
    char duration[UNITS_TEXT_SIZE] = "";
    if (seconds > 0 && seconds < 1e9)
        units_format_duration(llround(seconds * 1e9), duration);
    if (duration[0] && requests > 0)
        return arena_printf(import->arena, "%s or %.0f requests a level", duration, requests);
    return duration[0] ? arena_printf(import->arena, "%s a level", duration)
           : requests > 0 ? arena_printf(import->arena, "%.0f requests a level", requests) : NULL;
}

static void tell_facts(struct import *import, const json_t *root)
{
    struct run_facts *facts = import->facts;
    const json_t *first = import_at(root, "benchmarks.0");
    import_tell_model(import, first_text(root, PLACES("config.spec.backend.model", "benchmarks.0.config.backend.model", "args.backend_kwargs.model",
                                                               "args.model",
                                                               "benchmarks.0.worker.backend_model")));
    import_tell(import, &facts->target, first_text(root, PLACES("config.spec.backend.target", "benchmarks.0.config.backend.target",
                                                                "args.backend_kwargs.target", "args.target",
                                                                "benchmarks.0.worker.backend_target")));
    import_tell(import, &facts->profile, first_text(root, PLACES("config.spec.profile.kind", "benchmarks.0.config.profile.type_", "args.profile",
                                                                 "benchmarks.0.args.profile.type_")));
    import_tell(import, &facts->endpoint, endpoint_of(first_text(root, PLACES("config.spec.backend.request_format", "benchmarks.0.config.backend.request_format",
                                                                              "args.backend_kwargs.request_format", "args.request_type",
                                                                              "benchmarks.0.requests.successful.0.request_type"))));
    import_tell(import, &facts->limits, limits_of(import, first));
    import_tell(import, &facts->think_time, "none");
    if (!(first_number(first, PLACES("config.strategy.rampup_duration", "config.strategy.startup_duration")) > 0))
        import_tell(import, &facts->stream_start, stream_start_name(STREAM_START_TOGETHER));
    if (import_number(first, "warmup_duration") == 0)
        import_tell(import, &facts->warmup, "none");
    if (import_number(first, "cooldown_duration") == 0)
        import_tell(import, &facts->cooldown, "none");
}

static int read_root(struct import *import, const char *name, const json_t *root, struct error *err)
{
    const json_t *benchmarks = json_object_get(root, "benchmarks"), *benchmark;
    struct clock_origin origin = {import_number(root, "benchmarks.0.start_time")};
    size_t k;
    if (!json_is_array(benchmarks) || !json_is_object(import_at(root, "benchmarks.0.metrics")))
        return error_set(err, ERROR_USAGE, "%s: no GuideLLM report: expected an object with benchmarks, each with metrics", name);
    import->tool = tool_of(import, root);
    import->lacks = LACKS;
    tell_facts(import, root);
    if (import->facts->anchor_realtime_ns == 0 && origin.seconds > 0 && origin.seconds < 9e9)
        import->facts->anchor_realtime_ns = llround(origin.seconds * 1e9);
    json_array_foreach(benchmarks, k, benchmark)
        if (read_benchmark(import, benchmark, &origin, err) < 0)
            return error_wrap(err, "%s: benchmarks[%zu]", name, k);
    return 0;
}

static int read_file(struct import *import, const char *name, struct buf *text, struct error *err)
{
    json_t *root = import_parse_json(name, buf_text(text), text->len, err);
    int status = root ? read_root(import, name, root, err) : -1;
    json_decref(root);
    return status;
}

const struct import_format import_guidellm = {.name = "guidellm", .read = read_file};
