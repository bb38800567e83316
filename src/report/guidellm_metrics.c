#include <math.h>
#include <string.h>

#include "base/json.h"
#include "report/guidellm.h"

/* Names of the four, as GuideLLM has them. */
static const char *const ending_names[ENDING_COUNT] = {
    [ENDING_OK] = "successful", [ENDING_ERROR] = "errored", [ENDING_INCOMPLETE] = "incomplete", [ENDING_ALL] = "total"};

void guidellm_set_real(json_t *object, const char *key, double number)
{
    json_object_set_new(object, key, json_real(isfinite(number) ? number : 0));
}

void guidellm_set_null(json_t *object, const char *const *keys)
{
    for (; *keys; keys++)
        json_set_null(object, *keys);
}

static json_t *distribution(const struct spread *spread)
{
    static const char *const names[SPREAD_PERCENTILE_COUNT] = {
#define X(per_mille, name) name,
        SPREAD_PERCENTILES(X)
#undef X
    };
    json_t *object = json_object();
    guidellm_set_real(object, "mean", spread->mean);
    guidellm_set_real(object, "median", spread->percentile[SPREAD_MEDIAN]);
    guidellm_set_real(object, "mode", spread->mode);
    guidellm_set_real(object, "variance", spread->variance);
    guidellm_set_real(object, "std_dev", sqrt(spread->variance));
    guidellm_set_real(object, "min", spread->min);
    guidellm_set_real(object, "max", spread->max);
    json_set_integer(object, "count", llround(spread->count));
    guidellm_set_real(object, "total_sum", spread->mean * spread->count);
    json_t *percentiles = json_add_object(object, "percentiles");
    for (int k = 0; k < SPREAD_PERCENTILE_COUNT; k++)
        guidellm_set_real(percentiles, names[k], spread->percentile[k]);
    json_set_null(object, "pdf");
    return object;
}

/* spreads NULL: nothing was observed. */
static json_t *by_ending(const struct spread *spreads)
{
    static const struct spread nothing;
    json_t *object = json_object();
    for (int k = 0; k < ENDING_COUNT; k++)
        json_object_set_new(object, ending_names[k], distribution(spreads ? &spreads[k] : &nothing));
    return object;
}

/* One kind of content: tokens are known, words and characters are not, since the texts are not kept. */
static void add_tokens(json_t *text, const struct level_endings *endings)
{
    static const struct {
        const char *name;
        enum ending_quantity quantity;
    } known[] = {
        {"input", QUANTITY_PROMPT_TOKENS},   {"input_per_second", QUANTITY_PROMPT_TPS}, {"output", QUANTITY_OUTPUT_TOKENS},
        {"output_per_second", QUANTITY_OUTPUT_TPS}, {"total", QUANTITY_TOTAL_TOKENS}, {"total_per_second", QUANTITY_TOTAL_TPS},
    };
    json_t *tokens = json_add_object(text, "tokens");
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        json_object_set_new(tokens, known[k].name, by_ending(endings->of[known[k].quantity]));
    guidellm_set_null(tokens, (const char *const[]){"input_concurrency", "output_concurrency", "total_concurrency", NULL});
    guidellm_set_null(text, (const char *const[]){"words", "characters", NULL});
}

static void add_contents(json_t *metrics, const struct level_endings *endings)
{
    add_tokens(json_add_object(metrics, "text"), endings);
    guidellm_set_null(json_add_object(metrics, "image"), (const char *const[]){"tokens", "images", "pixels", "bytes", NULL});
    guidellm_set_null(json_add_object(metrics, "video"), (const char *const[]){"tokens", "frames", "seconds", "bytes", NULL});
    guidellm_set_null(json_add_object(metrics, "audio"), (const char *const[]){"tokens", "samples", "seconds", "bytes", NULL});
    guidellm_set_null(json_add_object(metrics, "tool_call"), (const char *const[]){"tokens", "mixed_tokens", "count", NULL});
}

