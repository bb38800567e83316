#include "net/http_client.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "net/curl_error.h"
#include "net/curl_setup.h"

/* How long a signal that did not interrupt the waiting may go unnoticed. */
#define HTTP_POLL_MS 20
#define HTTP_CONNECT_MS_MAX 30000

struct http_client {
    struct net_setup *setup;
    const stop_flag *stop;
    atomic_bool aborted;
    CURLM *multi;
    CURL *easy;
    char text[CURL_ERROR_SIZE];
};

/* One request on its way. */
struct http_exchange {
    struct http_client *client;
    const char *method, *url;
    struct http_response *response;
    long (*read)(void *context, char *bytes, size_t size);
    void *read_context;
    bool (*take)(void *context, const char *bytes, size_t length); /* NULL: the body is collected */
    void *take_context;
    bool taken_enough;
    uint64_t left;            /* bytes still to be read */
    const char *own_message;  /* why a callback of ours gave up; NULL: none did */
    enum http_trouble own_trouble;
};

struct http_client *http_client_new(const struct net_settings *settings, struct error *err)
{
    struct net_setup *setup = net_setup_new(settings, err);

    if (!setup)
        return NULL;

    struct http_client *client = mem_alloc(sizeof *client);

    client->setup = setup;
    client->stop = settings->stop;
    client->multi = curl_multi_init();
    client->easy = curl_easy_init();
    if (!client->multi || !client->easy)
        abort();
    return client;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->easy);
    curl_multi_cleanup(client->multi);
    net_setup_free(client->setup);
    free(client);
}

void http_client_abort(struct http_client *client)
{
    client->aborted = true;
    curl_multi_wakeup(client->multi);
}

void http_response_free(struct http_response *response)
{
    buf_free(&response->body);
}

/* ---- callbacks of libcurl ---- */

static size_t http_client_take(char *bytes, size_t size, size_t count, void *context)
{
    struct http_exchange *exchange = context;
    long status = 0;

    curl_easy_getinfo(exchange->client->easy, CURLINFO_RESPONSE_CODE, &status);
    if (exchange->take && status / 100 == 2) {
        exchange->taken_enough = !exchange->take(exchange->take_context, bytes, size * count);
        return exchange->taken_enough ? CURL_WRITEFUNC_ERROR : size * count;
    }
    if (buf_append(&exchange->response->body, bytes, size * count) == 0)
        return size * count;
    exchange->own_message = "the response is larger than 32 MiB";
    exchange->own_trouble = HTTP_BROKEN;
    return CURL_WRITEFUNC_ERROR;
}

static size_t http_client_give(char *bytes, size_t size, size_t count, void *context)
{
    struct http_exchange *exchange = context;
    size_t room = size * count;

    if (room > exchange->left)
        room = (size_t)exchange->left;
    if (room == 0)
        return 0;

    const long got = exchange->read(exchange->read_context, bytes, room);

    if (got > 0 && (size_t)got <= room) {
        exchange->left -= (uint64_t)got;
        return (size_t)got;
    }
    exchange->own_message = got == 0 ? "the data ended before the announced length" : "reading the data failed";
    exchange->own_trouble = HTTP_LOCAL;
    return CURL_READFUNC_ABORT;
}

/* ---- one exchange ---- */

static long http_client_ms(int64_t ns)
{
    const int64_t ms = ns / NS_PER_MS;

    return ms < 1 ? 1 : ms > INT32_MAX ? INT32_MAX : (long)ms;
}

static void http_client_prepare(struct http_exchange *exchange, struct curl_slist *headers)
{
    CURL *easy = exchange->client->easy;

    curl_easy_reset(easy);
    net_setup_apply(exchange->client->setup, easy);
    exchange->client->text[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->client->text);
    curl_easy_setopt(easy, CURLOPT_URL, exchange->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_client_take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    *exchange->response = (struct http_response){.body = BUF_INIT(HTTP_RESPONSE_MAX), .date_ns = TIME_NEVER, .retry_after_ns = -1};
}

static void http_client_limit(CURL *easy, int64_t timeout_ns)
{
    const long ms = http_client_ms(timeout_ns);

    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms < HTTP_CONNECT_MS_MAX ? ms : HTTP_CONNECT_MS_MAX);
}

