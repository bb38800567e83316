/* GuideLLM's backend: the server, its key and headers, and how it is spoken to. */
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "plan/guidellm_options.h"

#define HEADERS_MAX 32

static int take_kind(struct guidellm_taking *taking, json_t *backend)
{
    const char *kind;
    if (guidellm_take_text(taking, backend, "kind", &kind) < 0)
        return -1;
    if (!kind || strcmp(kind, "openai_http") == 0 || strcmp(kind, "openai_server") == 0)
        return 0;
    return error_set(taking->err, ERROR_USAGE, "--backend: '%s' is not measured here, only servers with OpenAI's API over HTTP (openai_http)", kind);
}

/* GuideLLM takes the server's address with or without /v1, prepare the API's root. */
static int take_target(struct guidellm_taking *taking, json_t *backend)
{
    const char *target;
    if (guidellm_take_text(taking, backend, "target", &target) < 0)
        return -1;
    if (!target || !*target)
        return 0;
    size_t length = strlen(target);
    while (length > 0 && target[length - 1] == '/')
        length--;
    if (length >= 3 && strncmp(target + length - 3, "/v1", 3) == 0)
        length -= 3;
    guidellm_add(taking, "target", arena_printf(taking->command->arena, "%.*s/v1", (int)length, target));
    return 0;
}

/* "/v1/chat/completions", "chat_completions", "text_completions": which of the two APIs. */
static int take_format(struct guidellm_taking *taking, json_t *backend, const char *usual)
{
    const char *format;
    if (guidellm_take_text(taking, backend, "request_format", &format) < 0)
        return -1;
    format = format ? format : usual;
    if (!format)
        return 0;
    const char *name = strncmp(format, "/v1/", 4) == 0 ? format + 4 : format;
    bool chat = strcmp(name, "chat/completions") == 0 || strcmp(name, "chat_completions") == 0;
    if (!chat && strcmp(name, "completions") != 0 && strcmp(name, "text_completions") != 0)
        return error_set(taking->err, ERROR_USAGE, "--request-format: '%s' is not measured here, only /v1/chat/completions and /v1/completions", format);
    guidellm_add(taking, "endpoint", chat ? "chat" : "completions");
    return 0;
}

static int take_headers(struct guidellm_taking *taking, json_t *owner)
{
    const json_t *headers = guidellm_take(taking, owner, "headers");
    const char *name;
    json_t *value;
    if (headers && (!json_is_object(headers) || json_object_size(headers) > HEADERS_MAX))
        return error_set(taking->err, ERROR_USAGE, "backend.headers: expected an object of at most %d headers", HEADERS_MAX);
    json_object_foreach((json_t *)headers, name, value)
    {
        cleanup_free char *text = json_scalar_text(value);
        if (text) /* null takes one away that GuideLLM would send */
            guidellm_add(taking, "header", arena_printf(taking->command->arena, "%s: %s", name, text));
    }
    return 0;
}

/* Older ones could name them one by one. */
static int take_openai_header(struct guidellm_taking *taking, json_t *backend, const char *key, const char *header)
{
    const char *value;
    if (guidellm_take_text(taking, backend, key, &value) < 0)
        return -1;
    if (value)
        guidellm_add(taking, "header", arena_printf(taking->command->arena, "%s: %s", header, value));
    return 0;
}

/* A bearer token is the whole value of the header in GuideLLM's settings. */
static int take_key(struct guidellm_taking *taking, json_t *backend)
{
    const char *key, *bearer;
    if (guidellm_take_text(taking, backend, "api_key", &key) < 0 || guidellm_take_text(taking, backend, "bearer_token", &bearer) < 0)
        return -1;
    if (bearer && strncmp(bearer, "Bearer ", 7) == 0)
        bearer += 7;
    taking->options->api_key = key ? key : bearer;
    return 0;
}

/* `verify` may be a file of roots, as httpx takes it. */
static int take_verify(struct guidellm_taking *taking, json_t *backend)
{
    const json_t *verify = guidellm_take(taking, backend, "verify");
    if (json_is_false(verify))
        guidellm_add(taking, "insecure", NULL);
    else if (json_is_string(verify))
        guidellm_add(taking, "cacert", json_string_value(verify));
    else if (verify && !json_is_true(verify))
        return error_set(taking->err, ERROR_USAGE, "backend.verify: expected true, false or a file");
    return 0;
}

static int take_connection(struct guidellm_taking *taking, json_t *backend)
{
    bool redirects;
    double timeout;
    int given = guidellm_take_bool(taking, backend, "follow_redirects", &redirects);
    if (given < 0 || guidellm_take_number(taking, backend, "timeout", &timeout) < 0 || take_verify(taking, backend) < 0)
        return -1;
    if (redirects)
        guidellm_add(taking, "allow-redirect", NULL);
    if (!isnan(timeout))
        guidellm_add_number(taking, "timeout", timeout);
    return 0;
}

int guidellm_take_backend(struct guidellm_taking *taking)
{
    json_t *backend = guidellm_section(taking, "backend"), *extras = json_object_get(backend, "extras");
    const char *model, *route;
    bool stream;
    if (take_kind(taking, backend) < 0 || take_target(taking, backend) < 0 || guidellm_take_text(taking, backend, "model", &model) < 0 ||
        guidellm_take_text(taking, guidellm_section(taking, "settings"), "route", &route) < 0 || take_format(taking, backend, route) < 0 ||
        take_key(taking, backend) < 0 || take_headers(taking, backend) < 0 || take_headers(taking, extras) < 0 ||
        take_openai_header(taking, backend, "organization", "OpenAI-Organization") < 0 ||
        take_openai_header(taking, backend, "project", "OpenAI-Project") < 0 || take_connection(taking, backend) < 0)
        return -1;
    if (model && *model)
        guidellm_add(taking, "model", model);
    int given = guidellm_take_bool(taking, backend, "stream", &stream);
    if (given == 1 && !stream)
        return error_set(taking->err, ERROR_USAGE, "backend.stream: false: only streamed answers are measured here");
    return given < 0 ? -1 : 0;
}
