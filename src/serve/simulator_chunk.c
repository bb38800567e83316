/* The JSON that vLLM sends, member by member in its order. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_state.h"
#include "serve/tokenizer.h"

#define FINGERPRINT "\"system_fingerprint\":\"vllm-" SIMULATOR_VERSION "\""

bool chunk_is_last(const struct generation *generation)
{
    return generation->scheduled.output_tokens >= generation->scheduled.output_limit;
}

void chunk_append_id(struct answer *answer, const char *prefix, const char *id)
{
    struct buf *head = &answer->head;
    cleanup_buf struct buf whole_id = BUF_INIT(SIMULATOR_BODY_MAX);
    buf_append_text(&whole_id, prefix);
    if (id)
        buf_append_text(&whole_id, id);
    else
        buf_printf(&whole_id, "%016" PRIx64, answer->serial * UINT64_C(0x9e3779b97f4a7c15));
    size_t start = head->len;
    json_append_quoted(head, whole_id.data, whole_id.len);
    answer->id_at = start;
    answer->truth.id_length = head->len - start;
}

void chunk_head(struct answer *answer, const char *id)
{
    const struct simulator_task *task = &answer->task;
    const struct simulator *simulator = answer->simulator;
    struct buf *head = &answer->head;
    buf_append_text(head, "{\"id\":");
    chunk_append_id(answer, task->chat ? "chatcmpl-" : "cmpl-", id);
    buf_printf(head, ",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":%s,\"choices\":[",
               !task->chat ? "text_completion" : task->stream ? "chat.completion.chunk" : "chat.completion",
               clock_realtime(simulator->settings.clock) / NS_PER_S, buf_text(&simulator->model_json));
}

static void append_head(const struct answer *answer, struct buf *out)
{
    buf_append_text(out, "data: ");
    buf_append(out, answer->head.data, answer->head.len);
}

/* The text member of a completion's choice, the prompt's before it when it is asked for; with its quotes. The words that are
 * generated hold nothing that JSON would have to escape. */
static void append_echo_and_text(struct generation *generation, bool first, struct buf *out)
{
    const struct simulator_prompt *prompt = generation->prompt;
    if (generation->answer->task.echo && first && prompt->text_length > 0) {
        json_append_quoted(out, prompt->text, prompt->text_length);
        out->data[--out->len] = '\0'; /* its closing quote */
    } else {
        buf_append_char(out, '"');
    }
    output_append_text(generation, out);
    buf_append_char(out, '"');
}

static void append_id(struct buf *out, bool first, uint32_t id)
{
    char text[16], *end = text + sizeof text, *begin = end;
    do
        *--begin = (char)('0' + id % 10);
    while ((id /= 10) > 0);
    if (!first)
        *--begin = ',';
    buf_append(out, begin, (size_t)(end - begin));
}

/* "name":[...], or null when they were not asked for. */
static void append_prompt_ids(const struct simulator_prompt *prompt, bool wanted, struct buf *out)
{
    buf_append_text(out, ",\"prompt_token_ids\":");
    if (!wanted) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_char(out, '[');
    for (size_t k = 0; k < prompt->count; k++)
        append_id(out, k == 0, prompt->ids[k]);
    buf_append_char(out, ']');
}

static void append_output_ids(const struct generation *generation, int64_t from, struct buf *out)
{
    if (!generation->answer->task.return_token_ids) {
        buf_append_text(out, ",\"token_ids\":null");
        return;
    }
    buf_append_text(out, ",\"token_ids\":[");
    for (int64_t k = from; k < generation->scheduled.output_tokens; k++)
        append_id(out, k == from, output_token_id(generation, k));
    buf_append_char(out, ']');
}

static void append_usage(int64_t prompt, int64_t completion, struct buf *out)
{
    buf_printf(out, "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64,
               prompt, prompt + completion, completion);
}

