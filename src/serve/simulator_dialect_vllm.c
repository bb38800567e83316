/* vLLM's dialect: what is no token. Its bodies are in simulator_task.c, its answers in simulator_chunk.c. */
#include "serve/simulator_dialect_vllm.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_body.h"

static void answer_models(struct simulator *simulator, struct httpd_request *request)
{
    const char *model = buf_text(&simulator->model_json);
    int64_t created = simulator->started_realtime / NS_PER_S;
    buf_printf(&simulator->scratch,
               "{\"object\":\"list\",\"data\":[{\"id\":%s,\"object\":\"model\",\"created\":%" PRId64 ",\"owned_by\":\"vllm\","
               "\"root\":%s,\"parent\":null,\"max_model_len\":%" PRId64 ",\"permission\":[{\"id\":\"modelperm-simulated\","
               "\"object\":\"model_permission\",\"created\":%" PRId64 ",\"allow_create_engine\":false,\"allow_sampling\":true,"
               "\"allow_logprobs\":true,\"allow_search_indices\":false,\"allow_view\":true,\"allow_fine_tuning\":false,"
               "\"organization\":\"*\",\"group\":null,\"is_blocking\":false}]}]}",
               model, created, model, simulator->settings.max_model_len, created);
    simulator_reply_scratch(simulator, request, 200);
}

void vllm_answer_health(struct simulator *simulator, struct httpd_request *request)
{
    simulator_reply(simulator, request, 200, NULL, "", 0);
}

/* Requests that are being answered, as vLLM counts them with --enable-server-load-tracking. */
static void answer_load(struct simulator *simulator, struct httpd_request *request)
{
    size_t load = 0;
    const struct answer *answer;
    TAILQ_FOREACH(answer, &simulator->open, open) load++;
    buf_printf(&simulator->scratch, "{\"server_load\":%zu}", load);
    simulator_reply_scratch(simulator, request, 200);
}

static void answer_version(struct simulator *simulator, struct httpd_request *request)
{
    json_t *document = json_object();
    json_set_text(document, "version", SIMULATOR_VERSION);
    simulator_add_identity(simulator, json_add_object(document, "simulator"));
    json_append_compact(document, &simulator->scratch);
    json_decref(document);
    simulator_reply_scratch(simulator, request, 200);
}

static void answer_metrics(struct simulator *simulator, struct httpd_request *request)
{
    const struct metrics_identity identity = {
        .model = simulator->settings.model,
        .created = (double)simulator->started_realtime / (double)NS_PER_S,
        .kv_blocks = simulator->settings.scheduler.kv_blocks,
        .block_size = simulator->settings.scheduler.block_size,
        .prefix_caching = simulator->settings.scheduler.prefix_caching,
        .process = process_stats_read(),
    };
    metrics_write(&simulator->metrics, &identity, simulator->scheduler, &simulator->scratch);
    simulator_reply(simulator, request, 200, "text/plain; version=1.0.0; charset=utf-8", simulator->scratch.data,
                    simulator->scratch.len);
}

void vllm_answer_tokenize(struct simulator *simulator, struct httpd_request *request)
{
    simulator_answer_json(simulator, request, simulator_tokenize);
}

void vllm_answer_detokenize(struct simulator *simulator, struct httpd_request *request)
{
    simulator_answer_json(simulator, request, simulator_detokenize);
}

static const struct dialect_route routes[] = {
    {"/v1/chat/completions", "POST", true, simulator_answer_chat},
    {"/v1/completions", "POST", true, simulator_answer_completions},
    {"/v1/models", "GET", true, answer_models},
    {"/tokenize", "POST", true, vllm_answer_tokenize},
    {"/detokenize", "POST", true, vllm_answer_detokenize},
    {"/load", "GET", true, answer_load},
    {"/health", "GET", true, vllm_answer_health},
    {"/version", "GET", false, answer_version},
    {"/metrics", "GET", false, answer_metrics},
    {NULL, NULL, false, NULL},
};

static bool is_open(const char *path)
{
    return strncmp(path, "/v1/", 4) != 0;
}

void vllm_headers(struct httpd_request *request, int status, const char *type)
{
    (void)status;
    httpd_reply_header(request, "server", "roibench-simulate");
    if (type)
        httpd_reply_header(request, "content-type", type);
}

void vllm_refuse(struct simulator *simulator, struct httpd_request *request, int status, const char *allowed)
{
    if (allowed)
        httpd_reply_header(request, "allow", allowed);
    const char *text = status == 401   ? "{\"error\":\"Unauthorized\"}"
                       : status == 404 ? "{\"detail\":\"Not Found\"}" : "{\"detail\":\"Method Not Allowed\"}";
    simulator_reply(simulator, request, status, simulator->dialect->json_type, text, strlen(text));
}

static int error(struct buf *reply, int status, const char *type, const char *param, const struct buf *message)
{
    buf_append_text(reply, "{\"error\":{\"message\":");
    json_append_quoted(reply, buf_text(message), message->len);
    buf_printf(reply, ",\"type\":\"%s\",\"param\":", type);
    if (param)
        json_append_quoted(reply, param, strlen(param));
    else
        buf_append_text(reply, "null");
    buf_printf(reply, ",\"code\":%d}}", status);
    return status;
}

/* A chat's stream begins with the role of every choice, together with the first token of any; each is an HTTP chunk. */
static void open_stream(struct answer *answer, struct buf *out)
{
    answer->opened = true;
    for (size_t k = 0; k < answer->count && answer->task.chat; k++) {
        chunk_role(&answer->generations[k], out);
        httpd_stream_queue(answer->request, out->data, out->len);
        buf_reset(out);
    }
}

void vllm_tokens(struct generation *generation, struct buf *out)
{
    if (!generation->answer->opened)
        open_stream(generation->answer, out);
    chunk_tokens(generation, out);
}

void vllm_end(struct answer *answer, struct buf *out)
{
    if (answer->task.include_usage)
        chunk_usage(answer, out);
}

const struct dialect dialect_vllm = {
    .name = "vllm",
    .abilities = DIALECT_REASONING | DIALECT_FORCED_USAGE | DIALECT_PROMPT_DETAILS | DIALECT_METRICS,
    .json_type = "application/json",
    .stream_type = "text/event-stream; charset=utf-8",
    .done = "data: [DONE]\n\n",
    .json_only = true,
    .routes = routes,
    .is_open = is_open,
    .headers = vllm_headers,
    .refuse = vllm_refuse,
    .error = error,
    .read = task_read,
    .head = chunk_head,
    .tokens = vllm_tokens,
    .end = vllm_end,
    .whole = chunk_whole,
};
