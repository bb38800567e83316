/* The dialect of llama.cpp's server, as captured (tests/data/wire/llamacpp*); /props, /detokenize, reasoning and tool calls, which
 * were not captured, as its documentation has them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "serve/simulator_body.h"
#include "serve/simulator_chunk_llamacpp.h"
#include "serve/tokenizer.h"

#define KEEP_ALIVE_S 5
#define KEEP_ALIVE_REQUESTS 100
#define KEEP_ALIVE_TEXT "timeout=5, max=100"

/* --- bodies ------------------------------------------------------------------------------------ */

static void check_context(struct reading *reading, int64_t prompt)
{
    int64_t context = reading->simulator->settings.max_model_len;
    if (reading->status || prompt < context)
        return;
    reading->status = 400;
    buf_printf(reading->reply,
               "{\"error\":{\"code\":400,\"message\":\"request (%" PRId64 " tokens) exceeds the available context size (%" PRId64
               " tokens), try increasing it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":%" PRId64 ",\"n_ctx\":%" PRId64 "}}",
               prompt, context, prompt, context);
}

/* None, or less than none, is as many as the context holds; none is more. */
static void read_length(struct reading *reading, struct simulator_task *task)
{
    int64_t longest = 0, asked = reading_integer(reading, "max_tokens", -1);
    if (task->chat)
        asked = reading_integer(reading, "max_completion_tokens", asked);
    asked = reading_integer(reading, "n_predict", asked);
    for (size_t k = 0; k < task->prompt_count; k++) {
        int64_t tokens_of_prompt = (int64_t)task->prompts[k].count;
        check_context(reading, tokens_of_prompt);
        longest = tokens_of_prompt > longest ? tokens_of_prompt : longest;
    }
    int64_t room = reading->simulator->settings.max_model_len - longest;
    task->max_tokens = asked < 0 || asked > room ? room : asked > 0 ? asked : 1;
}

static void read_usage(struct reading *reading, struct simulator_task *task)
{
    const json_t *options = reading_member(reading, "stream_options");
    task->include_usage = !task->chat || json_is_true(json_object_get(options, "include_usage"));
}

static void read_body(struct reading *reading, struct simulator_task *task)
{
    task->stream = reading_flag(reading, "stream", false);
    task->ignore_eos = reading_flag(reading, "ignore_eos", false);
    task->no_prompt_cache = !reading_flag(reading, "cache_prompt", true);
    task->timings_per_token = reading_flag(reading, "timings_per_token", false);
    task->return_progress = task->stream && reading_flag(reading, "return_progress", false);
    task->choices = reading_integer(reading, "n", 1);
    reading_number(reading, "temperature", 1);
    if (!reading->status && (task->choices < 1 || task->choices > SIMULATOR_CHOICES_MAX))
        reading_refuse(reading, NULL, "n must be between 1 and %d", SIMULATOR_CHOICES_MAX);
    if (!task->chat && reading_flag(reading, "echo", false))
        reading_refuse(reading, NULL, "Only no echo is supported");
    if (!reading->status && !task->chat && !json_object_get(reading->body, "prompt"))
        reading_refuse(reading, NULL, "[json.exception.out_of_range.403] key 'prompt' not found");
    read_usage(reading, task);
    task_read_stops(reading, task);
    task_read_logprobs(reading, task);
    task->logprobs = task->logprobs && task->top_logprobs + task->chat > 0;
    if (task->chat)
        task_read_tools(reading, task);
    reading_prompts(reading, task);
    read_length(reading, task);
}

/* --- tokens ------------------------------------------------------------------------------------ */

static bool is_utf8(const char *text, size_t length)
{
    for (size_t at = 0, step; at < length; at += step)
        if ((step = utf8_character((const unsigned char *)text + at, length - at)) == 0)
            return false;
    return true;
}

static void append_piece(struct buf *out, const char *text, size_t length, uint32_t id)
{
    if (id == TOKENIZER_BOS) {
        buf_append_text(out, "\"<s>\"");
    } else if (is_utf8(text, length)) {
        json_append_quoted(out, text, length);
    } else {
        for (size_t k = 0; k < length; k++)
            buf_printf(out, k ? ",%d" : "[%d", (unsigned char)text[k]);
        buf_append_char(out, ']');
    }
}

/* A body without "content" has no tokens. */
static void append_tokens(struct reading *reading, const char *text, size_t length, bool special, bool pieces)
{
    struct buf *out = reading->reply;
    buf_append_text(out, "{\"tokens\":[");
    if (special)
        buf_append_text(out, pieces ? "{\"id\":1,\"piece\":\"<s>\"}" : "1");
    for (size_t at = 0, size; at < length; at += size) {
        size = tokenizer_cut(text + at, length - at);
        uint32_t id = tokenizer_id(text + at, size);
        buf_printf(out, at > 0 || special ? (pieces ? ",{\"id\":%" PRIu32 ",\"piece\":" : ",%" PRIu32)
                                          : (pieces ? "{\"id\":%" PRIu32 ",\"piece\":" : "%" PRIu32), id);
        if (!pieces)
            continue;
        append_piece(out, text + at, size, id);
        buf_append_char(out, '}');
    }
    buf_append_text(out, "]}");
}

