#include "probe/prefix_cache.h"

#include <string.h>

#include "base/cleanup.h"
#include "wire/openai.h"
#include "wire/openai_request.h"

#define BODY_MAX ((size_t)64 << 10)
#define WORDS 640       /* a token each, about: five of the largest blocks that a cache is usually made of */
#define ROOM_SHARE 4    /* of a small context, this part is used: words may be several tokens */

static int64_t cached_tokens(const struct probe *probe, const char *url, const struct buf *body)
{
    struct http_response response;
    struct openai_chunk answer = {.cached_tokens = -1};
    bool answered = http_client_post(probe->client, url, body->data, body->len, PROBE_TIMEOUT_NS, &response, NULL) == 0 && response.status == 200 &&
                    openai_response_read(buf_text(&response.body), response.body.len, &answer) == 0;
    http_response_free(&response);
    return answered ? answer.cached_tokens : -1;
}

enum caching prefix_cache_ask(const struct probe *probe, const char *model, const struct server_identity *server)
{
    cleanup_buf struct buf text = BUF_INIT(BODY_MAX), body = BUF_INIT(BODY_MAX);
    cleanup_free char *url = probe_url(probe, endpoint_path(probe->endpoint));
    int64_t words = server->max_model_len > 0 && server->max_model_len / ROOM_SHARE < WORDS ? server->max_model_len / ROOM_SHARE : WORDS;
    for (int64_t k = 0; k < words; k++)
        buf_append_text(&text, " time");
    const struct openai_request request = {
        .model = model,
        .chat = probe->endpoint == ENDPOINT_CHAT,
        .text = buf_text(&text),
        .text_length = text.len,
        .max_tokens = 1,
        .max_completion_tokens = server->max_completion_tokens,
        .no_prompt_cache = strcmp(server->kind, "llamacpp") == 0, /* as the run's requests say */
    };
    if (openai_request_write(&request, &body) < 0 || cached_tokens(probe, url, &body) < 0 || *probe->stop)
        return CACHING_UNKNOWN;
    int64_t cached = cached_tokens(probe, url, &body);
    return cached < 0 ? CACHING_UNKNOWN : cached > 0 ? CACHING_ON : CACHING_OFF;
}
