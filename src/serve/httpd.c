#include "serve/httpd.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "serve/listener.h"

#define UNSENT_MAX ((size_t)128 << 20) /* more than any caller's reply */
#define IDLE_TIMEOUT_S 75
#define LOOK_US 50000

struct httpd {
    const struct clock *clock;
    httpd_handler handler;
    httpd_observer observer;
    void *context;
    struct event_base *base;
    struct evhttp *http;
    struct listener *listener;
    struct evbuffer *scratch;
    struct event *look_timer;
    const stop_flag *stop;
    int idle_timeout_s, keep_alive_s, keep_alive_requests;
    struct connection **connections; /* by descriptor; NULL: none, or none that ever sent a request */
    size_t connection_capacity;
};

/* evhttp's, from its first request to its end. */
struct connection {
    struct httpd *httpd;
    struct evhttp_connection *raw;
    struct httpd_request *request; /* NULL: it waits for the next one, or evhttp sends the rest of a reply */
    evutil_socket_t fd;
    int requests; /* so far */
};

struct httpd_request {
    struct httpd *httpd;
    struct connection *kept;
    struct evhttp_request *request;
    struct evhttp_connection *connection;
    struct event *watch; /* tells when the client closes; NULL: not watched */
    int64_t arrived;
    int status;          /* of the reply, once it is sent or begun */
    size_t reply_length;
    bool chunked;        /* the stream, by HTTP */
    bool split;          /* byte by byte */
    struct evbuffer *output; /* what the kernel has not taken */
    bool behind;         /* output may hold something */
    struct buf unsent;   /* of the stream, with its frames; kept back by us */
    httpd_callback closed;
    void *closed_context;
};

struct httpd_timer {
    struct httpd *httpd;
    struct event *event;
    httpd_callback due;
    void *context;
};

/* --- the loop ------------------------------------------------------------------------------ */

static void look_around(evutil_socket_t fd, short what, void *context)
{
    struct httpd *httpd = context;
    (void)fd, (void)what;
    listener_wake(httpd->listener);
    if (*httpd->stop)
        event_base_loopbreak(httpd->base);
}

static void take_request(struct evhttp_request *raw, void *context);

/* What libevent has to say is said by errors, or not worth a line. */
static void say_nothing(int severity, const char *text)
{
    (void)severity, (void)text;
}

static void make_base(struct httpd *httpd)
{
    struct event_config *config = event_config_new();
    if (!config)
        abort();
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    httpd->base = event_base_new_with_config(config);
    event_config_free(config);
    httpd->http = httpd->base ? evhttp_new(httpd->base) : NULL;
    httpd->scratch = evbuffer_new();
    if (!httpd->http || !httpd->scratch)
        abort();
    httpd->look_timer = event_new(httpd->base, -1, EV_PERSIST, look_around, httpd);
}