json_t *guidellm_metrics(const struct level_summary *level, const struct level_endings *endings)
{
    static const struct {
        const char *name;
        int quantity; /* -1: of websockets, or of what content is reasoning: nothing is known */
    } rows[] = {
        {"requests_per_second", QUANTITY_REQUEST_RPS},
        {"request_concurrency", QUANTITY_CONCURRENCY},
        {"request_latency", QUANTITY_E2E_S},
        {"request_streaming_iterations_count", QUANTITY_CHUNKS},
        {"prompt_token_count", QUANTITY_PROMPT_TOKENS},
        {"output_token_count", QUANTITY_OUTPUT_TOKENS},
        {"total_token_count", QUANTITY_TOTAL_TOKENS},
        {"time_to_first_token_ms", QUANTITY_TTFT_MS},
        {"time_to_first_output_token_ms", -1},
        {"time_per_output_token_ms", QUANTITY_TPOT_WITH_FIRST_MS},
        {"inter_token_latency_ms", QUANTITY_TPOT_VLLM_MS},
        {"time_to_last_round_trip_ms", -1},
        {"avg_round_trip_time_ms", -1},
        {"prompt_tokens_per_second", QUANTITY_PROMPT_TPS},
        {"output_tokens_per_second", QUANTITY_OUTPUT_TPS},
        {"tokens_per_second", QUANTITY_TOTAL_TPS},
        {"output_tokens_per_iteration", QUANTITY_TOKENS_A_CHUNK},
        {"iter_tokens_per_iteration", QUANTITY_LATER_TOKENS_A_CHUNK},
    };
    json_t *metrics = json_object(), *totals = json_add_object(metrics, "request_totals");
    json_set_integer(totals, ending_names[ENDING_OK], (int64_t)level->requests.ok);
    json_set_integer(totals, ending_names[ENDING_ERROR], (int64_t)level->requests.error);
    json_set_integer(totals, ending_names[ENDING_INCOMPLETE], (int64_t)level->requests.incomplete);
    json_set_integer(totals, ending_names[ENDING_ALL], (int64_t)level->requests.members);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        json_object_set_new(metrics, rows[k].name, by_ending(rows[k].quantity < 0 ? NULL : endings->of[rows[k].quantity]));
    if (level_is_open_loop(level)) {
        json_object_set_new(metrics, "request_dispatch_delay", by_ending(endings->of[QUANTITY_SLIP_S]));
        json_object_set_new(metrics, "request_scheduled_latency", by_ending(endings->of[QUANTITY_DUE_E2E_S]));
    }
    if (!isnan(level->goodput_share))
        guidellm_set_real(metrics, "slo_attainment", level->goodput_share);
    add_contents(metrics, endings);
    return metrics;
}

/* ---- single requests ---- */

static void set_time(json_t *object, const char *key, int64_t t, int64_t anchor_ns)
{
    if (t == TIME_NEVER)
        json_set_null(object, key);
    else
        guidellm_set_real(object, key, (double)(anchor_ns + t) / 1e9);
}

/* From one time to another, times `unit` per second and divided by `by`; null where one never was or by is not above 0. */
static void set_length(json_t *object, const char *key, int64_t from, int64_t to, double unit, double by)
{
    if (from == TIME_NEVER || to == TIME_NEVER || !(by > 0))
        json_set_null(object, key);
    else
        guidellm_set_real(object, key, (double)(to - from) / 1e9 * unit / by);
}

static void add_info(json_t *item, const struct record *record, const char *id, int64_t end, int64_t anchor_ns)
{
    static const char *const status[] = {[OUTCOME_OK] = "completed", [OUTCOME_ERROR] = "errored", [OUTCOME_INCOMPLETE] = "cancelled"};
    json_t *info = json_add_object(item, "info");
    json_set_text(info, "request_id", id);
    json_set_text(info, "status", status[record->outcome]);
    json_set_integer(info, "scheduler_node_id", record->shard);
    json_set_integer(info, "turn_index", record->turn >= 0 ? record->turn : 0);
    json_set_text_if_any(info, "error", failure_name(record->failure));
    json_t *timings = json_add_object(info, "timings");
    set_time(timings, "targeted_start", record->intended, anchor_ns);
    set_time(timings, "resolve_start", record->sent, anchor_ns);
    set_time(timings, "request_start", record->sent, anchor_ns);
    set_time(timings, "first_request_iteration", record->first_token, anchor_ns);
    set_time(timings, "first_token_iteration", record->first_token, anchor_ns);
    set_time(timings, "last_token_iteration", record->last_token, anchor_ns);
    set_time(timings, "last_request_iteration", record->last_token, anchor_ns);
    json_set_integer(timings, "request_iterations", record->chunks);
    json_set_integer(timings, "token_iterations", record_token_chunks(record));
    set_time(timings, "request_end", record->end, anchor_ns);
    set_time(timings, "resolve_end", end, anchor_ns);
    set_time(timings, "finalized", end, anchor_ns);
}

