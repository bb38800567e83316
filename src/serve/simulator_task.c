/* Bodies of /v1/completions and /v1/chat/completions: what they ask for. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/simulator_body.h"
#include "serve/tokenizer.h"

#define LOGPROBS_MAX 20 /* vLLM's --max-logprobs */
#define COMPLETION_TOKENS_DEFAULT 16
#define GREEDY_BELOW 1e-5 /* vLLM's bound of a temperature that means 0 */

static void read_stream_options(struct reading *reading, struct simulator_task *task)
{
    const json_t *options = reading_member(reading, "stream_options");
    bool forced = task->stream && reading->simulator->settings.force_include_usage;
    task->include_usage = task->continuous_usage = forced;
    if (!options)
        return;
    if (!json_is_object(options)) {
        reading_refuse_type(reading, "stream_options", "model_attributes_type", "Input should be a valid dictionary");
        return;
    }
    if (!task->stream) {
        reading_refuse(reading, "stream_options", "Stream options can only be defined when `stream=True`. (parameter=stream_options)");
        return;
    }
    task->include_usage = forced || json_is_true(json_object_get(options, "include_usage"));
    task->continuous_usage = task->include_usage && json_is_true(json_object_get(options, "continuous_usage_stats"));
}

void task_read_choices(struct reading *reading, struct simulator_task *task)
{
    double temperature = reading_number(reading, "temperature", 1);
    task->choices = reading_integer(reading, "n", 1);
    if (reading->status)
        return;
    if (task->choices < 1)
        reading_refuse(reading, NULL, "n must be at least 1, got %" PRId64 ".", task->choices);
    else if (task->choices > SIMULATOR_CHOICES_MAX)
        reading_refuse(reading, NULL, "n must be at most %d, got %" PRId64 ".", SIMULATOR_CHOICES_MAX, task->choices);
    else if (task->choices > 1 && temperature < GREEDY_BELOW)
        reading_refuse(reading, NULL, "n must be 1 when using greedy sampling, got %" PRId64 ".", task->choices);
}

static int64_t read_max_tokens(struct reading *reading, const struct simulator_task *task)
{
    int64_t longest = reading->simulator->settings.max_model_len;
    int64_t fallback = task->chat ? longest - task->prompt_tokens : COMPLETION_TOKENS_DEFAULT;
    int64_t max_tokens = reading_integer(reading, "max_tokens", fallback);
    return task->chat ? reading_integer(reading, "max_completion_tokens", max_tokens) : max_tokens;
}

static void check_lengths(struct reading *reading, int64_t prompt, int64_t output)
{
    int64_t longest = reading->simulator->settings.max_model_len;
    if (reading->status)
        return;
    if (prompt + 1 > longest)
        reading_refuse(reading, "input_tokens",
                       "This model's maximum context length is %" PRId64 " tokens. However, your prompt contains %" PRId64
                       " input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input"
                       " prompt. (parameter=input_tokens, value=%" PRId64 ")", longest, prompt, prompt);
    else if (output < 1)
        reading_refuse(reading, "max_tokens",
                       "max_tokens must be at least 1, got %" PRId64 ". (parameter=max_tokens, value=%" PRId64 ")", output, output);
    else if (output > longest)
        reading_refuse(reading, "max_tokens",
                       "max_tokens=%" PRId64 " cannot be greater than max_model_len=%" PRId64 ". Please request fewer output tokens."
                       " (parameter=max_tokens, value=%" PRId64 ")", output, longest, output);
    else if (prompt + output > longest)
        reading_refuse(reading, "input_tokens",
                       "This model's maximum context length is %" PRId64 " tokens. However, you requested %" PRId64
                       " output tokens and your prompt contains %" PRId64 " input tokens, for a total of %" PRId64
                       " tokens. Please reduce the length of the input prompt or the number of requested output tokens."
                       " (parameter=input_tokens, value=%" PRId64 ")", longest, output, prompt, prompt + output, prompt);
}

static void read_min_tokens(struct reading *reading, struct simulator_task *task)
{
    int64_t least = task->min_tokens = reading_integer(reading, "min_tokens", 0), most = task->max_tokens;
    if (reading->status)
        return;
    if (least < 0)
        reading_refuse(reading, NULL, "min_tokens must be greater than or equal to 0, got %" PRId64 ".", least);
    else if (least > most)
        reading_refuse(reading, NULL, "min_tokens must be less than or equal to max_tokens=%" PRId64 ", got %" PRId64 ".", most, least);
}