struct httpd *httpd_new(const struct httpd_settings *settings, httpd_handler handler, void *context, struct error *err)
{
    struct httpd *httpd = mem_alloc(sizeof *httpd);
    *httpd = (struct httpd){.clock = settings->clock, .handler = handler, .observer = settings->observer, .context = context,
                             .idle_timeout_s = settings->idle_timeout_s > 0 ? settings->idle_timeout_s : IDLE_TIMEOUT_S,
                             .keep_alive_requests = settings->keep_alive_requests};
    httpd->keep_alive_s = settings->keep_alive_s > 0 ? settings->keep_alive_s : httpd->idle_timeout_s;
    event_set_log_callback(say_nothing);
    make_base(httpd);
    evhttp_set_default_content_type(httpd->http, NULL);
    evhttp_set_max_headers_size(httpd->http, (ev_ssize_t)HTTPD_HEADERS_MAX);
    evhttp_set_max_body_size(httpd->http, (ev_ssize_t)settings->body_max);
    evhttp_set_timeout(httpd->http, httpd->idle_timeout_s);
    evhttp_set_allowed_methods(httpd->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                                                EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_gencb(httpd->http, take_request, httpd);
    httpd->listener = listener_new(httpd->base, httpd->http, settings->listen, err);
    if (!httpd->listener) {
        httpd_free(httpd);
        return NULL;
    }
    return httpd;
}

void httpd_free(struct httpd *httpd)
{
    if (!httpd)
        return;
    evhttp_free(httpd->http);
    evbuffer_free(httpd->scratch);
    event_free(httpd->look_timer);
    listener_free(httpd->listener);
    event_base_free(httpd->base);
    free(httpd->connections);
    free(httpd);
}

const char *httpd_address(const struct httpd *httpd)
{
    return listener_address(httpd->listener);
}

int httpd_port(const struct httpd *httpd)
{
    return listener_port(httpd->listener);
}

int httpd_run(struct httpd *httpd, const stop_flag *stop, struct error *err)
{
    struct timeval interval = {.tv_usec = LOOK_US};
    httpd->stop = stop;
    event_add(httpd->look_timer, &interval);
    int result = event_base_dispatch(httpd->base);
    event_del(httpd->look_timer);
    return result < 0 ? error_set(err, ERROR_INTERNAL, "the server's event loop at %s broke", httpd_address(httpd)) : 0;
}

int httpd_refuse(struct httpd *httpd, struct error *err)
{
    return listener_refuse(httpd->listener, err);
}

int httpd_listen_again(struct httpd *httpd, struct error *err)
{
    return listener_listen_again(httpd->listener, err);
}

bool httpd_is_listening(const struct httpd *httpd)
{
    return listener_is_open(httpd->listener);
}

void httpd_stop(struct httpd *httpd)
{
    event_base_loopbreak(httpd->base);
}

/* --- a request's life ---------------------------------------------------------------------- */

static void tell_observer(const struct httpd_request *request)
{
    const struct httpd *httpd = request->httpd;
    const struct httpd_exchange exchange = {
        .method = httpd_method(request),
        .path = httpd_path(request),
        .status = request->status,
        .request_length = evbuffer_get_length(evhttp_request_get_input_buffer(request->request)),
        .reply_length = request->reply_length,
        .arrived = request->arrived,
        .ended = clock_now(httpd->clock),
    };
    if (httpd->observer)
        httpd->observer(httpd->context, &exchange);
}

/* evhttp's part of it must still be there. */
static void request_free(struct httpd_request *request)
{
    tell_observer(request);
    if (request->watch)
        event_free(request->watch);
    buf_free(&request->unsent);
    free(request);
}

static void connection_free(struct connection *connection)
{
    connection->httpd->connections[connection->fd] = NULL;
    free(connection);
}

/* The connection dies, perhaps under a request. When writing failed, evhttp has cut that loose and it is ours to free. */
static void connection_closed(struct evhttp_connection *raw, void *context)
{
    struct connection *connection = context;
    struct httpd_request *request = connection->request;
    (void)raw;
    connection_free(connection);
    if (!request)
        return;
    if (request->closed)
        request->closed(request->closed_context);
    struct evhttp_request *ours = evhttp_request_get_connection(request->request) ? NULL : request->request;
    request_free(request);
    if (ours)
        evhttp_request_free(ours);
}

/* Our reply is complete as far as the caller goes; the rest is evhttp's. Frees the request. */
static void let_go(struct httpd_request *request)
{
    const struct timeval idle = {.tv_sec = request->httpd->idle_timeout_s}, next = {.tv_sec = request->httpd->keep_alive_s};
    bufferevent_set_timeouts(evhttp_connection_get_bufferevent(request->connection), &next, &idle);
    request->kept->request = NULL;
    request_free(request);
}

static struct connection *connection_of(struct httpd *httpd, struct evhttp_connection *raw)
{
    evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(raw));
    size_t known = httpd->connection_capacity;
    MEM_GROW(httpd->connections, httpd->connection_capacity, (size_t)fd + 1);
    if (httpd->connection_capacity > known)
        memset(httpd->connections + known, 0, (httpd->connection_capacity - known) * sizeof(struct connection *));
    if (!httpd->connections[fd]) {
        struct connection *connection = mem_alloc(sizeof *connection);
        *connection = (struct connection){.httpd = httpd, .raw = raw, .fd = fd};
        evhttp_connection_set_closecb(raw, connection_closed, connection);
        httpd->connections[fd] = connection;
    }
    return httpd->connections[fd];
}