static bool http_client_must_stop(const struct http_client *client)
{
    return client->aborted || (client->stop && *client->stop);
}

/* Drives the handle to its end; CURLE_ABORTED_BY_CALLBACK when a signal or http_client_abort asked to stop. */
static CURLcode http_client_drive(struct http_client *client)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;

    curl_multi_add_handle(client->multi, client->easy);
    while (!http_client_must_stop(client)) {
        if (curl_multi_perform(client->multi, &running) != CURLM_OK) {
            result = CURLE_FAILED_INIT;
            break;
        }

        int left;
        const CURLMsg *done = curl_multi_info_read(client->multi, &left);

        if (done) {
            result = done->data.result;
            break;
        }
        curl_multi_poll(client->multi, NULL, 0, HTTP_POLL_MS, NULL);
    }
    curl_multi_remove_handle(client->multi, client->easy);
    return result;
}

static void http_client_copy_header(CURL *easy, const char *name, char *out, size_t size)
{
    struct curl_header *header;

    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        snprintf(out, size, "%s", header->value);
}

static void http_client_note(struct http_exchange *exchange)
{
    struct http_response *response = exchange->response;
    CURL *easy = exchange->client->easy;
    curl_off_t total = 0, length = -1;
    const char *location = NULL;
    char date[64] = "", retry_after[64] = "";
    int64_t retry_after_s = -1;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total);
    curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &location);
    response->status = (int)status;
    response->content_length = length;
    response->total_ns = total * NS_PER_US;
    http_client_copy_header(easy, "ETag", response->etag, sizeof response->etag);
    http_client_copy_header(easy, "Server", response->server, sizeof response->server);
    http_client_copy_header(easy, "Date", date, sizeof date);
    http_client_copy_header(easy, "Retry-After", retry_after, sizeof retry_after);
    if (units_parse_integer(retry_after, &retry_after_s) < 0 || retry_after_s < 0)
        retry_after_s = -1;
    response->retry_after_ns = retry_after_s < 0 ? -1 : NS_PER_S * (retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S);

    const time_t seconds = curl_getdate(date, NULL);

    response->date_ns = seconds > 0 && seconds < INT64_MAX / NS_PER_S ? seconds * NS_PER_S : TIME_NEVER;
    snprintf(response->location, sizeof response->location, "%s", location ? location : "");
}

static enum http_trouble http_client_trouble(enum transport_result result)
{
    switch (result) {
    case TRANSPORT_OK:
        return HTTP_FINE;
    case TRANSPORT_DNS:
        return HTTP_DNS;
    case TRANSPORT_LOCAL:
        return HTTP_LOCAL;
    case TRANSPORT_CONNECT:
        return HTTP_CONNECT;
    case TRANSPORT_TLS:
        return HTTP_TLS;
    case TRANSPORT_TIMEOUT:
    case TRANSPORT_STALL:
        return HTTP_TIMEOUT;
    case TRANSPORT_CANCELLED:
        return HTTP_STOPPED;
    case TRANSPORT_RESET:
    case TRANSPORT_TRUNCATED:
    case TRANSPORT_PROTOCOL:
        break;
    }
    return HTTP_BROKEN;
}

static void http_client_explain(struct http_exchange *exchange, CURLcode code)
{
    struct http_response *response = exchange->response;
    curl_off_t begun = 0;
    struct net_failure failure = {.code = code, .text = exchange->client->text, .url = exchange->url};

    if (exchange->own_message) {
        response->trouble = exchange->own_trouble;
        snprintf(response->message, sizeof response->message, "%s", exchange->own_message);
        return;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        response->trouble = HTTP_STOPPED;
        snprintf(response->message, sizeof response->message, "%s", exchange->client->aborted ? "aborted" : "stopped by a signal");
        return;
    }
    curl_easy_getinfo(exchange->client->easy, CURLINFO_OS_ERRNO, &failure.errno_value);
    curl_easy_getinfo(exchange->client->easy, CURLINFO_PRETRANSFER_TIME_T, &begun);
    failure.sent = begun > 0;
    response->trouble = http_client_trouble(net_failure_class(&failure));
    if (code == CURLE_OPERATION_TIMEDOUT)
        response->trouble = HTTP_TIMEOUT;
    net_failure_describe(&failure, response->message, sizeof response->message);
}

