/* AIPerf's profile_export_aiperf.json: a level. A profile_export.jsonl behind it has every request of that level, and these are measured as our
 * own; throughputs stay AIPerf's.
 *
 * AIPerf's names: inter_token_latency is (request_latency - time_to_first_token) / (N - 1), inter_chunk_latency are the gaps between chunks,
 * request_latency ends with the last response that holds something, a record's request_end_ns with the answer. Failed requests are in none of its distributions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "import/import.h"
#include "import/import_requests.h"

#define LACKS "AIPerf's export does not tell it"
#define E2E_TEXT "until the last response, not until the answer's end"

/* ---- the load ---- */

static bool has_text(const json_t *object, const char *path, const char *text)
{
    const char *found = import_text(object, path);
    return found && strcmp(found, text) == 0;
}

/* Since 0.8 or so a list of phases, one of which is the measurement; before, one set of options. */
static const json_t *find_phase(const json_t *root)
{
    const json_t *phases = import_at(root, "input_config.phases"), *phase, *found = json_array_get(phases, 0);
    size_t k;
    json_array_foreach(phases, k, phase)
        if (has_text(phase, "kind", "profiling") || has_text(phase, "name", "profiling"))
            found = phase;
    if (!found)
        found = import_at(root, "input_config.phases.profiling");
    return found ? found : import_at(root, "input_config.loadgen");
}

static struct level_summary *add_level(struct import *import, const json_t *root, struct error *err)
{
    const json_t *phase = find_phase(root);
    double rate = import_number(phase, "request_rate"), concurrency = import_number(phase, "concurrency");
    const char *pattern = import_text(phase, "arrival_pattern");
    rate = rate > 0 ? rate : import_number(phase, "rate");
    pattern = pattern ? pattern : import_text(phase, "type");
    if (rate > 0)
        return import_add_level(import, pattern && strstr(pattern, "constant") ? "constant" : pattern && strstr(pattern, "gamma") ? "gamma" : "poisson",
                                rate, LOAD_REQUESTS_PER_S, err);
    return import_add_level(import, "concurrent", concurrency, LOAD_STREAMS, err);
}

/* ---- its own numbers ---- */

static struct distribution read_distribution(const json_t *root, const char *metric)
{
    static const char *const keys[] = {[P1] = "p1", [P5] = "p5", [P10] = "p10", [P25] = "p25", [P50] = "p50",
                                       [P75] = "p75", [P90] = "p90", [P95] = "p95", [P99] = "p99", [P999] = "p99_9"};
    struct distribution made = distribution_empty();
    const json_t *found = json_object_get(root, metric);
    const char *unit = import_text(found, "unit");
    double count = import_number(found, "count");
    if (!unit || strcmp(unit, "ms") != 0)
        return made;
    made.mean = import_number(found, "avg");
    made.std = import_number(found, "std");
    made.min = import_number(found, "min");
    made.max = import_number(found, "max");
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        made.percentile[k] = import_number(found, keys[k]);
    made.count = distribution_is_known(&made) && count >= 1 ? (uint64_t)count : 0;
    return made;
}

static uint64_t count_of(double number)
{
    return number >= 0 ? (uint64_t)number : COUNT_UNKNOWN;
}

/* A run without a failed request has no error_request_count. */
static void read_counts(struct level_summary *level, const json_t *root)
{
    double ok = import_number(root, "request_count.avg"), failed = import_number(root, "error_request_count.avg");
    if (!(ok >= 0))
        return;
    failed = failed >= 0 ? failed : 0;
    level->requests.ok = count_of(ok);
    level->requests.error = count_of(failed);
    level->requests.members = count_of(ok + failed);
    level->rate[RATE_ERROR_RATE] = ok + failed > 0 ? failed / (ok + failed) : NAN;
    level_add_derived(level, "error_rate", "all that failed, by whose doing is not told");
}

