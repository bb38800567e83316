/* Rows by the names of their columns, as people call them: what json, jsonl and csv share. */
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/units.h"
#include "plan/dataset.h"
#include "plan/plan.h"

#define NAMES_SHOWN 8
#define NAMES_MAX ((size_t)256)

static const char *const prompt_names[] = {"prompt", "text", "instruction", "question", "query", "input", "content", "user_input", NULL};
static const char *const messages_names[] = {"messages", "conversation", "conversations", "chat", NULL};
static const char *const output_names[] = {"output_tokens", "max_tokens", "max_completion_tokens", "max_new_tokens", "completion_tokens",
                                           "output_length", "output_len", "generated_tokens", "GeneratedTokens", "Response tokens", NULL};
static const char *const answer_names[] = {"completion", "response", "answer", "output", "chosen", "target", "summary", NULL};
static const char *const length_names[] = {"prompt_tokens", "input_length", "input_tokens", "input_len", "prompt_len", "ContextTokens",
                                           "Request tokens", NULL};

/* --- values --------------------------------------------------------------------------------- */

int dataset_read_tokens(const json_t *value, const char *name, int64_t *tokens, struct error *err)
{
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    if (json_is_string(value))
        units_parse_number(json_string_value(value), &number);
    if (!(number >= 1) || number > (double)PLAN_TOKENS_MAX || number != floor(number))
        return error_set(err, ERROR_USAGE, "%s: expected a number of tokens, 1 to %lld", name, (long long)PLAN_TOKENS_MAX);
    *tokens = (int64_t)number;
    return 0;
}

int dataset_take_text(const json_t *value, const char *name, struct dataset_row *row, struct error *err)
{
    if (!json_is_string(value) || json_string_length(value) == 0)
        return error_set(err, ERROR_USAGE, "%s: expected a text that is not empty", name);
    row->kind = DATASET_TEXT;
    row->text = json_string_value(value);
    row->text_length = json_string_length(value);
    return 0;
}

bool dataset_is_messages(const json_t *value)
{
    return json_is_array(value) && json_array_size(value) > 0 && json_is_string(json_object_get(json_array_get(value, 0), "role"));
}

static bool has_role(const json_t *message, const char *role)
{
    const char *own = json_string_value(json_object_get(message, "role"));
    return own && strcmp(own, role) == 0;
}

int dataset_take_messages(json_t *value, const char *name, struct dataset_row *row, struct error *err)
{
    if (!dataset_is_messages(value))
        return error_set(err, ERROR_USAGE, "%s: expected an array of {\"role\", \"content\"}", name);
    size_t last = json_array_size(value) - 1;
    const json_t *answer = json_array_get(value, last);
    if (has_role(answer, "assistant")) {
        row->answer_length = json_string_length(json_object_get(answer, "content"));
        json_array_remove(value, last);
    }
    if (json_array_size(value) == 0)
        return error_set(err, ERROR_USAGE, "%s: expected a message before the assistant's", name);
    for (size_t k = 0; k < json_array_size(value); k++) {
        const json_t *message = json_array_get(value, k), *content = json_object_get(message, "content");
        if (!json_is_string(json_object_get(message, "role")) || (content && !json_is_string(content) && !json_is_array(content) && !json_is_null(content)))
            return error_set(err, ERROR_USAGE, "%s[%zu]: expected {\"role\": text, \"content\": text or array}", name, k);
    }
    row->kind = DATASET_MESSAGES;
    row->messages = value;
    return 0;
}

void dataset_append_names(const json_t *object, struct buf *out)
{
    const char *key;
    json_t *value;
    size_t shown = 0;
    json_object_foreach ((json_t *)object, key, value) {
        if (shown == NAMES_SHOWN)
            buf_append_text(out, ", ...");
        if (shown++ >= NAMES_SHOWN)
            break;
        buf_printf(out, "%s%.40s", shown > 1 ? ", " : "", key);
    }
}

