/* ShareGPT: {"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}, ...]}. A row's prompt is the first turn of
 * its human, its answer what follows that. */
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

const struct dataset_format dataset_sharegpt = {
    .name = "sharegpt",
    .summary = "conversations of {\"from\", \"value\"}: the human's first turn",
    .container = DATASET_ANY_JSON,
    .knows = knows,
    .read = read_row,
};