static void take_request(struct evhttp_request *raw, void *context)
{
    struct httpd *httpd = context;
    struct httpd_request *request = mem_alloc(sizeof *request);
    request->httpd = httpd;
    request->unsent = BUF_INIT(UNSENT_MAX);
    request->request = raw;
    request->connection = evhttp_request_get_connection(raw);
    request->output = bufferevent_get_output(evhttp_connection_get_bufferevent(request->connection));
    request->kept = connection_of(httpd, request->connection);
    request->kept->request = request;
    request->arrived = clock_now(httpd->clock);
    if (++request->kept->requests == httpd->keep_alive_requests)
        httpd_close_afterwards(request);
    httpd->handler(httpd->context, request);
}

/* An unconnected socket is what connect() to nowhere makes of it, with an RST that goes out at once. */
static void drop(struct connection *connection, bool reset)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    struct evhttp_connection *raw = connection->raw;
    if (reset)
        (void)connect(connection->fd, &nowhere, sizeof nowhere); /* fails when the client has reset it */
    evhttp_connection_set_closecb(raw, NULL, NULL);
    connection_free(connection);
    evhttp_connection_free(raw);
}

void httpd_drop_idle(struct httpd *httpd, bool reset)
{
    for (size_t fd = 0; fd < httpd->connection_capacity; fd++)
        if (httpd->connections[fd] && !httpd->connections[fd]->request)
            drop(httpd->connections[fd], reset);
}

static const struct {
    enum evhttp_cmd_type type;
    const char *name;
} methods[] = {
    {EVHTTP_REQ_GET, "GET"},       {EVHTTP_REQ_POST, "POST"},       {EVHTTP_REQ_HEAD, "HEAD"},   {EVHTTP_REQ_PUT, "PUT"},
    {EVHTTP_REQ_DELETE, "DELETE"}, {EVHTTP_REQ_OPTIONS, "OPTIONS"}, {EVHTTP_REQ_PATCH, "PATCH"},
};

const char *httpd_method(const struct httpd_request *request)
{
    enum evhttp_cmd_type type = evhttp_request_get_command(request->request);
    for (size_t k = 0; k < sizeof methods / sizeof methods[0]; k++)
        if (methods[k].type == type)
            return methods[k].name;
    return "";
}

const char *httpd_path(const struct httpd_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    return path ? path : "";
}

const char *httpd_header(const struct httpd_request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request->request), name);
}

const char *httpd_body(const struct httpd_request *request, size_t *length)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(request->request);
    *length = evbuffer_get_length(input);
    const char *body = *length > 0 ? (const char *)evbuffer_pullup(input, -1) : NULL;
    return body ? body : "";
}

void httpd_reply_header(struct httpd_request *request, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(request->request), name, value);
}

/* evhttp looks for this header when the reply is complete. */
void httpd_close_afterwards(struct httpd_request *request)
{
    if (!httpd_closes_afterwards(request))
        httpd_reply_header(request, "Connection", "close");
}

bool httpd_closes_afterwards(const struct httpd_request *request)
{
    return evhttp_find_header(evhttp_request_get_output_headers(request->request), "Connection") != NULL;
}

void httpd_reply(struct httpd_request *request, int status, const void *body, size_t length)
{
    struct evhttp_request *raw = request->request;
    struct evbuffer *scratch = request->httpd->scratch;
    char size[24];
    if (evhttp_request_get_command(raw) == EVHTTP_REQ_HEAD) { /* evhttp would send the body, and not say how long it is */
        snprintf(size, sizeof size, "%zu", length);
        httpd_reply_header(request, "Content-Length", size);
    } else {
        evbuffer_add(scratch, body, length);
    }
    request->status = status;
    request->reply_length = length;
    let_go(request);
    evhttp_send_reply(raw, status, NULL, scratch);
}

