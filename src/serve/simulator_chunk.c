/* The JSON that vLLM sends, member by member in its order. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_state.h"
#include "serve/tokenizer.h"

#define FINGERPRINT "\"system_fingerprint\":\"vllm-" SIMULATOR_VERSION "\""

static bool is_finished(const struct generation *generation)
{
    return generation->scheduled.output_tokens >= generation->task.max_tokens;
}

void chunk_head(struct generation *generation, const char *id)
{
    const struct simulator_task *task = &generation->task;
    struct simulator *simulator = generation->simulator;
    struct buf *head = &generation->head;
    cleanup_buf struct buf whole_id = BUF_INIT(SIMULATOR_BODY_MAX);
    buf_append_text(&whole_id, task->chat ? "chatcmpl-" : "cmpl-");
    if (id)
        buf_append_text(&whole_id, id);
    else
        buf_printf(&whole_id, "%016" PRIx64, generation->serial * UINT64_C(0x9e3779b97f4a7c15));
    buf_append_text(head, "{\"id\":");
    json_append_quoted(head, whole_id.data, whole_id.len);
    buf_printf(head, ",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":%s,\"choices\":[",
               !task->chat ? "text_completion" : task->stream ? "chat.completion.chunk" : "chat.completion",
               clock_realtime(simulator->settings.clock) / NS_PER_S, buf_text(&simulator->model_json));
}

static void append_head(const struct generation *generation, struct buf *out)
{
    buf_append_text(out, "data: ");
    buf_append(out, generation->head.data, generation->head.len);
}

/* The words hold nothing that JSON would have to escape. */
static void append_text(const struct generation *generation, int64_t from, struct buf *out)
{
    for (int64_t k = from; k < generation->scheduled.output_tokens; k++)
        buf_append_text(out, tokenizer_output(generation->serial, k));
}

static void append_usage(const struct generation *generation, int64_t completion, struct buf *out)
{
    int64_t prompt = generation->task.prompt_tokens;
    buf_printf(out, "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64,
               prompt, prompt + completion, completion);
}

static void append_continuous_usage(const struct generation *generation, int64_t completion, struct buf *out)
{
    if (!generation->task.continuous_usage)
        return;
    buf_append_char(out, ',');
    append_usage(generation, completion, out);
    buf_append_text(out, generation->task.chat ? ",\"completion_tokens_details\":null}" : "}");
}

void chunk_role(const struct generation *generation, struct buf *out)
{
    append_head(generation, out);
    buf_append_text(out, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]");
    append_continuous_usage(generation, 0, out);
    buf_append_text(out, ",\"prompt_token_ids\":null,\"prompt_text\":null}\n\n");
}

static void append_chat_choice(const struct generation *generation, bool last, struct buf *out)
{
    buf_append_text(out, "{\"index\":0,\"delta\":{\"content\":\"");
    append_text(generation, generation->sent_tokens, out);
    buf_append_text(out, last ? "\"},\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null,\"token_ids\":null}]"
                              : "\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]");
}

static void append_text_choice(const struct generation *generation, bool last, struct buf *out)
{
    buf_append_text(out, "{\"index\":0,\"text\":\"");
    append_text(generation, generation->sent_tokens, out);
    buf_append_text(out, last ? "\",\"logprobs\":null,\"finish_reason\":\"length\"" : "\",\"logprobs\":null,\"finish_reason\":null");
    buf_append_text(out, ",\"stop_reason\":null,\"prompt_token_ids\":null,\"token_ids\":null}]");
}

void chunk_tokens(const struct generation *generation, struct buf *out)
{
    bool last = is_finished(generation);
    append_head(generation, out);
    if (generation->task.chat)
        append_chat_choice(generation, last, out);
    else
        append_text_choice(generation, last, out);
    append_continuous_usage(generation, generation->scheduled.output_tokens, out);
    buf_append_text(out, last && !generation->task.include_usage ? "," FINGERPRINT "}\n\n" : "}\n\n");
}

void chunk_usage(const struct generation *generation, struct buf *out)
{
    append_head(generation, out);
    buf_append_text(out, "],");
    append_usage(generation, generation->scheduled.output_tokens, out);
    buf_append_text(out, "}," FINGERPRINT "}\n\n");
}

static void append_whole_choice(const struct generation *generation, struct buf *out)
{
    bool chat = generation->task.chat;
    buf_append_text(out, chat ? "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"" : "{\"index\":0,\"text\":\"");
    append_text(generation, 0, out);
    if (chat)
        buf_append_text(out, "\",\"refusal\":null,\"annotations\":null,\"audio\":null,\"function_call\":null,\"reasoning\":null}");
    else
        buf_append_char(out, '"');
    buf_append_text(out, ",\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null,\"token_ids\":null");
    if (!chat)
        buf_append_text(out, ",\"prompt_logprobs\":null,\"prompt_token_ids\":null");
    buf_append_text(out, ",\"routed_experts\":null}],");
}

void chunk_whole(const struct generation *generation, struct buf *out)
{
    buf_append(out, generation->head.data, generation->head.len);
    append_whole_choice(generation, out);
    buf_append_text(out, "\"service_tier\":null," FINGERPRINT ",");
    append_usage(generation, generation->scheduled.output_tokens, out);
    buf_append_text(out, ",\"prompt_tokens_details\":null,\"completion_tokens_details\":null},");
    if (generation->task.chat)
        buf_append_text(out, "\"prompt_logprobs\":null,\"prompt_token_ids\":null,\"prompt_text\":null,");
    buf_append_text(out, "\"kv_transfer_params\":null,\"ec_transfer_params\":null,\"metrics\":null}");
}
