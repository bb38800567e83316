/* One HTTP request at a time, waited for: what prepare, the scraper and publish need.
 *
 * The client owns a libcurl handle, so consecutive requests to one host reuse
 * the connection. One client belongs to one thread. net/curl_setup does what
 * every handle needs: TLS verified unless the user said otherwise, roots from --cacert, SSL_CERT_FILE,
 * the usual bundle paths and the pod's service CA; proxies from the environment
 * as libcurl reads them; only http and https. Redirects are not followed: what is
 * measured must be named, and a key must not travel on; the response is then the
 * 3xx one, with `location`. The program must ignore SIGPIPE (OpenSSL writes with
 * write(2)).
 *
 * The API key travels in an Authorization header and stands in no error text. */
#ifndef ROIBENCH_NET_HTTP_CLIENT_H
#define ROIBENCH_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/stop.h"

#define RETRY_AFTER_MAX_S 86400
#define HTTP_RESPONSE_MAX ((size_t)32 << 20) /* a response body larger than this is an error */

struct net_settings {
    const char *ca_file;  /* --cacert: these roots and no others. NULL: those found as above */
    const char *ca_environment; /* the value of SSL_CERT_FILE; used before the usual bundle if it can be read; NULL: not set */
    bool insecure;        /* --insecure: whoever answers is believed */
    const char *api_key;  /* NULL: no Authorization header */
    const char *const *headers; /* "Name: value" of every request; net_header_check */
    size_t header_count;
    const char *user_agent; /* NULL: "roibench/<version>" */
    const stop_flag *stop; /* becomes non-zero when a signal asked us to stop; may be NULL */
};

/* Is this "Name: value" as HTTP has it, and a header that is the user's to set? Content-Length, Host and the like are ours.
 * ERROR_USAGE; the value may be a secret and is not repeated. */
int net_header_check(const char *header, struct error *err);
/* The length of its name. */
size_t net_header_name_length(const char *header);

struct http_client;
struct http_client *http_client_new(const struct net_settings *settings, struct error *err); /* copies what it keeps */
void http_client_free(struct http_client *client);
/* The request under way, and every later one, ends at once as HTTP_STOPPED. The one call that another thread may make. */
void http_client_abort(struct http_client *client);

enum http_trouble { HTTP_FINE, HTTP_DNS, HTTP_CONNECT, HTTP_TLS, HTTP_TIMEOUT, HTTP_BROKEN, HTTP_STOPPED, HTTP_LOCAL };

struct http_response {
    int status;           /* 0: none came */
    enum http_trouble trouble;
    struct buf body;      /* buf_free it; whatever the status is */
    int64_t content_length; /* as the headers say; -1: they do not */
    int64_t total_ns;
    char etag[256];
    char location[1024];  /* of a redirect, made absolute; "" otherwise */
    int64_t date_ns;      /* realtime ns of Date, whole seconds; TIME_NEVER: it has none that can be read */
    int64_t retry_after_ns; /* what Retry-After says in whole seconds, RETRY_AFTER_MAX_S at most; -1: it says nothing, or a date */
    char server[64];      /* "" none */
    char message[512];    /* of trouble: "connection refused" */
};

/* GET, or POST of a JSON body (body not NULL). Returns 0 when a whole response came, whatever its status; -1 with *err
 * (ERROR_TARGET: "<method> <url>: <message>") and response->trouble otherwise. The response must be given to
 * http_response_free in both cases. timeout_ns is the limit for the whole request. */
int http_client_get(struct http_client *client, const char *url, int64_t timeout_ns, struct http_response *response, struct error *err);
int http_client_post(struct http_client *client, const char *url, const char *body, size_t length, int64_t timeout_ns,
                     struct http_response *response, struct error *err);

/* GET of a body that has no end of its own: of a 2xx response `take` gets the bytes as they come, and response->body stays empty. false ends
 * it, which is as good as an end. timeout_ns as above. Returns and errors as above. */
int http_client_stream(struct http_client *client, const char *url, int64_t timeout_ns, bool (*take)(void *context, const char *bytes, size_t length),
                       void *context, struct http_response *response, struct error *err);

/* HEAD: the status and headers that a GET would give, no body. Errors as above. */
int http_client_head(struct http_client *client, const char *url, int64_t timeout_ns, struct http_response *response, struct error *err);

/* PUT of `length` bytes that `read` delivers (returns bytes, 0 at the end, -1: give up). content_type as given.
 * No overall limit; gives up when nothing moves for stall_timeout_ns. */
int http_client_put(struct http_client *client, const char *url, const char *content_type, uint64_t length,
                    long (*read)(void *context, char *bytes, size_t size), void *context, int64_t stall_timeout_ns,
                    struct http_response *response, struct error *err);

/* Any request: what protocols on top of HTTP need. All texts are borrowed until it is over. */
struct http_request {
    const char *method;           /* "PATCH" */
    const char *url;
    const char *content_type;     /* NULL: no such header */
    const char *const *headers;   /* "Name: value" beside those of the settings; may hold secrets, which stand in no error text */
    size_t header_count;
    const char *body;             /* of `length` bytes; NULL: none, or by `read` as in http_client_put */
    long (*read)(void *context, char *bytes, size_t size);
    void *read_context;
    uint64_t length;
    bool (*take)(void *context, const char *bytes, size_t length); /* of a 2xx response, as in http_client_stream; NULL: response->body */
    void *take_context;
    int64_t timeout_ns;           /* of the whole; 0: no limit but the next */
    int64_t stall_timeout_ns;     /* gives up when nothing moves for so long; 0: only the limit before */
};
/* Returns and errors as http_client_get. */
int http_client_request(struct http_client *client, const struct http_request *request, struct http_response *response, struct error *err);
/* The value of the index-th header of that name in the response that came last; NULL: there is none. Valid until the next request. */
const char *http_client_header(const struct http_client *client, const char *name, size_t index);
void http_response_free(struct http_response *response);

/* "http://user:secret@host/x?token=1" -> "http://host/x": what may stand in logs, files and errors. free() it. */
char *http_url_redacted(const char *url);
bool http_url_ends_in_v1(const char *url);
bool http_url_is_https(const char *url);
/* What a Location header means to who asked `base`: a whole URL, or a place on base's host. NULL: neither. free() it. */
char *http_url_resolve(const char *base, const char *location);
/* The same host name and port; a server's https beside its http, both on their usual ports, is the same too. Both pass http_url_check. */
bool http_url_same_host(const char *a, const char *b);
/* "<target's root><path>": /metrics, /version and /tokenize stand beside /v1. "http://h/v1" and "/metrics" -> "http://h/metrics". free() it. */
char *http_url_beside(const char *target, const char *path);
/* Appends the addresses that the URL's host has, "10.0.0.1,10.0.0.2"; of one that is an address itself, "an address". ERROR_TARGET: it has
 * none here. Blocks as long as getaddrinfo(3) does. */
int http_url_look_up(const char *url, struct buf *addresses, struct error *err);
/* Scheme http or https, a host, no user part, no spaces or control characters; *err (ERROR_USAGE) says what is wrong. */
int http_url_check(const char *url, struct error *err);

#endif