int64_t chunk_output_tokens(const struct answer *answer)
{
    int64_t sum = 0;
    for (size_t k = 0; k < answer->count; k++)
        sum += answer->generations[k].scheduled.output_tokens;
    return sum;
}

static void append_usage_of_all(const struct answer *answer, struct buf *out)
{
    append_usage(answer->task.prompt_tokens, chunk_output_tokens(answer), out);
}

/* Of the chunk's choice alone, as vLLM has it. */
static void append_continuous_usage(const struct generation *generation, int64_t completion, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    if (!task->continuous_usage)
        return;
    buf_append_char(out, ',');
    append_usage(generation->scheduled.prompt_tokens, completion, out);
    buf_append_text(out, task->chat ? ",\"completion_tokens_details\":null}" : "}");
}

/* What is left in the cache is whole blocks. */
int64_t chunk_cached_tokens(const struct answer *answer, int64_t *created)
{
    const struct scheduler_settings *settings = &answer->simulator->settings.scheduler;
    int64_t sum = 0, left = 0, block = settings->block_size;
    for (size_t k = 0; k < answer->count; k += (size_t)answer->task.choices) {
        const struct scheduler_request *request = &answer->generations[k].scheduled;
        sum += request->cached_tokens;
        if (settings->prefix_caching)
            left += request->prompt_tokens / block * block - request->cached_tokens;
    }
    if (created)
        *created = left;
    return sum;
}

/* A chat's stream says what was created, a completion's does not, and a whole completion has null there. */
static void append_prompt_details(const struct answer *answer, struct buf *out)
{
    const struct simulator_task *task = &answer->task;
    if (!answer->simulator->settings.prompt_tokens_details) {
        buf_append_text(out, task->stream ? "" : ",\"prompt_tokens_details\":null");
        return;
    }
    int64_t created, cached = chunk_cached_tokens(answer, &created);
    buf_printf(out, ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64, cached);
    if (task->chat)
        buf_printf(out, ",\"created_cache_tokens\":%" PRId64, created);
    else if (!task->stream)
        buf_append_text(out, ",\"created_cache_tokens\":null");
    buf_append_text(out, task->stream ? "}" : ",\"multimodal_tokens\":null}");
}

static double ms_between(int64_t from, int64_t to)
{
    return (double)(to - from) / (double)NS_PER_MS;
}

/* As the engine saw the first choice: TTFT without the time in the queue. */
static void append_metrics(const struct answer *answer, struct buf *out)
{
    const struct metrics_times *times = &answer->generations[0].times;
    int64_t tokens = answer->generations[0].scheduled.output_tokens;
    double ttft = ms_between(times->scheduled, times->first_token), generation = ms_between(times->first_token, times->last_token);
    buf_printf(out, ",\"metrics\":{\"time_to_first_token_ms\":%.16g,\"generation_time_ms\":%.16g,\"queue_time_ms\":%.16g", ttft,
               generation, ms_between(times->arrived, times->scheduled));
    if (tokens > 1)
        buf_printf(out, ",\"mean_itl_ms\":%.16g", generation / (double)(tokens - 1));
    else
        buf_append_text(out, ",\"mean_itl_ms\":null");
    if (ttft + generation > 0)
        buf_printf(out, ",\"tokens_per_second\":%.16g", (double)tokens * 1000 / (ttft + generation));
    else
        buf_append_text(out, ",\"tokens_per_second\":null");
    buf_append_text(out, answer->task.stream ? "}" : ",\"speculative_decoding\":null}");
}

void chunk_role(const struct generation *generation, struct buf *out)
{
    append_head(generation->answer, out);
    buf_printf(out, "{\"index\":%" PRId64 ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]",
               generation->index);
    append_continuous_usage(generation, 0, out);
    append_prompt_ids(generation->prompt, generation->answer->task.return_token_ids, out);
    buf_append_text(out, ",\"prompt_text\":null}\n\n");
}