/* --- streams --------------------------------------------------------------------------------- */

static struct bufferevent *stream_of(const struct httpd_request *request)
{
    return evhttp_connection_get_bufferevent(request->connection);
}

/* Behind a request ahead of time the client's end cannot be read. It is asked for now and then: to be told by EV_CLOSED,
 * libevent wants an event that reads beside it. */
static void client_ahead(evutil_socket_t fd, short what, void *context)
{
    struct httpd_request *request = context;
    struct pollfd end = {.fd = request->kept->fd, .events = POLLRDHUP};
    (void)fd, (void)what;
    if (poll(&end, 1, 0) > 0)
        evhttp_connection_free(request->connection);
}

static void watch_ahead(struct httpd_request *request)
{
    const struct timeval interval = {.tv_usec = LOOK_US};
    event_free(request->watch);
    request->watch = event_new(request->httpd->base, -1, EV_PERSIST, client_ahead, request);
    if (request->watch)
        event_add(request->watch, &interval);
}

/* While a reply is under way nobody reads from the socket. What can be read there is the client's end, or its next
 * request ahead of time: that one waits where it is. */
static void client_readable(evutil_socket_t fd, short what, void *context)
{
    struct httpd_request *request = context;
    char byte;
    (void)what;
    ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0)
        watch_ahead(request);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        evhttp_connection_free(request->connection);
}

void httpd_on_closed(struct httpd_request *request, httpd_callback closed, void *context)
{
    request->closed = closed;
    request->closed_context = context;
    request->watch = event_new(request->httpd->base, bufferevent_getfd(stream_of(request)), EV_READ | EV_PERSIST,
                               client_readable, request);
    if (request->watch)
        event_add(request->watch, NULL);
}

/* Writes what evhttp has put into the connection's buffer now, instead of in the loop's next turn. Errors are left to the
 * loop, which sees them again. */
static void write_now(struct httpd_request *request)
{
    struct bufferevent *stream = stream_of(request);
    evbuffer_unfreeze(request->output, 1);
    evbuffer_write(request->output, bufferevent_getfd(stream));
    evbuffer_freeze(request->output, 1);
    if (evbuffer_get_length(request->output) == 0)
        bufferevent_disable(stream, EV_WRITE);
}

/* HTTP/1.0 has no chunks: such a stream ends with its connection. If the client would like to keep it, evhttp says so, and
 * that the length is 0. In HTTP/1.1 the header says nothing new. */
static void forget_keep_alive(struct evkeyvalq *headers)
{
    static const char keep_alive[] = "keep-alive";
    const char *connection = evhttp_find_header(headers, "Connection");
    if (connection && strncasecmp(connection, keep_alive, sizeof keep_alive - 1) == 0)
        evhttp_remove_header(headers, "Connection");
}

/* evhttp reads during a stream: it would keep all that a client sends ahead, and drop one that sends nothing. */
void httpd_stream_start(struct httpd_request *request, int status)
{
    request->status = status;
    forget_keep_alive(evhttp_request_get_input_headers(request->request));
    evhttp_send_reply_start(request->request, status, NULL);
    bufferevent_disable(stream_of(request), EV_READ);
    request->chunked = evhttp_find_header(evhttp_request_get_output_headers(request->request), "Transfer-Encoding") != NULL;
    write_now(request);
    request->behind = evbuffer_get_length(request->output) > 0;
}

/* As "%zx\r\n", at a tenth of the time: this is done for every token. */
static void append_chunk_size(struct buf *out, size_t length)
{
    char text[2 * sizeof length + 2];
    size_t k = sizeof text;
    text[--k] = '\n';
    text[--k] = '\r';
    do
        text[--k] = "0123456789abcdef"[length % 16];
    while ((length /= 16) > 0);
    buf_append(out, text + k, sizeof text - k);
}

/* Frames are written by us and not by evhttp: one copy and one system call a token, and the caller knows when it happened.
 * A client of HTTP/1.0 gets the bytes as they are. */
