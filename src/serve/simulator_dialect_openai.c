/* The dialect of OpenAI's own API, as its reference has it: nothing beside /v1, parameters that are not known are refused, chunks of a
 * chat carry `obfuscation`, and reasoning is hidden, but counted. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_body.h"

#define OBFUSCATION_BLOCK 16 /* a text and its padding together are a multiple of it */
#define STOPS_MAX 4
#define CHOICES_MAX 128
#define COMPLETION_TOKENS_DEFAULT 16

/* --- answers ----------------------------------------------------------------------------------- */

static void head(struct answer *answer, const char *id)
{
    const struct simulator_task *task = &answer->task;
    const struct simulator *simulator = answer->simulator;
    buf_append_text(&answer->head, "{\"id\":");
    chunk_append_id(answer, task->chat ? "chatcmpl-" : "cmpl-", id);
    buf_printf(&answer->head, ",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":%s,%s\"system_fingerprint\":\"fp_simulated\",\"choices\":[",
               !task->chat ? "text_completion" : task->stream ? "chat.completion.chunk" : "chat.completion",
               clock_realtime(simulator->settings.clock) / NS_PER_S, buf_text(&simulator->model_json),
               task->chat ? "\"service_tier\":\"default\"," : "");
}

static void begin_event(const struct answer *answer, struct buf *out)
{
    buf_append_text(out, "data: ");
    buf_append(out, answer->head.data, answer->head.len);
}

static void append_obfuscation(const struct generation *generation, size_t text, struct buf *out)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    uint64_t mixed = (generation->seed + (uint64_t)generation->sent_tokens) * UINT64_C(0x9e3779b97f4a7c15);
    buf_append_text(out, ",\"obfuscation\":\"");
    for (size_t k = text; k % OBFUSCATION_BLOCK || k == text; k++) {
        buf_append_char(out, letters[mixed >> 58]);
        mixed = mixed * UINT64_C(0xbf58476d1ce4e5b9) + 1;
    }
    buf_append_char(out, '"');
}

/* text: bytes of the content in it. */
static void end_event(const struct generation *generation, size_t text, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    buf_append_text(out, task->include_usage ? "],\"usage\":null" : "]");
    if (task->chat && !task->plain_sizes)
        append_obfuscation(generation, text, out);
    buf_append_text(out, "}\n\n");
}

static void append_usage(const struct answer *answer, struct buf *out)
{
    int64_t prompt = answer->task.prompt_tokens, completion = chunk_output_tokens(answer), reasoning = 0;
    for (size_t k = 0; k < answer->count; k++)
        reasoning += answer->generations[k].reasoning_tokens;
    buf_printf(out, "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64
               ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64 ",\"audio_tokens\":0},\"completion_tokens_details\":{"
               "\"reasoning_tokens\":%" PRId64 ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
               prompt, completion, prompt + completion, chunk_cached_tokens(answer, NULL), reasoning);
}

static const char *finish_reason(const struct generation *generation)
{
    return generation->calls_tool ? "tool_calls" : generation->stopped ? "stop" : "length";
}

static void append_call(const struct generation *generation, int64_t from, struct buf *out)
{
    bool first = from <= generation->reasoning_tokens, stream = generation->answer->task.stream;
    buf_append_text(out, stream ? "\"tool_calls\":[{\"index\":0," : "\"tool_calls\":[{");
    if (first)
        buf_printf(out, "\"id\":\"call_%016" PRIx64 "\",\"type\":\"function\",\"function\":{\"name\":%s,",
                   generation->seed * UINT64_C(0xd1342543de82ef95), generation->answer->task.tool);
    else
        buf_append_text(out, "\"function\":{");
    buf_append_text(out, "\"arguments\":");
    chunk_append_arguments(generation, from, out);
    buf_append_text(out, "}}]");
}

/* --- streams ----------------------------------------------------------------------------------- */

/* Each role is an event and an HTTP chunk of its own. */
static void queue_roles(struct answer *answer, struct buf *out)
{
    answer->opened = true;
    for (size_t k = 0; k < answer->count && answer->task.chat; k++) {
        const struct generation *generation = &answer->generations[k];
        begin_event(answer, out);
        buf_printf(out, "{\"index\":%" PRId64 ",\"delta\":{\"role\":\"assistant\",\"content\":%s,\"refusal\":null},\"logprobs\":null,"
                   "\"finish_reason\":null}", generation->index, generation->calls_tool ? "null" : "\"\"");
        end_event(generation, 0, out);
        httpd_stream_queue(answer->request, out->data, out->len);
        buf_reset(out);
    }
}