/* "finish_reason", and "stop_reason" but in a chat's chunk that is not the last. */
static void append_finish(const struct generation *generation, bool last, struct buf *out)
{
    bool chat = generation->answer->task.chat;
    if (!last) {
        buf_append_text(out, chat ? ",\"finish_reason\":null" : ",\"finish_reason\":null,\"stop_reason\":null");
        return;
    }
    const char *reason = generation->calls_tool ? "tool_calls" : generation->stopped ? "stop" : "length";
    buf_printf(out, ",\"finish_reason\":\"%s\",\"stop_reason\":", reason);
    if (generation->stop)
        json_append_quoted(out, generation->stop->text, generation->stop->length);
    else if (generation->stop_id)
        append_id(out, true, generation->stop_id);
    else
        buf_append_text(out, "null");
}

void chunk_append_reasoning(const struct generation *generation, int64_t from, struct buf *out)
{
    for (int64_t k = from; k < generation->scheduled.output_tokens && k < generation->reasoning_tokens; k++)
        buf_append_text(out, output_piece(generation, k));
}

/* They are JSON themselves. */
void chunk_append_arguments(const struct generation *generation, int64_t from, struct buf *out)
{
    int64_t begin = from > generation->reasoning_tokens ? from : generation->reasoning_tokens;
    buf_append_char(out, '"');
    for (int64_t k = begin; k < generation->scheduled.output_tokens; k++)
        for (const char *c = output_piece(generation, k); *c; c++) {
            if (*c == '"')
                buf_append_char(out, '\\');
            buf_append_char(out, *c);
        }
    buf_append_char(out, '"');
}

/* The first part of a call names it. */
static void append_call(const struct generation *generation, int64_t from, struct buf *out)
{
    bool first = from <= generation->reasoning_tokens, stream = generation->answer->task.stream;
    buf_append_text(out, "\"tool_calls\":[{");
    if (first)
        buf_printf(out, "\"id\":\"chatcmpl-tool-%016" PRIx64 "\",\"type\":\"function\",", generation->seed * UINT64_C(0xd1342543de82ef95));
    buf_append_text(out, stream ? "\"index\":0,\"function\":{" : "\"function\":{");
    if (first)
        buf_printf(out, "\"name\":%s,", generation->answer->task.tool);
    buf_append_text(out, "\"arguments\":");
    chunk_append_arguments(generation, from, out);
    buf_append_text(out, "}}]");
}

static void append_delta(struct generation *generation, struct buf *out)
{
    int64_t sent = generation->sent_tokens, reasoning = generation->reasoning_tokens;
    bool reasons = sent < reasoning, answers = generation->scheduled.output_tokens > reasoning;
    buf_append_text(out, "\"delta\":{");
    if (answers && !generation->calls_tool) {
        buf_append_text(out, "\"content\":\"");
        output_append_text(generation, out);
        buf_append_text(out, reasons ? "\"," : "\"");
    }
    if (reasons) {
        buf_append_text(out, "\"reasoning\":\"");
        chunk_append_reasoning(generation, sent, out);
        buf_append_text(out, answers && generation->calls_tool ? "\"," : "\"");
    }
    if (answers && generation->calls_tool)
        append_call(generation, sent, out);
    buf_append_char(out, '}');
}

static void append_chat_choice(struct generation *generation, bool last, struct buf *out)
{
    append_delta(generation, out);
    logprobs_append(generation, generation->sent_tokens, out);
    append_finish(generation, last, out);
    append_output_ids(generation, generation->sent_tokens, out);
}

static void append_text_choice(struct generation *generation, bool last, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    bool first = generation->sent_tokens == 0;
    buf_append_text(out, "\"text\":");
    append_echo_and_text(generation, first, out);
    logprobs_append(generation, generation->sent_tokens, out);
    append_finish(generation, last, out);
    append_prompt_ids(generation->prompt, first && (task->return_token_ids || task->echo), out);
    append_output_ids(generation, generation->sent_tokens, out);
}