/* --- stops ----------------------------------------------------------------------------------- */

static void read_stop(struct reading *reading, const json_t *text, struct simulator_task *task)
{
    struct simulator_stop *stop = &task->stops[task->stop_count];
    if (!json_is_string(text)) {
        reading_refuse_type(reading, "stop", "string_type", "Input should be a valid string");
        return;
    }
    if (json_string_length(text) == 0) {
        reading_refuse(reading, NULL, "stop cannot contain an empty string.");
        return;
    }
    stop->length = json_string_length(text);
    stop->text = mem_alloc(stop->length);
    memcpy(stop->text, json_string_value(text), stop->length);
    task->stop_longest = stop->length > task->stop_longest ? stop->length : task->stop_longest;
    task->stop_count++;
}

void task_read_stops(struct reading *reading, struct simulator_task *task)
{
    const json_t *stop = reading_member(reading, "stop");
    size_t count = json_is_array(stop) ? json_array_size(stop) : stop != NULL;
    if (count > SIMULATOR_STOPS_MAX) {
        reading_refuse(reading, "stop", "stop must have at most %d strings, got %zu. (parameter=stop)", SIMULATOR_STOPS_MAX, count);
        return;
    }
    task->stops = mem_calloc(count + 1, sizeof *task->stops);
    for (size_t k = 0; k < count && !reading->status; k++)
        read_stop(reading, json_is_array(stop) ? json_array_get(stop, k) : stop, task);
}

