#include "wire/openai.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "wire/openai_chunk.h"

/* Lenient where it costs nothing: a number beyond 64 bits and a NUL in a text are no reason to fail a request. */
#define DECODE_FLAGS (JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

/* --- the document --- */

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_too_deep(const char *bytes, size_t length)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (quoted) {
            if (bytes[i] == '\\')
                i++;
            else if (bytes[i] == '"')
                quoted = false;
        } else if (bytes[i] == '"') {
            quoted = true;
        } else if (bytes[i] == '{' || bytes[i] == '[') {
            if (++depth > OPENAI_DEPTH_MAX)
                return true;
        } else if (bytes[i] == '}' || bytes[i] == ']') {
            depth--;
        }
    }
    return false;
}

/* A new reference to an object, or NULL. */
static json_t *parse_object(const char *bytes, size_t length)
{
    if (length == 0 || is_too_deep(bytes, length))
        return NULL;
    json_t *document = json_loadb(bytes, length, DECODE_FLAGS, NULL);
    if (json_is_object(document))
        return document;
    json_decref(document);
    return NULL;
}

static int64_t read_count(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        return -1;
    double number = json_number_value(value);
    bool fits = number >= 0 && number < (double)OPENAI_COUNT_MAX && number == floor(number);
    return fits ? (int64_t)number : -1;
}

static void copy_text(char *target, size_t size, const json_t *text)
{
    openai_copy_line(target, size, json_string_value(text), json_string_length(text));
}

/* --- choices and usage --- */

static void read_text(struct openai_choice *choice, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    size_t length = json_is_string(value) ? json_string_length(value) : json_array_size(value);
    if (json_is_string(value) || length > 0)
        choice->text = true;
    if (length > 0)
        choice->text_filled = true;
}

static void read_message(struct openai_choice *choice, const json_t *message)
{
    static const char *const KEYS[] = {"content", "reasoning", "reasoning_content", "tool_calls"};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        read_text(choice, message, KEYS[i]);
}

static int64_t read_array_length(const json_t *object, const char *key)
{
    const json_t *array = json_object_get(object, key);
    return json_is_array(array) ? (int64_t)json_array_size(array) : -1;
}

static int64_t read_logprobs(const json_t *choice)
{
    const json_t *logprobs = json_object_get(choice, "logprobs");
    int64_t content = read_array_length(logprobs, "content");
    return content >= 0 ? content : read_array_length(logprobs, "tokens");
}

static void read_choice(struct openai_chunk *chunk, const json_t *element, bool progress)
{
    struct openai_choice choice;
    const json_t *delta = json_object_get(element, "delta");
    const json_t *reason = json_object_get(element, "finish_reason");
    openai_choice_clear(&choice);
    read_text(&choice, element, "text");
    read_message(&choice, delta);
    read_message(&choice, json_object_get(element, "message"));
    choice.role = json_is_string(json_object_get(delta, "role"));
    choice.stop_reason = json_object_get(element, "stop_reason") != NULL;
    choice.token_ids = read_array_length(element, "token_ids");
    choice.logprobs = read_logprobs(element);
    choice.finished = json_is_string(reason) && json_string_length(reason) > 0;
    if (choice.finished)
        copy_text(chunk->finish_reason, sizeof chunk->finish_reason, reason);
    openai_chunk_add_choice(chunk, &choice, progress);
}

static void read_choices(struct openai_chunk *chunk, const json_t *document)
{
    const json_t *progress = json_object_get(document, "prompt_progress");
    const json_t *choices = json_object_get(document, "choices"), *element;
    size_t index;
    json_array_foreach (choices, index, element) {
        if (json_is_object(element))
            read_choice(chunk, element, progress && !json_is_null(progress));
    }
}

static void read_usage(struct openai_chunk *chunk, const json_t *document)
{
    const json_t *usage = json_object_get(document, "usage");
    chunk->prompt_tokens = read_count(usage, "prompt_tokens");
    chunk->completion_tokens = read_count(usage, "completion_tokens");
    chunk->cached_tokens = read_count(json_object_get(usage, "prompt_tokens_details"), "cached_tokens");
}

/* --- errors --- */

/* The first text that says what went wrong; NULL: none. Borrowed. */
static const json_t *find_message(const json_t *value)
{
    static const char *const KEYS[] = {"error", "message", "detail", "msg", "errors"};
    for (int depth = 0; depth < 4 && value; depth++) {
        if (json_is_string(value))
            return value;
        if (json_is_array(value)) {
            value = json_array_get(value, 0);
            continue;
        }
        const json_t *inner = NULL;
        for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
            const json_t *member = json_object_get(value, KEYS[i]);
            if (!inner && (json_is_string(member) || json_is_object(member) || json_is_array(member)))
                inner = member;
        }
        value = inner;
    }
    return NULL;
}