void chunk_tokens(struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    bool last = chunk_is_last(generation);
    append_head(generation->answer, out);
    buf_append_text(out, "{\"index\":");
    append_id(out, true, (uint32_t)generation->index);
    buf_append_char(out, ',');
    if (task->chat)
        append_chat_choice(generation, last, out);
    else
        append_text_choice(generation, last, out);
    buf_append_text(out, "}]");
    append_continuous_usage(generation, generation->scheduled.output_tokens, out);
    buf_append_text(out, last && !task->include_usage ? "," FINGERPRINT "}\n\n" : "}\n\n");
}

void chunk_usage(const struct answer *answer, struct buf *out)
{
    append_head(answer, out);
    buf_append_text(out, "],");
    append_usage_of_all(answer, out);
    append_prompt_details(answer, out);
    buf_append_text(out, "}," FINGERPRINT);
    if (answer->simulator->settings.per_request_metrics)
        append_metrics(answer, out);
    buf_append_text(out, "}\n\n");
}

/* --- replies that are not streamed ----------------------------------------------------------- */

static void append_message(struct generation *generation, struct buf *out)
{
    bool answers = generation->scheduled.output_tokens > generation->reasoning_tokens && !generation->calls_tool;
    buf_append_text(out, "\"message\":{\"role\":\"assistant\",\"content\":");
    buf_append_text(out, answers ? "\"" : "null");
    if (answers)
        output_append_text(generation, out);
    buf_append_text(out, answers ? "\"" : "");
    buf_append_text(out, ",\"refusal\":null,\"annotations\":null,\"audio\":null,\"function_call\":null,");
    if (generation->calls_tool) {
        append_call(generation, 0, out);
        buf_append_char(out, ',');
    }
    buf_append_text(out, generation->reasoning_tokens > 0 ? "\"reasoning\":\"" : "\"reasoning\":null}");
    chunk_append_reasoning(generation, 0, out);
    buf_append_text(out, generation->reasoning_tokens > 0 ? "\"}" : "");
}

static void append_whole_choice(struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    buf_printf(out, generation->index ? ",{\"index\":%" PRId64 "," : "{\"index\":%" PRId64 ",", generation->index);
    if (task->chat) {
        append_message(generation, out);
    } else {
        buf_append_text(out, "\"text\":");
        append_echo_and_text(generation, true, out);
    }
    logprobs_append(generation, 0, out);
    append_finish(generation, true, out);
    append_output_ids(generation, 0, out);
    if (!task->chat) {
        buf_append_text(out, ",\"prompt_logprobs\":null");
        append_prompt_ids(generation->prompt, task->return_token_ids, out);
    }
    buf_append_text(out, ",\"routed_experts\":null}");
}

void chunk_whole(struct answer *answer, struct buf *out)
{
    const struct simulator_task *task = &answer->task;
    buf_append(out, answer->head.data, answer->head.len);
    for (size_t k = 0; k < answer->count; k++)
        append_whole_choice(&answer->generations[k], out);
    buf_append_text(out, "],\"service_tier\":null," FINGERPRINT ",");
    append_usage_of_all(answer, out);
    append_prompt_details(answer, out);
    buf_append_text(out, ",\"completion_tokens_details\":null}");
    if (task->chat) {
        buf_append_text(out, ",\"prompt_logprobs\":null");
        append_prompt_ids(answer->generations[0].prompt, task->return_token_ids, out);
        buf_append_text(out, ",\"prompt_text\":null");
    }
    buf_append_text(out, ",\"kv_transfer_params\":null,\"ec_transfer_params\":null");
    if (answer->simulator->settings.per_request_metrics)
        append_metrics(answer, out);
    else
        buf_append_text(out, ",\"metrics\":null");
    buf_append_char(out, '}');
}
