/* An HTTP/1.1 server with streaming replies, on libevent's evhttp: the only place that knows libevent (with serve/listener).
 *
 * One thread, one loop (httpd_run). The handler is called when a request has been read whole, body included; it
 * answers at once (httpd_reply) or opens a stream (httpd_stream_start), keeps the request and ends it later. Until
 * then the request is valid, unless the client goes: then the closed callback is called once and the request
 * must not be touched any more. Closed callbacks come from the loop only, never from inside a call of this module.
 * After httpd_reply or httpd_stream_end the request is gone as well, without a callback.
 *
 * A client that shuts down its side before it has the reply has gone. A reply to HEAD has the headers only.
 *
 * Header names and values of replies must hold no CR or LF. Bodies above the ceiling get 413, header blocks 400.
 * Sockets have TCP_NODELAY: a token is sent when it is written. */
#ifndef ROIBENCH_SERVE_HTTPD_H
#define ROIBENCH_SERVE_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"

#define HTTPD_HEADERS_MAX ((size_t)64 << 10)

struct httpd;
struct httpd_request;
struct httpd_timer;

typedef void (*httpd_handler)(void *context, struct httpd_request *request);
typedef void (*httpd_callback)(void *context);

/* A request that has its answer, or whose client has gone. Texts are valid during the call. */
struct httpd_exchange {
    const char *method, *path;   /* as httpd_method and httpd_path say */
    int status;                  /* 0: none yet when the client went */
    size_t request_length, reply_length; /* of the bodies; reply_length 0: a stream */
    int64_t arrived, ended;      /* of the clock */
};

typedef void (*httpd_observer)(void *context, const struct httpd_exchange *exchange);

struct httpd_settings {
    const char *listen; /* "127.0.0.1:8000", "[::1]:8000", "localhost:0"; an address, no other name; port 0: any free one */
    size_t body_max;
    int idle_timeout_s; /* a client that neither sends nor takes anything for so long is dropped, unless it waits for a reply; 0: 75 */
    int keep_alive_s;        /* a connection that waits for its next request is dropped after so long; 0: as idle_timeout_s */
    int keep_alive_requests; /* a connection ends with its n-th request; 0: never */
    const struct clock *clock;
    httpd_observer observer; /* has the handler's context; NULL: nobody looks */
};

/* Binds and listens; nothing is served before httpd_run. ERROR_USAGE: no such address; ERROR_INTERNAL: cannot be bound. */
struct httpd *httpd_new(const struct httpd_settings *settings, httpd_handler handler, void *context, struct error *err);
/* Closes all connections; closed callbacks of open requests are called. */
void httpd_free(struct httpd *httpd);

/* "127.0.0.1:8000", with the real port. Owned by httpd. */
const char *httpd_address(const struct httpd *httpd);
int httpd_port(const struct httpd *httpd);

/* Serves until *stop is not 0 (looked at every 50 ms at the latest). Returns 0, or -1: the loop broke. */
int httpd_run(struct httpd *httpd, const stop_flag *stop, struct error *err);

/* Makes httpd_run return 0 soon. */
void httpd_stop(struct httpd *httpd);

/* Closes the listener, waiting connections and all: connecting is refused, while the port stays reserved and connections
 * live on. Listening again may fail (ERROR_INTERNAL). */
int httpd_refuse(struct httpd *httpd, struct error *err);
int httpd_listen_again(struct httpd *httpd, struct error *err);
bool httpd_is_listening(const struct httpd *httpd);
/* Closes (FIN) or resets (RST) the connections that have had a request and wait for the next one. */
void httpd_drop_idle(struct httpd *httpd, bool reset);

/* --- a request ------------------------------------------------------------------------ */

const char *httpd_method(const struct httpd_request *request); /* "GET"; "" for one that we do not know */
const char *httpd_path(const struct httpd_request *request);   /* without query; "" when there is none */
/* Value of a header, any case; NULL: not there. */
const char *httpd_header(const struct httpd_request *request, const char *name);
/* The body, contiguous; not NUL-terminated. */
const char *httpd_body(const struct httpd_request *request, size_t *length);

/* Adds a header to the reply to come. */
void httpd_reply_header(struct httpd_request *request, const char *name, const char *value);
/* The connection ends with this request. "Connection: close" says so, unless the headers have been sent. */
void httpd_close_afterwards(struct httpd_request *request);
bool httpd_closes_afterwards(const struct httpd_request *request);
/* The whole reply. */
void httpd_reply(struct httpd_request *request, int status, const void *body, size_t length);

/* --- a reply that takes its time ------------------------------------------------------- */

/* Tells when the client goes before the reply is complete. At most one callback a request; call it before the
 * handler returns, for a request that is kept. */
void httpd_on_closed(struct httpd_request *request, httpd_callback closed, void *context);

/* Sends status and headers at once, chunked. */
void httpd_stream_start(struct httpd_request *request, int status);
/* One HTTP chunk, handed to the kernel before the call returns as far as the socket takes it. */
void httpd_stream_send(struct httpd_request *request, const void *bytes, size_t length);
/* The same, but kept back until the next httpd_stream_send or the end, to go together with it. */
void httpd_stream_queue(struct httpd_request *request, const void *bytes, size_t length);
/* Bytes that the kernel has not taken yet: a client that does not read. */
size_t httpd_stream_backlog(const struct httpd_request *request);
void httpd_stream_end(struct httpd_request *request);

/* --- what a sound server does not do ----------------------------------------------------- */

/* From here on every byte of this stream is an HTTP chunk and a write of its own. */
void httpd_stream_split(struct httpd_request *request);
/* Bytes as they are, beside all framing: at once, as httpd_stream_send. */
void httpd_stream_raw(struct httpd_request *request, const void *bytes, size_t length);
/* Ends the request with its connection: what the kernel has taken is delivered, then FIN. The request is gone. */
void httpd_close(struct httpd_request *request);
/* The same by RST, which may overtake what the client has not read. */
void httpd_reset(struct httpd_request *request);

/* --- time ------------------------------------------------------------------------------ */

/* Calls back once, at `due` of the clock or as soon after as the loop comes to it, each time it is set. */
struct httpd_timer *httpd_timer_new(struct httpd *httpd, httpd_callback due, void *context);
void httpd_timer_set(struct httpd_timer *timer, int64_t due);
void httpd_timer_free(struct httpd_timer *timer);

#endif
