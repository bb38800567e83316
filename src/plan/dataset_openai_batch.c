/* OpenAI batch files: {"custom_id": ..., "method": "POST", "url": "/v1/chat/completions", "body": {"messages": [...], "max_tokens": 100}}. Of
 * the body, the prompt and the answer's length are taken; model and sampling are the plan's. */
#include "plan/dataset.h"

static bool knows(const json_t *first)
{
    const json_t *body = json_object_get(first, "body");
    return json_is_object(body) && (json_object_get(body, "messages") || json_object_get(body, "prompt"));
}

static int read_row(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err)
{
    (void)columns;
    json_t *body = json_object_get(json, "body"), *messages = json_object_get(body, "messages");
    const json_t *tokens = json_object_get(body, "max_completion_tokens");
    if (!json_is_object(body))
        return error_set(err, ERROR_USAGE, "expected \"body\": an object with messages or prompt");
    if (!tokens)
        tokens = json_object_get(body, "max_tokens");
    if (tokens && !json_is_null(tokens) && dataset_read_tokens(tokens, "body.max_tokens", &row->output_tokens, err) < 0)
        return -1;
    if (messages)
        return dataset_take_messages(messages, "body.messages", row, err);
    return dataset_take_text(json_object_get(body, "prompt"), "body.prompt", row, err);
}

const struct dataset_format dataset_openai_batch = {
    .name = "openai_batch",
    .summary = "requests of a batch: body.messages or body.prompt, body.max_tokens",
    .container = DATASET_ANY_JSON,
    .knows = knows,
    .read = read_row,
};
