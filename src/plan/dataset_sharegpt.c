/* ShareGPT: {"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}, ...]}. A row's prompt is the first turn of
 * its human, its answer what follows that. As a conversation it is all turns from that one on, and what "system" said before it. */
#include <string.h>

#include "plan/dataset.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool knows(const json_t *first)
{
    const json_t *turns = json_object_get(first, "conversations");
    return json_is_array(turns) && (json_array_size(turns) == 0 || json_object_get(json_array_get(turns, 0), "from"));
}

static bool is_human(const json_t *turn)
{
    const char *from = text_of(turn, "from");
    return strcmp(from, "human") == 0 || strcmp(from, "user") == 0;
}

static int read_row(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err)
{
    (void)columns;
    const json_t *turns = json_object_get(json, "conversations");
    size_t count = json_array_size(turns), human = 0;
    if (!json_is_array(turns))
        return error_set(err, ERROR_USAGE, "expected \"conversations\": an array of {\"from\", \"value\"}");
    while (human < count && !is_human(json_array_get(turns, human)))
        human++;
    if (human == count)
        return error_set(err, ERROR_USAGE, "conversations: expected a turn from \"human\" or \"user\", found none among %zu", count);
    if (dataset_take_text(json_object_get(json_array_get(turns, human), "value"), "the human's value", row, err) < 0)
        return -1;
    const json_t *next = json_array_get(turns, human + 1);
    if (next && !is_human(next))
        row->answer_length = strlen(text_of(next, "value"));
    return 0;
}

/* As an API calls whoever speaks; NULL: not known. */
static const char *role_of(const json_t *turn)
{
    static const char *const names[][2] = {{"human", "user"},     {"user", "user"},      {"gpt", "assistant"},     {"assistant", "assistant"},
                                           {"chatgpt", "assistant"}, {"bing", "assistant"}, {"bard", "assistant"}, {"system", "system"}};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (strcmp(text_of(turn, "from"), names[k][0]) == 0)
            return names[k][1];
    return NULL;
}

static int append_message(json_t *messages, const json_t *turn, size_t index, struct error *err)
{
    const char *role = role_of(turn);
    json_t *value = json_object_get(turn, "value");
    if (!role || !json_is_string(value))
        return error_set(err, ERROR_USAGE, "conversations[%zu]: expected \"from\": human, gpt or system, and \"value\": a text", index);
    json_t *message = json_object();
    json_object_set_new(message, "role", json_string(role));
    json_object_set(message, "content", value);
    json_array_append_new(messages, message);
    return 0;
}

static int read_conversation(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err)
{
    const json_t *turns = json_object_get(json, "conversations");
    json_t *messages = json_array();
    bool begun = false;
    (void)columns;
    json_object_set_new(json, "messages", messages); /* borrowed by the row */
    if (!json_is_array(turns))
        return error_set(err, ERROR_USAGE, "expected \"conversations\": an array of {\"from\", \"value\"}");
    for (size_t k = 0; k < json_array_size(turns); k++) {
        const json_t *turn = json_array_get(turns, k);
        begun = begun || is_human(turn);
        if ((begun || strcmp(text_of(turn, "from"), "system") == 0) && append_message(messages, turn, k, err) < 0)
            return -1;
    }
    return dataset_take_messages(messages, "conversations", row, err);
}

const struct dataset_format dataset_sharegpt = {
    .name = "sharegpt",
    .summary = "conversations of {\"from\", \"value\"}: the human's first turn",
    .container = DATASET_ANY_JSON,
    .knows = knows,
    .read = read_row,
    .read_conversation = read_conversation,
};
