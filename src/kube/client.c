#include "kube/client.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/http_client.h"

#define TIMEOUT_NS (10 * NS_PER_S) /* of one try */
#define PAUSE_FIRST_NS (200 * NS_PER_MS)
#define PAUSE_MAX_NS (10 * NS_PER_S)
#define TOKEN_MAX ((size_t)64 << 10)
#define URL_MAX ((size_t)16 << 10) /* a continue token may be long */
#define NAME_MAX_LENGTH 253
#define MESSAGE_MAX 600

struct kube_client {
    char *url, *token_file, *ca_file;
    const struct clock *clock;
    const stop_flag *stop;
    char *token;              /* that http sends; NULL none */
    struct http_client *http; /* NULL: none yet */
};

CLEANUP_DEFINE(struct kube_client, kube_client_free)

char *kube_url(const char *host, const char *port)
{
    const char *left = strchr(host, ':') ? "[" : "", *right = left[0] ? "]" : "";
    return mem_printf("https://%s%s%s:%s", left, host, right, port);
}

bool kube_is_name(const char *text)
{
    size_t length = strlen(text);
    for (size_t k = 0; k < length; k++) {
        bool alphanumeric = islower((unsigned char)text[k]) || isdigit((unsigned char)text[k]);
        if (!alphanumeric && (k == 0 || k == length - 1 || !strchr("-.", text[k])))
            return false;
    }
    return length > 0 && length <= NAME_MAX_LENGTH;
}

/* ---- who asks ---- */

static int read_token(const char *path, char **token, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TOKEN_MAX);
    if (file_read(path, &text, ERROR_TARGET, err) < 0)
        return error_wrap(err, "the service account's token");
    while (text.len > 0 && isspace((unsigned char)text.data[text.len - 1]))
        text.data[--text.len] = '\0';
    if (text.len == 0)
        return error_set(err, ERROR_TARGET, "the service account's token: %s is empty", path);
    *token = buf_steal(&text);
    return 0;
}

/* The connection is kept as long as the token is the same. */
static int renew(struct kube_client *client, struct error *err)
{
    cleanup_free char *token = NULL;
    if (client->token_file && read_token(client->token_file, &token, err) < 0)
        return -1;
    if (client->http && (!token || strcmp(token, client->token) == 0))
        return 0;
    struct net_settings settings = {.ca_file = client->ca_file, .api_key = token, .stop = client->stop};
    struct http_client *http = http_client_new(&settings, err);
    if (!http)
        return error_reclass(err, ERROR_TARGET);
    http_client_free(client->http);
    free(client->token);
    client->http = http;
    client->token = steal_pointer(&token);
    return 0;
}

struct kube_client *kube_client_new(const struct kube_settings *settings, struct error *err)
{
    cleanup_with(kube_client_free) struct kube_client *client = mem_alloc(sizeof *client);
    client->url = mem_strdup(settings->url);
    client->token_file = settings->token_file ? mem_strdup(settings->token_file) : NULL;
    client->ca_file = settings->ca_file ? mem_strdup(settings->ca_file) : NULL;
    client->clock = settings->clock;
    client->stop = settings->stop;
    if (http_url_check(client->url, err) < 0 || renew(client, err) < 0)
        return NULL;
    return steal_pointer(&client);
}

void kube_client_free(struct kube_client *client)
{
    if (!client)
        return;
    http_client_free(client->http);
    free(client->url);
    free(client->token_file);
    free(client->ca_file);
    free(client->token);
    free(client);
}

/* ---- what is asked ---- */

struct kube_request {
    const char *verb;
    const struct kube_resource *resource;
    const char *query; /* "?limit=50", or "" */
    const struct buf *body; /* of a POST; NULL: a GET */
};

static void append_escaped(struct buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (isalnum(*c) || strchr("-._~", *c))
            buf_append_char(out, (char)*c);
        else
            buf_printf(out, "%%%02X", *c);
}