static void read_latencies(struct level_summary *level, const json_t *root)
{
    read_counts(level, root);
    level->latency[LATENCY_TTFT] = read_distribution(root, "time_to_first_token");
    level->latency[LATENCY_TPOT_VLLM] = read_distribution(root, "inter_token_latency");
    level->latency[LATENCY_ARRIVAL_GAP] = read_distribution(root, "inter_chunk_latency");
    level->latency[LATENCY_E2E] = read_distribution(root, "request_latency");
    if (distribution_is_known(&level->latency[LATENCY_E2E]))
        level_add_derived(level, "e2e_ms", E2E_TEXT);
    import_derive_censored(level);
    import_derive_tpot(level);
}

/* By the server's own count of tokens, where it gave one; AIPerf's throughputs are of its own tokenizer's. */
static void read_throughput(struct level_summary *level, const json_t *root)
{
    double in = import_number(root, "total_isl.avg"), out = import_number(root, "total_osl.avg"), seconds = import_number(root, "benchmark_duration.avg");
    double used_in = import_number(root, "total_usage_prompt_tokens.avg"), used_out = import_number(root, "total_usage_completion_tokens.avg");
    if (used_in > 0 && used_out > 0 && seconds > 0) {
        level->rate[RATE_OUTPUT_TPS] = used_out / seconds;
        level->rate[RATE_TOTAL_TPS] = (used_in + used_out) / seconds;
        level_add_derived(level, "output_tps", "total_usage_completion_tokens / benchmark_duration");
        level_add_derived(level, "total_tps", "(total_usage_prompt_tokens + total_usage_completion_tokens) / benchmark_duration");
        return;
    }
    level->rate[RATE_OUTPUT_TPS] = import_number(root, "output_token_throughput.avg");
    level->rate[RATE_TOTAL_TPS] = import_number(root, "total_token_throughput.avg");
    if (isnan(level->rate[RATE_TOTAL_TPS]) && out > 0) {
        level->rate[RATE_TOTAL_TPS] = level->rate[RATE_OUTPUT_TPS] * (in + out) / out;
        level_add_derived(level, "total_tps", "output_tps x (total_isl + total_osl) / total_osl");
    }
}

/* ---- facts ---- */

static void read_lengths(struct mean_tokens *sum, const json_t *root, const char *metric)
{
    const json_t *found = json_object_get(root, metric);
    double count = import_number(found, "count"), std = import_number(found, "std");
    count = count >= 1 ? count : import_number(root, "request_count.avg");
    if (count >= 1)
        import_add_tokens(sum, (uint64_t)count, import_number(found, "avg"), std > 0 ? std / sqrt(count) : 0);
}

static const char *first_text(const json_t *root, const char *const *paths)
{
    for (; *paths; paths++)
        if (import_text(root, *paths))
            return import_text(root, *paths);
    return NULL;
}

static void tell_facts(struct import *import, const json_t *root)
{
    static const char *const models[] = {"input_config.endpoint.model_names.0", "input_config.models.items.0.name", "input_config.models.0.name",
                                         "input_config.models.0", NULL};
    static const char *const targets[] = {"input_config.endpoint.urls.0", "input_config.endpoint.url", NULL};
    struct run_facts *facts = import->facts;
    const json_t *phase = find_phase(root);
    const char *version = import_text(root, "aiperf_version"), *type = import_text(root, "input_config.endpoint.type");
    double requests = import_number(phase, "request_count"), seconds = import_number(phase, "benchmark_duration");
    char duration[UNITS_TEXT_SIZE];
    import->tool = version ? arena_printf(import->arena, "AIPerf %.40s", version) : "AIPerf";
    requests = requests > 0 ? requests : import_number(phase, "requests");
    seconds = seconds > 0 ? seconds : import_number(phase, "duration");
    import_tell_model(import, first_text(root, models));
    import_tell(import, &facts->target, first_text(root, targets));
    if (type && (strcmp(type, "chat") == 0 || strcmp(type, "completions") == 0))
        import_tell(import, &facts->endpoint, type);
    import_tell(import, &facts->profile, "aiperf profile");
    if (seconds > 0 && seconds < 1e9)
        import_tell(import, &facts->limits, arena_printf(import->arena, "%s a level", units_format_duration(llround(seconds * 1e9), duration)));
    else if (requests > 0)
        import_tell(import, &facts->limits, arena_printf(import->arena, "%.0f requests a level", requests));
    bool used = json_is_object(json_object_get(root, "usage_prompt_tokens")) && json_is_object(json_object_get(root, "usage_completion_tokens"));
    read_lengths(&facts->prompt, root, used ? "usage_prompt_tokens" : "input_sequence_length");
    read_lengths(&facts->output, root, used ? "usage_completion_tokens" : "output_sequence_length");
}