/* The event of what can be seen of the tokens that came; false, and nothing, when that is nothing. */
static bool append_event(struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    size_t start = out->len, text = 0;
    bool calls = generation->calls_tool && generation->scheduled.output_tokens > generation->reasoning_tokens;
    begin_event(generation->answer, out);
    buf_printf(out, task->chat ? "{\"index\":%" PRId64 ",\"delta\":{" : "{\"index\":%" PRId64 ",\"text\":\"", generation->index);
    if (calls) {
        append_call(generation, generation->sent_tokens, out);
    } else {
        buf_append_text(out, task->chat ? "\"content\":\"" : "");
        text = out->len;
        output_append_text(generation, out);
        text = out->len - text;
        buf_append_char(out, '"');
    }
    if (!calls && text == 0) {
        out->len = start;
        return false;
    }
    buf_append_text(out, task->chat ? "}" : "");
    logprobs_append(generation, generation->sent_tokens, out);
    buf_append_text(out, ",\"finish_reason\":null}");
    end_event(generation, text, out);
    return true;
}

static void append_end(const struct generation *generation, struct buf *out)
{
    begin_event(generation->answer, out);
    buf_printf(out, generation->answer->task.chat ? "{\"index\":%" PRId64 ",\"delta\":{},\"logprobs\":null,\"finish_reason\":\"%s\"}"
                                                  : "{\"index\":%" PRId64 ",\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"%s\"}",
               generation->index, finish_reason(generation));
    end_event(generation, 0, out);
}

static void tokens(struct generation *generation, struct buf *out)
{
    struct answer *answer = generation->answer;
    cleanup_buf struct buf event = BUF_INIT(SIMULATOR_BODY_MAX);
    bool visible = append_event(generation, &event), last = chunk_is_last(generation);
    if (!visible && !last)
        return;
    if (!answer->opened)
        queue_roles(answer, out);
    buf_append(out, event.data, event.len);
    if (!last)
        return;
    if (visible)
        httpd_stream_queue(answer->request, out->data, out->len);
    buf_reset(out);
    append_end(generation, out);
}

static void end(struct answer *answer, struct buf *out)
{
    if (!answer->task.include_usage)
        return;
    begin_event(answer, out);
    buf_append_text(out, "],");
    append_usage(answer, out);
    if (answer->task.chat && !answer->task.plain_sizes)
        append_obfuscation(&answer->generations[0], 0, out);
    buf_append_text(out, "}\n\n");
}

/* --- replies that are not streamed --------------------------------------------------------------- */

static void append_message(struct generation *generation, struct buf *out)
{
    bool answers = generation->scheduled.output_tokens > generation->reasoning_tokens;
    buf_append_text(out, "\"message\":{\"role\":\"assistant\",\"content\":");
    if (generation->calls_tool && answers) {
        buf_append_text(out, "null,");
        append_call(generation, 0, out);
    } else {
        buf_append_char(out, '"');
        output_append_text(generation, out);
        buf_append_char(out, '"');
    }
    buf_append_text(out, ",\"refusal\":null,\"annotations\":[]}");
}

static void whole(struct answer *answer, struct buf *out)
{
    buf_append(out, answer->head.data, answer->head.len);
    for (size_t k = 0; k < answer->count; k++) {
        struct generation *generation = &answer->generations[k];
        buf_printf(out, k ? ",{\"index\":%" PRId64 "," : "{\"index\":%" PRId64 ",", generation->index);
        if (answer->task.chat) {
            append_message(generation, out);
        } else {
            buf_append_text(out, "\"text\":\"");
            output_append_text(generation, out);
            buf_append_char(out, '"');
        }
        logprobs_append(generation, 0, out);
        buf_printf(out, ",\"finish_reason\":\"%s\"}", finish_reason(generation));
    }
    buf_append_text(out, "],");
    append_usage(answer, out);
    buf_append_char(out, '}');
}

/* --- bodies ------------------------------------------------------------------------------------ */

static const char *const chat_parameters[] = {
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
    "messages", "metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
    "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
    "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options", NULL,
};

