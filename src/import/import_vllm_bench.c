/* What `vllm bench serve --save-result` writes (and benchmark_serving.py before it): a level each; --append-result puts several into one
 * file, a line each. With --save-detailed every request is there and is measured as our own.
 *
 * vLLM's names: tpot is (latency - ttft) / (N - 1), its itl are the gaps between chunks, its latency ends with the last chunk, its percentiles are
 * interpolated and those that were asked for (by default p99 alone). Failed requests are in none of its numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "import/import.h"
#include "import/import_requests.h"

#define LACKS "vllm bench does not tell it"

/* ---- the load ---- */

static int add_level(struct import *import, const json_t *root, struct level_summary **level, struct error *err)
{
    double rate = import_number(root, "request_rate"), concurrency = import_number(root, "max_concurrency");
    double burstiness = import_number(root, "burstiness"), prompts = import_number(root, "num_prompts");
    if (rate > 0)
        *level = import_add_level(import, burstiness == 1 || isnan(burstiness) ? "poisson" : "gamma", rate, LOAD_REQUESTS_PER_S, err);
    else if (concurrency > 0)
        *level = import_add_level(import, "concurrent", concurrency, LOAD_STREAMS, err);
    else
        *level = import_add_level(import, "throughput", prompts, LOAD_STREAMS, err);
    if (*level && !(rate > 0) && !(concurrency > 0))
        level_add_derived(*level, "load", "num_prompts: all of them are sent at once");
    return *level ? 0 : -1;
}

/* ---- every request ---- */

static int64_t ns_of(double seconds)
{
    return fabs(seconds) * 1e9 < (double)RECORD_TIME_MAX ? llround(seconds * 1e9) : TIME_NEVER;
}

static double number_in(const json_t *root, const char *list, size_t k)
{
    const json_t *value = json_array_get(json_object_get(root, list), k);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static int64_t tokens_in(const json_t *root, const char *list, size_t k)
{
    double count = number_in(root, list, k);
    return count >= 0 && count <= (double)RECORD_COUNT_MAX ? llround(count) : -1;
}

/* The gaps of a request that ended well, in ms; their sum in seconds. */
static double add_gaps(const json_t *root, size_t k, struct series *gaps, bool ok)
{
    const json_t *list = json_array_get(json_object_get(root, "itls"), k), *gap;
    double sum = 0;
    size_t j;
    json_array_foreach(list, j, gap) {
        double seconds = json_is_number(gap) ? json_number_value(gap) : NAN;
        if (!(seconds >= 0))
            continue;
        sum += seconds;
        if (ok)
            series_add(gaps, seconds * 1000);
    }
    return sum;
}

static bool read_request(const json_t *root, size_t k, double origin, struct import_requests *requests, struct series *gaps)
{
    const char *error = json_string_value(json_array_get(json_object_get(root, "errors"), k));
    bool failed = error && error[0];
    double start = number_in(root, "start_times", k) - origin, ttft = number_in(root, "ttfts", k);
    double rest = add_gaps(root, k, gaps, !failed), latency = number_in(root, "latencies", k);
    struct record *record = import_add_request(requests);
    if (!record)
        return false;
    latency = latency > 0 ? latency : ttft + rest;
    record->outcome = failed ? OUTCOME_ERROR : OUTCOME_OK;
    record->failure = failed ? import_failure(error) : FAILURE_NONE;
    record->sent = ns_of(start);
    record->prompt_tokens = tokens_in(root, "input_lens", k);
    record->end = ns_of(start + latency);
    if (ttft > 0)
        record->first_token = ns_of(start + ttft);
    if (failed)
        return true;
    record->last_token = record->end;
    record->output_tokens = tokens_in(root, "output_lens", k);
    return true;
}

static bool has_all_requests(const json_t *root)
{
    static const char *const lists[] = {"start_times", "ttfts", "itls", "output_lens", "errors"};
    size_t count = json_array_size(json_object_get(root, "start_times"));
    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++)
        if (json_array_size(json_object_get(root, lists[k])) != count)
            return false;
    return count > 0;
}

static int read_requests(struct import *import, struct level_summary *level, const json_t *root, struct error *err)
{
    struct import_requests requests = {.window_start = TIME_NEVER, .window_end = TIME_NEVER};
    struct series gaps = {0};
    size_t count = json_array_size(json_object_get(root, "start_times"));
    double origin = number_in(root, "start_times", 0);
    bool fits = true;
    for (size_t k = 0; k < count && fits; k++)
        fits = read_request(root, k, origin, &requests, &gaps);
    if (fits) {
        import_measure(import, level, &requests);
        level->latency[LATENCY_ARRIVAL_GAP] = series_describe(&gaps);
        if (level->failure_count > 0)
            level_add_derived(level, "errors", "classes of failures by the words of the report's messages");
        level_add_derived(level, "e2e_ms", "until the last chunk, not until the answer's end");
    }
    series_free(&gaps);
    free(requests.records);
    return fits ? 0 : error_set(err, ERROR_USAGE, "more than %d requests in a level", IMPORT_REQUESTS_MAX);
}

/* ---- its own numbers ---- */

