/* The dialect of Text Generation Inference, as its documentation and OpenAPI description have it: its chat and completions, not its own
 * /generate. Events begin with "data:" without a space, every delta has the role, and a body that is not liked gets 422. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_body.h"
#include "serve/tokenizer.h"
#include "wire/promwrite.h"

#define VERSION "3.3.0-simulated"
#define STOPS_MAX 4
#define TOP_LOGPROBS_MAX 5

/* --- answers ----------------------------------------------------------------------------------- */

/* It gives answers no id; ours have the one that the client sent. */
static void head(struct answer *answer, const char *id)
{
    const struct simulator_task *task = &answer->task;
    const struct simulator *simulator = answer->simulator;
    buf_printf(&answer->head, "{\"object\":\"%s\",\"id\":", !task->chat ? "text_completion" : task->stream ? "chat.completion.chunk" : "chat.completion");
    chunk_append_id(answer, "", id ? id : "");
    buf_printf(&answer->head, ",\"created\":%" PRId64 ",\"model\":%s,\"system_fingerprint\":\"" VERSION "\",\"choices\":[",
               clock_realtime(simulator->settings.clock) / NS_PER_S, buf_text(&simulator->model_json));
}

static void append_usage(const struct answer *answer, struct buf *out)
{
    int64_t prompt = answer->task.prompt_tokens, completion = chunk_output_tokens(answer);
    buf_printf(out, "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 "}", prompt, completion,
               prompt + completion);
}

static const char *finish_reason(const struct generation *generation)
{
    return generation->stopped || generation->calls_tool ? "stop" : "length";
}

static void append_candidate(const struct generation *generation, int64_t index, int64_t rank, struct buf *out)
{
    struct logprobs_candidate candidate;
    logprobs_candidate(generation, index, rank, &candidate);
    buf_append_text(out, "{\"token\":");
    json_append_quoted(out, candidate.name, candidate.length);
    buf_printf(out, ",\"logprob\":%.8g", candidate.logprob);
}

static void append_logprobs(const struct generation *generation, int64_t from, struct buf *out)
{
    if (!generation->answer->task.logprobs) {
        buf_append_text(out, ",\"logprobs\":null");
        return;
    }
    buf_append_text(out, ",\"logprobs\":{\"content\":[");
    for (int64_t k = from; k < generation->scheduled.output_tokens; k++) {
        buf_append_text(out, k > from ? "," : "");
        append_candidate(generation, k, 0, out);
        buf_append_text(out, ",\"top_logprobs\":[");
        for (int64_t rank = 0; rank < generation->answer->task.top_logprobs; rank++) {
            buf_append_text(out, rank > 0 ? "," : "");
            append_candidate(generation, k, rank, out);
            buf_append_char(out, '}');
        }
        buf_append_text(out, "]}");
    }
    buf_append_text(out, "]}");
}

static void append_call(const struct generation *generation, int64_t from, struct buf *out)
{
    buf_append_text(out, generation->answer->task.stream ? "\"tool_calls\":[{\"index\":0,\"id\":\"\",\"type\":\"function\",\"function\":{"
                                                         : "\"tool_calls\":[{\"id\":\"0\",\"type\":\"function\",\"function\":{");
    if (from == 0)
        buf_printf(out, "\"name\":%s,", generation->answer->task.tool);
    buf_append_text(out, "\"arguments\":");
    chunk_append_arguments(generation, from, out);
    buf_append_text(out, "}}]");
}

/* The last token and the reason share an event; a completion's reason is "" before. */
static void tokens(struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    bool last = chunk_is_last(generation);
    buf_append_text(out, "data:");
    buf_append(out, generation->answer->head.data, generation->answer->head.len);
    buf_printf(out, task->chat ? "{\"index\":%" PRId64 ",\"delta\":{\"role\":\"assistant\"," : "{\"index\":%" PRId64 ",", generation->index);
    if (generation->calls_tool) {
        append_call(generation, generation->sent_tokens, out);
    } else {
        buf_append_text(out, task->chat ? "\"content\":\"" : "\"text\":\"");
        output_append_text(generation, out);
        buf_append_char(out, '"');
    }
    buf_append_text(out, task->chat ? "}" : "");
    append_logprobs(generation, generation->sent_tokens, out);
    if (last)
        buf_printf(out, ",\"finish_reason\":\"%s\"}]", finish_reason(generation));
    else
        buf_append_text(out, task->chat ? ",\"finish_reason\":null}]" : ",\"finish_reason\":\"\"}]");
    buf_append_text(out, task->chat ? ",\"usage\":null}\n\n" : "}\n\n");
}

static void end(struct answer *answer, struct buf *out)
{
    if (!answer->task.include_usage)
        return;
    buf_append_text(out, "data:");
    buf_append(out, answer->head.data, answer->head.len);
    buf_append_text(out, "],");
    append_usage(answer, out);
    buf_append_text(out, "}\n\n");
}

