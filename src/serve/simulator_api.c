/* Routes, keys and the small answers. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "serve/simulator_state.h"

#define JSON_TYPE "application/json"
#define REQUEST_ID_MAX 200

static void reply_scratch(struct simulator *simulator, struct httpd_request *request, int status)
{
    httpd_reply(request, status, JSON_TYPE, simulator->scratch.data, simulator->scratch.len);
}

static void reply_text(struct httpd_request *request, int status, const char *text)
{
    httpd_reply(request, status, JSON_TYPE, text, strlen(text));
}

/* --- posts ------------------------------------------------------------------------------------- */

/* vLLM refuses every other type, before it looks at the body. */
static bool check_content_type(struct simulator *simulator, struct httpd_request *request)
{
    const char *type = httpd_header(request, "content-type");
    size_t length = type ? strcspn(type, "; \t") : 0;
    if (length == sizeof JSON_TYPE - 1 && strncasecmp(type, JSON_TYPE, length) == 0)
        return true;
    simulator_error(&simulator->scratch, 400, "Bad Request", NULL,
                    "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed");
    simulator->truth.refused++;
    reply_scratch(simulator, request, 400);
    return false;
}

static void generate(struct simulator *simulator, struct httpd_request *request, bool chat)
{
    size_t length;
    struct simulator_task task;
    if (!check_content_type(simulator, request))
        return;
    const char *body = httpd_body(request, &length);
    int status = simulator_task_read(simulator, chat, body, length, &task, &simulator->scratch);
    if (status) {
        simulator->truth.refused++;
        reply_scratch(simulator, request, status);
        return;
    }
    const char *id = httpd_header(request, "x-request-id");
    simulator_generate(simulator, request, &task, id && id[0] && strlen(id) <= REQUEST_ID_MAX ? id : NULL);
}

static void answer_chat(struct simulator *simulator, struct httpd_request *request)
{
    generate(simulator, request, true);
}

static void answer_completions(struct simulator *simulator, struct httpd_request *request)
{
    generate(simulator, request, false);
}

static void answer_tokens(struct simulator *simulator, struct httpd_request *request,
                          int (*convert)(struct simulator *simulator, const char *body, size_t length, struct buf *reply))
{
    size_t length;
    if (!check_content_type(simulator, request))
        return;
    const char *body = httpd_body(request, &length);
    int status = convert(simulator, body, length, &simulator->scratch);
    reply_scratch(simulator, request, status ? status : 200);
}

static void answer_tokenize(struct simulator *simulator, struct httpd_request *request)
{
    answer_tokens(simulator, request, simulator_tokenize);
}

static void answer_detokenize(struct simulator *simulator, struct httpd_request *request)
{
    answer_tokens(simulator, request, simulator_detokenize);
}

/* --- gets -------------------------------------------------------------------------------------- */

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
    reply_scratch(simulator, request, 200);
}

static void answer_health(struct simulator *simulator, struct httpd_request *request)
{
    (void)simulator;
    httpd_reply(request, 200, NULL, "", 0);
}

/* Requests that are being answered, as vLLM counts them with --enable-server-load-tracking. */
static void answer_load(struct simulator *simulator, struct httpd_request *request)
{
    size_t load = 0;
    const struct answer *answer;
    TAILQ_FOREACH(answer, &simulator->open, open) load++;
    buf_printf(&simulator->scratch, "{\"server_load\":%zu}", load);
    reply_scratch(simulator, request, 200);
}

static void reply_document(struct simulator *simulator, struct httpd_request *request, json_t *document)
{
    json_append_compact(document, &simulator->scratch);
    json_decref(document);
    reply_scratch(simulator, request, 200);
}

static void add_identity(const struct simulator *simulator, json_t *object)
{
    json_set_text(object, "preset", simulator->settings.preset);
    json_set_number(object, "time_scale", simulator->settings.time_scale);
}

static void answer_version(struct simulator *simulator, struct httpd_request *request)
{
    json_t *document = json_object();
    json_set_text(document, "version", SIMULATOR_VERSION);
    add_identity(simulator, json_add_object(document, "simulator"));
    reply_document(simulator, request, document);
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
    httpd_reply(request, 200, "text/plain; version=1.0.0; charset=utf-8", simulator->scratch.data, simulator->scratch.len);
}

