#include "probe/identify.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/count.h"
#include "probe/kind.h"
#include "probe/prefix_cache.h"
#include "probe/trial.h"
#include "wire/openai.h"
#include "wire/openai_request.h"

#define BODY_MAX ((size_t)1 << 20)
#define TRIAL_TOKENS 3

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
    struct trial trial = {0};
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
    server->ignore_eos = request.ignore_eos && !kind_passes_over_ignore_eos(server->kind);
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
    *server = (struct server_identity){.max_model_len = max_model_len};
    kind_ask(probe, owned_by, arena, server);
    if (try_features(probe, model, server, err) < 0)
        return -1;
    server->tokenize = has_tokenize(probe, model);
    server->token_ids = probe->endpoint == ENDPOINT_COMPLETIONS && takes_token_ids(probe, model);
    enum caching caching = prefix_cache_ask(probe, model, server);
    if (caching != CACHING_UNKNOWN) /* what it does counts more than what it says */
        server->prefix_caching = caching;
    return 0;
}
