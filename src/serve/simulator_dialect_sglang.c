/* SGLang's dialect, from its documentation: vLLM's stream with another list of models, errors, pages about itself, and names of metrics. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_body.h"
#include "serve/simulator_dialect_vllm.h"
#include "wire/promwrite.h"

#define VERSION "0.5.2-simulated"
#define LABELS_MAX ((size_t)4096)

static void answer_models(struct simulator *simulator, struct httpd_request *request)
{
    const char *model = buf_text(&simulator->model_json);
    buf_printf(&simulator->scratch,
               "{\"object\":\"list\",\"data\":[{\"id\":%s,\"object\":\"model\",\"created\":%" PRId64 ",\"owned_by\":\"sglang\",\"root\":%s,"
               "\"max_model_len\":%" PRId64 "}]}",
               model, (int64_t)(simulator->started_realtime / NS_PER_S), model, simulator->settings.max_model_len);
    simulator_reply_scratch(simulator, request, 200);
}

static void answer_server_info(struct simulator *simulator, struct httpd_request *request)
{
    const struct simulator_settings *settings = &simulator->settings;
    buf_printf(&simulator->scratch,
               "{\"model_path\":%s,\"served_model_name\":%s,\"context_length\":%" PRId64 ",\"disable_radix_cache\":%s,\"version\":\"" VERSION "\"}",
               buf_text(&simulator->model_json), buf_text(&simulator->model_json), settings->max_model_len,
               settings->scheduler.prefix_caching ? "false" : "true");
    simulator_reply_scratch(simulator, request, 200);
}

static void append_sample(struct buf *out, const char *name, const char *type, const char *labels, double value)
{
    buf_printf(out, "# TYPE %s %s\n", name, type);
    promwrite_sample(out, name, "", labels, value);
}

/* Requests' tokens are counted when they have ended, as SGLang does. The bounds of buckets are vLLM's. */
static void answer_metrics(struct simulator *simulator, struct httpd_request *request)
{
    const struct metrics *metrics = &simulator->metrics;
    const struct scheduler *scheduler = simulator->scheduler;
    struct buf *out = &simulator->scratch;
    cleanup_buf struct buf labels = BUF_INIT(LABELS_MAX);
    buf_append_text(&labels, "model_name=\"");
    promwrite_label_value(&labels, simulator->settings.model);
    buf_append_text(&labels, "\"");
    const char *of = buf_text(&labels);
    append_sample(out, "sglang:num_running_reqs", "gauge", of, (double)scheduler_running(scheduler));
    append_sample(out, "sglang:num_queue_reqs", "gauge", of, (double)scheduler_waiting(scheduler));
    append_sample(out, "sglang:token_usage", "gauge", of, scheduler_kv_usage(scheduler));
    append_sample(out, "sglang:prompt_tokens_total", "counter", of, metrics->histograms[METRICS_PROMPT_TOKENS].sum);
    append_sample(out, "sglang:generation_tokens_total", "counter", of, metrics->histograms[METRICS_GENERATION_TOKENS].sum);
    append_sample(out, "sglang:cached_tokens_total", "counter", of, (double)metrics->cached_tokens);
    append_sample(out, "sglang:num_requests_total", "counter", of, (double)(metrics->finished_length + metrics->finished_stop));
    metrics_write_histogram(metrics, METRICS_TTFT, "sglang:time_to_first_token_seconds", of, out);
    metrics_write_histogram(metrics, METRICS_ITL, "sglang:inter_token_latency_seconds", of, out);
    metrics_write_histogram(metrics, METRICS_E2E, "sglang:e2e_request_latency_seconds", of, out);
    metrics_write_histogram(metrics, METRICS_QUEUE, "sglang:queue_time_seconds", of, out);
    simulator_reply(simulator, request, 200, "text/plain; version=1.0.0; charset=utf-8", out->data, out->len);
}

static const struct dialect_route routes[] = {
    {"/v1/chat/completions", "POST", true, simulator_answer_chat},
    {"/v1/completions", "POST", true, simulator_answer_completions},
    {"/v1/models", "GET", true, answer_models},
    {"/tokenize", "POST", true, vllm_answer_tokenize},
    {"/detokenize", "POST", true, vllm_answer_detokenize},
    {"/health", "GET", true, vllm_answer_health},
    {"/get_server_info", "GET", true, answer_server_info},
    {"/server_info", "GET", true, answer_server_info},
    {"/metrics", "GET", false, answer_metrics},
    {NULL, NULL, false, NULL},
};

/* A key guards everything else. */
static bool is_open(const char *path)
{
    return strcmp(path, "/health") == 0 || strcmp(path, "/metrics") == 0;
}

static int error(struct buf *reply, int status, const char *type, const char *param, const struct buf *message)
{
    buf_append_text(reply, "{\"object\":\"error\",\"message\":");
    json_append_quoted(reply, buf_text(message), message->len);
    buf_printf(reply, ",\"type\":\"%s\",\"param\":", type);
    if (param)
        json_append_quoted(reply, param, strlen(param));
    else
        buf_append_text(reply, "null");
    buf_printf(reply, ",\"code\":%d}", status);
    return status;
}

const struct dialect dialect_sglang = {
    .name = "sglang",
    .abilities = DIALECT_REASONING | DIALECT_PROMPT_DETAILS,
    .json_type = "application/json",
    .stream_type = "text/event-stream",
    .done = "data: [DONE]\n\n",
    .any_model = true,
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
