/* The real transport: libcurl's multi interface driven by epoll.
 *
 * curl_multi_socket_action touches only the sockets that are ready, so a thousand quiet streams cost nothing. Every return of
 * epoll_wait is stamped once, and all that was ready then has that time. */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "net/curl_error.h"
#include "net/curl_setup.h"
#include "net/limits.h"
#include "net/resolve.h"
#include "net/timeouts.h"
#include "net/transport.h"

#define EVENTS_A_TURN 1024
#define RECEIVE_BUFFER 8192L   /* a handle: small, for there are thousands; a chunk of a stream is some 250 bytes */
#define SEND_BUFFER 16384L     /* libcurl's minimum */
#define STATUS_FINAL 200       /* below: 100 Continue, 103 Early Hints */
#define MESSAGE_SIZE 300
/* A signal ends the waiting at once; one that came just before, or on another thread, is seen after this. */
#define STOP_LOOK_NS (20 * NS_PER_MS)

struct curl_transport;

/* One transfer under way, and its handle: used again and again. */
struct flight {
    struct timeout_node stall, whole; /* stall first: see flight_of_stall */
    struct curl_transport *owner;
    struct transfer *transfer;
    CURL *easy;
    bool pending;                  /* started and not yet given to libcurl, which may be calling us just then */
    bool sent, reused, answered, again; /* again: it was sent a second time on a fresh connection */
    int socket_errno;
    int64_t sent_time;
    enum transport_result forced;  /* TRANSPORT_OK: as libcurl says */
    struct flight *next;           /* in the free, the pending or the doomed list */
    char error[CURL_ERROR_SIZE];
};

struct curl_transport {
    struct transport transport;
    const struct clock *clock;
    const volatile sig_atomic_t *stop;
    struct net_setup *setup;
    struct curl_slist *headers, *pinned;
    CURLM *multi;
    int epoll;
    int64_t curl_deadline;         /* when libcurl wants to be called; TIME_FOREVER: never */
    int64_t stamp;                 /* of this turn */
    struct timeout_list stalls, wholes;
    struct flight *free, *pending, *last_pending;
    struct flight *doomed;         /* to end without libcurl: cancelled, or never begun */
    sig_atomic_t stop_seen;
    bool handled;                  /* something was told in this wait */
    bool closing, epoll_pwait2_missing;
};

static struct flight *flight_of_whole(struct timeout_node *node)
{
    return (struct flight *)((char *)node - offsetof(struct flight, whole));
}

static struct flight *flight_of_stall(struct timeout_node *node)
{
    return (struct flight *)((char *)node - offsetof(struct flight, stall));
}

/* --- what libcurl tells us of a transfer ------------------------------------------------------ */

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static int on_request_goes_out(void *context, char *address, char *local, int port, int local_port)
{
    struct flight *flight = context;
    long new_connections = 0;
    (void)address, (void)local, (void)port, (void)local_port;
    curl_easy_getinfo(flight->easy, CURLINFO_NUM_CONNECTS, &new_connections);
    flight->reused = new_connections == 0;
    flight->sent = flight->owner->handled = true;
    int64_t now = flight->sent_time = clock_now(flight->owner->clock);
    flight->transfer->handler->sent(flight->transfer, now, flight->reused ? TIME_NEVER : now, flight->reused);
    return CURL_PREREQFUNC_OK;
}

/* The turn's time stamp; but an answer to what was sent within the turn did not come before it. */
static int64_t note_activity(struct flight *flight)
{
    int64_t stamp = flight->owner->stamp;
    flight->answered = flight->owner->handled = true;
    flight->stall.since = stamp;
    return stamp > flight->sent_time ? stamp : flight->sent_time;
}

/* "HTTP/1.1 200 OK" -> 200; 0: not a status line. */
static int status_of(const char *line, size_t length)
{
    const char *space = length > 5 && memcmp(line, "HTTP/", 5) == 0 ? memchr(line, ' ', length) : NULL;
    int status = 0;
    for (const char *c = space ? space + 1 : line + length; c < line + length && isdigit((unsigned char)*c) && status < 1000; c++)
        status = status * 10 + (*c - '0');
    return status;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct flight *flight = context;
    size_t length = size * count;
    int64_t time = note_activity(flight);
    int status = status_of(line, length);
    if (status >= STATUS_FINAL)
        flight->transfer->handler->headers(flight->transfer, time, status);
    return length;
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct flight *flight = context;
    flight->transfer->handler->bytes(flight->transfer, note_activity(flight), bytes, size * count);
    return size * count;
}