static void add_usage(json_t *item, const char *key, int64_t tokens, int64_t cached)
{
    json_t *usage = json_add_object(item, key);
    json_set_integer_if(usage, "text_tokens", tokens, tokens >= 0);
    if (cached >= 0)
        json_set_integer(usage, "cached_tokens", cached);
}

/* Numbers that GuideLLM computes when it loads a report, and writes for those who read its files by other means. */
static void add_computed(json_t *item, const struct record *record, int64_t end, int64_t anchor_ns)
{
    double prompt = (double)record->prompt_tokens, output = (double)record->output_tokens, chunks = (double)record_token_chunks(record);
    double seconds = record->sent == TIME_NEVER ? 0 : (double)(end - record->sent) / 1e9;
    set_time(item, "request_start_time", record->sent, anchor_ns);
    set_time(item, "request_end_time", end, anchor_ns);
    set_length(item, "request_latency", record->sent, record->end, 1, 1);
    json_set_integer_if(item, "prompt_tokens", record->prompt_tokens, prompt >= 0);
    json_set_integer_if(item, "output_tokens", record->output_tokens, output >= 0);
    json_set_number(item, "total_tokens", prompt >= 0 && output >= 0 ? prompt + output : NAN);
    set_length(item, "time_to_first_token_ms", record->sent, record->first_token, 1000, 1);
    set_length(item, "time_per_output_token_ms", record->sent, record->last_token, 1000, output);
    set_length(item, "inter_token_latency_ms", record->first_token, record->last_token, 1000, output - 1);
    json_set_number(item, "tokens_per_second", seconds > 0 && prompt >= 0 && output >= 0 ? (prompt + output) / seconds : NAN);
    json_set_number(item, "output_tokens_per_second", seconds > 0 && output >= 0 ? output / seconds : NAN);
    json_set_number(item, "output_tokens_per_iteration", chunks > 0 && output >= 0 ? output / chunks : NAN);
    json_set_number(item, "iter_tokens_per_iteration", chunks > 1 && output > 1 ? (output - 1) / (chunks - 1) : NAN);
}

static json_t *request(const struct record *record, const struct run_facts *facts)
{
    char id[RECORD_ID_SIZE];
    int64_t end = record->end != TIME_NEVER ? record->end : record->intended;
    int64_t anchor_ns = facts->anchor_realtime_ns;
    json_t *item = json_object();
    record_format_id(record, id);
    json_set_text(item, "type_", "generative_request_stats");
    json_set_text(item, "request_id", id);
    json_set_text(item, "request_type", strcmp(facts->endpoint, "chat") == 0 ? "chat_completions" : "text_completions"); /* 0.5 wants to know */
    guidellm_set_null(item, (const char *const[]){"response_id", "request_args", "output", NULL});
    add_info(item, record, id, end, anchor_ns);
    add_usage(item, "input_metrics", record->prompt_tokens, record->cached_tokens);
    add_usage(item, "output_metrics", record->output_tokens, -1);
    add_computed(item, record, end, anchor_ns);
    return item;
}

json_t *guidellm_requests(const struct level_endings *endings, const struct run_facts *facts)
{
    json_t *requests = json_object();
    for (int ending = 0; ending < ENDING_ALL; ending++) {
        json_t *list = json_add_array(requests, ending_names[ending]);
        for (size_t k = 0; k < endings->kept_count[ending]; k++)
            json_array_append_new(list, request(&endings->kept[ending][k], facts));
    }
    json_set_null(requests, ending_names[ENDING_ALL]);
    return requests;
}