static int compare_ids(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Ids beyond the vocabulary never come. */
static void read_stop_ids(struct reading *reading, struct simulator_task *task)
{
    const json_t *ids = reading_member(reading, "stop_token_ids"), *id;
    size_t k;
    if (!ids)
        return;
    if (!json_is_array(ids)) {
        reading_refuse_type(reading, "stop_token_ids", "list_type", "Input should be a valid list");
        return;
    }
    task->stop_ids = mem_calloc(json_array_size(ids) + 1, sizeof *task->stop_ids);
    json_array_foreach(ids, k, id)
    {
        if (!json_is_integer(id)) {
            reading_refuse_type(reading, "stop_token_ids", "int_type", "Input should be a valid integer");
            return;
        }
        if (json_integer_value(id) > 0 && json_integer_value(id) < TOKENIZER_VOCABULARY)
            task->stop_ids[task->stop_id_count++] = (uint32_t)json_integer_value(id);
    }
    qsort(task->stop_ids, task->stop_id_count, sizeof *task->stop_ids, compare_ids);
}

/* --- log probabilities ----------------------------------------------------------------------- */

/* /v1/completions: "logprobs" is the number of candidates; a chat has a flag beside the number. */
void task_read_logprobs(struct reading *reading, struct simulator_task *task)
{
    const char *count = task->chat ? "top_logprobs" : "logprobs";
    task->logprobs = task->chat ? reading_flag(reading, "logprobs", false) : reading_member(reading, count) != NULL;
    task->top_logprobs = reading_integer(reading, count, 0);
    if (reading->status)
        return;
    if (task->top_logprobs < 0)
        reading_refuse(reading, count, "`%s` must be a positive value. (parameter=%s, value=%" PRId64 ")", count, count,
                       task->top_logprobs);
    else if (task->top_logprobs > 0 && !task->logprobs)
        reading_refuse(reading, count, "when using `top_logprobs`, `logprobs` must be set to true. (parameter=top_logprobs)");
    else if (task->top_logprobs > LOGPROBS_MAX)
        reading_refuse(reading, count, "Requested sample logprobs of %" PRId64 ", which is greater than max allowed: %d",
                       task->top_logprobs, LOGPROBS_MAX);
}

/* --- tools ----------------------------------------------------------------------------------- */

static const json_t *function_name(const json_t *tool)
{
    const json_t *name = json_object_get(json_object_get(tool, "function"), "name");
    return json_is_string(name) ? name : NULL;
}

/* The name that tool_choice asks for; NULL: any, or the model may do as it likes - ours answers with text then. */
static const json_t *chosen_tool(struct reading *reading, const json_t *tools)
{
    const json_t *choice = reading_member(reading, "tool_choice"), *tool;
    const char *word = json_string_value(choice);
    size_t k;
    if (!choice || (word && (strcmp(word, "auto") == 0 || strcmp(word, "none") == 0)))
        return NULL;
    if (!tools)
        reading_refuse(reading, "tool_choice", "When using `tool_choice`, `tools` must be set. (parameter=tool_choice)");
    else if (word && strcmp(word, "required") == 0)
        return function_name(json_array_get(tools, 0));
    else if (!function_name(choice))
        reading_refuse(reading, "tool_choice", "Invalid value for `tool_choice`: it is \"none\", \"auto\", \"required\" or names a"
                       " function. (parameter=tool_choice)");
    if (reading->status)
        return NULL;
    json_array_foreach(tools, k, tool)
    {
        if (json_equal(function_name(tool), function_name(choice)))
            return function_name(tool);
    }
    reading_refuse(reading, "tool_choice", "The tool specified in `tool_choice` does not match any of the specified `tools`."
                   " (parameter=tool_choice)");
    return NULL;
}

void task_read_tools(struct reading *reading, struct simulator_task *task)
{
    const json_t *tools = reading_member(reading, "tools"), *tool;
    size_t k;
    if (tools && (!json_is_array(tools) || json_array_size(tools) == 0)) {
        reading_refuse_type(reading, "tools", "list_type", "Input should be a valid list");
        return;
    }
    json_array_foreach(tools, k, tool)
    {
        if (!function_name(tool))
            reading_refuse_type(reading, "tools", "missing", "Field required");
    }
    const json_t *name = chosen_tool(reading, tools);
    if (!name)
        return;
    cleanup_buf struct buf quoted = BUF_INIT(SIMULATOR_BODY_MAX);
    json_append_quoted(&quoted, json_string_value(name), json_string_length(name));
    task->tool = buf_steal(&quoted);
}

/* --- all ------------------------------------------------------------------------------------- */

/* Of the numbers that the model ignores, those that vLLM looks at before it takes a request. */
static void check_sampling(struct reading *reading)
{
    double temperature = reading_number(reading, "temperature", 1), top_p = reading_number(reading, "top_p", 1);
    bool cold = temperature < 0;
    const char *name = cold ? "temperature" : "top_p", *rule = cold ? "be non-negative" : "be in (0, 1]";
    char value[32];
    if (reading->status || (!cold && top_p > 0 && top_p <= 1))
        return;
    int length = snprintf(value, sizeof value, "%.16g", cold ? temperature : top_p);
    if (!strpbrk(value, ".e"))
        snprintf(value + length, sizeof value - (size_t)length, ".0"); /* as Python shows a float */
    reading_refuse(reading, name, "%s must %s, got %s. (parameter=%s, value=%s)", name, rule, value, name, value);
}

void task_read(struct reading *reading, struct simulator_task *task)
{
    task->stream = reading_flag(reading, "stream", false);
    task->return_token_ids = reading_flag(reading, "return_token_ids", false);
    task->echo = !task->chat && reading_flag(reading, "echo", false);
    task->ignore_eos = reading_flag(reading, "ignore_eos", false);
    task->include_stop = reading_flag(reading, "include_stop_str_in_output", false);
    task->tokens_as_ids = reading_flag(reading, "return_tokens_as_token_ids", false);
    check_sampling(reading);
    reading_check_model(reading);
    read_stream_options(reading, task);
    task_read_choices(reading, task);
    task_read_stops(reading, task);
    read_stop_ids(reading, task);
    task_read_logprobs(reading, task);
    if (task->chat)
        task_read_tools(reading, task);
    reading_prompts(reading, task);
    task->max_tokens = read_max_tokens(reading, task);
    for (size_t k = 0; k < task->prompt_count; k++)
        check_lengths(reading, (int64_t)task->prompts[k].count, task->max_tokens);
    read_min_tokens(reading, task);
}

int simulator_task_read(const struct simulator *simulator, bool chat, const char *body, size_t length,
                        struct simulator_task *task, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = reading_open(&reading, body, length);
    *task = (struct simulator_task){.chat = chat};
    if (document)
        simulator->dialect->read(&reading, task);
    json_decref(document);
    if (reading.status)
        simulator_task_free(task);
    return reading.status;
}

void simulator_task_free(struct simulator_task *task)
{
    for (size_t k = 0; k < task->prompt_count; k++)
        simulator_prompt_free(&task->prompts[k]);
    for (size_t k = 0; k < task->stop_count; k++)
        free(task->stops[k].text);
    free(task->prompts);
    free(task->stops);
    free(task->stop_ids);
    free(task->tool);
    *task = (struct simulator_task){0};
}