/* ---- every request: profile_export.jsonl ---- */

static bool is_record(const json_t *line)
{
    return json_is_object(json_object_get(line, "metadata")) && json_is_object(json_object_get(line, "metrics"));
}

/* Nanoseconds of an epoch are beyond what a double holds: they are integers in the file. */
static int64_t ns_at(const json_t *line, const char *path, int64_t origin)
{
    const json_t *value = import_at(line, path);
    int64_t ns;
    if (!json_is_integer(value) || __builtin_sub_overflow((int64_t)json_integer_value(value), origin, &ns) || ns > RECORD_TIME_MAX || ns < -RECORD_TIME_MAX)
        return TIME_NEVER;
    return ns;
}

/* Milliseconds after a time. */
static int64_t after(int64_t start, double ms)
{
    return start == TIME_NEVER || !(ms * 1e6 < (double)RECORD_TIME_MAX) ? TIME_NEVER : start + llround(ms * 1e6);
}

/* The server's count, else that of AIPerf's tokenizer. */
static int64_t tokens_at(const json_t *line, const char *used, const char *counted)
{
    double count = import_number(line, used);
    if (isnan(count))
        count = import_number(line, counted);
    return count >= 0 && count <= (double)RECORD_COUNT_MAX ? llround(count) : -1;
}

static enum failure failure_of(const json_t *error)
{
    double code = import_number(error, "code");
    const char *type = import_text(error, "type"), *message = import_text(error, "message");
    if (code == 429)
        return FAILURE_HTTP_429;
    if (code >= 400 && code < 500)
        return FAILURE_HTTP_4XX;
    if (code >= 500 && code < 600)
        return FAILURE_HTTP_5XX;
    enum failure by_type = import_failure(type ? type : "");
    return by_type != FAILURE_PROTOCOL ? by_type : import_failure(message ? message : "");
}

static void add_gaps(const json_t *line, struct series *gaps)
{
    size_t k;
    const json_t *gap;
    json_array_foreach(import_at(line, "metrics.inter_chunk_latency.value"), k, gap)
        if (json_is_number(gap) && json_number_value(gap) >= 0)
            series_add(gaps, json_number_value(gap));
}

/* The requests of one level. */
struct reading {
    struct import_requests requests;
    struct series gaps;
    bool open_loop;
    int64_t origin; /* ns of an epoch that times count from; 0: not known yet */
};

static void fill_record(const struct reading *reading, const json_t *line, struct record *record)
{
    const json_t *error = json_object_get(line, "error");
    bool cancelled = json_is_true(import_at(line, "metadata.was_cancelled"));
    record->outcome = cancelled ? OUTCOME_INCOMPLETE : json_is_object(error) ? OUTCOME_ERROR : OUTCOME_OK;
    record->failure = cancelled ? FAILURE_CANCELLED : json_is_object(error) ? failure_of(error) : FAILURE_NONE;
    record->sent = ns_at(line, "metadata.request_start_ns", reading->origin);
    if (reading->open_loop) /* when its scheduler let it go */
        record->intended = ns_at(line, "metadata.credit_issued_ns", reading->origin);
    record->end = ns_at(line, "metadata.request_end_ns", reading->origin);
    record->first_token = after(record->sent, import_number(line, "metrics.time_to_first_token.value"));
    record->prompt_tokens = tokens_at(line, "metrics.usage_prompt_tokens.value", "metrics.input_sequence_length.value");
    if (record->outcome != OUTCOME_OK)
        return;
    record->last_token = after(record->sent, import_number(line, "metrics.request_latency.value"));
    record->output_tokens = tokens_at(line, "metrics.usage_completion_tokens.value", "metrics.output_sequence_length.value");
}