static void read_error(struct openai_chunk *chunk, const json_t *document)
{
    const json_t *error = json_object_get(document, "error");
    const json_t *object = json_object_get(document, "object");
    bool marked = json_is_string(object) && strcmp(json_string_value(object), "error") == 0;
    chunk->error = marked || (error && !json_is_null(error) && !json_is_false(error));
    if (!chunk->error)
        return;
    static const char NO_MESSAGE[] = "an error without a message";
    const json_t *message = find_message(document);
    if (message)
        copy_text(chunk->message, sizeof chunk->message, message);
    if (chunk->message[0] == '\0')
        memcpy(chunk->message, NO_MESSAGE, sizeof NO_MESSAGE);
}

/* --- chunks --- */

static bool is_done(const char *data, size_t length)
{
    static const char DONE[] = "[DONE]";
    while (length > 0 && is_space(data[length - 1]))
        length--;
    while (length > 0 && is_space(*data)) {
        data++;
        length--;
    }
    return length == sizeof DONE - 1 && memcmp(data, DONE, length) == 0;
}

static int read_done(const char *data, size_t length, struct openai_chunk *chunk)
{
    openai_chunk_clear(chunk);
    chunk->done = is_done(data, length);
    return chunk->done ? 0 : -1;
}

static int read_document(const char *data, size_t length, struct openai_chunk *chunk)
{
    openai_chunk_clear(chunk);
    json_t *document = parse_object(data, length);
    if (!document)
        return -1;
    read_choices(chunk, document);
    read_usage(chunk, document);
    read_error(chunk, document);
    json_decref(document);
    return 0;
}

int openai_chunk_read(const char *data, size_t length, struct openai_chunk *chunk)
{
    return openai_chunk_read_next(NULL, data, length, chunk);
}

int openai_chunk_read_next(struct openai_prefix *prefix, const char *data, size_t length, struct openai_chunk *chunk)
{
    if (openai_scan_chunk(prefix, data, length, chunk) == 0)
        return 0;
    return openai_chunk_read_by_json(data, length, chunk);
}

int openai_chunk_read_by_json(const char *data, size_t length, struct openai_chunk *chunk)
{
    if (read_done(data, length, chunk) == 0)
        return 0;
    return read_document(data, length, chunk);
}

int openai_response_read(const char *body, size_t length, struct openai_chunk *response)
{
    if (read_document(body, length, response) < 0)
        return -1;
    if (!response->token && !response->error && response->completion_tokens > 0)
        response->token = response->text_empty = true;
    return 0;
}

/* --- messages of error bodies --- */

/* Where `tag` begins, whatever its case; NULL: nowhere. */
static const char *find_tag(const char *text, size_t length, const char *tag)
{
    size_t size = strlen(tag);
    for (size_t i = 0; i + size <= length; i++) {
        if (strncasecmp(text + i, tag, size) == 0)
            return text + i;
    }
    return NULL;
}

/* An HTML page, say of a proxy: its title. */
static bool copy_title(const char *body, size_t length, char *message, size_t size)
{
    const char *open = find_tag(body, length, "<title>");
    if (!open)
        return false;
    open += strlen("<title>");
    const char *close = find_tag(open, length - (size_t)(open - body), "</title>");
    if (!close)
        return false;
    openai_copy_line(message, size, open, (size_t)(close - open));
    return true;
}

static void copy_first_line(const char *body, size_t length, char *message, size_t size)
{
    while (length > 0 && is_space(*body)) {
        body++;
        length--;
    }
    const char *end = length > 0 ? memchr(body, '\n', length) : NULL;
    openai_copy_line(message, size, body, end ? (size_t)(end - body) : length);
}

void openai_error_message(const char *body, size_t length, char *message, size_t size)
{
    message[0] = '\0';
    json_t *document = parse_object(body, length);
    const json_t *text = find_message(document);
    if (text)
        copy_text(message, size, text);
    json_decref(document);
    if (message[0] == '\0' && !copy_title(body, length, message, size))
        copy_first_line(body, length, message, size);
}

const char *openai_refusal_advice(int status)
{
    if (status == 407)
        return ". The proxy of the environment wants a user: http://USER:PASSWORD@HOST:PORT in http_proxy or https_proxy";
    return status == 401 || status == 403 ? ". It needs an API key: --api-key-file or ROIBENCH_API_KEY" : "";
}
