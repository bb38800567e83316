/* The JSON that llama.cpp's server sends, member by member in its order. */
#include "serve/simulator_chunk_llamacpp.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_state.h"

#define ID_KEY ",\"id\":"

static double ms_between(int64_t from, int64_t to)
{
    return (double)(to - from) / (double)NS_PER_MS;
}

static bool is_chat_stream(const struct answer *answer)
{
    return answer->task.chat && answer->task.stream;
}

/* The id is the last member, unless the answer is a chat's stream. */
void chunk_head_llamacpp(struct answer *answer, const char *id)
{
    const struct simulator *simulator = answer->simulator;
    struct buf *out = &answer->head;
    buf_printf(out, "\"created\":%" PRId64, clock_realtime(simulator->settings.clock) / NS_PER_S);
    if (is_chat_stream(answer)) {
        buf_append_text(out, ID_KEY);
        chunk_append_id(answer, "chatcmpl-", id);
    }
    buf_printf(out, ",\"model\":%s,\"system_fingerprint\":\"" LLAMACPP_BUILD "\",\"object\":\"%s\"", buf_text(&simulator->model_json),
               !answer->task.chat ? "text_completion" : answer->task.stream ? "chat.completion.chunk" : "chat.completion");
    if (!is_chat_stream(answer)) {
        buf_append_text(out, ID_KEY);
        chunk_append_id(answer, "chatcmpl-", id);
    }
}

/* What stands behind the choices; usage: of this choice, or NULL. */
static void append_tail(const struct answer *answer, const struct generation *usage, struct buf *out)
{
    const struct buf *all = &answer->head;
    size_t split = is_chat_stream(answer) ? all->len : answer->id_at - (sizeof ID_KEY - 1);
    buf_append(out, all->data, split);
    if (usage) {
        int64_t prompt = usage->scheduled.prompt_tokens, completion = usage->scheduled.output_tokens;
        buf_printf(out, ",\"usage\":{\"completion_tokens\":%" PRId64 ",\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64
                   ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64 "}}", completion, prompt, prompt + completion,
                   usage->scheduled.cached_tokens);
    }
    buf_append(out, all->data + split, all->len - split);
}

static void append_rates(const char *name, int64_t tokens, int64_t per, double ms, struct buf *out)
{
    buf_printf(out, ",\"%s_n\":%" PRId64 ",\"%s_ms\":%.16g,\"%s_per_token_ms\":%.16g,\"%s_per_second\":%.16g", name, tokens, name, ms,
               name, per > 0 ? ms / (double)per : 0, name, ms > 0 ? (double)per * 1000 / ms : 0);
}

/* Of the prompt what was computed; of the generation the time after its first token. */
static void append_timings(const struct generation *generation, struct buf *out)
{
    const struct metrics_times *times = &generation->times;
    const struct scheduler_request *scheduled = &generation->scheduled;
    int64_t computed = scheduled->prompt_tokens - scheduled->cached_tokens;
    buf_printf(out, ",\"timings\":{\"cache_n\":%" PRId64, scheduled->cached_tokens);
    append_rates("prompt", computed, computed, ms_between(times->scheduled, times->first_token), out);
    append_rates("predicted", scheduled->output_tokens, scheduled->output_tokens - 1, ms_between(times->first_token, times->last_token), out);
    buf_append_char(out, '}');
}

static void append_candidate(const struct generation *generation, int64_t index, int64_t rank, struct buf *out)
{
    struct logprobs_candidate candidate;
    logprobs_candidate(generation, index, rank, &candidate);
    buf_printf(out, "{\"id\":%" PRIu32 ",\"token\":", candidate.id);
    json_append_quoted(out, candidate.name, candidate.length);
    buf_append_text(out, ",\"bytes\":[");
    for (size_t k = 0; k < candidate.length; k++)
        buf_printf(out, k ? ",%d" : "%d", (unsigned char)candidate.name[k]);
    buf_printf(out, "],\"logprob\":%.16g", candidate.logprob);
}

static const char *finish_reason(const struct generation *generation)
{
    return generation->calls_tool ? "tool_calls" : generation->stopped ? "stop" : "length";
}