static struct distribution read_distribution(const json_t *root, const char *metric, double count)
{
    static const char *const keys[] = {[P1] = "p1", [P5] = "p5", [P10] = "p10", [P25] = "p25", [P50] = "p50",
                                       [P75] = "p75", [P90] = "p90", [P95] = "p95", [P99] = "p99", [P999] = "p99.9"};
    struct distribution made = distribution_empty();
    char key[64];
    snprintf(key, sizeof key, "mean_%s_ms", metric);
    made.mean = import_number(root, key);
    snprintf(key, sizeof key, "std_%s_ms", metric);
    made.std = import_number(root, key);
    for (int k = 0; k < PERCENTILE_COUNT; k++) {
        snprintf(key, sizeof key, "%s_%s_ms", keys[k], metric);
        const json_t *value = json_object_get(root, key); /* a key may have a dot */
        made.percentile[k] = json_is_number(value) && json_number_value(value) >= 0 ? json_number_value(value) : NAN;
    }
    snprintf(key, sizeof key, "median_%s_ms", metric);
    if (isnan(made.percentile[P50]))
        made.percentile[P50] = import_number(root, key);
    if (distribution_is_known(&made) && count >= 1)
        made.count = (uint64_t)count;
    return made;
}

static void read_summary(struct level_summary *level, const json_t *root)
{
    double completed = import_number(root, "completed"), failed = import_number(root, "failed");
    level->latency[LATENCY_TTFT] = read_distribution(root, "ttft", completed);
    level->latency[LATENCY_TPOT_VLLM] = read_distribution(root, "tpot", completed);
    level->latency[LATENCY_ARRIVAL_GAP] = read_distribution(root, "itl", 0);
    level->latency[LATENCY_E2E] = read_distribution(root, "e2el", completed);
    if (distribution_is_known(&level->latency[LATENCY_E2E]))
        level_add_derived(level, "e2e_ms", "until the last chunk, not until the answer's end");
    level->rate[RATE_REQUEST_RPS] = import_number(root, "request_throughput");
    if (level_is_open_loop(level))
        level->rate[RATE_OFFERED_RPS] = level->load;
    if (!isnan(completed))
        level->requests.ok = (uint64_t)completed;
    if (!isnan(completed) && !isnan(failed)) {
        level->requests.error = (uint64_t)failed;
        level->requests.incomplete = 0;
        level->requests.members = (uint64_t)completed + (uint64_t)failed;
        level->rate[RATE_ERROR_RATE] = completed + failed > 0 ? failed / (completed + failed) : NAN;
        level_add_derived(level, "error_rate", "all that failed, by whose doing is not told");
    }
    import_derive_censored(level);
}

/* ---- a result ---- */

static void tell_facts(struct import *import, const json_t *root)
{
    struct run_facts *facts = import->facts;
    const char *backend = import_text(root, "backend");
    backend = backend ? backend : import_text(root, "endpoint_type");
    double prompts = import_number(root, "num_prompts");
    import_tell_model(import, import_text(root, "model_id"));
    if (backend)
        import_tell(import, &facts->endpoint, endpoint_name(strstr(backend, "chat") ? ENDPOINT_CHAT : ENDPOINT_COMPLETIONS));
    import_tell(import, &facts->profile, "vllm bench serve");
    if (prompts > 0)
        import_tell(import, &facts->limits, arena_printf(import->arena, "%.0f requests a level", prompts));
    import_tell(import, &facts->stream_start, stream_start_name(STREAM_START_TOGETHER));
    import_tell(import, &facts->think_time, "none");
    import_tell(import, &facts->warmup, "none");
    import_tell(import, &facts->cooldown, "none");
}

static int read_result(struct import *import, const json_t *root, struct error *err)
{
    struct level_summary *level;
    if (isnan(import_number(root, "completed")) || isnan(import_number(root, "duration")))
        return error_set(err, ERROR_USAGE, "no result of vllm bench serve: expected an object with completed and duration");
    if (add_level(import, root, &level, err) < 0)
        return -1;
    tell_facts(import, root);
    if (!has_all_requests(root))
        read_summary(level, root);
    else if (read_requests(import, level, root, err) < 0)
        return -1;
    level->rate[RATE_OUTPUT_TPS] = import_number(root, "output_throughput");
    level->rate[RATE_TOTAL_TPS] = import_number(root, "total_token_throughput");
    if (isnan(level->rate[RATE_TOTAL_TPS])) /* before 0.4 */
        level->rate[RATE_TOTAL_TPS] = import_number(root, "output_throughput") + import_number(root, "input_throughput");
    import_derive_tpot(level);
    double completed = import_number(root, "completed");
    if (completed >= 1) {
        import_add_tokens(&import->facts->prompt, (uint64_t)completed, import_number(root, "total_input_tokens") / completed, 0);
        import_add_tokens(&import->facts->output, (uint64_t)completed, import_number(root, "total_output_tokens") / completed, 0);
    }
    return 0;
}

static int read_document(void *context, const char *where, const json_t *root, struct error *err)
{
    return read_result(context, root, err) < 0 ? error_wrap(err, "%s", where) : 0;
}

/* One document, or one a line. */
static int read_file(struct import *import, const char *name, struct buf *text, struct error *err)
{
    json_t *line = import_first_line(text);
    bool is_whole = json_is_object(line);
    json_decref(line);
    import->tool = "vllm bench";
    import->lacks = LACKS;
    if (is_whole)
        return import_read_lines(name, text, read_document, import, err);
    json_t *root = import_parse_json(name, buf_text(text), text->len, err);
    int status = root ? read_document(import, name, root, err) : -1;
    json_decref(root);
    return status;
}

const struct import_format import_vllm_bench = {.name = "vllm-bench", .read = read_file};
