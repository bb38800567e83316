/* Request bodies: what they ask for, and vLLM's words for what is wrong with them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/simulator_state.h"
#include "serve/tokenizer.h"

#define INPUT_SHOWN 120
#define COMPLETION_TOKENS_DEFAULT 16
#define MESSAGE_MAX ((size_t)64 << 10)

struct reading {
    const struct simulator *simulator;
    const json_t *body;
    struct buf *reply;
    int status; /* 0 until something is wrong */
};

static void append_error(struct buf *reply, int status, const char *type, const char *param, const struct buf *message)
{
    buf_append_text(reply, "{\"error\":{\"message\":");
    json_append_quoted(reply, buf_text(message), message->len);
    buf_printf(reply, ",\"type\":\"%s\",\"param\":", type);
    if (param)
        json_append_quoted(reply, param, strlen(param));
    else
        buf_append_text(reply, "null");
    buf_printf(reply, ",\"code\":%d}}", status);
}

int simulator_error(struct buf *reply, int status, const char *type, const char *param, const char *format, ...)
{
    cleanup_buf struct buf message = BUF_INIT(MESSAGE_MAX);
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&message, format, arguments);
    va_end(arguments);
    append_error(reply, status, type, param, &message);
    return status;
}

#define refuse(reading, param, ...) \
    ((reading)->status = simulator_error((reading)->reply, 400, "BadRequestError", (param), __VA_ARGS__))

/* A member of the wrong type. */
static void refuse_type(struct reading *reading, const char *key, const char *type, const char *says)
{
    cleanup_buf struct buf input = BUF_INIT(SIMULATOR_BODY_MAX), place = BUF_INIT(256);
    const json_t *value = json_object_get(reading->body, key);
    if (json_is_string(value))
        buf_printf(&input, "'%s'", json_string_value(value));
    else if (value)
        json_append_compact(value, &input);
    buf_printf(&place, "body.%s", key);
    reading->status = simulator_error(reading->reply, 400, "Bad Request", buf_text(&place),
                                      "1 validation error:\n  {'type': '%s', 'loc': '%s', 'msg': '%s', 'input': %.*s}", type,
                                      buf_text(&place), says, INPUT_SHOWN, buf_text(&input));
}

/* The member, or NULL: absent, null, or something was wrong before. */
static const json_t *member(const struct reading *reading, const char *key)
{
    const json_t *value = reading->status ? NULL : json_object_get(reading->body, key);
    return json_is_null(value) ? NULL : value;
}

