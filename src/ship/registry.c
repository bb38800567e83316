#include "ship/registry.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "ship/answer.h"
#include "ship/registry_login.h"
#include "wire/http_challenge.h"
#include "wire/sigv4.h"

#define QUESTION_TIMEOUT_NS (60 * NS_PER_S)
#define WORDS_MAX 300
#define FORM_MAX ((size_t)128 << 10) /* a question for a token; refresh tokens are long */

CLEANUP_DEFINE(struct archive_stream, archive_stream_close)

#define cleanup_response __attribute__((cleanup(http_response_free)))
#define cleanup_secret __attribute__((cleanup(forget_buf)))

struct registry {
    const struct registry_place *place;
    const struct destination_settings *settings;
    const char *actions;
    struct http_client *client;
    struct registry_credentials credentials;
    bool looked;         /* for credentials */
    char *authorization; /* the whole header; NULL: none yet */
};

static void forget(char **secret)
{
    if (*secret)
        OPENSSL_cleanse(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

static void forget_buf(struct buf *secret)
{
    if (secret->data)
        OPENSSL_cleanse(secret->data, secret->cap);
    buf_free(secret);
}

struct registry *registry_open(const struct registry_place *place, const char *actions, const struct destination_settings *settings, struct error *err)
{
    struct http_client *client = http_client_new(&settings->net, err);

    if (!client) {
        error_reclass(err, ERROR_PUBLISH);
        return NULL;
    }

    struct registry *registry = mem_alloc(sizeof *registry);

    *registry = (struct registry){.place = place, .settings = settings, .actions = actions, .client = client};
    return registry;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    http_client_free(registry->client);
    registry_credentials_free(&registry->credentials);
    forget(&registry->authorization);
    free(registry);
}

const char *registry_header(const struct registry *registry, const char *name)
{
    return http_client_header(registry->client, name, 0);
}

/* ---- what the registry says ---- */

/* The first of {"errors": [{"code", "message"}]}, or {"error", "error_description"} of a token service; else what is there, as one line. */
static void explain(const struct buf *body, char *words, size_t size)
{
    json_t *document = json_loadb(buf_text(body), body->len, 0, NULL);
    const json_t *first = json_array_get(json_object_get(document, "errors"), 0);
    const char *code = json_string_value(json_object_get(first ? first : document, first ? "code" : "error"));
    const char *message = json_string_value(json_object_get(first ? first : document, first ? "message" : "error_description"));
    cleanup_free char *text = code || message ? mem_printf("%s%s%s", code ? code : "", code && message ? ": " : "", message ? message : "")
                                              : mem_strdup(buf_text(body));

    answer_words(text, words, size);
    json_decref(document);
}

/* What to do about credentials: those that were used, or why there were none. */
static char *credentials_advice(const struct registry *registry)
{
    const struct registry_credentials *credentials = &registry->credentials;

    if (credentials->found_in)
        return mem_printf(". The credentials are those of %s: are they right, and still valid?", credentials->found_in);
    if (credentials->helper)
        return mem_printf(". No credentials: %s, and nothing is executed here. Write a file with auth for %s, and name it by REGISTRY_AUTH_FILE",
                          credentials->helper, registry->place->host);
    return mem_printf(". No credentials for %s were found: log in (docker or podman login), or name a file by REGISTRY_AUTH_FILE or DOCKER_CONFIG",
                      registry->place->host);
}

static char *advice(const struct registry *registry, int status)
{
    switch (status) {
    case 401: return credentials_advice(registry);
    case 403: return registry->credentials.found_in ? mem_printf(". The credentials are those of %s: may they push there?", registry->credentials.found_in)
                                                    : credentials_advice(registry);
    case 404: return mem_strdup(". Does the registry have such a place?");
    case 405: return mem_strdup(". Is it a registry, and may it be written to?");
    case 413: return mem_strdup(". The archive is larger than the registry, or a proxy before it, allows");
    case 429: return mem_strdup(". It wants to be asked less often");
    default: return mem_strdup("");
    }
}

int registry_fail(const struct registry *registry, const char *what, const struct http_response *response, struct delivery *delivery, struct error *err)
{
    char words[WORDS_MAX];
    cleanup_free char *what_to_do = advice(registry, response->status);

    if (delivery) {
        answer_note(response, delivery);
        delivery->status = response->status;
    }
    if (response->status / 100 == 3) {
        cleanup_free char *elsewhere = http_url_redacted(response->location);
        char shown[WORDS_MAX];

        answer_words(elsewhere, shown, sizeof shown);
        return error_set(err, ERROR_PUBLISH, "%s: HTTP %d: the registry sends us to %s. Give the host that it means", what, response->status,
                         *shown ? shown : "another place");
    }
    explain(&response->body, words, sizeof words);
    return error_set(err, ERROR_PUBLISH, "%s: HTTP %d%s%s%s", what, response->status, *words ? ": " : "", words, what_to_do);
}

/* ---- credentials ---- */

/* "Authorization: Basic <base64>" */
static char *basic_header(const struct registry_login *login)
{
    char *plain = mem_printf("%s:%s", login->user, login->password);
    const size_t length = strlen(plain);
    char *encoded = mem_alloc(length / 3 * 4 + 5);

    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)plain, (int)length);

    char *header = mem_printf("Authorization: Basic %s", encoded);

    forget(&plain);
    forget(&encoded);
    return header;
}

