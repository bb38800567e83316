/* The JSON that vLLM sends, member by member in its order. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_state.h"
#include "serve/tokenizer.h"

#define FINGERPRINT "\"system_fingerprint\":\"vllm-" SIMULATOR_VERSION "\""

static bool is_finished(const struct generation *generation)
{
    return generation->scheduled.output_tokens >= generation->answer->task.max_tokens;
}

void chunk_head(struct answer *answer, const char *id)
{
    const struct simulator_task *task = &answer->task;
    struct simulator *simulator = answer->simulator;
    struct buf *head = &answer->head;
    cleanup_buf struct buf whole_id = BUF_INIT(SIMULATOR_BODY_MAX);
    buf_append_text(&whole_id, task->chat ? "chatcmpl-" : "cmpl-");
    if (id)
        buf_append_text(&whole_id, id);
    else
        buf_printf(&whole_id, "%016" PRIx64, answer->serial * UINT64_C(0x9e3779b97f4a7c15));
    buf_append_text(head, "{\"id\":");
    size_t start = head->len;
    json_append_quoted(head, whole_id.data, whole_id.len);
    size_t end = head->len;
    buf_printf(head, ",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":%s,\"choices\":[",
               !task->chat ? "text_completion" : task->stream ? "chat.completion.chunk" : "chat.completion",
               clock_realtime(simulator->settings.clock) / NS_PER_S, buf_text(&simulator->model_json));
    answer->truth.id = head->data + start;
    answer->truth.id_length = end - start;
}

static void append_head(const struct answer *answer, struct buf *out)
{
    buf_append_text(out, "data: ");
    buf_append(out, answer->head.data, answer->head.len);
}

/* What a choice generated from the from-th token on. The words hold nothing that JSON would have to escape. */
static void append_text(const struct generation *generation, int64_t from, struct buf *out)
{
    for (int64_t k = from; k < generation->scheduled.output_tokens; k++)
        buf_append_text(out, tokenizer_output(generation->seed, k));
}

/* The text member of a completion's choice, the prompt's before it when it is asked for; with its quotes. */
static void append_echo_and_text(const struct generation *generation, int64_t from, struct buf *out)
{
    const struct simulator_prompt *prompt = generation->prompt;
    if (generation->answer->task.echo && from == 0 && prompt->text_length > 0) {
        json_append_quoted(out, prompt->text, prompt->text_length);
        out->data[--out->len] = '\0'; /* its closing quote */
    } else {
        buf_append_char(out, '"');
    }
    append_text(generation, from, out);
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
        append_id(out, k == from, tokenizer_output_id(generation->seed, k));
    buf_append_char(out, ']');
}

static void append_usage(int64_t prompt, int64_t completion, struct buf *out)
{
    buf_printf(out, "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64,
               prompt, prompt + completion, completion);
}

static void append_usage_of_all(const struct answer *answer, struct buf *out)
{
    int64_t completion = 0;
    for (size_t k = 0; k < answer->count; k++)
        completion += answer->generations[k].scheduled.output_tokens;
    append_usage(answer->task.prompt_tokens, completion, out);
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

void chunk_role(const struct generation *generation, struct buf *out)
{
    append_head(generation->answer, out);
    buf_printf(out, "{\"index\":%" PRId64 ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]",
               generation->index);
    append_continuous_usage(generation, 0, out);
    append_prompt_ids(generation->prompt, generation->answer->task.return_token_ids, out);
    buf_append_text(out, ",\"prompt_text\":null}\n\n");
}

static void append_finish(bool last, struct buf *out)
{
    buf_append_text(out, last ? ",\"logprobs\":null,\"finish_reason\":\"length\"" : ",\"logprobs\":null,\"finish_reason\":null");
}

static void append_chat_choice(const struct generation *generation, bool last, struct buf *out)
{
    buf_append_text(out, "\"delta\":{\"content\":\"");
    append_text(generation, generation->sent_tokens, out);
    buf_append_text(out, "\"}");
    append_finish(last, out);
    if (last)
        buf_append_text(out, ",\"stop_reason\":null");
    append_output_ids(generation, generation->sent_tokens, out);
}

static void append_text_choice(const struct generation *generation, bool last, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    bool first = generation->sent_tokens == 0;
    buf_append_text(out, "\"text\":");
    append_echo_and_text(generation, generation->sent_tokens, out);
    append_finish(last, out);
    buf_append_text(out, ",\"stop_reason\":null");
    append_prompt_ids(generation->prompt, first && (task->return_token_ids || task->echo), out);
    append_output_ids(generation, generation->sent_tokens, out);
}

void chunk_tokens(const struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    bool last = is_finished(generation);
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
    buf_append_text(out, "}," FINGERPRINT "}\n\n");
}

static void append_whole_choice(const struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    buf_printf(out, generation->index ? ",{\"index\":%" PRId64 "," : "{\"index\":%" PRId64 ",", generation->index);
    buf_append_text(out, task->chat ? "\"message\":{\"role\":\"assistant\",\"content\":" : "\"text\":");
    append_echo_and_text(generation, 0, out);
    if (task->chat)
        buf_append_text(out, ",\"refusal\":null,\"annotations\":null,\"audio\":null,\"function_call\":null,\"reasoning\":null}");
    append_finish(true, out);
    buf_append_text(out, ",\"stop_reason\":null");
    append_output_ids(generation, 0, out);
    if (!task->chat) {
        buf_append_text(out, ",\"prompt_logprobs\":null");
        append_prompt_ids(generation->prompt, task->return_token_ids, out);
    }
    buf_append_text(out, ",\"routed_experts\":null}");
}

void chunk_whole(const struct answer *answer, struct buf *out)
{
    const struct simulator_task *task = &answer->task;
    buf_append(out, answer->head.data, answer->head.len);
    for (size_t k = 0; k < answer->count; k++)
        append_whole_choice(&answer->generations[k], out);
    buf_append_text(out, "],\"service_tier\":null," FINGERPRINT ",");
    append_usage_of_all(answer, out);
    buf_append_text(out, ",\"prompt_tokens_details\":null,\"completion_tokens_details\":null}");
    if (task->chat) {
        buf_append_text(out, ",\"prompt_logprobs\":null");
        append_prompt_ids(answer->generations[0].prompt, task->return_token_ids, out);
        buf_append_text(out, ",\"prompt_text\":null");
    }
    buf_append_text(out, ",\"kv_transfer_params\":null,\"ec_transfer_params\":null,\"metrics\":null}");
}