static int http_client_exchange(struct http_exchange *exchange, struct error *err)
{
    const CURLcode code = http_client_drive(exchange->client);

    http_client_note(exchange);
    if (code == CURLE_OK || exchange->taken_enough)
        return 0;
    http_client_explain(exchange, code);

    cleanup_free char *shown = http_url_redacted(exchange->url);

    return error_set(err, ERROR_TARGET, "%s %s: %s", exchange->method, shown, exchange->response->message);
}

CLEANUP_DEFINE(struct curl_slist, curl_slist_free_all)

/* What is not GET, HEAD or has a body: the verb is the caller's, the kind of transfer libcurl's. */
static void http_client_set_body(struct http_exchange *exchange, const struct http_request *request)
{
    CURL *easy = exchange->client->easy;

    if (request->read) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->length);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, http_client_give);
        curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
    } else if (request->body || strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void http_client_set_limits(CURL *easy, const struct http_request *request)
{
    if (request->timeout_ns > 0)
        http_client_limit(easy, request->timeout_ns);
    else
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, http_client_ms(request->stall_timeout_ns));
    if (request->stall_timeout_ns > 0) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (http_client_ms(request->stall_timeout_ns) + 999) / 1000);
    }
}

int http_client_request(struct http_client *client, const struct http_request *request, struct http_response *response, struct error *err)
{
    struct http_exchange exchange = {
        .client = client,
        .method = request->method,
        .url = request->url,
        .response = response,
        .read = request->read,
        .read_context = request->read_context,
        .take = request->take,
        .take_context = request->take_context,
        .left = request->length,
    };
    cleanup_with(curl_slist_free_all) struct curl_slist *headers =
        net_setup_headers(client->setup, request->content_type, request->headers, request->header_count, !request->body);

    http_client_prepare(&exchange, headers);
    http_client_set_limits(client->easy, request);
    http_client_set_body(&exchange, request);
    return http_client_exchange(&exchange, err);
}

const char *http_client_header(const struct http_client *client, const char *name, size_t index)
{
    struct curl_header *header;

    return curl_easy_header(client->easy, name, index, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : NULL;
}

/* ---- the usual ones ---- */

int http_client_get(struct http_client *client, const char *url, int64_t timeout_ns, struct http_response *response, struct error *err)
{
    return http_client_request(client, &(struct http_request){.method = "GET", .url = url, .timeout_ns = timeout_ns}, response, err);
}

int http_client_stream(struct http_client *client, const char *url, int64_t timeout_ns, bool (*take)(void *context, const char *bytes, size_t length),
                       void *context, struct http_response *response, struct error *err)
{
    const struct http_request request = {.method = "GET", .url = url, .timeout_ns = timeout_ns, .take = take, .take_context = context};

    return http_client_request(client, &request, response, err);
}

int http_client_head(struct http_client *client, const char *url, int64_t timeout_ns, struct http_response *response, struct error *err)
{
    return http_client_request(client, &(struct http_request){.method = "HEAD", .url = url, .timeout_ns = timeout_ns}, response, err);
}

int http_client_post(struct http_client *client, const char *url, const char *body, size_t length, int64_t timeout_ns,
                     struct http_response *response, struct error *err)
{
    const struct http_request request = {
        .method = "POST", .url = url, .content_type = "application/json", .body = body, .length = length, .timeout_ns = timeout_ns};

    return http_client_request(client, &request, response, err);
}

/* NOLINTNEXTLINE(readability-function-size): nine parameters, each of them the caller's to say */
int http_client_put(struct http_client *client, const char *url, const char *content_type, uint64_t length,
                    long (*read)(void *context, char *bytes, size_t size), void *context, int64_t stall_timeout_ns,
                    struct http_response *response, struct error *err)
{
    const struct http_request request = {.method = "PUT", .url = url, .content_type = content_type, .length = length, .read = read,
                                         .read_context = context, .stall_timeout_ns = stall_timeout_ns};

    return http_client_request(client, &request, response, err);
}
