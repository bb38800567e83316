/* /tokenize: what a prompt or a chat costs, before it is sent; and /detokenize, the way back. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/simulator_body.h"
#include "serve/tokenizer.h"
#include "serve/vocabulary.h"

static struct vocabulary *vocabulary_of(struct simulator *simulator)
{
    if (!simulator->vocabulary)
        simulator->vocabulary = vocabulary_new();
    return simulator->vocabulary;
}

static void append_strings(const struct reading *reading, const uint32_t *ids, size_t count)
{
    struct vocabulary *vocabulary = reading->simulator->vocabulary;
    buf_append_char(reading->reply, '[');
    for (size_t k = 0; k < count; k++) {
        size_t length;
        const char *text = vocabulary_text(vocabulary, ids[k], &length);
        if (k > 0)
            buf_append_char(reading->reply, ',');
        if (length > 0)
            json_append_quoted(reading->reply, text, length);
        else
            buf_printf(reading->reply, "\"<special %" PRIu32 ">\"", ids[k]);
    }
    buf_append_char(reading->reply, ']');
}

static void append_tokens(const struct reading *reading, const uint32_t *ids, size_t count, bool strings)
{
    buf_printf(reading->reply, "{\"count\":%zu,\"max_model_len\":%" PRId64 ",\"tokens\":[", count,
               reading->simulator->settings.max_model_len);
    for (size_t k = 0; k < count; k++)
        buf_printf(reading->reply, k ? ",%" PRIu32 : "%" PRIu32, ids[k]);
    buf_append_text(reading->reply, "],\"token_strs\":");
    if (strings)
        append_strings(reading, ids, count);
    else
        buf_append_text(reading->reply, "null");
    buf_append_char(reading->reply, '}');
}

/* Whoever has got the ids of a text may want to have the text of the ids. */
void simulator_learn(struct simulator *simulator, const json_t *text)
{
    if (json_is_string(text))
        vocabulary_learn(vocabulary_of(simulator), json_string_value(text), json_string_length(text));
}

static void learn_messages(struct simulator *simulator, const json_t *messages)
{
    size_t k, j;
    const json_t *message, *part;
    json_array_foreach(messages, k, message)
    {
        const json_t *content = json_object_get(message, "content");
        simulator_learn(simulator, content);
        json_array_foreach(content, j, part)
        {
            simulator_learn(simulator, json_object_get(part, "text"));
        }
    }
}

static void tokenize_messages(struct simulator *simulator, struct reading *reading, bool strings)
{
    struct simulator_prompt prompt = {0};
    reading_messages(reading, reading_flag(reading, "add_generation_prompt", true), &prompt);
    if (!reading->status) {
        learn_messages(simulator, reading_member(reading, "messages"));
        append_tokens(reading, prompt.ids, prompt.count, strings);
    }
    simulator_prompt_free(&prompt);
}

static void tokenize_prompt(struct simulator *simulator, struct reading *reading, bool strings)
{
    bool special = reading_flag(reading, "add_special_tokens", true);
    const json_t *prompt = reading_member(reading, "prompt");
    if (!reading->status && !json_is_string(prompt))
        reading_refuse_type(reading, "prompt", "string_type", "Input should be a valid string");
    if (reading->status)
        return;
    size_t length = json_string_length(prompt);
    uint32_t *ids = mem_calloc(length + 1, sizeof *ids);
    ids[0] = TOKENIZER_BOS;
    size_t count = tokenizer_encode(json_string_value(prompt), length, ids + 1, length);
    simulator_learn(simulator, prompt);
    append_tokens(reading, special ? ids : ids + 1, count + special, strings);
    free(ids);
}

int simulator_tokenize(struct simulator *simulator, const char *body, size_t length, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = reading_open(&reading, body, length);
    reading_check_model(&reading);
    bool strings = reading_flag(&reading, "return_token_strs", false);
    if (strings)
        vocabulary_of(simulator);
    if (json_object_get(document, "messages"))
        tokenize_messages(simulator, &reading, strings);
    else
        tokenize_prompt(simulator, &reading, strings);
    json_decref(document);
    return reading.status;
}

static void detokenize(struct simulator *simulator, struct reading *reading, const char *key)
{
    const json_t *ids = reading_member(reading, "tokens"), *id;
    struct vocabulary *vocabulary = vocabulary_of(simulator);
    cleanup_buf struct buf text = BUF_INIT(SIMULATOR_BODY_MAX * TOKENIZER_BYTES_MAX);
    size_t k;
    if (!reading->status && !json_is_array(ids))
        reading_refuse_type(reading, "tokens", ids ? "list_type" : "missing", ids ? "Input should be a valid list" : "Field required");
    json_array_foreach(ids, k, id)
    {
        size_t length;
        if (!json_is_integer(id) || json_integer_value(id) < 0) {
            reading_refuse_type(reading, "tokens", "int_type", "Input should be a valid integer");
            break;
        }
        if (json_integer_value(id) >= TOKENIZER_VOCABULARY) {
            reading_refuse(reading, NULL, "Token id %" JSON_INTEGER_FORMAT " is out of vocabulary", json_integer_value(id));
            break;
        }
        const char *word = vocabulary_text(vocabulary, (uint32_t)json_integer_value(id), &length);
        buf_append(&text, word, length);
    }
    if (reading->status)
        return;
    buf_printf(reading->reply, "{\"%s\":", key);
    json_append_quoted(reading->reply, buf_text(&text), text.len);
    buf_append_char(reading->reply, '}');
}

int simulator_detokenize(struct simulator *simulator, const char *body, size_t length, struct buf *reply)
{
    return simulator_detokenize_as(simulator, body, length, "prompt", reply);
}

int simulator_detokenize_as(struct simulator *simulator, const char *body, size_t length, const char *key, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = reading_open(&reading, body, length);
    reading_check_model(&reading);
    detokenize(simulator, &reading, key);
    json_decref(document);
    return reading.status;
}