/* Only to know why there is no socket: libcurl does not tell. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct flight *flight = context;
    (void)purpose;
    curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        flight->socket_errno = errno;
    return fd;
}

/* --- what libcurl wants to be told --------------------------------------------------------------- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct curl_transport *transport = context;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(transport->epoll, EPOLL_CTL_DEL, fd, NULL);
        curl_multi_assign(transport->multi, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    /* A closed socket's number may come back without a REMOVE in between, or the other way round: both are tried. */
    int first = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, second = known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(transport->epoll, first, fd, &event) < 0)
        epoll_ctl(transport->epoll, second, fd, &event);
    curl_multi_assign(transport->multi, fd, transport);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct curl_transport *transport = context;
    (void)multi;
    transport->curl_deadline = timeout_ms < 0 ? TIME_FOREVER : clock_now(transport->clock) + timeout_ms * NS_PER_MS;
    return 0;
}

/* --- flights --------------------------------------------------------------------------------------- */

static struct flight *flight_new(struct curl_transport *transport)
{
    struct flight *flight = mem_alloc(sizeof *flight);
    CURL *easy = curl_easy_init();
    if (!easy)
        abort(); /* out of memory, as in mem.h */
    flight->owner = transport;
    flight->easy = easy;
    net_setup_apply(transport->setup, easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, flight);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, flight->error);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transport->headers);
    curl_easy_setopt(easy, CURLOPT_RESOLVE, transport->pinned);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 0x7fffffL); /* ours are the limits */
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request_goes_out);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, flight);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, flight);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, flight);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, flight);
    return flight;
}

static void flight_free(struct flight *flight)
{
    curl_easy_cleanup(flight->easy);
    free(flight);
}

static void doom(struct curl_transport *transport, struct flight *flight, enum transport_result result)
{
    flight->forced = result;
    flight->next = transport->doomed;
    transport->doomed = flight;
}

static void launch(struct curl_transport *transport, struct flight *flight)
{
    flight->sent = flight->answered = false;
    flight->sent_time = INT64_MIN;
    flight->socket_errno = 0;
    flight->error[0] = '\0';
    if (curl_multi_add_handle(transport->multi, flight->easy) != CURLM_OK)
        doom(transport, flight, TRANSPORT_LOCAL);
}

static void curl_start(struct transport *base, struct transfer *transfer)
{
    struct curl_transport *transport = (struct curl_transport *)base;
    struct flight *flight = transport->free;
    int64_t now = clock_now(transport->clock);
    if (transport->closing)
        return;
    if (flight)
        transport->free = flight->next;
    else
        flight = flight_new(transport);
    flight->transfer = transfer;
    flight->forced = TRANSPORT_OK;
    flight->sent = flight->again = flight->reused = false;
    flight->sent_time = INT64_MIN;
    flight->pending = true;
    flight->next = NULL;
    transfer->implementation = flight;
    timeout_add(&transport->stalls, &flight->stall, now);
    timeout_add(&transport->wholes, &flight->whole, now);
    if (transport->pending)
        transport->last_pending->next = flight;
    else
        transport->pending = flight;
    transport->last_pending = flight;
}

static bool has_ended(const struct flight *flight)
{
    return flight->forced != TRANSPORT_OK;
}

static void curl_cancel(struct transport *base, struct transfer *transfer)
{
    struct flight *flight = transfer->implementation;
    if (!flight || has_ended(flight))
        return;
    if (flight->pending)
        flight->forced = TRANSPORT_CANCELLED; /* doomed as soon as it is no longer pending */
    else
        doom((struct curl_transport *)base, flight, TRANSPORT_CANCELLED);
}

static void launch_pending(struct curl_transport *transport)
{
    while (transport->pending) {
        struct flight *flight = transport->pending;
        transport->pending = flight->next;
        flight->pending = false;
        if (has_ended(flight)) {
            doom(transport, flight, flight->forced);
            continue;
        }
        curl_easy_setopt(flight->easy, CURLOPT_URL, flight->transfer->url);
        curl_easy_setopt(flight->easy, CURLOPT_POSTFIELDS, flight->transfer->body);
        curl_easy_setopt(flight->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)flight->transfer->body_length);
        curl_easy_setopt(flight->easy, CURLOPT_FRESH_CONNECT, 0L);
        launch(transport, flight);
    }
}

/* The handle is out of libcurl's hands; the caller may start another transfer at once. */
static void land(struct curl_transport *transport, struct flight *flight, enum transport_result result, const char *message)
{
    struct transfer *transfer = flight->transfer;
    timeout_remove(&transport->stalls, &flight->stall);
    timeout_remove(&transport->wholes, &flight->whole);
    flight->transfer = NULL;
    transfer->implementation = NULL;
    flight->next = transport->free;
    transport->free = flight;
    transport->handled = true;
    int64_t time = transport->stamp > flight->sent_time ? transport->stamp : flight->sent_time;
    transfer->handler->ended(transfer, time, result, message);
}

