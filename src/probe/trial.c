#include "probe/trial.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/stop.h"
#include "wire/openai.h"
#include "wire/sse.h"

struct reading {
    struct trial *trial;
    const stop_flag *stop;
    int64_t counted; /* by the newest usage beside a token */
    bool uncounted;  /* a chunk with a token whose usage did not count it */
    bool events;     /* there was one: the answer is a stream */
    bool failed;
    char message[OPENAI_MESSAGE_SIZE];
};

/* Usage is continuous only if it grows with the tokens: some servers send 0 in every chunk until the last. */
static void judge_usage(struct reading *reading, const struct openai_chunk *chunk)
{
    if (chunk->completion_tokens > reading->counted)
        reading->counted = chunk->completion_tokens;
    else if (!chunk->text_empty)
        reading->uncounted = true;
}

static int fail(struct reading *reading, const char *message)
{
    reading->failed = true;
    snprintf(reading->message, sizeof reading->message, "%s", message);
    return 1;
}

static int on_event(void *context, const char *data, size_t length)
{
    struct reading *reading = context;
    struct trial *trial = reading->trial;
    struct openai_chunk chunk;
    reading->events = true;
    if (*reading->stop)
        return fail(reading, "stopped");
    if (openai_chunk_read(data, length, &chunk) < 0)
        return 0;
    if (chunk.done)
        return 1;
    if (chunk.error)
        return fail(reading, chunk.message);
    trial->usage = trial->usage || chunk.completion_tokens >= 0;
    /* The last chunk of llama.cpp has a usage beside its choices: only what comes before an end counts. */
    if (chunk.token && !chunk.finish_reason[0])
        judge_usage(reading, &chunk);
    if (chunk.completion_tokens >= 0)
        trial->output_tokens = chunk.completion_tokens;
    if (chunk.prompt_tokens >= 0)
        trial->prompt_tokens = chunk.prompt_tokens;
    return 0;
}

static int read_stream(const struct probe *probe, const char *url, const struct http_response *response, struct trial *trial,
                       struct error *err)
{
    struct reading reading = {.trial = trial, .stop = probe->stop};
    struct sse sse;
    sse_init(&sse, on_event, &reading);
    if (sse_feed(&sse, buf_text(&response->body), response->body.len) == -1)
        fail(&reading, "an event of the stream is too large");
    sse_free(&sse);
    trial->continuous_usage = reading.counted > 0 && !reading.uncounted;
    if (!reading.events && !reading.failed)
        return error_set(err, ERROR_TARGET, "a trial request: %s: the answer is no stream of events, although \"stream\": true was asked for: "
                         "without one there is no time to the first token", url);
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
        status = response.status == 200 ? read_stream(probe, url, &response, trial, err) : probe_refused("a trial request", url, &response, err);
    http_response_free(&response);
    return status;
}