static bool read_flag(struct reading *reading, const char *key, bool fallback)
{
    const json_t *value = member(reading, key);
    if (value && !json_is_boolean(value))
        refuse_type(reading, key, "bool_parsing", "Input should be a valid boolean, unable to interpret input");
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

static int64_t read_integer(struct reading *reading, const char *key, int64_t fallback)
{
    const json_t *value = member(reading, key);
    if (!value)
        return fallback;
    if (!json_is_integer(value))
        refuse_type(reading, key, "int_parsing", "Input should be a valid integer, unable to parse input as an integer");
    return json_integer_value(value);
}

static void check_number(struct reading *reading, const char *key)
{
    const json_t *value = member(reading, key);
    if (value && !json_is_number(value))
        refuse_type(reading, key, "float_parsing",
                    json_is_string(value) ? "Input should be a valid number, unable to parse string as a number"
                                          : "Input should be a valid number");
}

static void check_model(struct reading *reading)
{
    const char *served = reading->simulator->settings.model;
    const json_t *model = member(reading, "model");
    if (!model)
        return;
    if (!json_is_string(model))
        refuse_type(reading, "model", "string_type", "Input should be a valid string");
    else if (strcmp(json_string_value(model), served) != 0)
        reading->status = simulator_error(reading->reply, 404, "NotFoundError", "model",
                                          "The model `%s` does not exist. Valid aliases: %s.", json_string_value(model), served);
}

/* --- prompts --------------------------------------------------------------------------------- */

static int64_t count_ids(struct reading *reading, const json_t *array)
{
    size_t k;
    const json_t *id;
    json_array_foreach(array, k, id)
    {
        if (!json_is_integer(id)) {
            refuse_type(reading, "prompt", "int_type", "Input should be a valid integer");
            return 0;
        }
        if (json_integer_value(id) < 0 || json_integer_value(id) >= TOKENIZER_VOCABULARY) {
            refuse(reading, NULL, "Token id %" JSON_INTEGER_FORMAT " is out of vocabulary", json_integer_value(id));
            return 0;
        }
    }
    return (int64_t)json_array_size(array);
}

static int64_t count_text(const json_t *text)
{
    return (int64_t)tokenizer_encode(json_string_value(text), json_string_length(text), NULL, 0);
}

/* A string, an array of token ids, or an array that holds one of either. */
static int64_t count_prompt(struct reading *reading)
{
    const json_t *prompt = member(reading, "prompt");
    if (json_is_array(prompt) && (json_is_string(json_array_get(prompt, 0)) || json_is_array(json_array_get(prompt, 0)))) {
        if (json_array_size(prompt) > 1)
            refuse(reading, "prompt", "This simulator takes one prompt a request, got %zu. (parameter=prompt)", json_array_size(prompt));
        prompt = json_array_get(prompt, 0);
    }
    if (reading->status)
        return 0;
    int64_t tokens = 0;
    if (json_is_string(prompt))
        tokens = 1 + count_text(prompt);
    else if (json_is_array(prompt))
        tokens = count_ids(reading, prompt);
    else if (prompt)
        refuse_type(reading, "prompt", "string_type", "Input should be a valid string");
    if (!reading->status && tokens == 0)
        refuse(reading, "prompt", "Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)");
    return tokens;
}

/* A message's content: a string, a list of text parts, or nothing. NULL ids only count; returns tokens, -1: a wrong type. */
static int64_t encode_content(const json_t *content, uint32_t *ids)
{
    if (!content || json_is_null(content))
        return 0;
    if (json_is_string(content)) {
        size_t max = ids ? SIZE_MAX : 0;
        return (int64_t)tokenizer_encode(json_string_value(content), json_string_length(content), ids, max);
    }
    if (!json_is_array(content))
        return -1;
    int64_t sum = 0;
    size_t k;
    const json_t *part;
    json_array_foreach(content, k, part)
    {
        const json_t *text = json_object_get(part, "text");
        if (!json_is_string(text))
            return -1;
        sum += encode_content(text, ids ? ids + sum : NULL);
    }
    return sum;
}

/* The whole template. ids: NULL counts only. */
static int64_t encode_messages(struct reading *reading, bool answer, uint32_t *ids)
{
    const json_t *messages = member(reading, "messages");
    if (reading->status)
        return 0;
    if (!json_is_array(messages) || json_array_size(messages) == 0) {
        refuse_type(reading, "messages", "missing", "Field required");
        return 0;
    }
    size_t sum = 1, k;
    const json_t *message;
    if (ids)
        ids[0] = TOKENIZER_BOS;
    json_array_foreach(messages, k, message)
    {
        sum += tokenizer_message_before(ids ? ids + sum : NULL);
        int64_t content = encode_content(json_object_get(message, "content"), ids ? ids + sum : NULL);
        if (content < 0 || !json_is_string(json_object_get(message, "role"))) {
            refuse_type(reading, "messages", "string_type", "Input should be a role with a text");
            return 0;
        }
        sum += (size_t)content;
        sum += tokenizer_message_after(ids ? ids + sum : NULL);
    }
    if (answer)
        sum += tokenizer_answer(ids ? ids + sum : NULL);
    return (int64_t)sum;
}

/* --- generations ----------------------------------------------------------------------------- */

static void read_stream_options(struct reading *reading, struct simulator_task *task)
{
    const json_t *options = member(reading, "stream_options");
    if (!options)
        return;
    if (!json_is_object(options)) {
        refuse_type(reading, "stream_options", "model_attributes_type", "Input should be a valid dictionary");
        return;
    }
    if (!task->stream) {
        refuse(reading, "stream_options", "Stream options can only be defined when `stream=True`. (parameter=stream_options)");
        return;
    }
    task->include_usage = json_is_true(json_object_get(options, "include_usage"));
    task->continuous_usage = task->include_usage && json_is_true(json_object_get(options, "continuous_usage_stats"));
}

static int64_t read_max_tokens(struct reading *reading, const struct simulator_task *task)
{
    int64_t longest = reading->simulator->settings.max_model_len;
    int64_t fallback = task->chat ? longest - task->prompt_tokens : COMPLETION_TOKENS_DEFAULT;
    int64_t max_tokens = read_integer(reading, "max_tokens", fallback);
    return task->chat ? read_integer(reading, "max_completion_tokens", max_tokens) : max_tokens;
}

static void check_lengths(struct reading *reading, const struct simulator_task *task)
{
    int64_t longest = reading->simulator->settings.max_model_len, prompt = task->prompt_tokens, output = task->max_tokens;
    int64_t least = read_integer(reading, "min_tokens", 0);
    if (reading->status)
        return;
    if (prompt + 1 > longest)
        refuse(reading, "input_tokens",
               "This model's maximum context length is %" PRId64 " tokens. However, your prompt contains %" PRId64
               " input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input"
               " prompt. (parameter=input_tokens, value=%" PRId64 ")", longest, prompt, prompt);
    else if (output < 1)
        refuse(reading, "max_tokens", "max_tokens must be at least 1, got %" PRId64 ". (parameter=max_tokens, value=%" PRId64 ")",
               output, output);
    else if (output > longest)
        refuse(reading, "max_tokens",
               "max_tokens=%" PRId64 " cannot be greater than max_model_len=%" PRId64 ". Please request fewer output tokens."
               " (parameter=max_tokens, value=%" PRId64 ")", output, longest, output);
    else if (prompt + output > longest)
        refuse(reading, "input_tokens",
               "This model's maximum context length is %" PRId64 " tokens. However, you requested %" PRId64 " output tokens and your"
               " prompt contains %" PRId64 " input tokens, for a total of %" PRId64 " tokens. Please reduce the length of the input"
               " prompt or the number of requested output tokens. (parameter=input_tokens, value=%" PRId64 ")",
               longest, output, prompt, prompt + output, prompt);
    else if (least < 0)
        refuse(reading, NULL, "min_tokens must be greater than or equal to 0, got %" PRId64 ".", least);
    else if (least > output)
        refuse(reading, NULL, "min_tokens must be less than or equal to max_tokens=%" PRId64 ", got %" PRId64 ".", output, least);
}

static void read_task(struct reading *reading, struct simulator_task *task)
{
    task->stream = read_flag(reading, "stream", false);
    check_number(reading, "temperature");
    check_number(reading, "top_p");
    read_flag(reading, "ignore_eos", false);
    int64_t choices = read_integer(reading, "n", 1);
    check_model(reading);
    read_stream_options(reading, task);
    if (!reading->status && choices != 1)
        refuse(reading, "n", "This simulator generates one choice a request, got n=%" PRId64 ". (parameter=n)", choices);
    task->prompt_tokens = task->chat ? encode_messages(reading, true, NULL) : count_prompt(reading);
    task->max_tokens = read_max_tokens(reading, task);
    check_lengths(reading, task);
}

static json_t *parse_body(struct reading *reading, const char *body, size_t length)
{
    json_error_t error;
    json_t *document = json_loadb(body, length, JSON_ALLOW_NUL, &error);
    if (!document) {
        char place[32];
        snprintf(place, sizeof place, "body.%d", error.position);
        reading->status = simulator_error(
            reading->reply, 400, "Bad Request", place,
            "1 validation error:\n  {'type': 'json_invalid', 'loc': '%s', 'msg': 'JSON decode error', 'input': "
            "'<dict of 0 items>', 'ctx': {'error': '%s'}}", place, error.text);
    }
    if (document && !json_is_object(document))
        reading->status = simulator_error(
            reading->reply, 400, "Bad Request", "body",
            "1 validation error:\n  {'type': 'model_attributes_type', 'loc': 'body', 'msg': 'Input should be a valid dictionary'}");
    return document;
}

int simulator_task_read(const struct simulator *simulator, bool chat, const char *body, size_t length,
                        struct simulator_task *task, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = parse_body(&reading, body, length);
    reading.body = document;
    *task = (struct simulator_task){.chat = chat};
    if (!reading.status)
        read_task(&reading, task);
    json_decref(document);
    return reading.status;
}

/* --- /tokenize ------------------------------------------------------------------------------- */

static void append_tokens(const struct reading *reading, const uint32_t *ids, size_t count)
{
    buf_printf(reading->reply, "{\"count\":%zu,\"max_model_len\":%" PRId64 ",\"tokens\":[", count,
               reading->simulator->settings.max_model_len);
    for (size_t k = 0; k < count; k++)
        buf_printf(reading->reply, k ? ",%u" : "%u", ids[k]);
    buf_append_text(reading->reply, "],\"token_strs\":null}");
}

static void tokenize_messages(struct reading *reading)
{
    bool answer = read_flag(reading, "add_generation_prompt", true);
    int64_t count = encode_messages(reading, answer, NULL);
    if (reading->status)
        return;
    uint32_t *ids = mem_calloc((size_t)count, sizeof *ids);
    encode_messages(reading, answer, ids);
    append_tokens(reading, ids, (size_t)count);
    free(ids);
}

static void tokenize_prompt(struct reading *reading)
{
    bool special = read_flag(reading, "add_special_tokens", true);
    const json_t *prompt = member(reading, "prompt");
    if (!reading->status && !json_is_string(prompt))
        refuse_type(reading, "prompt", "string_type", "Input should be a valid string");
    if (reading->status)
        return;
    size_t count = special + (size_t)count_text(prompt);
    uint32_t *ids = mem_calloc(count + 1, sizeof *ids);
    ids[0] = TOKENIZER_BOS;
    tokenizer_encode(json_string_value(prompt), json_string_length(prompt), ids + special, count - special);
    append_tokens(reading, ids, count);
    free(ids);
}

int simulator_tokenize(const struct simulator *simulator, const char *body, size_t length, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = parse_body(&reading, body, length);
    reading.body = document;
    if (!reading.status)
        check_model(&reading);
    if (!reading.status && json_object_get(document, "messages"))
        tokenize_messages(&reading);
    else if (!reading.status)
        tokenize_prompt(&reading);
    json_decref(document);
    return reading.status;
}