/* The token of {"token": …} or {"access_token": …}; NULL: there is none that fits a header. free() it. */
static char *read_token(const struct buf *body)
{
    json_t *document = json_loadb(buf_text(body), body->len, 0, NULL);
    const char *token = json_string_value(json_object_get(document, "token"));

    if (!token || !*token)
        token = json_string_value(json_object_get(document, "access_token"));

    bool plain = token && *token;

    for (const char *c = token; plain && *c; c++)
        plain = *c > ' ' && *c < 0x7F;

    char *header = plain ? mem_printf("Authorization: Bearer %s", token) : NULL;

    json_decref(document);
    return header;
}

/* "service=…&scope=…" */
static void append_question(struct buf *out, const struct registry *registry, const struct http_challenge *challenge)
{
    cleanup_free char *scope = mem_printf("repository:%s:%s", registry->place->repository, registry->actions);

    if (*challenge->service) {
        buf_append_text(out, "service=");
        sigv4_append_encoded(out, challenge->service, false);
        buf_append_char(out, '&');
    }
    buf_append_text(out, "scope=");
    sigv4_append_encoded(out, scope, false);
}

static int ask_for_token(struct registry *registry, const struct http_challenge *challenge, struct http_response *response, struct error *err)
{
    const struct registry_login *login = &registry->credentials.login;
    cleanup_secret struct buf question = BUF_INIT(FORM_MAX);
    cleanup_free char *basic = login->user && !login->identity_token ? basic_header(login) : NULL;
    const char *const headers[] = {basic};
    struct http_request request = {.method = "GET", .url = challenge->realm, .headers = headers, .header_count = basic ? 1 : 0,
                                   .timeout_ns = QUESTION_TIMEOUT_NS};

    if (login->identity_token) {
        buf_append_text(&question, "grant_type=refresh_token&client_id=roibench&");
        append_question(&question, registry, challenge);
        buf_append_text(&question, "&refresh_token=");
        sigv4_append_encoded(&question, login->identity_token, false);
        request.method = "POST";
        request.content_type = "application/x-www-form-urlencoded";
        request.body = buf_text(&question);
        request.length = question.len;
    } else {
        buf_printf(&question, "%s%c", challenge->realm, strchr(challenge->realm, '?') ? '&' : '?');
        append_question(&question, registry, challenge);
        request.url = buf_text(&question);
    }

    const int result = http_client_request(registry->client, &request, response, err);

    if (basic)
        OPENSSL_cleanse(basic, strlen(basic));
    return result;
}

/* Sets registry->authorization by who gives the registry's tokens. */
static int fetch_token(struct registry *registry, const struct http_challenge *challenge, struct delivery *delivery, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *shown = http_url_redacted(challenge->realm);
    cleanup_free char *what = mem_printf("asking %s for a token", shown);

    if (http_url_check(challenge->realm, err) < 0) {
        error_reclass(err, ERROR_PUBLISH);
        return error_wrap(err, "%s names who gives its tokens", registry->place->host);
    }
    if (http_url_is_https(registry->place->base) && !http_url_is_https(challenge->realm))
        return error_set(err, ERROR_PUBLISH, "%s: the registry has its tokens given by %s, without TLS: no credentials are sent there",
                         registry->place->host, shown);
    if (ask_for_token(registry, challenge, &response, err) < 0) {
        if (delivery)
            answer_note(&response, delivery);
        return error_reclass(err, ERROR_PUBLISH);
    }
    if (response.status != 200)
        return registry_fail(registry, what, &response, delivery, err);
    registry->authorization = read_token(&response.body);
    if (response.body.data)
        OPENSSL_cleanse(response.body.data, response.body.cap);
    return registry->authorization ? 0 : error_set(err, ERROR_PUBLISH, "%s: HTTP 200, but there is no token in the answer", what);
}

