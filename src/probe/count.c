#include "probe/count.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/prompts.h"
#include "wire/openai.h"
#include "wire/openai_request.h"

#define BODY_MAX ((size_t)64 << 20)

/* One request that is not streamed: status 200 or an error by probe_refused. *response must be given to http_response_free in both cases. */
static int counter_ask(const struct probe *probe, const char *body, size_t length, struct http_response *response, struct error *err)
{
    cleanup_free char *url = probe_url(probe, endpoint_path(probe->endpoint));
    if (http_client_post(probe->client, url, body, length, PROBE_TIMEOUT_NS, response, err) < 0)
        return -1;
    return response->status == 200 ? 0 : probe_refused("a trial request", url, response, err);
}

static int64_t count_by_usage(struct counter *counter, const struct openai_request *request, struct error *err)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    struct http_response response;
    struct openai_chunk answer;
    int64_t count = -1;
    if (openai_request_write(request, &body) < 0)
        return error_set(err, ERROR_USAGE, "a prompt of %zu bytes is too large", request->text_length);
    if (counter_ask(counter->probe, body.data, body.len, &response, err) == 0) {
        if (openai_response_read(buf_text(&response.body), response.body.len, &answer) == 0 && answer.prompt_tokens >= 0)
            count = answer.prompt_tokens;
        else
            error_set(err, ERROR_TARGET, "the server's answers carry no usage.prompt_tokens: prompt lengths cannot be known");
    }
    http_response_free(&response);
    return count;
}

static int64_t count_text_by_usage(struct counter *counter, const char *text, size_t length, struct error *err)
{
    struct openai_request request = {
        .model = counter->model,
        .chat = counter->probe->endpoint == ENDPOINT_CHAT,
        .text = text,
        .text_length = length,
        .max_tokens = 1,
        .max_completion_tokens = counter->max_completion_tokens,
    };
    return count_by_usage(counter, &request, err);
}

int64_t counter_count_ids(struct counter *counter, const int32_t *ids, size_t count, struct error *err)
{
    struct openai_request request = {.model = counter->model, .token_ids = ids, .token_count = count, .max_tokens = 1};
    counter->asked++;
    return count_by_usage(counter, &request, err);
}

/* POST /tokenize; the parsed answer or NULL with *err. */
static json_t *ask_tokenize(const struct counter *counter, json_t *body, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(BODY_MAX);
    cleanup_free char *url = http_url_beside(counter->probe->target, "/tokenize");
    struct http_response response;
    json_t *answer = NULL;
    json_set_text(body, "model", counter->model);
    json_append_compact(body, &text);
    if (http_client_post(counter->probe->client, url, buf_text(&text), text.len, PROBE_TIMEOUT_NS, &response, err) == 0) {
        struct json_reader reader;
        if (response.status != 200)
            probe_refused("counting tokens", url, &response, err);
        else
            answer = json_parse(&reader, buf_text(&response.body), response.body.len, url, NULL, err);
        if (!answer && err)
            err->class = ERROR_TARGET; /* to json_parse it is an input file */
    }
    http_response_free(&response);
    return answer;
}

static int64_t count_by_tokenize(const struct counter *counter, const char *text, size_t length, struct error *err)
{
    json_t *body = json_object();
    if (counter->probe->endpoint == ENDPOINT_CHAT) {
        json_t *message = json_object();
        json_set_text(message, "role", "user");
        json_object_set_new(message, "content", json_stringn(text, length));
        json_array_append_new(json_add_array(body, "messages"), message);
    } else {
        json_object_set_new(body, "prompt", json_stringn(text, length));
    }
    json_t *answer = ask_tokenize(counter, body, err);
    json_decref(body);
    if (!answer)
        return -1;
    const json_t *count = json_object_get(answer, "count");
    int64_t tokens = json_is_integer(count) ? json_integer_value(count) : -1;
    json_decref(answer);
    return tokens >= 0 ? tokens : error_set(err, ERROR_TARGET, "/tokenize gives no count");
}

int64_t counter_count(void *context, const char *text, size_t length, struct error *err)
{
    struct counter *counter = context;
    if (*counter->probe->stop)
        return error_set(err, ERROR_TARGET, "stopped");
    counter->asked++;
    return counter->tokenize ? count_by_tokenize(counter, text, length, err) : count_text_by_usage(counter, text, length, err);
}

/* {"model":..., MEMBER} for /tokenize, and for one token of an answer otherwise. */
static int write_member_body(const struct counter *counter, const char *member, size_t length, struct buf *body)
{
    struct openai_request request = {.model = counter->model, .member = member, .member_length = length};
    if (!counter->tokenize) {
        request.max_tokens = 1;
        request.max_completion_tokens = counter->max_completion_tokens;
    }
    return openai_request_write(&request, body);
}

/* `count` of /tokenize, or usage.prompt_tokens. */
static int64_t read_count(const struct counter *counter, const struct http_response *response)
{
    struct openai_chunk answer;
    if (!counter->tokenize)
        return openai_response_read(buf_text(&response->body), response->body.len, &answer) == 0 ? answer.prompt_tokens : -1;
    json_t *json = json_loadb(buf_text(&response->body), response->body.len, 0, NULL);
    const json_t *count = json_object_get(json, "count");
    int64_t tokens = json_is_integer(count) ? json_integer_value(count) : -1;
    json_decref(json);
    return tokens;
}

int64_t counter_count_member(struct counter *counter, const char *member, size_t length, struct error *err)
{
    const struct probe *probe = counter->probe;
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    cleanup_free char *url = counter->tokenize ? http_url_beside(probe->target, "/tokenize") : probe_url(probe, endpoint_path(probe->endpoint));
    struct http_response response;
    int64_t count = -1;
    if (*probe->stop)
        return error_set(err, ERROR_TARGET, "stopped");
    if (write_member_body(counter, member, length, &body) < 0)
        return error_set(err, ERROR_USAGE, "a prompt of %zu bytes is too large", length);
    counter->asked++;
    if (http_client_post(probe->client, url, body.data, body.len, PROBE_TIMEOUT_NS, &response, err) == 0) {
        bool refused = response.status == 400 || response.status == 413 || response.status == 422;
        if (response.status != 200)
            count = probe_refused("counting tokens", url, &response, err) < 0 && refused ? COUNTER_REFUSED : -1;
        else if ((count = read_count(counter, &response)) < 0)
            error_set(err, ERROR_TARGET, "%s gives no count of tokens", url);
    }
    http_response_free(&response);
    return count;
}

int64_t counter_token_ids(struct counter *counter, const char *text, int32_t *ids, size_t size, struct error *err)
{
    json_t *body = json_object();
    json_set_text(body, "prompt", text); /* vLLM's words */
    json_set_bool(body, "add_special_tokens", false);
    json_set_text(body, "content", text); /* llama.cpp's */
    json_set_bool(body, "add_special", false);
    json_t *answer = ask_tokenize(counter, body, err);
    json_decref(body);
    counter->asked++;
    if (!answer)
        return -1;
    const json_t *tokens = json_object_get(answer, "tokens");
    int64_t count = 0;
    for (size_t k = 0; k < json_array_size(tokens) && (size_t)count < size; k++) {
        const json_t *id = json_array_get(tokens, k);
        if (json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) <= INT32_MAX)
            ids[count++] = (int32_t)json_integer_value(id);
    }
    json_decref(answer);
    return count;
}