static void append_call(const struct generation *generation, int64_t from, struct buf *out)
{
    bool first = from <= generation->reasoning_tokens;
    buf_append_text(out, generation->answer->task.stream ? "\"tool_calls\":[{\"index\":0," : "\"tool_calls\":[{");
    if (first && generation->answer->task.stream)
        buf_printf(out, "\"id\":\"%016" PRIx64 "\",", generation->seed * UINT64_C(0xd1342543de82ef95));
    if (first)
        buf_append_text(out, "\"type\":\"function\",");
    buf_append_text(out, "\"function\":{");
    if (first)
        buf_printf(out, "\"name\":%s,", generation->answer->task.tool);
    buf_append_text(out, "\"arguments\":");
    chunk_append_arguments(generation, from, out);
    buf_append_char(out, '}');
    if (first && !generation->answer->task.stream)
        buf_printf(out, ",\"id\":\"%016" PRIx64 "\"", generation->seed * UINT64_C(0xd1342543de82ef95));
    buf_append_text(out, "}]");
}

/* --- streams ----------------------------------------------------------------------------------- */

static void append_text_choice(const struct generation *generation, struct buf *out)
{
    buf_append_text(out, "\",\"index\":");
    buf_printf(out, "%" PRId64 ",\"logprobs\":", generation->index);
    if (generation->answer->task.logprobs)
        logprobs_append_content(generation, generation->sent_tokens, append_candidate, out);
    else
        buf_append_text(out, "null");
    buf_append_text(out, ",\"finish_reason\":null}],");
}

/* The members of a chat's delta, of which a token without text has none. Returns whether there is one. */
static bool append_delta(struct generation *generation, struct buf *out)
{
    int64_t sent = generation->sent_tokens, made = generation->scheduled.output_tokens;
    bool calls = generation->calls_tool && made > generation->reasoning_tokens;
    size_t start = out->len, empty;
    if (sent < generation->reasoning_tokens) {
        buf_append_text(out, "\"reasoning_content\":\"");
        empty = out->len;
        chunk_append_reasoning(generation, sent, out);
        bool nothing = out->len == empty;
        buf_append_text(out, "\"");
        if (nothing)
            out->len = start;
    }
    size_t before = out->len;
    buf_append_text(out, before > start ? "," : "");
    if (calls) {
        append_call(generation, sent, out);
    } else {
        buf_append_text(out, "\"content\":\"");
        empty = out->len;
        output_append_text(generation, out);
        if (out->len == empty)
            out->len = before;
        else
            buf_append_char(out, '"');
    }
    return out->len > start;
}

static void end_event(const struct generation *generation, struct buf *out)
{
    append_tail(generation->answer, NULL, out);
    if (generation->answer->task.timings_per_token)
        append_timings(generation, out);
    buf_append_text(out, "}\n\n");
}

/* The event of the tokens that came, unless they have no text: they wait for one that has, as a half character waits for the other. */
static bool append_event(struct generation *generation, struct buf *out)
{
    size_t start = out->len;
    bool chat = generation->answer->task.chat, any;
    if (chat) {
        buf_printf(out, "data: {\"choices\":[{\"finish_reason\":null,\"index\":%" PRId64 ",\"delta\":{", generation->index);
        any = append_delta(generation, out);
        buf_append_char(out, '}');
        if (generation->answer->task.logprobs) {
            buf_append_text(out, ",\"logprobs\":");
            logprobs_append_content(generation, generation->sent_tokens, append_candidate, out);
        }
        buf_append_text(out, "}],");
    } else {
        buf_append_text(out, "data: {\"choices\":[{\"text\":\"");
        size_t empty = out->len;
        output_append_text(generation, out);
        any = out->len > empty || chunk_is_last(generation);
        append_text_choice(generation, out);
    }
    if (any)
        end_event(generation, out);
    else
        out->len = start;
    return any;
}

static void queue_chunk(const struct generation *generation, struct buf *out)
{
    if (out->len > 0)
        httpd_stream_queue(generation->answer->request, out->data, out->len);
    buf_reset(out);
}

/* return_progress: how much of the prompt has been processed, before and after. Told with the first token. */
static void queue_progress(const struct generation *generation, struct buf *out)
{
    const struct scheduler_request *scheduled = &generation->scheduled;
    const int64_t processed[] = {scheduled->cached_tokens, scheduled->prompt_tokens};
    for (size_t k = 0; k < sizeof processed / sizeof processed[0]; k++) {
        if (generation->answer->task.chat)
            buf_printf(out, "data: {\"choices\":[{\"finish_reason\":null,\"index\":%" PRId64 ",\"delta\":{}}],", generation->index);
        else
            buf_printf(out, "data: {\"choices\":[{\"text\":\"\",\"index\":%" PRId64 ",\"logprobs\":null,\"finish_reason\":null}],",
                       generation->index);
        append_tail(generation->answer, NULL, out);
        if (generation->answer->task.timings_per_token)
            append_timings(generation, out);
        buf_printf(out, ",\"prompt_progress\":{\"total\":%" PRId64 ",\"cache\":%" PRId64 ",\"processed\":%" PRId64 ",\"time_ms\":%" PRId64
                   "}}\n\n", scheduled->prompt_tokens, scheduled->cached_tokens, processed[k],
                   k * (size_t)((generation->times.first_token - generation->times.scheduled) / NS_PER_MS));
        queue_chunk(generation, out);
    }
}