static int tokenize(struct simulator *simulator, const char *body, size_t length, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = reading_open(&reading, body, length);
    bool special = reading_flag(&reading, "add_special", false), pieces = reading_flag(&reading, "with_pieces", false);
    const json_t *content = reading_member(&reading, "content");
    simulator_learn(simulator, content);
    if (!reading.status)
        append_tokens(&reading, json_string_value(content), json_string_length(content), special && content, pieces);
    json_decref(document);
    return reading.status;
}

static void answer_tokenize(struct simulator *simulator, struct httpd_request *request)
{
    simulator_answer_json(simulator, request, tokenize);
}

static int detokenize(struct simulator *simulator, const char *body, size_t length, struct buf *reply)
{
    return simulator_detokenize_as(simulator, body, length, "content", reply);
}

static void answer_detokenize(struct simulator *simulator, struct httpd_request *request)
{
    simulator_answer_json(simulator, request, detokenize);
}

/* --- gets -------------------------------------------------------------------------------------- */

static void answer_health(struct simulator *simulator, struct httpd_request *request)
{
    buf_append_text(&simulator->scratch, "{\"status\":\"ok\"}");
    simulator_reply_scratch(simulator, request, 200);
}

static void answer_models(struct simulator *simulator, struct httpd_request *request)
{
    const char *model = buf_text(&simulator->model_json);
    buf_printf(&simulator->scratch,
               "{\"models\":[{\"name\":%s,\"model\":%s,\"modified_at\":\"\",\"size\":\"\",\"digest\":\"\",\"type\":\"model\",\"description\":\"\","
               "\"tags\":[\"\"],\"capabilities\":[\"completion\"],\"parameters\":\"\",\"details\":{\"parent_model\":\"\",\"format\":\"gguf\","
               "\"family\":\"\",\"families\":[\"\"],\"parameter_size\":\"\",\"quantization_level\":\"\"}}],\"object\":\"list\",\"data\":[{"
               "\"id\":%s,\"aliases\":[%s],\"tags\":[],\"object\":\"model\",\"architecture\":{\"input_modalities\":[\"text\"],"
               "\"output_modalities\":[\"text\"]},\"created\":%" PRId64 ",\"owned_by\":\"llamacpp\",\"meta\":{\"vocab_type\":2,\"n_vocab\":%d,"
               "\"n_ctx\":%" PRId64 ",\"n_ctx_train\":%" PRId64 ",\"n_embd\":0,\"n_params\":0,\"size\":0,\"ftype\":\"simulated\"}}]}",
               model, model, model, model, simulator->started_realtime / NS_PER_S, TOKENIZER_VOCABULARY, simulator->settings.max_model_len,
               simulator->settings.max_model_len);
    simulator_reply_scratch(simulator, request, 200);
}

static void answer_props(struct simulator *simulator, struct httpd_request *request)
{
    json_t *document = json_object(), *defaults = json_add_object(document, "default_generation_settings");
    json_set_integer(defaults, "n_ctx", simulator->settings.max_model_len);
    json_set_integer(document, "total_slots", simulator->settings.scheduler.max_num_seqs);
    json_set_text(document, "model_alias", simulator->settings.model);
    json_set_text(document, "build_info", LLAMACPP_BUILD);
    json_append_compact(document, &simulator->scratch);
    json_decref(document);
    simulator_reply_scratch(simulator, request, 200);
}

static double ratio(double part, double whole_of_it)
{
    return whole_of_it > 0 ? part / whole_of_it : 0;
}