static const char *const completion_parameters[] = {
    "best_of", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "model", "n", "presence_penalty", "prompt", "seed", "stop",
    "stream", "stream_options", "suffix", "temperature", "top_p", "user", NULL,
};

static bool is_among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static void check_parameters(struct reading *reading, const struct simulator_task *task)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)reading->body, name, value)
    {
        if (reading->status || is_among(task->chat ? chat_parameters : completion_parameters, name))
            continue;
        reading_refuse(reading, NULL, "Unrecognized request argument supplied: %s", name);
    }
    if (!reading_member(reading, "model") && !reading->status)
        reading_refuse(reading, NULL, "you must provide a model parameter");
}

static void check_numbers(struct reading *reading)
{
    static const struct {
        const char *name;
        double least, most;
    } rows[] = {{"temperature", 0, 2}, {"top_p", 0, 1}, {"presence_penalty", -2, 2}, {"frequency_penalty", -2, 2}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const char *name = rows[k].name;
        const json_t *value = reading_member(reading, name);
        double number = json_number_value(value);
        if (value && !json_is_number(value))
            reading_refuse(reading, name, "Invalid type for '%s': expected a decimal, but got something else instead.", name);
        else if (value && number < rows[k].least)
            reading_refuse(reading, name, "Invalid '%s': decimal below minimum value. Expected a value >= %g, but got %g instead.", name,
                           rows[k].least, number);
        else if (value && number > rows[k].most)
            reading_refuse(reading, name, "Invalid '%s': decimal above maximum value. Expected a value <= %g, but got %g instead.", name,
                           rows[k].most, number);
    }
}