/* The role of a choice shares an HTTP chunk with its first token, which has to be there: a stream's headers come with it. */
static void begin_choice(const struct generation *generation, struct buf *out)
{
    if (generation->answer->task.return_progress)
        queue_progress(generation, out);
    if (!generation->answer->task.chat)
        return;
    buf_printf(out, "data: {\"choices\":[{\"finish_reason\":null,\"index\":%" PRId64 ",\"delta\":{\"role\":\"assistant\",\"content\":null}}],",
               generation->index);
    append_tail(generation->answer, NULL, out);
    buf_append_text(out, "}\n\n");
}

/* A choice ends by an event of its own. In a chat usage is one more in the same HTTP chunk. */
static void append_end(const struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    if (!task->chat) {
        buf_printf(out, "data: {\"choices\":[{\"text\":\"\",\"index\":%" PRId64 ",\"logprobs\":null,\"finish_reason\":\"%s\"}],",
                   generation->index, finish_reason(generation));
        append_tail(generation->answer, task->include_usage ? generation : NULL, out);
    } else {
        buf_printf(out, "data: {\"choices\":[{\"finish_reason\":\"%s\",\"index\":%" PRId64 ",\"delta\":{}}],", finish_reason(generation),
                   generation->index);
        append_tail(generation->answer, NULL, out);
        if (task->include_usage) {
            buf_append_text(out, "}\n\ndata: {\"choices\":[],");
            append_tail(generation->answer, generation, out);
        }
    }
    append_timings(generation, out);
    buf_append_text(out, "}\n\n");
}

void chunk_tokens_llamacpp(struct generation *generation, struct buf *out)
{
    struct answer *answer = generation->answer;
    bool last = chunk_is_last(generation), first = generation->sent_tokens == 0;
    cleanup_buf struct buf event = BUF_INIT(SIMULATOR_BODY_MAX);
    if (!append_event(generation, &event) && !last)
        return;
    simulator_open_stream(answer);
    if (first)
        begin_choice(generation, out);
    buf_append(out, event.data, event.len);
    if (!last)
        return;
    queue_chunk(generation, out);
    append_end(generation, out);
}

/* --- replies that are not streamed --------------------------------------------------------------- */

static void append_message(struct generation *generation, struct buf *out)
{
    bool answers = generation->scheduled.output_tokens > generation->reasoning_tokens && !generation->calls_tool;
    buf_append_text(out, answers ? "\"message\":{\"role\":\"assistant\",\"content\":\"" : "\"message\":{\"role\":\"assistant\",\"content\":null");
    if (answers) {
        output_append_text(generation, out);
        buf_append_char(out, '"');
    }
    if (generation->reasoning_tokens > 0) {
        buf_append_text(out, ",\"reasoning_content\":\"");
        chunk_append_reasoning(generation, 0, out);
        buf_append_char(out, '"');
    }
    if (generation->calls_tool) {
        buf_append_char(out, ',');
        append_call(generation, 0, out);
    }
    buf_append_char(out, '}');
}

static void append_whole_choice(struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    if (task->chat) {
        buf_printf(out, "{\"finish_reason\":\"%s\",\"index\":%" PRId64 ",", finish_reason(generation), generation->index);
        append_message(generation, out);
    } else {
        buf_append_text(out, "{\"text\":\"");
        output_append_text(generation, out);
        buf_printf(out, "\",\"index\":%" PRId64, generation->index);
    }
    if (task->logprobs) {
        buf_append_text(out, ",\"logprobs\":");
        logprobs_append_content(generation, 0, append_candidate, out);
    } else if (!task->chat) {
        buf_append_text(out, ",\"logprobs\":null");
    }
    if (!task->chat)
        buf_printf(out, ",\"finish_reason\":\"%s\"", finish_reason(generation));
    buf_append_char(out, '}');
}

/* Usage and timings are those of the first choice alone. */
void chunk_whole_llamacpp(struct answer *answer, struct buf *out)
{
    buf_append_text(out, "{\"choices\":[");
    for (size_t k = 0; k < answer->count; k++) {
        if (k > 0)
            buf_append_char(out, ',');
        append_whole_choice(&answer->generations[k], out);
    }
    buf_append_text(out, "],");
    append_tail(answer, &answer->generations[0], out);
    append_timings(&answer->generations[0], out);
    buf_append_char(out, '}');
}