static void answer_truth(struct simulator *simulator, struct httpd_request *request)
{
    json_t *document = json_object();
    json_set_text(document, "schema", "roibench/truth/v1");
    json_set_text(document, "model", simulator->settings.model);
    add_identity(simulator, document);
    json_set_integer(document, "uptime_ns", clock_now(simulator->settings.clock) - simulator->started);
    json_set_integer(document, "running", (int64_t)scheduler_running(simulator->scheduler));
    json_set_integer(document, "waiting", (int64_t)scheduler_waiting(simulator->scheduler));
    json_set_integer(document, "preemptions", scheduler_preemptions(simulator->scheduler));
    truth_write(&simulator->truth, document);
    truth_file_flush(simulator->truth.file);
    reply_document(simulator, request, document);
}

/* --- routes ------------------------------------------------------------------------------------ */

static const struct route {
    const char *path, *method; /* method NULL: the answer looks at it itself */
    bool needs_model; /* 503 until the model is loaded */
    void (*answer)(struct simulator *simulator, struct httpd_request *request);
} routes[] = {
    {"/v1/chat/completions", "POST", true, answer_chat},
    {"/v1/completions", "POST", true, answer_completions},
    {"/v1/models", "GET", true, answer_models},
    {"/tokenize", "POST", true, answer_tokenize},
    {"/detokenize", "POST", true, answer_detokenize},
    {"/load", "GET", true, answer_load},
    {"/health", "GET", true, answer_health},
    {"/version", "GET", false, answer_version},
    {"/metrics", "GET", false, answer_metrics},
    {"/sim/truth", "GET", false, answer_truth},
    {"/sim/fault", NULL, false, simulator_fault_api},
};

/* Takes as long for a key that is nearly right as for any other. */
static bool is_key(const char *given, const char *key)
{
    size_t length = strlen(key);
    unsigned difference = strlen(given) != length;
    for (size_t k = 0; k < length && given[k]; k++)
        difference |= (unsigned)(given[k] ^ key[k]);
    return difference == 0;
}

static bool is_allowed(const struct simulator *simulator, const struct httpd_request *request, const char *path)
{
    static const char bearer[] = "Bearer ";
    const char *key = simulator->settings.api_key, *given = httpd_header(request, "authorization");
    if (!key || strncmp(path, "/v1/", 4) != 0)
        return true;
    return given && strncasecmp(given, bearer, sizeof bearer - 1) == 0 && is_key(given + sizeof bearer - 1, key);
}

static bool is_ready(const struct simulator *simulator)
{
    int64_t now = clock_now(simulator->settings.clock);
    return now - simulator->started >= simulator->settings.ready_after && now >= simulator->loading_until;
}

static const struct route *find_route(const char *path)
{
    for (size_t k = 0; k < sizeof routes / sizeof routes[0]; k++)
        if (strcmp(routes[k].path, path) == 0)
            return &routes[k];
    return NULL;
}

void simulator_handle(void *context, struct httpd_request *request)
{
    struct simulator *simulator = context;
    const char *path = httpd_path(request);
    const struct route *route = find_route(path);
    buf_reset(&simulator->scratch);
    if (simulator_fault_handle(simulator, request))
        return;
    httpd_reply_header(request, "server", "roibench-simulate");
    if (!is_allowed(simulator, request, path)) {
        reply_text(request, 401, "{\"error\":\"Unauthorized\"}");
    } else if (!route) {
        reply_text(request, 404, "{\"detail\":\"Not Found\"}");
    } else if (route->method && strcmp(httpd_method(request), route->method) != 0) {
        httpd_reply_header(request, "allow", route->method);
        reply_text(request, 405, "{\"detail\":\"Method Not Allowed\"}");
    } else if (route->needs_model && !is_ready(simulator)) {
        simulator_error(&simulator->scratch, 503, "Service Unavailable", NULL, "The model is still being loaded.");
        simulator->truth.refused += strcmp(httpd_method(request), "POST") == 0;
        reply_scratch(simulator, request, 503);
    } else {
        route->answer(simulator, request);
    }
}