/* A connection that its server had closed while it lay idle: nothing was lost, so the request goes out once more, on a fresh one. */
static bool may_go_again(const struct flight *flight, enum transport_result result)
{
    return result == TRANSPORT_RESET && flight->reused && !flight->answered && !flight->again;
}

static void end_flight(struct curl_transport *transport, struct flight *flight, CURLcode code)
{
    char message[MESSAGE_SIZE];
    long system_errno = 0;
    curl_easy_getinfo(flight->easy, CURLINFO_OS_ERRNO, &system_errno);
    struct net_failure failure = {
        .code = code,
        .errno_value = flight->socket_errno ? flight->socket_errno : system_errno,
        .sent = flight->sent,
        .text = flight->error,
    };
    enum transport_result result = net_failure_class(&failure);
    curl_multi_remove_handle(transport->multi, flight->easy);
    if (may_go_again(flight, result)) {
        flight->again = true;
        curl_easy_setopt(flight->easy, CURLOPT_FRESH_CONNECT, 1L);
        launch(transport, flight);
        return;
    }
    message[0] = '\0';
    if (result != TRANSPORT_OK)
        net_failure_describe(&failure, message, sizeof message);
    land(transport, flight, result, message);
}

static void end_forced(struct curl_transport *transport, struct flight *flight, enum transport_result result)
{
    curl_multi_remove_handle(transport->multi, flight->easy);
    land(transport, flight, result, result == TRANSPORT_CANCELLED ? "cancelled" : "libcurl could not take another transfer");
}

/* A limit is over: of the whole request, or (stalled) of silence. */
static void end_over_limit(struct curl_transport *transport, struct flight *flight, bool stalled)
{
    char span[UNITS_TEXT_SIZE], message[MESSAGE_SIZE];
    enum transport_result result = stalled ? TRANSPORT_STALL : TRANSPORT_TIMEOUT;
    units_format_duration(stalled ? transport->stalls.limit : transport->wholes.limit, span);
    if (!flight->sent) {
        result = TRANSPORT_CONNECT;
        snprintf(message, sizeof message, "no connection within %s", span);
    } else {
        snprintf(message, sizeof message, stalled ? "no byte for %s" : "no end of the response within %s", span);
    }
    curl_multi_remove_handle(transport->multi, flight->easy);
    land(transport, flight, result, message);
}

/* --- the loop ------------------------------------------------------------------------------------------ */

static void end_doomed(struct curl_transport *transport)
{
    struct flight *doomed = transport->doomed;
    transport->doomed = NULL;
    while (doomed) {
        struct flight *next = doomed->next;
        end_forced(transport, doomed, doomed->forced);
        doomed = next;
    }
}

static void end_finished(struct curl_transport *transport)
{
    const CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(transport->multi, &left))) {
        struct flight *flight = NULL;
        CURLcode code = message->data.result; /* gone once the handle is removed */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &flight);
        if (flight && !has_ended(flight))
            end_flight(transport, flight, code);
    }
}