static void read_stream_options(struct reading *reading, struct simulator_task *task)
{
    const json_t *options = reading_member(reading, "stream_options");
    const char *name;
    json_t *value;
    if (!options)
        return;
    if (!json_is_object(options)) {
        reading_refuse(reading, "stream_options", "Invalid type for 'stream_options': expected an object, but got something else instead.");
        return;
    }
    if (!task->stream) {
        reading_refuse(reading, "stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
        return;
    }
    json_object_foreach((json_t *)options, name, value)
    {
        if (!reading->status && strcmp(name, "include_usage") != 0 && strcmp(name, "include_obfuscation") != 0)
            reading_refuse(reading, "stream_options", "Unknown parameter: 'stream_options.%s'.", name);
    }
    task->include_usage = json_is_true(json_object_get(options, "include_usage"));
    task->plain_sizes = json_is_false(json_object_get(options, "include_obfuscation"));
}

static void check_context(struct reading *reading, const struct simulator_task *task, int64_t prompt)
{
    int64_t context = reading->simulator->settings.max_model_len, output = task->max_tokens;
    if (reading->status || prompt + output <= context)
        return;
    reading->status = 400;
    buf_printf(reading->reply,
               "{\"error\":{\"message\":\"This model's maximum context length is %" PRId64 " tokens. However, you requested %" PRId64
               " tokens (%" PRId64 " in the %s, %" PRId64 " in the completion). Please reduce the length of the %s or completion.\","
               "\"type\":\"invalid_request_error\",\"param\":\"%s\",\"code\":\"context_length_exceeded\"}}",
               context, prompt + output, prompt, task->chat ? "messages" : "prompt", output, task->chat ? "messages" : "prompt",
               task->chat ? "messages" : "prompt");
}

/* A model that reasons takes max_completion_tokens only. */
static void read_length(struct reading *reading, struct simulator_task *task)
{
    const struct simulator_settings *settings = &reading->simulator->settings;
    int64_t room = settings->max_model_len - task->prompt_tokens;
    if (task->chat && settings->reasoning_tokens > 0 && reading_member(reading, "max_tokens")) {
        reading->status = 400;
        buf_append_text(reading->reply, "{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                        "'max_completion_tokens' instead.\",\"type\":\"invalid_request_error\",\"param\":\"max_tokens\",\"code\":"
                        "\"unsupported_parameter\"}}");
    }
    task->max_tokens = reading_integer(reading, "max_tokens", task->chat ? (room > 0 ? room : 1) : COMPLETION_TOKENS_DEFAULT);
    if (task->chat)
        task->max_tokens = reading_integer(reading, "max_completion_tokens", task->max_tokens);
    if (!reading->status && task->max_tokens < 1)
        reading_refuse(reading, "max_tokens", "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got %" PRId64
                       " instead.", task->max_tokens);
    for (size_t k = 0; k < task->prompt_count; k++)
        check_context(reading, task, (int64_t)task->prompts[k].count);
}

static void read_body(struct reading *reading, struct simulator_task *task)
{
    size_t stops = json_array_size(json_object_get(reading->body, "stop"));
    check_parameters(reading, task);
    reading_check_model(reading);
    check_numbers(reading);
    task->stream = reading_flag(reading, "stream", false);
    read_stream_options(reading, task);
    task->choices = reading_integer(reading, "n", 1);
    if (!reading->status && (task->choices < 1 || task->choices > CHOICES_MAX))
        reading_refuse(reading, "n", "Invalid 'n': expected a value from 1 to %d, but got %" PRId64 " instead.", CHOICES_MAX, task->choices);
    if (!reading->status && stops > STOPS_MAX)
        reading_refuse(reading, "stop", "Invalid 'stop': array too long. Expected an array with maximum length %d, but got an array with "
                       "length %zu instead.", STOPS_MAX, stops);
    task_read_stops(reading, task);
    task_read_logprobs(reading, task);
    if (task->chat)
        task_read_tools(reading, task);
    reading_prompts(reading, task);
    read_length(reading, task);
}

/* --- routes, headers and errors ------------------------------------------------------------------ */

static void answer_models(struct simulator *simulator, struct httpd_request *request)
{
    buf_printf(&simulator->scratch, "{\"object\":\"list\",\"data\":[{\"id\":%s,\"object\":\"model\",\"created\":%" PRId64 ",\"owned_by\":\"system\"}]}",
               buf_text(&simulator->model_json), simulator->started_realtime / NS_PER_S);
    simulator_reply_scratch(simulator, request, 200);
}

static const struct dialect_route routes[] = {
    {"/v1/chat/completions", "POST", true, simulator_answer_chat},
    {"/v1/completions", "POST", true, simulator_answer_completions},
    {"/v1/models", "GET", true, answer_models},
    {NULL, NULL, false, NULL},
};

static bool is_open(const char *path)
{
    (void)path;
    return false;
}

static void headers(struct httpd_request *request, int status, const char *type)
{
    (void)status;
    httpd_reply_header(request, "server", "roibench-simulate");
    if (type)
        httpd_reply_header(request, "content-type", type);
    httpd_reply_header(request, "openai-version", "2020-10-01");
}

static void append_error(struct buf *reply, const char *text, size_t length, const char *type, const char *param, const char *code)
{
    buf_append_text(reply, "{\"error\":{\"message\":");
    json_append_quoted(reply, text, length);
    buf_printf(reply, ",\"type\":\"%s\",\"param\":", type);
    if (param)
        json_append_quoted(reply, param, strlen(param));
    else
        buf_append_text(reply, "null");
    buf_printf(reply, code ? ",\"code\":\"%s\"}}" : ",\"code\":null}}", code);
}

static void refuse(struct simulator *simulator, struct httpd_request *request, int status, const char *allowed)
{
    cleanup_buf struct buf text = BUF_INIT(SIMULATOR_BODY_MAX);
    if (status == 401)
        buf_append_text(&text, "Incorrect API key provided.");
    else
        buf_printf(&text, allowed ? "Not allowed to %s on %s" : "Invalid URL (%s %s)", httpd_method(request), httpd_path(request));
    append_error(&simulator->scratch, buf_text(&text), text.len, "invalid_request_error", NULL, status == 401 ? "invalid_api_key" : NULL);
    simulator_reply_scratch(simulator, request, status);
}

static int error(struct buf *reply, int status, const char *type, const char *param, const struct buf *message)
{
    (void)type;
    append_error(reply, buf_text(message), message->len,
                 status == 429 ? "requests" : status >= 500 ? "server_error" : "invalid_request_error", param,
                 status == 429 ? "rate_limit_exceeded" : status == 404 ? "model_not_found" : NULL);
    return status;
}

const struct dialect dialect_openai = {
    .name = "openai",
    .abilities = DIALECT_REASONING,
    .json_type = "application/json",
    .stream_type = "text/event-stream; charset=utf-8",
    .done = "data: [DONE]\n\n",
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