static int read_record(void *context, const char *where, const json_t *line, struct error *err)
{
    struct reading *reading = context;
    const json_t *start = import_at(line, "metadata.request_start_ns");
    const char *phase = import_text(line, "metadata.benchmark_phase");
    if (!is_record(line))
        return error_set(err, ERROR_USAGE, "%s: expected a record with metadata and metrics", where);
    if (phase && strcmp(phase, "warmup") == 0)
        return 0;
    if (reading->origin == 0 && json_is_integer(start))
        reading->origin = (int64_t)json_integer_value(start);
    struct record *record = import_add_request(&reading->requests);
    if (!record)
        return error_set(err, ERROR_USAGE, "%s: more than %d requests in a level", where, IMPORT_REQUESTS_MAX);
    fill_record(reading, line, record);
    if (record->outcome == OUTCOME_OK)
        add_gaps(line, &reading->gaps);
    return 0;
}

/* The rates of the level stay: they are AIPerf's own. */
static void measure(struct import *import, struct level_summary *level, struct import_requests *requests, struct series *gaps)
{
    double output_tps = level->rate[RATE_OUTPUT_TPS], total_tps = level->rate[RATE_TOTAL_TPS];
    size_t kept = 0;
    for (size_t k = 0; k < level->derived_count; k++)
        if (strstr(level->derived[k].field, "_tps"))
            level->derived[kept++] = level->derived[k];
    level->derived_count = kept;
    import_measure(import, level, requests);
    level->latency[LATENCY_ARRIVAL_GAP] = series_describe(gaps);
    level->rate[RATE_OUTPUT_TPS] = output_tps;
    level->rate[RATE_TOTAL_TPS] = total_tps;
    if (level->failure_count > 0)
        level_add_derived(level, "errors", "classes of failures by codes and words of the report's errors");
    import_derive_tpot(level);
}

static int read_records(struct import *import, const char *name, const struct buf *text, struct error *err)
{
    struct reading reading = {.requests = {.window_start = TIME_NEVER, .window_end = TIME_NEVER, .cut = true}};
    if (import->level_count == 0 || import->has_requests)
        return error_set(err, ERROR_USAGE, "%s: the records of a level are one file, behind its profile_export_aiperf.json: FILE.json,FILE.jsonl", name);
    struct level_summary *level = &import->levels[import->level_count - 1];
    reading.open_loop = level_is_open_loop(level);
    import->has_requests = true;
    int status = import_read_lines(name, text, read_record, &reading, err);
    if (status == 0)
        measure(import, level, &reading.requests, &reading.gaps);
    series_free(&reading.gaps);
    free(reading.requests.records);
    return status;
}

/* ---- the export ---- */

static int read_export(struct import *import, const char *name, const json_t *root, struct error *err)
{
    if (!json_is_object(json_object_get(root, "request_latency")) && !json_is_object(json_object_get(root, "request_throughput")))
        return error_set(err, ERROR_USAGE, "%s: no profile_export_aiperf.json: expected an object with request_latency or request_throughput", name);
    struct level_summary *level = add_level(import, root, err);
    if (!level)
        return error_wrap(err, "%s", name);
    tell_facts(import, root);
    read_latencies(level, root);
    read_throughput(level, root);
    level->rate[RATE_REQUEST_RPS] = import_number(root, "request_throughput.avg");
    if (level_is_open_loop(level))
        level->rate[RATE_OFFERED_RPS] = level->load;
    return 0;
}

static int read_file(struct import *import, const char *name, struct buf *text, struct error *err)
{
    json_t *line = import_first_line(text);
    bool records = is_record(line);
    json_decref(line);
    import->lacks = LACKS;
    if (records)
        return read_records(import, name, text, err);
    json_t *root = import_parse_json(name, buf_text(text), text->len, err);
    int status = root ? read_export(import, name, root, err) : -1;
    json_decref(root);
    import->has_requests = false;
    return status;
}

const struct import_format import_aiperf = {.name = "aiperf", .read = read_file};
