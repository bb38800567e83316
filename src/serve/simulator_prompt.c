/* What the model is given: strings, arrays of token ids, several of either, or messages through the chat template. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/simulator_body.h"
#include "serve/tokenizer.h"

#define MESSAGE_TOKENS (TOKENIZER_MESSAGE_BEFORE + TOKENIZER_MESSAGE_AFTER)

void simulator_prompt_free(struct simulator_prompt *prompt)
{
    free(prompt->ids);
    free(prompt->text);
}

/* A text has at most a token a byte: room for that, and what is not needed is given back. */
static void trim(struct simulator_prompt *prompt)
{
    prompt->ids = mem_realloc(prompt->ids, prompt->count ? prompt->count : 1, sizeof *prompt->ids);
}

static void read_text(const json_t *text, struct simulator_prompt *prompt)
{
    size_t length = json_string_length(text);
    prompt->ids = mem_calloc(length + 1, sizeof *prompt->ids);
    prompt->ids[0] = TOKENIZER_BOS;
    prompt->count = 1 + tokenizer_encode(json_string_value(text), length, prompt->ids + 1, length);
    trim(prompt);
}

static void read_ids(struct reading *reading, const json_t *array, struct simulator_prompt *prompt)
{
    size_t k;
    const json_t *id;
    prompt->ids = mem_calloc(json_array_size(array) + 1, sizeof *prompt->ids);
    json_array_foreach(array, k, id)
    {
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id)) {
            reading_refuse_type(reading, "prompt", "int_type", "Input should be a valid integer");
            return;
        }
        if (value < 0 || value >= TOKENIZER_VOCABULARY) {
            reading_refuse(reading, NULL, "Token id %" JSON_INTEGER_FORMAT " is out of vocabulary", value);
            return;
        }
        prompt->ids[prompt->count++] = (uint32_t)value;
    }
}

static void read_prompt(struct reading *reading, const json_t *value, struct simulator_prompt *prompt)
{
    if (json_is_string(value))
        read_text(value, prompt);
    else if (json_is_array(value))
        read_ids(reading, value, prompt);
    else if (value)
        reading_refuse_type(reading, "prompt", "string_type", "Input should be a valid string");
    if (!reading->status && prompt->count == 0)
        reading_refuse(reading, "prompt", "Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)");
}

/* Strings or arrays, not ids. */
static bool is_list_of_prompts(const json_t *prompt)
{
    const json_t *first = json_array_get(prompt, 0);
    return json_is_string(first) || json_is_array(first);
}

static void read_completion(struct reading *reading, struct simulator_task *task)
{
    const json_t *prompt = reading_member(reading, "prompt");
    bool several = is_list_of_prompts(prompt);
    task->prompt_count = several ? json_array_size(prompt) : 1;
    task->prompts = mem_calloc(task->prompt_count, sizeof *task->prompts);
    for (size_t k = 0; k < task->prompt_count && !reading->status; k++)
        read_prompt(reading, several ? json_array_get(prompt, k) : prompt, &task->prompts[k]);
}

/* --- chats ----------------------------------------------------------------------------------- */

/* A message's content: a string, a list of text parts, or nothing. Returns its bytes; -1: a wrong type. */
static int64_t content_bytes(const json_t *content)
{
    if (!content || json_is_null(content))
        return 0;
    if (json_is_string(content))
        return (int64_t)json_string_length(content);
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
        sum += (int64_t)json_string_length(text);
    }
    return sum;
}

static size_t encode_text(const json_t *text, uint32_t *ids)
{
    return tokenizer_encode(json_string_value(text), json_string_length(text), ids, SIZE_MAX);
}

static size_t encode_content(const json_t *content, uint32_t *ids)
{
    if (json_is_string(content))
        return encode_text(content, ids);
    size_t sum = 0, k;
    const json_t *part;
    json_array_foreach(content, k, part) sum += encode_text(json_object_get(part, "text"), ids + sum);
    return sum;
}

/* The definitions of tools stand before the messages, as JSON, in a message of their own. */
static void append_tools(const struct reading *reading, struct buf *text)
{
    const json_t *tools = reading_member(reading, "tools");
    if (json_array_size(tools) > 0)
        json_append_compact(tools, text);
}

/* The most tokens that the messages can have; 0: something is wrong with them. */
static size_t check_messages(struct reading *reading, const json_t *messages)
{
    if (reading->status)
        return 0;
    if (!json_is_array(messages) || json_array_size(messages) == 0) {
        reading_refuse_type(reading, "messages", "missing", "Field required");
        return 0;
    }
    size_t sum = 1 + TOKENIZER_ANSWER, k;
    const json_t *message;
    json_array_foreach(messages, k, message)
    {
        int64_t bytes = content_bytes(json_object_get(message, "content"));
        if (bytes < 0 || !json_is_string(json_object_get(message, "role"))) {
            reading_refuse_type(reading, "messages", "string_type", "Input should be a role with a text");
            return 0;
        }
        sum += MESSAGE_TOKENS + (size_t)bytes;
    }
    return sum;
}

/* What the model has said before begins as what it is about to say: its blocks are found in the prefix cache. */
static bool is_answer(const json_t *message)
{
    return strcmp(json_string_value(json_object_get(message, "role")), "assistant") == 0;
}

void reading_messages(struct reading *reading, bool answer, struct simulator_prompt *prompt)
{
    const json_t *messages = reading_member(reading, "messages"), *message;
    size_t most = check_messages(reading, messages), k;
    cleanup_buf struct buf tools = BUF_INIT(SIMULATOR_BODY_MAX);
    if (most == 0)
        return;
    append_tools(reading, &tools);
    uint32_t *ids = prompt->ids = mem_calloc(most + MESSAGE_TOKENS + tools.len, sizeof *ids);
    *ids++ = TOKENIZER_BOS;
    if (tools.len > 0) {
        ids += tokenizer_message_before(ids);
        ids += tokenizer_encode(tools.data, tools.len, ids, tools.len);
        ids += tokenizer_message_after(ids);
    }
    json_array_foreach(messages, k, message)
    {
        ids += is_answer(message) ? tokenizer_answer(ids) : tokenizer_message_before(ids);
        ids += encode_content(json_object_get(message, "content"), ids);
        ids += tokenizer_message_after(ids);
    }
    if (answer)
        ids += tokenizer_answer(ids);
    prompt->count = (size_t)(ids - prompt->ids);
    trim(prompt);
}

/* --- both ------------------------------------------------------------------------------------ */

/* What echo sends: the prompt's text as it was given; ids have none of their own and stay without. */
static void keep_text(struct reading *reading, struct simulator_task *task)
{
    const json_t *prompt = reading_member(reading, "prompt");
    bool several = is_list_of_prompts(prompt);
    for (size_t k = 0; k < task->prompt_count; k++) {
        const json_t *text = several ? json_array_get(prompt, k) : prompt;
        if (!json_is_string(text))
            continue;
        task->prompts[k].text_length = json_string_length(text);
        task->prompts[k].text = mem_alloc(task->prompts[k].text_length + 1);
        memcpy(task->prompts[k].text, json_string_value(text), task->prompts[k].text_length);
    }
}

void reading_prompts(struct reading *reading, struct simulator_task *task)
{
    if (task->chat) {
        task->prompt_count = 1;
        task->prompts = mem_calloc(1, sizeof *task->prompts);
        reading_messages(reading, true, &task->prompts[0]);
    } else {
        read_completion(reading, task);
        if (task->echo)
            keep_text(reading, task);
    }
    for (size_t k = 0; k < task->prompt_count; k++)
        task->prompt_tokens += (int64_t)task->prompts[k].count;
}