/* Seconds are those of requests that have ended. */
static void answer_metrics(struct simulator *simulator, struct httpd_request *request)
{
    const struct metrics *metrics = &simulator->metrics;
    const struct metrics_buckets *steps = &metrics->histograms[METRICS_ITERATION_TOKENS];
    double computed = (double)(metrics->prompt_tokens - metrics->cached_tokens), generated = (double)metrics->generation_tokens;
    double prefill = metrics->histograms[METRICS_PREFILL].sum, decode = metrics->histograms[METRICS_DECODE].sum, decodes = 0;
    for (size_t k = 0; k <= steps->count; k++)
        decodes += (double)steps->counts[k];
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"prompt_tokens_total", "counter", "Prompt tokens processed, without cached ones", computed},
        {"prompt_tokens_cached_total", "counter", "Prompt tokens found in the cache", (double)metrics->cached_tokens},
        {"prompt_seconds_total", "counter", "Time spent on prompts", prefill},
        {"tokens_predicted_total", "counter", "Tokens generated", generated},
        {"tokens_predicted_seconds_total", "counter", "Time spent generating them", decode},
        {"n_decode_total", "counter", "Steps that gave a token", decodes},
        {"n_tokens_max", "counter", "Tokens of the longest request, prompt and output", (double)metrics->longest},
        {"spec_decode_num_draft_tokens_total", "counter", "Draft tokens; there are none", 0},
        {"spec_decode_num_accepted_tokens_total", "counter", "Draft tokens accepted", 0},
        {"spec_decode_num_drafts_total", "counter", "Drafts", 0},
        {"prompt_tokens_seconds", "gauge", "Prompt tokens a second", ratio(computed, prefill)},
        {"predicted_tokens_seconds", "gauge", "Generated tokens a second and request", ratio(generated, decode)},
        {"requests_processing", "gauge", "Requests running", (double)scheduler_running(simulator->scheduler)},
        {"requests_deferred", "gauge", "Requests waiting", (double)scheduler_waiting(simulator->scheduler)},
        {"n_busy_slots_per_decode", "gauge", "Requests a step, on average", ratio(generated, decodes)},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        buf_printf(&simulator->scratch, "# HELP llamacpp:%s %s\n# TYPE llamacpp:%s %s\nllamacpp:%s %.15g\n", rows[k].name, rows[k].help,
                   rows[k].name, rows[k].type, rows[k].name, rows[k].value);
    char started[24];
    snprintf(started, sizeof started, "%" PRId64, simulator->started_realtime / NS_PER_S);
    httpd_reply_header(request, "Process-Start-Time-Unix", started);
    simulator_reply(simulator, request, 200, "text/plain; version=0.0.4", simulator->scratch.data, simulator->scratch.len);
}

static const struct dialect_route routes[] = {
    {"/v1/chat/completions", "POST", true, simulator_answer_chat},
    {"/chat/completions", "POST", true, simulator_answer_chat},
    {"/v1/completions", "POST", true, simulator_answer_completions},
    {"/v1/models", "GET", true, answer_models},
    {"/models", "GET", true, answer_models},
    {"/tokenize", "POST", true, answer_tokenize},
    {"/detokenize", "POST", true, answer_detokenize},
    {"/health", "GET", true, answer_health},
    {"/v1/health", "GET", true, answer_health},
    {"/props", "GET", true, answer_props},
    {"/metrics", "GET", true, answer_metrics},
    {NULL, NULL, false, NULL},
};

/* --- headers and errors ------------------------------------------------------------------------ */

static bool is_open(const char *path)
{
    return strcmp(path, "/health") == 0 || strcmp(path, "/v1/health") == 0;
}

static void headers(struct httpd_request *request, int status, const char *type)
{
    httpd_reply_header(request, "Server", "roibench-simulate");
    httpd_reply_header(request, "Access-Control-Allow-Origin", "");
    if (type && strcmp(type, dialect_llamacpp.stream_type) == 0)
        httpd_reply_header(request, "X-Accel-Buffering", "no");
    if (type)
        httpd_reply_header(request, "Content-Type", type);
    if (status >= 400)
        httpd_close_afterwards(request);
    if (!httpd_closes_afterwards(request))
        httpd_reply_header(request, "Keep-Alive", KEEP_ALIVE_TEXT);
}

/* A path with another method is a path that is not there. */
static void refuse(struct simulator *simulator, struct httpd_request *request, int status, const char *allowed)
{
    const char *text = status == 401 ? "{\"error\":{\"message\":\"Invalid API Key\",\"type\":\"authentication_error\",\"code\":401}}"
                                     : "{\"error\":{\"message\":\"File Not Found\",\"type\":\"not_found_error\",\"code\":404}}";
    (void)allowed;
    simulator_reply(simulator, request, status == 401 ? 401 : 404, simulator->dialect->json_type, text, strlen(text));
}

static int error(struct buf *reply, int status, const char *type, const char *param, const struct buf *message)
{
    (void)type, (void)param;
    const char *ours = status == 503 ? "unavailable_error" : status == 501 ? "not_supported_error" : status >= 500 ? "server_error"
                       : status == 404 ? "not_found_error" : "invalid_request_error";
    buf_printf(reply, "{\"error\":{\"code\":%d,\"message\":", status);
    json_append_quoted(reply, buf_text(message), message->len);
    buf_printf(reply, ",\"type\":\"%s\"}}", ours);
    return status;
}

static void end(struct answer *answer, struct buf *out)
{
    (void)answer, (void)out;
}

const struct dialect dialect_llamacpp = {
    .name = "llamacpp",
    .abilities = DIALECT_REASONING,
    .json_type = "application/json; charset=utf-8",
    .stream_type = "text/event-stream",
    .done = "data: [DONE]\n\n",
    .any_model = true,
    .late_headers = true,
    .closes_streams = true,
    .keep_alive_s = KEEP_ALIVE_S,
    .keep_alive_requests = KEEP_ALIVE_REQUESTS,
    .routes = routes,
    .is_open = is_open,
    .headers = headers,
    .refuse = refuse,
    .error = error,
    .read = read_body,
    .head = chunk_head_llamacpp,
    .tokens = chunk_tokens_llamacpp,
    .end = end,
    .whole = chunk_whole_llamacpp,
};