static void append_chunk(struct httpd_request *request, const void *bytes, size_t length)
{
    struct buf *unsent = &request->unsent;
    if (length > 0 && request->chunked)
        append_chunk_size(unsent, length);
    buf_append(unsent, bytes, length);
    if (length > 0 && request->chunked)
        buf_append(unsent, "\r\n", 2);
}

/* What the kernel does not take at once goes the loop's way, and so do errors. */
static void flush(struct httpd_request *request)
{
    struct buf *unsent = &request->unsent;
    size_t taken = 0;
    if (httpd_stream_backlog(request) == 0) {
        ssize_t sent = send(request->kept->fd, unsent->data, unsent->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        taken = sent > 0 ? (size_t)sent : 0;
    }
    if (taken < unsent->len) {
        struct bufferevent *stream = stream_of(request);
        request->behind = true;
        bufferevent_write(stream, unsent->data + taken, unsent->len - taken);
        bufferevent_enable(stream, EV_WRITE);
    }
    buf_reset(unsent);
}

static void send_split(struct httpd_request *request, const char *bytes, size_t length)
{
    for (size_t k = 0; k < length; k++) {
        append_chunk(request, bytes + k, 1);
        flush(request);
    }
}

void httpd_stream_queue(struct httpd_request *request, const void *bytes, size_t length)
{
    if (request->split)
        send_split(request, bytes, length);
    else
        append_chunk(request, bytes, length);
}

void httpd_stream_send(struct httpd_request *request, const void *bytes, size_t length)
{
    httpd_stream_queue(request, bytes, length);
    flush(request);
}

size_t httpd_stream_backlog(const struct httpd_request *request)
{
    return request->behind ? evbuffer_get_length(request->output) : 0; /* asked for every token, and evhttp's memory is cold */
}

void httpd_stream_end(struct httpd_request *request)
{
    struct evhttp_request *raw = request->request;
    bufferevent_write(stream_of(request), request->unsent.data, request->unsent.len);
    bufferevent_enable(stream_of(request), EV_WRITE); /* evhttp does it for chunks only */
    let_go(request);
    evhttp_send_reply_end(raw);
}

/* --- what a sound server does not do ----------------------------------------------------- */

void httpd_stream_split(struct httpd_request *request)
{
    request->split = true;
}

void httpd_stream_raw(struct httpd_request *request, const void *bytes, size_t length)
{
    buf_append(&request->unsent, bytes, length);
    flush(request);
}

static void end_connection(struct httpd_request *request, bool reset)
{
    struct connection *connection = request->kept;
    flush(request);
    write_now(request);
    request_free(request);
    drop(connection, reset);
}

void httpd_close(struct httpd_request *request)
{
    end_connection(request, false);
}

void httpd_reset(struct httpd_request *request)
{
    end_connection(request, true);
}

/* --- time ------------------------------------------------------------------------------------ */

static void timer_due(evutil_socket_t fd, short what, void *context)
{
    struct httpd_timer *timer = context;
    (void)fd, (void)what;
    timer->due(timer->context);
}

struct httpd_timer *httpd_timer_new(struct httpd *httpd, httpd_callback due, void *context)
{
    struct httpd_timer *timer = mem_alloc(sizeof *timer);
    *timer = (struct httpd_timer){.httpd = httpd, .due = due, .context = context};
    timer->event = event_new(httpd->base, -1, 0, timer_due, timer);
    if (!timer->event)
        abort();
    return timer;
}

void httpd_timer_set(struct httpd_timer *timer, int64_t due)
{
    int64_t delay = due - clock_now(timer->httpd->clock);
    int64_t us = delay > 0 ? (delay + NS_PER_US - 1) / NS_PER_US : 0;
    struct timeval after = {.tv_sec = us / (NS_PER_S / NS_PER_US), .tv_usec = us % (NS_PER_S / NS_PER_US)};
    event_add(timer->event, &after);
}

void httpd_timer_free(struct httpd_timer *timer)
{
    if (!timer)
        return;
    event_free(timer->event);
    free(timer);
}