/* --- columns ---------------------------------------------------------------------------------- */

/* By its whole name, else by the part before a dot and the rest inside of that. */
static json_t *member(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    const char *dot = strchr(name, '.');
    if (value || !dot)
        return value;
    cleanup_free char *head = mem_strndup(name, (size_t)(dot - name));
    return member(json_object_get(object, head), dot + 1);
}

/* The column of that name, or the first of the usual names that the row has and that is filled. *found: its name. */
static json_t *find(const json_t *row, const char *name, const char *const *usual, const char **found)
{
    *found = name;
    if (name)
        return member(row, name);
    for (; *usual; usual++) {
        json_t *value = json_object_get(row, *usual);
        *found = *usual;
        if (value && !json_is_null(value) && !(json_is_string(value) && json_string_length(value) == 0))
            return value;
    }
    return NULL;
}

static int no_prompt(const struct dataset_columns *columns, const json_t *json, struct error *err)
{
    cleanup_buf struct buf names = BUF_INIT(NAMES_MAX);
    dataset_append_names(json, &names);
    const char *wanted = columns->prompt ? columns->prompt : columns->messages;
    if (wanted)
        return error_set(err, ERROR_USAGE, "expected a column %.100s that is filled; the row has: %s", wanted, buf_text(&names));
    return error_set(err, ERROR_USAGE, "expected a prompt in a column prompt, text, instruction, question, messages or the like; the row has: %s. Name it by "
                     "--data-column prompt=NAME", buf_text(&names));
}

/* Alpaca's rows: what the instruction is about stands beside it. */
static int take_instruction(json_t *json, const char *name, struct dataset_row *row, struct error *err)
{
    json_t *input = json_object_get(json, "input"), *value = json_object_get(json, name);
    if (strcmp(name, "instruction") != 0 || !json_is_string(value) || !json_is_string(input) || json_string_length(input) == 0)
        return dataset_take_text(value, name, row, err);
    cleanup_free char *both = mem_printf("%s\n\n%s", json_string_value(value), json_string_value(input));
    json_object_set_new(json, name, json_string(both));
    return dataset_take_text(json_object_get(json, name), name, row, err);
}

static int take_prompt(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err)
{
    const char *name;
    json_t *messages = columns->prompt ? NULL : find(json, columns->messages, messages_names, &name);
    if (messages && (columns->messages || dataset_is_messages(messages)))
        return dataset_take_messages(messages, name, row, err);
    json_t *prompt = columns->messages ? NULL : find(json, columns->prompt, prompt_names, &name);
    if (prompt && dataset_is_messages(prompt))
        return dataset_take_messages(prompt, name, row, err);
    if (prompt)
        return columns->prompt ? dataset_take_text(prompt, name, row, err) : take_instruction(json, name, row, err);
    const json_t *length = columns->prompt || columns->messages ? NULL : find(json, NULL, length_names, &name);
    if (!length)
        return no_prompt(columns, json, err);
    row->kind = DATASET_LENGTHS;
    return dataset_read_tokens(length, name, &row->prompt_tokens, err);
}

int dataset_read_columns(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err)
{
    const char *name;
    if (json_is_string(json))
        return dataset_take_text(json, "the text", row, err);
    if (!json_is_object(json))
        return error_set(err, ERROR_USAGE, "expected an object with a prompt, or a text");
    if (take_prompt(columns, json, row, err) < 0)
        return -1;
    const json_t *tokens = find(json, columns->output, output_names, &name);
    if (tokens && dataset_read_tokens(tokens, name, &row->output_tokens, err) < 0)
        return -1;
    if (columns->output && !tokens)
        return error_set(err, ERROR_USAGE, "expected a column %.100s", columns->output);
    const json_t *answer = find(json, columns->answer, answer_names, &name);
    if (json_is_string(answer))
        row->answer_length = json_string_length(answer);
    return 0;
}
