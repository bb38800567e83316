#include "probe/identify.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "probe/count.h"
#include "probe/trial.h"
#include "wire/openai.h"
#include "wire/openai_request.h"
#include "wire/promtext.h"

#define BODY_MAX ((size_t)1 << 20)
#define TRIAL_TOKENS 3
#define SHORT_TIMEOUT_NS (10 * NS_PER_S)
#define NAME_MAX_BYTES 64 /* of a version or preset */

/* --- what it says of itself -------------------------------------------------------------------- */

/* GET beside /v1: the JSON object there, or NULL. */
static json_t *get_object(const struct probe *probe, const char *path)
{
    cleanup_free char *url = http_url_beside(probe->target, path);
    struct http_response response;
    struct json_reader reader;
    json_t *object = NULL;
    if (http_client_get(probe->client, url, SHORT_TIMEOUT_NS, &response, NULL) == 0 && response.status == 200)
        object = json_parse(&reader, buf_text(&response.body), response.body.len, path, NULL, NULL);
    http_response_free(&response);
    return object;
}

/* A member's text: printable ASCII, cut; "" when there is none. */
static const char *short_text(const json_t *object, const char *key, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text)
        return "";
    char *copy = arena_printf(arena, "%.*s", NAME_MAX_BYTES, text);
    for (char *c = copy; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return copy;
}

static void read_simulator(const json_t *root, struct arena *arena, struct server_identity *server)
{
    const json_t *simulator = json_object_get(root, "simulator");
    double scale = json_number_value(json_object_get(simulator, "time_scale"));
    if (!json_is_object(simulator))
        return;
    server->kind = "simulator";
    server->preset = short_text(simulator, "preset", arena);
    if (scale >= PLAN_TIME_SCALE_MIN && scale <= PLAN_TIME_SCALE_MAX)
        server->time_scale = scale;
}

/* vLLM and the simulator have /version, llama.cpp has it in /props. */
static void ask_version(const struct probe *probe, struct arena *arena, struct server_identity *server)
{
    bool llamacpp = strcmp(server->kind, "llamacpp") == 0;
    json_t *root = get_object(probe, llamacpp ? "/props" : "/version");
    server->version = short_text(root, llamacpp ? "build_info" : "version", arena);
    if (!llamacpp)
        read_simulator(root, arena, server);
    json_decref(root);
}

struct prefixes {
    bool vllm, llamacpp;
};

static bool begins_with(const struct promtext_sample *sample, const char *prefix)
{
    size_t length = strlen(prefix);
    return sample->name_length > length && memcmp(sample->series, prefix, length) == 0;
}

static void note_prefix(void *context, const struct promtext_sample *sample)
{
    struct prefixes *seen = context;
    seen->vllm = seen->vllm || begins_with(sample, "vllm:");
    seen->llamacpp = seen->llamacpp || begins_with(sample, "llamacpp:");
}

/* Metrics whose names are known; they also tell the kind where /v1/models does not. */
static void ask_metrics(const struct probe *probe, struct server_identity *server)
{
    cleanup_free char *url = http_url_beside(probe->target, "/metrics");
    struct http_response response;
    struct prefixes seen = {0};
    if (http_client_get(probe->client, url, SHORT_TIMEOUT_NS, &response, NULL) == 0 && response.status == 200)
        promtext_read(buf_text(&response.body), response.body.len, note_prefix, &seen, NULL);
    http_response_free(&response);
    server->metrics = seen.vllm || seen.llamacpp;
    if (strcmp(server->kind, "openai") == 0 && server->metrics)
        server->kind = seen.vllm ? "vllm" : "llamacpp";
}

/* --- one streamed trial ---------------------------------------------------------------------- */

static int send_request(const struct probe *probe, const struct openai_request *request, struct trial *trial, struct error *err)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    if (openai_request_write(request, &body) < 0)
        return error_set(err, ERROR_INTERNAL, "a trial request is too large");
    return trial_send(probe, body.data, body.len, PROBE_TIMEOUT_NS, trial, err);
}

/* 400 and 422 say that the request itself is not liked. */
static bool refused_form(const struct trial *trial)
{
    return trial->status == 400 || trial->status == 422;
}

/* Sends it, and once more with the other name of max_tokens where the refusal asks for that. */
static int send_limited(const struct probe *probe, struct openai_request *request, struct trial *trial, struct error *err)
{
    struct error own = {0};
    int status = send_request(probe, request, trial, &own);
    if (status < 0 && refused_form(trial) && request->chat && !request->max_completion_tokens && strstr(own.text, "max_completion_tokens")) {
        request->max_completion_tokens = true;
        status = send_request(probe, request, trial, &own);
    }
    if (status < 0 && err)
        *err = own;
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
    bool *const optional[] = {&request.continuous_usage, &request.ignore_eos, &request.include_usage};
    int status = send_limited(probe, &request, &trial, err);
    for (size_t k = 0; k < sizeof optional / sizeof optional[0] && status < 0 && refused_form(&trial); k++) {
        *optional[k] = false;
        status = send_limited(probe, &request, &trial, err); /* the plainest one's refusal is the server's word */
    }
    if (status < 0)
        return error_wrap(err, "the server does not answer a request for %d tokens", TRIAL_TOKENS);
    server->usage = trial.usage;
    server->continuous_usage = trial.continuous_usage;
    server->ignore_eos = request.ignore_eos;
    server->max_completion_tokens = request.max_completion_tokens;
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
    int32_t ids[16];
    int64_t count = counter_token_ids(&counter, " time year people way", ids, 16, NULL);
    return count > 0 && counter_count_ids(&counter, ids, (size_t)count, NULL) == count;
}

int identify_server(const struct probe *probe, const char *model, const char *owned_by, int64_t max_model_len, struct arena *arena,
                    struct server_identity *server, struct error *err)
{
    *server = (struct server_identity){
        .kind = strcmp(owned_by, "llamacpp") == 0 ? "llamacpp" : strcmp(owned_by, "vllm") == 0 ? "vllm" : "openai",
        .version = "",
        .preset = "",
        .time_scale = 1,
        .max_model_len = max_model_len,
    };
    ask_metrics(probe, server);
    ask_version(probe, arena, server);
    if (try_features(probe, model, server, err) < 0)
        return -1;
    server->tokenize = has_tokenize(probe, model);
    server->token_ids = probe->endpoint == ENDPOINT_COMPLETIONS && takes_token_ids(probe, model);
    return 0;
}
