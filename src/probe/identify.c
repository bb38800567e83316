#include "probe/identify.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "probe/count.h"
#include "wire/openai.h"
#include "wire/openai_request.h"
#include "wire/promtext.h"
#include "wire/sse.h"

#define BODY_MAX ((size_t)1 << 20)
#define TRIAL_TOKENS 3
#define TIME_SCALE_MAX 10000
#define SHORT_TIMEOUT_NS (10 * NS_PER_S)

/* GET beside /v1: the body in *response when it is 200. */
static bool get_root(const struct probe *probe, const char *path, struct http_response *response)
{
    cleanup_free char *url = probe_root_url(probe, path);
    return http_client_get(probe->client, url, SHORT_TIMEOUT_NS, response, NULL) == 0 && response->status == 200;
}

static void read_simulator(const json_t *root, struct arena *arena, struct server_identity *server)
{
    const json_t *simulator = json_object_get(root, "simulator");
    if (!json_is_object(simulator))
        return;
    const char *preset = json_string_value(json_object_get(simulator, "preset"));
    double scale = json_number_value(json_object_get(simulator, "time_scale"));
    server->kind = "simulator";
    server->preset = arena_strdup(arena, preset ? preset : "");
    if (scale > 0 && scale <= TIME_SCALE_MAX)
        server->time_scale = scale;
}

static void ask_version(const struct probe *probe, struct arena *arena, struct server_identity *server)
{
    struct http_response response;
    struct json_reader reader;
    if (get_root(probe, "/version", &response)) {
        json_t *root = json_parse(&reader, buf_text(&response.body), response.body.len, "/version", NULL, NULL);
        const char *version = json_string_value(json_object_get(root, "version"));
        if (version) {
            server->version = arena_strdup(arena, version);
            if (server->kind[0] == '\0' || strcmp(server->kind, "openai") == 0)
                server->kind = "vllm";
        }
        if (root)
            read_simulator(root, arena, server);
        json_decref(root);
    }
    http_response_free(&response);
}

static void note_prefix(void *context, const struct promtext_sample *sample)
{
    bool *known = context;
    *known = *known || (sample->name_length > 5 && memcmp(sample->series, "vllm:", 5) == 0) ||
             (sample->name_length > 9 && memcmp(sample->series, "llamacpp:", 9) == 0);
}

static bool has_metrics(const struct probe *probe)
{
    struct http_response response;
    bool known = false;
    if (get_root(probe, "/metrics", &response))
        promtext_read(buf_text(&response.body), response.body.len, note_prefix, &known, NULL);
    http_response_free(&response);
    return known;
}

/* --- one streamed trial ---------------------------------------------------------------------- */

struct trial {
    bool usage, usage_with_token;
    int tokens;
};

static int on_event(void *context, const char *data, size_t length)
{
    struct trial *trial = context;
    struct openai_chunk chunk;
    if (openai_chunk_read(data, length, &chunk) < 0 || chunk.done)
        return 0;
    trial->tokens += chunk.token;
    trial->usage = trial->usage || chunk.completion_tokens >= 0;
    /* The last chunk of llama.cpp has a usage beside its choices: only what comes before an end counts. */
    trial->usage_with_token = trial->usage_with_token || (chunk.token && chunk.completion_tokens >= 0 && !chunk.finish_reason[0]);
    return 0;
}

static int stream_trial(const struct probe *probe, const struct openai_request *request, struct trial *trial, struct error *err)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    struct http_response response;
    struct sse sse;
    *trial = (struct trial){0};
    if (openai_request_write(request, &body) < 0)
        return error_set(err, ERROR_INTERNAL, "a trial request is too large");
    int status = counter_ask(probe, body.data, body.len, &response, err);
    if (status == 0) {
        sse_init(&sse, on_event, trial);
        sse_feed(&sse, buf_text(&response.body), response.body.len);
        sse_free(&sse);
    }
    http_response_free(&response);
    return status;
}

/* Everything at once; where that is refused, one thing after the other is left away, and what is left works. */
static int try_features(const struct probe *probe, const char *model, struct server_identity *server, struct error *err)
{
    struct trial trial;
    struct openai_request request = {
        .model = model,
        .chat = probe->endpoint == ENDPOINT_CHAT,
        .text = "Hello",
        .text_length = 5,
        .max_tokens = TRIAL_TOKENS,
        .stream = true,
        .include_usage = true,
        .continuous_usage = true,
        .ignore_eos = true,
    };
    int status = stream_trial(probe, &request, &trial, err);
    if (status < 0) {
        request.continuous_usage = false;
        status = stream_trial(probe, &request, &trial, NULL);
    }
    if (status < 0) {
        request.ignore_eos = false;
        status = stream_trial(probe, &request, &trial, NULL);
    }
    if (status < 0) {
        request.include_usage = false;
        status = stream_trial(probe, &request, &trial, err); /* the plainest one: its refusal is the server's word */
    }
    if (status < 0)
        return error_wrap(err, "the server does not answer a request of %d tokens", TRIAL_TOKENS);
    server->usage = trial.usage;
    server->continuous_usage = trial.usage_with_token;
    server->ignore_eos = request.ignore_eos;
    return 0;
}

/* --- /tokenize and token ids ------------------------------------------------------------------ */

/* llama.cpp answers vLLM's question with 200 and an empty list: a count above 0 is the proof. */
static bool has_tokenize(const struct probe *probe, const char *model)
{
    struct counter counter = {.probe = probe, .model = model, .tokenize = true};
    return counter_count(&counter, "Text: time", 10, NULL) > 0;
}

static bool takes_token_ids(const struct probe *probe, const char *model)
{
    struct counter counter = {.probe = probe, .model = model, .tokenize = true};
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    struct http_response response = {0};
    struct openai_chunk answer;
    int32_t ids[16];
    int64_t count = counter_token_ids(&counter, " time year people way", ids, 16, NULL);
    if (count <= 0)
        return false;
    struct openai_request request = {.model = model, .token_ids = ids, .token_count = (size_t)count, .max_tokens = 1};
    bool exact = openai_request_write(&request, &body) == 0 && counter_ask(probe, body.data, body.len, &response, NULL) == 0 &&
                 openai_response_read(buf_text(&response.body), response.body.len, &answer) == 0 && answer.prompt_tokens == count;
    http_response_free(&response);
    return exact;
}

int identify_server(const struct probe *probe, const char *model, const char *owned_by, int64_t max_model_len, struct arena *arena,
                    struct server_identity *server, struct error *err)
{
    *server = (struct server_identity){
        .kind = strcmp(owned_by, "llamacpp") == 0 ? "llamacpp" : "openai",
        .version = "",
        .preset = "",
        .time_scale = 1,
        .max_model_len = max_model_len,
    };
    ask_version(probe, arena, server);
    if (try_features(probe, model, server, err) < 0)
        return -1;
    server->metrics = has_metrics(probe);
    server->tokenize = has_tokenize(probe, model);
    server->token_ids = probe->endpoint == ENDPOINT_COMPLETIONS && server->tokenize && takes_token_ids(probe, model);
    return 0;
}