static void whole(struct answer *answer, struct buf *out)
{
    buf_append(out, answer->head.data, answer->head.len);
    for (size_t k = 0; k < answer->count; k++) {
        struct generation *generation = &answer->generations[k];
        buf_printf(out, k ? ",{\"index\":%" PRId64 "," : "{\"index\":%" PRId64 ",", generation->index);
        buf_append_text(out, answer->task.chat ? "\"message\":{\"role\":\"assistant\"," : "");
        if (generation->calls_tool) {
            append_call(generation, 0, out);
        } else {
            buf_append_text(out, answer->task.chat ? "\"content\":\"" : "\"text\":\"");
            output_append_text(generation, out);
            buf_append_char(out, '"');
        }
        buf_append_text(out, answer->task.chat ? "}" : "");
        append_logprobs(generation, 0, out);
        buf_printf(out, ",\"finish_reason\":\"%s\"}", finish_reason(generation));
    }
    buf_append_text(out, "],");
    append_usage(answer, out);
    buf_append_char(out, '}');
}

/* --- bodies ------------------------------------------------------------------------------------ */

static bool is_prompt(const json_t *prompt)
{
    size_t k;
    const json_t *item;
    json_array_foreach(prompt, k, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return json_is_string(prompt) || json_array_size(prompt) > 0;
}

static void read_length(struct reading *reading, struct simulator_task *task)
{
    int64_t longest = 0, context = reading->simulator->settings.max_model_len;
    for (size_t k = 0; k < task->prompt_count; k++)
        longest = (int64_t)task->prompts[k].count > longest ? (int64_t)task->prompts[k].count : longest;
    task->max_tokens = reading_integer(reading, "max_tokens", longest < context ? context - longest : 1);
    if (reading->status)
        return;
    if (task->max_tokens < 1)
        reading_refuse(reading, NULL, "`max_new_tokens` must be strictly positive");
    else if (longest + task->max_tokens > context)
        reading_refuse(reading, NULL, "`inputs` tokens + `max_new_tokens` must be <= %" PRId64 ". Given: %" PRId64 " `inputs` tokens and %" PRId64
                       " `max_new_tokens`", context, longest, task->max_tokens);
}

/* One choice, whatever n says; ignore_eos is not known to it. */
static void read_body(struct reading *reading, struct simulator_task *task)
{
    size_t stops = json_array_size(json_object_get(reading->body, "stop"));
    task->stream = reading_flag(reading, "stream", false);
    task->include_usage = task->stream && json_is_true(json_object_get(reading_member(reading, "stream_options"), "include_usage"));
    task->choices = 1;
    reading_number(reading, "temperature", 1);
    if (!reading->status && stops > STOPS_MAX)
        reading_refuse(reading, NULL, "`stop` supports up to %d stop sequences. Given: %zu", STOPS_MAX, stops);
    task_read_stops(reading, task);
    if (task->chat) {
        task_read_logprobs(reading, task);
        task_read_tools(reading, task);
    } else if (!reading->status && !is_prompt(reading_member(reading, "prompt"))) {
        reading_refuse(reading, NULL, "`prompt` must be a string or a list of strings");
    }
    if (!reading->status && task->top_logprobs > TOP_LOGPROBS_MAX)
        reading_refuse(reading, NULL, "`top_n_tokens` must be >= 0 and <= %d. Given: %" PRId64, TOP_LOGPROBS_MAX, task->top_logprobs);
    reading_prompts(reading, task);
    read_length(reading, task);
}

static int tokenize(struct simulator *simulator, const char *body, size_t length, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = reading_open(&reading, body, length);
    const json_t *inputs = reading_member(&reading, "inputs");
    const char *text = json_string_value(inputs);
    size_t size, total = json_string_length(inputs);
    if (!reading.status && !text)
        reading_refuse_type(&reading, "inputs", "missing", "Field required");
    buf_append_text(reply, reading.status ? "" : "[{\"id\":1,\"text\":\"<s>\",\"start\":0,\"stop\":0}");
    for (size_t at = 0; at < total && !reading.status; at += size) {
        size = tokenizer_cut(text + at, total - at);
        buf_printf(reply, ",{\"id\":%" PRIu32 ",\"text\":", tokenizer_id(text + at, size));
        json_append_quoted(reply, text + at, size);
        buf_printf(reply, ",\"start\":%zu,\"stop\":%zu}", at, at + size);
    }
    buf_append_text(reply, reading.status ? "" : "]");
    json_decref(document);
    return reading.status;
}

/* --- routes ------------------------------------------------------------------------------------ */

static void answer_tokenize(struct simulator *simulator, struct httpd_request *request)
{
    simulator_answer_json(simulator, request, tokenize);
}

static void answer_health(struct simulator *simulator, struct httpd_request *request)
{
    simulator_reply(simulator, request, 200, NULL, "", 0);
}

static void answer_models(struct simulator *simulator, struct httpd_request *request)
{
    const char *model = buf_text(&simulator->model_json);
    buf_printf(&simulator->scratch, "{\"object\":\"list\",\"data\":[{\"id\":%s,\"object\":\"model\",\"created\":0,\"owned_by\":%s}]}", model, model);
    simulator_reply_scratch(simulator, request, 200);
}

static void answer_info(struct simulator *simulator, struct httpd_request *request)
{
    const struct simulator_settings *settings = &simulator->settings;
    buf_printf(&simulator->scratch,
               "{\"model_id\":%s,\"model_sha\":null,\"model_pipeline_tag\":\"text-generation\",\"max_concurrent_requests\":%d,\"max_best_of\":1,"
               "\"max_stop_sequences\":%d,\"max_input_tokens\":%" PRId64 ",\"max_total_tokens\":%" PRId64 ",\"validation_workers\":1,"
               "\"max_client_batch_size\":1,\"router\":\"text-generation-router\",\"version\":\"" VERSION "\",\"sha\":null,\"docker_label\":null}",
               buf_text(&simulator->model_json), SIMULATOR_REQUESTS_MAX, STOPS_MAX, settings->max_model_len - 1, settings->max_model_len);
    simulator_reply_scratch(simulator, request, 200);
}

/* The series that the model can feed. The bounds of their buckets are vLLM's. */
static void answer_metrics(struct simulator *simulator, struct httpd_request *request)
{
    static const struct {
        const char *name;
        enum metrics_histogram which;
    } rows[] = {
        {"tgi_request_duration", METRICS_E2E},
        {"tgi_request_queue_duration", METRICS_QUEUE},
        {"tgi_request_inference_duration", METRICS_INFERENCE},
        {"tgi_request_mean_time_per_token_duration", METRICS_TPOT},
        {"tgi_request_input_length", METRICS_PROMPT_TOKENS},
        {"tgi_request_generated_tokens", METRICS_GENERATION_TOKENS},
        {"tgi_request_max_new_tokens", METRICS_PARAMS_MAX_TOKENS},
    };
    const struct metrics *metrics = &simulator->metrics;
    struct buf *out = &simulator->scratch;
    uint64_t ended = metrics->finished_length + metrics->finished_stop;
    buf_printf(out, "# TYPE tgi_request_count counter\ntgi_request_count %" PRIu64 "\n# TYPE tgi_request_success counter\ntgi_request_success %"
               PRIu64 "\n# TYPE tgi_queue_size gauge\ntgi_queue_size %zu\n# TYPE tgi_batch_current_size gauge\ntgi_batch_current_size %zu\n",
               simulator->truth.received, ended, scheduler_waiting(simulator->scheduler), scheduler_running(simulator->scheduler));
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        metrics_write_histogram(metrics, rows[k].which, rows[k].name, "", out);
    simulator_reply(simulator, request, 200, "text/plain; charset=utf-8", out->data, out->len);
}

static const struct dialect_route routes[] = {
    {"/v1/chat/completions", "POST", true, simulator_answer_chat},
    {"/v1/completions", "POST", true, simulator_answer_completions},
    {"/v1/models", "GET", true, answer_models},
    {"/tokenize", "POST", true, answer_tokenize},
    {"/info", "GET", true, answer_info},
    {"/health", "GET", true, answer_health},
    {"/metrics", "GET", false, answer_metrics},
    {NULL, NULL, false, NULL},
};

/* --- headers and errors ------------------------------------------------------------------------ */

static bool is_open(const char *path)
{
    return strcmp(path, "/health") == 0 || strcmp(path, "/metrics") == 0 || strcmp(path, "/info") == 0;
}

static void headers(struct httpd_request *request, int status, const char *type)
{
    (void)status;
    httpd_reply_header(request, "server", "roibench-simulate");
    if (type)
        httpd_reply_header(request, "content-type", type);
    if (type && strcmp(type, dialect_tgi.stream_type) == 0) {
        httpd_reply_header(request, "cache-control", "no-cache");
        httpd_reply_header(request, "x-accel-buffering", "no");
    }
}

static void refuse(struct simulator *simulator, struct httpd_request *request, int status, const char *allowed)
{
    if (allowed)
        httpd_reply_header(request, "allow", allowed);
    simulator_reply(simulator, request, status, NULL, "", 0);
}

static int error(struct buf *reply, int status, const char *type, const char *param, const struct buf *message)
{
    cleanup_buf struct buf text = BUF_INIT(SIMULATOR_BODY_MAX);
    (void)type, (void)param;
    buf_append_text(&text, status == 400 ? "Input validation error: " : "");
    buf_append(&text, message->data, message->len);
    buf_append_text(reply, "{\"error\":");
    json_append_quoted(reply, buf_text(&text), text.len);
    buf_printf(reply, ",\"error_type\":\"%s\"}", status == 400 ? "validation" : status == 429 || status == 503 ? "overloaded" : "generation");
    return status == 400 ? 422 : status;
}

const struct dialect dialect_tgi = {
    .name = "tgi",
    .json_type = "application/json",
    .stream_type = "text/event-stream",
    .done = "data:[DONE]\n\n",
    .any_model = true,
    .routes = routes,
    .is_open = is_open,
    .headers = headers,
    .refuse = refuse,
    .error = error,
    .read = read_body,
    .head = head,
    .tokens = tokens,
    .end = end,
    .whole = whole,
};
