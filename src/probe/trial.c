#include "probe/trial.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "wire/openai.h"
#include "wire/sse.h"

struct reading {
    struct trial *trial;
    bool failed;
    char message[OPENAI_MESSAGE_SIZE];
};

static int on_event(void *context, const char *data, size_t length)
{
    struct reading *reading = context;
    struct trial *trial = reading->trial;
    struct openai_chunk chunk;
    if (openai_chunk_read(data, length, &chunk) < 0 || chunk.done)
        return 0;
    if (chunk.error && !reading->failed) {
        reading->failed = true;
        snprintf(reading->message, sizeof reading->message, "%s", chunk.message);
    }
    trial->chunks += chunk.token;
    trial->usage = trial->usage || chunk.completion_tokens >= 0;
    /* The last chunk of llama.cpp has a usage beside its choices: only what comes before an end counts. */
    trial->usage_with_token = trial->usage_with_token || (chunk.token && chunk.completion_tokens >= 0 && !chunk.finish_reason[0]);
    if (chunk.completion_tokens >= 0)
        trial->output_tokens = chunk.completion_tokens;
    if (chunk.prompt_tokens >= 0)
        trial->prompt_tokens = chunk.prompt_tokens;
    return 0;
}

static int read_stream(const char *url, const struct http_response *response, struct trial *trial, struct error *err)
{
    struct reading reading = {.trial = trial};
    struct sse sse;
    sse_init(&sse, on_event, &reading);
    sse_feed(&sse, buf_text(&response->body), response->body.len);
    sse_free(&sse);
    return reading.failed ? error_set(err, ERROR_TARGET, "a trial request: %s: the answer broke off: %s", url, reading.message) : 0;
}

int trial_send(const struct probe *probe, const char *body, size_t length, int64_t timeout_ns, struct trial *trial, struct error *err)
{
    cleanup_free char *url = probe_url(probe, endpoint_path(probe->endpoint));
    struct http_response response;
    *trial = (struct trial){.prompt_tokens = -1, .output_tokens = -1};
    int status = http_client_post(probe->client, url, body, length, timeout_ns, &response, err);
    trial->status = response.status;
    trial->e2e_ns = response.total_ns;
    if (status == 0)
        status = response.status == 200 ? read_stream(url, &response, trial, err) : probe_refused("a trial request", url, &response, err);
    http_response_free(&response);
    return status;
}
