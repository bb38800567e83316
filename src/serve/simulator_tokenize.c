/* /tokenize: what a prompt or a chat costs, before it is sent. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "serve/simulator_body.h"
#include "serve/tokenizer.h"

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
    struct simulator_prompt prompt = {0};
    reading_messages(reading, reading_flag(reading, "add_generation_prompt", true), &prompt);
    if (!reading->status)
        append_tokens(reading, prompt.ids, prompt.count);
    simulator_prompt_free(&prompt);
}

static void tokenize_prompt(struct reading *reading)
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
    append_tokens(reading, special ? ids : ids + 1, count + special);
    free(ids);
}

int simulator_tokenize(const struct simulator *simulator, const char *body, size_t length, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = reading_open(&reading, body, length);
    reading_check_model(&reading);
    if (json_object_get(document, "messages"))
        tokenize_messages(&reading);
    else
        tokenize_prompt(&reading);
    json_decref(document);
    return reading.status;
}