static void append_url(struct buf *out, const struct kube_client *client, const struct kube_request *request)
{
    const struct kube_resource *resource = request->resource;
    buf_append_text(out, client->url);
    if (resource->group[0])
        buf_printf(out, "/apis/%s/%s", resource->group, resource->version);
    else
        buf_printf(out, "/api/%s", resource->version);
    if (resource->namespace) {
        buf_append_text(out, "/namespaces/");
        append_escaped(out, resource->namespace);
    }
    buf_printf(out, "/%s", resource->plural);
    if (resource->name) {
        buf_append_char(out, '/');
        append_escaped(out, resource->name);
    }
    buf_append_text(out, request->query);
}

/* "get inferenceservices.serving.kserve.io/mistral in namespace private-ai" */
static void append_what(struct buf *out, const struct kube_request *request)
{
    const struct kube_resource *resource = request->resource;
    buf_printf(out, "%s %s%s%s%s%.100s", request->verb, resource->plural, resource->group[0] ? "." : "", resource->group, resource->name ? "/" : "",
               resource->name ? resource->name : "");
    if (resource->namespace)
        buf_printf(out, " in namespace %.100s", resource->namespace);
}

/* ---- what comes back ---- */

/* The API's Status has a message; another server's body is not shown. */
static void copy_message(const struct http_response *response, char *out, size_t size)
{
    json_t *status = json_loadb(buf_text(&response->body), response->body.len, 0, NULL);
    const char *message = json_string_value(json_object_get(status, "message"));
    snprintf(out, size, "%s%s", message ? ": " : "", message ? message : "");
    for (char *c = out; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    json_decref(status);
}

static enum kube_outcome refuse(const struct kube_client *client, const struct kube_request *request, const struct http_response *response,
                                struct error *err)
{
    const struct kube_resource *resource = request->resource;
    cleanup_buf struct buf what = BUF_INIT(ERROR_TEXT_MAX);
    char message[MESSAGE_MAX];
    append_what(&what, request);
    copy_message(response, message, sizeof message);
    switch (response->status) {
    case 404:
        error_set(err, ERROR_TARGET, "Kubernetes has none: %s%s", buf_text(&what), message);
        return KUBE_NOT_FOUND;
    case 401:
        error_set(err, ERROR_TARGET, "Kubernetes does not know who asks (HTTP 401): %s%s%s", buf_text(&what), message,
                  client->token_file ? ". Has the service account's token expired?" : "");
        return KUBE_FORBIDDEN;
    case 403:
        error_set(err, ERROR_TARGET, "Kubernetes forbids it: %s%s. A rule of a %s permits it: apiGroups: [\"%s\"], resources: [%s], verbs: [%s]",
                  buf_text(&what), message, resource->namespace ? "Role in that namespace" : "ClusterRole", resource->group, resource->plural,
                  request->verb);
        return KUBE_FORBIDDEN;
    case 409:
        error_set(err, ERROR_TARGET, "Kubernetes has one already: %s%s", buf_text(&what), message);
        return KUBE_EXISTS;
    default:
        error_set(err, ERROR_TARGET, "Kubernetes answers HTTP %d: %s%s", response->status, buf_text(&what), message);
        return KUBE_FAILED;
    }
}

static enum kube_outcome judge(const struct kube_client *client, const struct kube_request *request, const struct http_response *response,
                               json_t **object, struct error *err)
{
    cleanup_buf struct buf what = BUF_INIT(ERROR_TEXT_MAX);
    struct json_reader reader;
    if (response->status / 100 != 2)
        return refuse(client, request, response, err);
    append_what(&what, request);
    *object = json_parse(&reader, buf_text(&response->body), response->body.len, buf_text(&what), NULL, err);
    if (json_is_object(*object))
        return KUBE_OK;
    if (*object) {
        json_decref(*object);
        error_set(err, ERROR_TARGET, "%s: expected an object", buf_text(&what));
    }
    error_reclass(err, ERROR_TARGET);
    error_wrap(err, "%s is no API of Kubernetes", client->url);
    return KUBE_FAILED;
}

/* Is it worth another try? What may have been done is not done twice. */
static bool may_pass(const struct kube_request *request, const struct http_response *response)
{
    bool refused = response->status == 429 || response->trouble == HTTP_CONNECT;
    return refused || (!request->body && (response->status / 100 == 5 || response->trouble == HTTP_BROKEN));
}

static int send_request(struct kube_client *client, const struct kube_request *request, const char *url, struct http_response *response, struct error *err)
{
    if (!request->body)
        return http_client_get(client->http, url, TIMEOUT_NS, response, err);
    return http_client_post(client->http, url, buf_text(request->body), request->body->len, TIMEOUT_NS, response, err);
}

static enum kube_outcome try_once(struct kube_client *client, const struct kube_request *request, json_t **object, bool *again,
                                  int64_t *retry_after_ns, struct error *err)
{
    cleanup_buf struct buf url = BUF_INIT(URL_MAX);
    struct http_response response;
    enum kube_outcome outcome = KUBE_FAILED;
    *again = false;
    append_url(&url, client, request);
    if (renew(client, err) < 0)
        return KUBE_FAILED;
    if (url.overflowed) {
        error_set(err, ERROR_TARGET, "the API's URL is longer than %zu bytes", URL_MAX);
        return KUBE_FAILED;
    }
    if (send_request(client, request, buf_text(&url), &response, err) == 0)
        outcome = judge(client, request, &response, object, err);
    *again = outcome == KUBE_FAILED && may_pass(request, &response);
    *retry_after_ns = response.retry_after_ns;
    http_response_free(&response);
    return outcome;
}

static enum kube_outcome ask(struct kube_client *client, const struct kube_request *request, json_t **object, struct error *err)
{
    int64_t pause = PAUSE_FIRST_NS, retry_after;
    for (int tries = 1;; tries++, pause *= 2) {
        bool again;
        enum kube_outcome outcome = try_once(client, request, object, &again, &retry_after, err);
        if (!again || tries == KUBE_TRIES || (client->stop && *client->stop))
            return outcome;
        int64_t wait = retry_after < 0 ? pause : retry_after < PAUSE_MAX_NS ? retry_after : PAUSE_MAX_NS;
        clock_sleep_until(client->clock, clock_now(client->clock) + wait);
    }
}

enum kube_outcome kube_get(struct kube_client *client, const struct kube_resource *resource, json_t **object, struct error *err)
{
    const struct kube_request request = {.verb = "get", .resource = resource, .query = ""};
    return ask(client, &request, object, err);
}

/* One page onto *items. *next is what the following one is asked by; NULL: it was the last. */
static enum kube_outcome list_page(struct kube_client *client, const struct kube_resource *resource, const char *labels, json_t *items, char **next,
                                   struct error *err)
{
    cleanup_buf struct buf query = BUF_INIT(URL_MAX);
    json_t *page = NULL;
    buf_printf(&query, "?limit=%d", KUBE_PAGE);
    if (labels) {
        buf_append_text(&query, "&labelSelector=");
        append_escaped(&query, labels);
    }
    if (*next) {
        buf_append_text(&query, "&continue=");
        append_escaped(&query, *next);
    }
    const struct kube_request request = {.verb = "list", .resource = resource, .query = buf_text(&query)};
    enum kube_outcome outcome = ask(client, &request, &page, err);
    free(*next);
    *next = NULL;
    if (outcome != KUBE_OK)
        return outcome;
    json_array_extend(items, json_object_get(page, "items"));
    const char *more = json_string_value(json_object_get(json_object_get(page, "metadata"), "continue"));
    *next = more && more[0] ? mem_strdup(more) : NULL;
    json_decref(page);
    return KUBE_OK;
}

enum kube_outcome kube_list(struct kube_client *client, const struct kube_resource *resource, const char *labels, json_t **items,
                            struct error *err)
{
    enum kube_outcome outcome;
    char *next = NULL;
    *items = json_array();
    do
        outcome = list_page(client, resource, labels, *items, &next, err);
    while (outcome == KUBE_OK && next && json_array_size(*items) <= KUBE_LIST_MAX);
    if (outcome == KUBE_OK && (next || json_array_size(*items) > KUBE_LIST_MAX)) {
        error_set(err, ERROR_TARGET, "there are more than %d %s in namespace %s", KUBE_LIST_MAX, resource->plural, resource->namespace);
        outcome = KUBE_FAILED;
    }
    free(next);
    if (outcome == KUBE_OK)
        return KUBE_OK;
    json_decref(*items);
    *items = NULL;
    return outcome;
}

enum kube_outcome kube_create(struct kube_client *client, const struct kube_resource *resource, const json_t *object, json_t **created, struct error *err)
{
    cleanup_buf struct buf body = BUF_INIT(KUBE_LINE_MAX);
    json_append_compact(object, &body);
    const struct kube_request request = {.verb = "create", .resource = resource, .query = "", .body = &body};
    if (!body.overflowed)
        return ask(client, &request, created, err);
    error_set(err, ERROR_TARGET, "the object to create is larger than %zu bytes", KUBE_LINE_MAX);
    return KUBE_FAILED;
}

/* ---- watching ---- */

struct watching {
    kube_event *event;
    void *context;
    struct buf line;
    char fault[MESSAGE_MAX]; /* what the API, or the line, had wrong; "" nothing */
};

/* {"type":"MODIFIED","object":{...}} */
static bool take_line(struct watching *watching)
{
    json_t *line = json_loadb(buf_text(&watching->line), watching->line.len, 0, NULL);
    const char *type = json_string_value(json_object_get(line, "type"));
    const json_t *object = json_object_get(line, "object");
    bool go_on = false;
    if (!type || !json_is_object(object)) {
        snprintf(watching->fault, sizeof watching->fault, "a line is no event");
    } else if (strcmp(type, "ERROR") == 0) {
        const char *message = json_string_value(json_object_get(object, "message"));
        snprintf(watching->fault, sizeof watching->fault, "%s", message ? message : "an error without a message");
    } else {
        go_on = strcmp(type, "BOOKMARK") == 0 || watching->event(watching->context, type, object);
    }
    json_decref(line);
    buf_reset(&watching->line);
    return go_on;
}

static bool take_bytes(void *context, const char *bytes, size_t length)
{
    struct watching *watching = context;
    for (const char *end; (end = memchr(bytes, '\n', length)); length -= (size_t)(end + 1 - bytes), bytes = end + 1) {
        if (buf_append(&watching->line, bytes, (size_t)(end - bytes)) < 0)
            break;
        if (watching->line.len > 0 && !take_line(watching))
            return false;
    }
    if (buf_append(&watching->line, bytes, length) == 0)
        return true;
    snprintf(watching->fault, sizeof watching->fault, "a line is longer than %zu bytes", KUBE_LINE_MAX);
    return false;
}

static void append_watch_query(struct buf *query, const char *name, const char *version, int64_t wait_ns)
{
    int64_t seconds = (wait_ns + NS_PER_S - 1) / NS_PER_S;
    buf_printf(query, "?watch=true&timeoutSeconds=%lld&resourceVersion=", (long long)(seconds > 0 ? seconds : 1));
    append_escaped(query, version);
    if (name) {
        buf_append_text(query, "&fieldSelector=metadata.name%3D");
        append_escaped(query, name);
    }
}

enum kube_outcome kube_watch(struct kube_client *client, const struct kube_resource *resource, const char *version, int64_t wait_ns, kube_event *event,
                             void *context, struct error *err)
{
    cleanup_buf struct buf query = BUF_INIT(URL_MAX), url = BUF_INIT(URL_MAX), what = BUF_INIT(ERROR_TEXT_MAX);
    struct watching watching = {.event = event, .context = context, .line = BUF_INIT(KUBE_LINE_MAX)};
    struct kube_resource all = *resource; /* one object is watched as a list of one */
    struct http_response response;
    append_watch_query(&query, resource->name, version, wait_ns);
    all.name = NULL;
    const struct kube_request request = {.verb = "watch", .resource = &all, .query = buf_text(&query)};
    append_url(&url, client, &request);
    append_what(&what, &request);
    if (renew(client, err) < 0)
        return KUBE_FAILED;
    int status = http_client_stream(client->http, buf_text(&url), wait_ns + TIMEOUT_NS, take_bytes, &watching, &response, err);
    enum kube_outcome outcome = status < 0 ? KUBE_FAILED : response.status / 100 == 2 ? KUBE_OK : refuse(client, &request, &response, err);
    if (outcome == KUBE_OK && watching.fault[0]) {
        error_set(err, ERROR_TARGET, "Kubernetes ends it: %s: %s", buf_text(&what), watching.fault);
        outcome = KUBE_FAILED;
    }
    buf_free(&watching.line);
    http_response_free(&response);
    return outcome;
}