static void end_late(struct curl_transport *transport)
{
    struct timeout_node *node;
    while ((node = timeout_due(&transport->stalls, transport->stamp)) && !has_ended(flight_of_stall(node)))
        end_over_limit(transport, flight_of_stall(node), true);
    while ((node = timeout_due(&transport->wholes, transport->stamp)) && !has_ended(flight_of_whole(node)))
        end_over_limit(transport, flight_of_whole(node), false);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Nanoseconds where the kernel has them (5.11); older ones lack the call and some sandboxes forbid it. */
static int wait_for_events(struct curl_transport *transport, struct epoll_event *events, int64_t deadline)
{
    int64_t now = clock_now(transport->clock), span = deadline > now ? deadline - now : 0;
    if (transport->stop)
        span = earlier(span, STOP_LOOK_NS);
    const struct timespec patience = {.tv_sec = span / NS_PER_S, .tv_nsec = span % NS_PER_S};
    if (!transport->epoll_pwait2_missing) {
        int ready = epoll_pwait2(transport->epoll, events, EVENTS_A_TURN, &patience, NULL);
        if (ready >= 0 || (errno != ENOSYS && errno != EPERM))
            return ready;
        transport->epoll_pwait2_missing = true;
    }
    struct pollfd all = {.fd = transport->epoll, .events = POLLIN};
    int ready = ppoll(&all, 1, &patience, NULL);
    return ready <= 0 ? ready : epoll_wait(transport->epoll, events, EVENTS_A_TURN, 0);
}

static void act_on(struct curl_transport *transport, const struct epoll_event *events, int count)
{
    int running;
    for (int k = 0; k < count; k++) {
        bool broken = events[k].events & (EPOLLERR | EPOLLHUP); /* reading or writing then says how */
        int what = (events[k].events & EPOLLIN || broken ? CURL_CSELECT_IN : 0) | (events[k].events & EPOLLOUT || broken ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(transport->multi, events[k].data.fd, what, &running);
    }
    if (transport->curl_deadline <= transport->stamp) {
        transport->curl_deadline = TIME_FOREVER;
        curl_multi_socket_action(transport->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

/* Once for every change of the flag: what is in flight can still be waited for afterwards. */
static bool told_to_stop(struct curl_transport *transport)
{
    sig_atomic_t stop = transport->stop ? *transport->stop : 0;
    bool changed = stop != transport->stop_seen;
    transport->stop_seen = stop;
    return changed;
}

static int64_t next_turn(const struct curl_transport *transport, int64_t deadline)
{
    int64_t limit = earlier(timeout_next(&transport->stalls), timeout_next(&transport->wholes));
    return earlier(deadline, earlier(transport->curl_deadline, limit));
}

static int curl_wait(struct transport *base, int64_t deadline, struct error *err)
{
    struct curl_transport *transport = (struct curl_transport *)base;
    struct epoll_event events[EVENTS_A_TURN];
    bool over = told_to_stop(transport);
    transport->handled = false;
    transport->stamp = clock_now(transport->clock);
    do {
        launch_pending(transport);
        end_doomed(transport);
        over = over || transport->handled;
        int count = wait_for_events(transport, events, over ? transport->stamp : next_turn(transport, deadline));
        if (count < 0 && errno != EINTR)
            return error_set_errno(err, ERROR_INTERNAL, errno, "waiting for the connections");
        transport->stamp = clock_now(transport->clock);
        act_on(transport, events, count < 0 ? 0 : count);
        end_finished(transport);
        end_late(transport);
        over = told_to_stop(transport) || over || transport->handled || transport->stamp >= deadline;
    } while (!over);
    return 0;
}

static void curl_free_transport(struct transport *base)
{
    struct curl_transport *transport = (struct curl_transport *)base;
    transport->stamp = clock_now(transport->clock);
    transport->closing = true;
    end_doomed(transport);
    while (transport->wholes.first)
        end_forced(transport, flight_of_whole(transport->wholes.first), TRANSPORT_CANCELLED);
    while (transport->free) {
        struct flight *flight = transport->free;
        transport->free = flight->next;
        flight_free(flight);
    }
    if (transport->multi)
        curl_multi_cleanup(transport->multi);
    if (transport->epoll >= 0)
        close(transport->epoll);
    curl_slist_free_all(transport->headers);
    curl_slist_free_all(transport->pinned);
    net_setup_free(transport->setup);
    free(transport);
}

static const struct transport_operations operations = {
    .start = curl_start,
    .cancel = curl_cancel,
    .wait = curl_wait,
    .free = curl_free_transport,
};

static int open_multi(struct curl_transport *transport, size_t max_streams, struct error *err)
{
    transport->multi = curl_multi_init();
    transport->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!transport->multi || transport->epoll < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot start waiting for connections");
    curl_multi_setopt(transport->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(transport->multi, CURLMOPT_SOCKETDATA, transport);
    curl_multi_setopt(transport->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(transport->multi, CURLMOPT_TIMERDATA, transport);
    curl_multi_setopt(transport->multi, CURLMOPT_MAXCONNECTS, (long)max_streams);
    curl_multi_setopt(transport->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return 0;
}

struct transport *transport_curl_new(const struct transport_curl_settings *settings, struct error *err)
{
    struct curl_transport *transport = mem_alloc(sizeof *transport);
    transport->transport.operations = &operations;
    transport->clock = settings->clock;
    transport->stop = settings->net.stop;
    transport->epoll = -1;
    transport->curl_deadline = TIME_FOREVER;
    transport->stalls.limit = settings->stall_timeout_ns;
    transport->wholes.limit = settings->timeout_ns;
    transport->setup = net_setup_new(&settings->net, err);
    if (!transport->setup || limits_check_streams(settings->max_streams, err) < 0 || open_multi(transport, settings->max_streams, err) < 0) {
        curl_free_transport(&transport->transport);
        return NULL;
    }
    transport->headers = net_setup_headers(transport->setup, "application/json", false);
    /* A name that cannot be looked up here may still be one for a proxy; if not, each request says so. */
    if (settings->pin_url && resolve_pin(settings->pin_url, &transport->pinned, NULL) < 0)
        transport->pinned = NULL;
    return &transport->transport;
}