static bool find_challenge(const struct registry *registry, const char *scheme, struct http_challenge *challenge)
{
    const char *header;

    for (size_t k = 0; (header = http_client_header(registry->client, "WWW-Authenticate", k)) != NULL; k++) {
        if (http_challenge_find(header, scheme, challenge))
            return true;
    }
    return false;
}

/* After a 401, whose headers are still there. 1: there is something new to try; 0: there is not; -1. */
static int authenticate(struct registry *registry, struct delivery *delivery, struct error *err)
{
    struct http_challenge bearer, basic;
    const bool wants_bearer = find_challenge(registry, "Bearer", &bearer), wants_basic = find_challenge(registry, "Basic", &basic);
    const struct registry_login *login = &registry->credentials.login;

    if (!registry->looked && registry_credentials_find(registry->place, registry->settings, &registry->credentials, err) < 0)
        return -1;
    registry->looked = true;
    forget(&registry->authorization);
    if (wants_bearer && login->registry_token)
        registry->authorization = mem_printf("Authorization: Bearer %s", login->registry_token);
    else if (wants_bearer)
        return fetch_token(registry, &bearer, delivery, err) < 0 ? -1 : 1;
    else if (wants_basic && login->user)
        registry->authorization = basic_header(login);
    return registry->authorization ? 1 : 0;
}

/* ---- one call ---- */

/* Credentials go to the registry alone. */
static bool is_ours(const struct registry *registry, const char *url)
{
    return http_url_same_host(registry->place->base, url) && (http_url_is_https(url) || !http_url_is_https(registry->place->base));
}

static int send_once(struct registry *registry, const struct registry_call *call, const char *url, struct http_response *response,
                     struct delivery *delivery, struct error *err)
{
    const char *headers[2];
    size_t count = 0;
    cleanup_free char *accept = call->accept ? mem_printf("Accept: %s", call->accept) : NULL;
    cleanup_with(archive_stream_close) struct archive_stream *stream = call->plan ? archive_stream_open(call->plan) : NULL;
    struct archive_source source = {.stream = stream};

    if (accept)
        headers[count++] = accept;
    if (registry->authorization && is_ours(registry, url))
        headers[count++] = registry->authorization;

    const struct http_request request = {
        .method = call->method, .url = url, .content_type = call->content_type, .headers = headers, .header_count = count, .body = call->body,
        .read = call->plan ? archive_source_read : NULL, .read_context = &source, .length = call->plan ? call->plan->size : call->length,
        .take = call->take, .take_context = call->take_context,
        .timeout_ns = call->plan || call->take ? 0 : QUESTION_TIMEOUT_NS, .stall_timeout_ns = registry->settings->stall_timeout_ns,
    };
    const int result = http_client_request(registry->client, &request, response, err);

    if (source.err.class != ERROR_NONE) {
        if (err)
            *err = source.err;
        return error_reclass(err, ERROR_PUBLISH);
    }
    if (result == 0)
        return 0;
    if (delivery)
        answer_note(response, delivery);
    return error_reclass(err, ERROR_PUBLISH);
}

int registry_call(struct registry *registry, const struct registry_call *call, struct http_response *response, struct delivery *delivery,
                  struct error *err)
{
    cleanup_free char *own = call->path ? mem_printf("%s/v2/%s/%s", registry->place->base, registry->place->repository, call->path) : NULL;
    const char *url = own ? own : call->url;

    *response = (struct http_response){0};
    if (send_once(registry, call, url, response, delivery, err) < 0)
        return -1;
    if (response->status != 401 || !is_ours(registry, url))
        return 0;

    const int result = authenticate(registry, delivery, err);

    if (result <= 0)
        return result;
    http_response_free(response);
    return send_once(registry, call, url, response, delivery, err);
}
