/* Bodies of /v1/completions and /v1/chat/completions: what they ask for. */
#include <inttypes.h>
#include <stdlib.h>

#include "serve/simulator_body.h"

#define COMPLETION_TOKENS_DEFAULT 16
#define GREEDY_BELOW 1e-5 /* vLLM's bound of a temperature that means 0 */

static void read_stream_options(struct reading *reading, struct simulator_task *task)
{
    const json_t *options = reading_member(reading, "stream_options");
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
    task->include_usage = json_is_true(json_object_get(options, "include_usage"));
    task->continuous_usage = task->include_usage && json_is_true(json_object_get(options, "continuous_usage_stats"));
}

static void read_choices(struct reading *reading, struct simulator_task *task)
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

static void check_min_tokens(struct reading *reading, int64_t most)
{
    int64_t least = reading_integer(reading, "min_tokens", 0);
    if (reading->status)
        return;
    if (least < 0)
        reading_refuse(reading, NULL, "min_tokens must be greater than or equal to 0, got %" PRId64 ".", least);
    else if (least > most)
        reading_refuse(reading, NULL, "min_tokens must be less than or equal to max_tokens=%" PRId64 ", got %" PRId64 ".", most, least);
}

static void read_task(struct reading *reading, struct simulator_task *task)
{
    task->stream = reading_flag(reading, "stream", false);
    task->return_token_ids = reading_flag(reading, "return_token_ids", false);
    task->echo = !task->chat && reading_flag(reading, "echo", false);
    reading_number(reading, "top_p", 1);
    reading_flag(reading, "ignore_eos", false);
    reading_check_model(reading);
    read_stream_options(reading, task);
    read_choices(reading, task);
    reading_prompts(reading, task);
    task->max_tokens = read_max_tokens(reading, task);
    for (size_t k = 0; k < task->prompt_count; k++)
        check_lengths(reading, (int64_t)task->prompts[k].count, task->max_tokens);
    check_min_tokens(reading, task->max_tokens);
}

int simulator_task_read(const struct simulator *simulator, bool chat, const char *body, size_t length,
                        struct simulator_task *task, struct buf *reply)
{
    struct reading reading = {.simulator = simulator, .reply = reply};
    json_t *document = reading_open(&reading, body, length);
    *task = (struct simulator_task){.chat = chat};
    if (document)
        read_task(&reading, task);
    json_decref(document);
    if (reading.status)
        simulator_task_free(task);
    return reading.status;
}

void simulator_task_free(struct simulator_task *task)
{
    for (size_t k = 0; k < task->prompt_count; k++)
        simulator_prompt_free(&task->prompts[k]);
    free(task->prompts);
    task->prompts = NULL;
    task->prompt_count = 0;
}
