/* The real transport: libcurl's multi interface driven by epoll.
 *
 * curl_multi_socket_action touches only the sockets that are ready, so a thousand quiet streams cost nothing; of a stream's tokens it
 * sees only the first and the last (flight_read). Every return of epoll_wait is stamped once, and all that was ready then has that
 * time. */
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/stop.h"
#include "net/curl_setup.h"
#include "net/flight.h"
#include "net/resolve.h"
#include "net/stamp_delay.h"
#include "net/timeouts.h"
#include "net/transport.h"

#define EVENTS_A_TURN 1024
/* A signal ends the waiting at once; one that came just before, or on another thread, is seen after this. */
#define STOP_LOOK_NS (20 * NS_PER_MS)

/* Whose a descriptor is, as libcurl said last; it may not tell that one has gone over to another flight of the same lane. */
struct watched {
    struct flight_lane *lane; /* NULL: nobody's */
    struct flight *flight;
};

struct curl_transport {
    struct transport transport;
    struct flight_field field;
    const stop_flag *stop;
    int epoll;
    struct flight_lane **lanes, *acted;
    size_t lane_count, lane_capacity;
    long connections_a_lane;
    struct watched *watched;       /* by descriptor */
    size_t watched_capacity;
    struct curl_slist *pinned, *unpinned; /* unpinned: nobody answered at the pinned addresses, so they are looked up again */
    int64_t curl_deadline;         /* the earliest of the lanes' */
    struct flight *free, *pending, *last_pending;
    struct flight *doomed;         /* to end without libcurl: cancelled, or never begun */
    struct stamp_delay stamp_delay;
    int stop_seen;
    bool closing, epoll_pwait2_missing;
};

/* --- what ends without libcurl --------------------------------------------------------------------- */

static bool has_ended(const struct flight *flight)
{
    return flight->forced != TRANSPORT_OK;
}

static void doom(struct curl_transport *transport, struct flight *flight, enum transport_result result)
{
    flight->forced = result;
    flight->next = transport->doomed;
    transport->doomed = flight;
}

/* --- what libcurl wants to be told --------------------------------------------------------------- */

/* A socket that is not watched would stay silent until the stall limit: its flight ends, and for our machine's fault (no memory,
 * or fs.epoll.max_user_watches is reached). Not at once, for libcurl is just busy with it. */
static int give_up_watching(struct curl_transport *transport, CURL *easy, int reason)
{
    struct flight *flight = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &flight);
    if (!flight)
        return -1; /* libcurl then ends everything, and says so to act_on */
    if (!has_ended(flight)) {
        flight->watch_errno = reason;
        doom(transport, flight, TRANSPORT_LOCAL);
    }
    return 0;
}

static struct watched watched_by(const struct curl_transport *transport, int fd)
{
    return (size_t)fd < transport->watched_capacity ? transport->watched[fd] : (struct watched){NULL, NULL};
}

static void note_watched(struct flight_lane *lane, CURL *easy, int fd)
{
    struct curl_transport *transport = lane->owner;
    struct flight *flight = NULL;
    size_t before = transport->watched_capacity;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &flight);
    MEM_GROW(transport->watched, transport->watched_capacity, (size_t)fd + 1);
    for (size_t k = before; k < transport->watched_capacity; k++)
        transport->watched[k] = (struct watched){NULL, NULL};
    transport->watched[fd] = (struct watched){lane, flight};
    if (flight)
        flight->fd = fd;
}

/* A lane may speak late of a closed socket whose number another one has got since. */
static void forget_watched(struct flight_lane *lane, int fd)
{
    struct curl_transport *transport = lane->owner;
    struct watched watched = watched_by(transport, fd);
    if (watched.lane != lane)
        return;
    if (watched.flight && watched.flight->fd == fd)
        watched.flight->fd = -1;
    transport->watched[fd] = (struct watched){NULL, NULL};
    epoll_ctl(transport->epoll, EPOLL_CTL_DEL, fd, NULL); /* fails when the socket was closed before, which removed it */
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct flight_lane *lane = context;
    struct curl_transport *transport = lane->owner;
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        forget_watched(lane, fd);
        curl_multi_assign(lane->multi, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    /* A closed socket's number may come back without a REMOVE in between, or the other way round: both are tried. */
    int first = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, second = known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    int other_way = known ? ENOENT : EEXIST;
    int status = epoll_ctl(transport->epoll, first, fd, &event);
    if (status < 0 && errno == other_way)
        status = epoll_ctl(transport->epoll, second, fd, &event);
    if (status < 0)
        return give_up_watching(transport, easy, errno);
    curl_multi_assign(lane->multi, fd, lane);
    note_watched(lane, easy, fd);
    return 0;
}

static void find_curl_deadline(struct curl_transport *transport)
{
    transport->curl_deadline = TIME_FOREVER;
    for (size_t k = 0; k < transport->lane_count; k++)
        if (transport->lanes[k]->deadline < transport->curl_deadline)
            transport->curl_deadline = transport->lanes[k]->deadline;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct flight_lane *lane = context;
    struct curl_transport *transport = lane->owner;
    int64_t before = lane->deadline;
    (void)multi;
    lane->deadline = timeout_ms < 0 ? TIME_FOREVER : clock_now(transport->field.clock) + timeout_ms * NS_PER_MS;
    if (lane->deadline <= transport->curl_deadline)
        transport->curl_deadline = lane->deadline;
    else if (before == transport->curl_deadline)
        find_curl_deadline(transport);
    return 0;
}

/* --- lanes ----------------------------------------------------------------------------------------- */

static struct flight_lane *open_lane(struct curl_transport *transport)
{
    struct flight_lane *lane = mem_alloc(sizeof *lane);
    lane->owner = transport;
    lane->deadline = TIME_FOREVER;
    lane->resolve = transport->unpinned ? transport->unpinned : transport->pinned;
    lane->multi = curl_multi_init();
    if (!lane->multi)
        abort(); /* out of memory, as in mem.h */
    curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(lane->multi, CURLMOPT_SOCKETDATA, lane);
    curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(lane->multi, CURLMOPT_TIMERDATA, lane);
    curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, transport->connections_a_lane);
    curl_multi_setopt(lane->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    MEM_GROW(transport->lanes, transport->lane_capacity, transport->lane_count + 1);
    transport->lanes[transport->lane_count++] = lane;
    return lane;
}

/* Of the lane that is filled just now. */
static struct flight *add_flight(struct curl_transport *transport)
{
    struct flight_lane *lane = transport->lane_count > 0 ? transport->lanes[transport->lane_count - 1] : NULL;
    if (!lane || lane->flights == FLIGHT_LANE_MAX)
        lane = open_lane(transport);
    lane->flights++;
    return flight_new(&transport->field, lane);
}

/* --- flights --------------------------------------------------------------------------------------- */

static void launch(struct curl_transport *transport, struct flight *flight)
{
    flight_prepare(flight);
    if (curl_multi_add_handle(flight->lane->multi, flight->easy) != CURLM_OK)
        doom(transport, flight, TRANSPORT_LOCAL);
}

static void curl_start(struct transport *base, struct transfer *transfer)
{
    struct curl_transport *transport = (struct curl_transport *)base;
    struct flight *flight = transport->free;
    if (transport->closing)
        return;
    if (flight)
        transport->free = flight->next;
    else
        flight = add_flight(transport);
    flight_begin(flight, transfer);
    flight->pending = true;
    if (transport->pending)
        transport->last_pending->next = flight;
    else
        transport->pending = flight;
    transport->last_pending = flight;
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
        if (has_ended(flight))
            doom(transport, flight, flight->forced);
        else
            launch(transport, flight);
    }
}

/* The caller may start another transfer at once, on the same handle. */
static void land(struct curl_transport *transport, struct flight *flight, enum transport_result result, const char *message)
{
    curl_multi_remove_handle(flight->lane->multi, flight->easy);
    flight->next = transport->free;
    transport->free = flight;
    flight_land(flight, result, message);
}

/* A server that came back elsewhere has the same name: a pod that was scheduled again. */
static void look_up_again(struct curl_transport *transport)
{
    if (!transport->pinned || transport->unpinned)
        return;
    transport->unpinned = resolve_unpin(transport->pinned);
    for (size_t k = 0; k < transport->lane_count; k++)
        transport->lanes[k]->resolve = transport->unpinned;
}

static void end_flight(struct curl_transport *transport, struct flight *flight, CURLcode code)
{
    char message[FLIGHT_MESSAGE_SIZE];
    enum transport_result result = flight_judge(flight, code, message);
    if (result == TRANSPORT_CONNECT)
        look_up_again(transport);
    if (!flight_may_go_again(flight, result)) {
        land(transport, flight, result, message);
        return;
    }
    curl_multi_remove_handle(flight->lane->multi, flight->easy);
    flight->again = true;
    launch(transport, flight);
}

static void end_forced(struct curl_transport *transport, struct flight *flight, enum transport_result result)
{
    char message[FLIGHT_MESSAGE_SIZE] = "cancelled", reason[128];
    if (result != TRANSPORT_CANCELLED && flight->watch_errno == 0)
        snprintf(message, sizeof message, "libcurl could not take another transfer");
    else if (result != TRANSPORT_CANCELLED)
        snprintf(message, sizeof message, "cannot watch the connection: %s",
                 strerror_r(flight->watch_errno, reason, sizeof reason));
    land(transport, flight, result, message);
}

static void end_over_limit(struct curl_transport *transport, struct flight *flight, bool stalled)
{
    char message[FLIGHT_MESSAGE_SIZE];
    enum transport_result result = flight_judge_late(flight, stalled, message);
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

static void end_finished_of(struct curl_transport *transport, const struct flight_lane *lane)
{
    const CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(lane->multi, &left))) {
        struct flight *flight = NULL;
        CURLcode code = message->data.result; /* gone once the handle is removed */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &flight);
        if (flight && !has_ended(flight))
            end_flight(transport, flight, code);
    }
}

static void end_finished(struct curl_transport *transport)
{
    struct flight_lane *lane;
    while ((lane = transport->acted)) {
        transport->acted = lane->next_acted;
        lane->acted = false;
        end_finished_of(transport, lane);
    }
}

static void end_late(struct curl_transport *transport)
{
    struct timeout_node *node;
    while ((node = timeout_due(&transport->field.stalls, transport->field.stamp)) && !has_ended(flight_of_stall(node)))
        end_over_limit(transport, flight_of_stall(node), true);
    while ((node = timeout_due(&transport->field.wholes, transport->field.stamp)) && !has_ended(flight_of_whole(node)))
        end_over_limit(transport, flight_of_whole(node), false);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Nanoseconds where the kernel has them (5.11); older ones lack the call and some sandboxes forbid it. */
static int wait_for_events(struct curl_transport *transport, struct epoll_event *events, int64_t deadline)
{
    int64_t now = clock_now(transport->field.clock), span = deadline > now ? deadline - now : 0;
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

/* Not of a connection that broke: a socket tells its error once, and it is libcurl that must hear it. */
static void sample_stamp_delay(struct curl_transport *transport, const struct epoll_event *events, int count)
{
    int chosen = stamp_delay_choose(&transport->stamp_delay, transport->field.stamp, count);
    if (chosen >= 0 && (events[chosen].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == EPOLLIN)
        stamp_delay_sample(&transport->stamp_delay, events[chosen].data.fd, transport->field.clock, transport->field.stamp);
}

/* Past libcurl; false: it has to act. */
static bool read_past_curl(struct curl_transport *transport, const struct epoll_event *event)
{
    struct flight *flight = watched_by(transport, event->data.fd).flight;
    if (!(event->events & EPOLLIN) || (event->events & EPOLLOUT) || !flight || flight->fd != event->data.fd || !flight->direct || has_ended(flight))
        return false;
    enum flight_read result = flight_read(flight);
    if (result == FLIGHT_READ_BROKEN && !has_ended(flight))
        end_flight(transport, flight, CURLE_RECV_ERROR);
    return result != FLIGHT_READ_REST;
}

static CURLMcode act(struct curl_transport *transport, struct flight_lane *lane, curl_socket_t fd, int what)
{
    int running;
    if (!lane->acted) {
        lane->acted = true;
        lane->next_acted = transport->acted;
        transport->acted = lane;
    }
    return curl_multi_socket_action(lane->multi, fd, what, &running);
}

static CURLMcode act_on_deadlines(struct curl_transport *transport)
{
    CURLMcode code = CURLM_OK;
    if (transport->curl_deadline > transport->field.stamp)
        return code;
    for (size_t k = 0; k < transport->lane_count && code == CURLM_OK; k++) {
        struct flight_lane *lane = transport->lanes[k];
        if (lane->deadline > transport->field.stamp)
            continue;
        lane->deadline = TIME_FOREVER;
        code = act(transport, lane, CURL_SOCKET_TIMEOUT, 0);
    }
    find_curl_deadline(transport);
    return code;
}

static CURLMcode act_on(struct curl_transport *transport, const struct epoll_event *events, int count)
{
    CURLMcode code = CURLM_OK;
    for (int k = 0; k < count && code == CURLM_OK; k++) {
        if (read_past_curl(transport, &events[k]))
            continue;
        bool broken = events[k].events & (EPOLLERR | EPOLLHUP); /* reading or writing then says how */
        int what = (events[k].events & EPOLLIN || broken ? CURL_CSELECT_IN : 0) | (events[k].events & EPOLLOUT || broken ? CURL_CSELECT_OUT : 0);
        struct flight_lane *lane = watched_by(transport, events[k].data.fd).lane;
        if (lane) /* else libcurl has just let it go */
            code = act(transport, lane, events[k].data.fd, what);
    }
    return code == CURLM_OK ? act_on_deadlines(transport) : code;
}

/* Once for every change of the flag: what is in flight can still be waited for afterwards. */
static bool told_to_stop(struct curl_transport *transport)
{
    int stop = transport->stop ? *transport->stop : 0;
    bool changed = stop != transport->stop_seen;
    transport->stop_seen = stop;
    return changed;
}

static int64_t next_turn(const struct curl_transport *transport, int64_t deadline)
{
    int64_t limit = earlier(timeout_next(&transport->field.stalls), timeout_next(&transport->field.wholes));
    return earlier(deadline, earlier(transport->curl_deadline, limit));
}

static int curl_wait(struct transport *base, int64_t deadline, struct error *err)
{
    struct curl_transport *transport = (struct curl_transport *)base;
    MEM_UNINITIALIZED struct epoll_event events[EVENTS_A_TURN];
    bool over = told_to_stop(transport);
    transport->field.handled = false;
    transport->field.stamp = clock_now(transport->field.clock);
    do {
        launch_pending(transport);
        end_doomed(transport);
        over = over || transport->field.handled;
        int count = wait_for_events(transport, events, over ? transport->field.stamp : next_turn(transport, deadline));
        if (count < 0 && errno != EINTR)
            return error_set_errno(err, ERROR_INTERNAL, errno, "waiting for the connections");
        transport->field.stamp = clock_now(transport->field.clock);
        sample_stamp_delay(transport, events, count);
        CURLMcode code = act_on(transport, events, count < 0 ? 0 : count);
        if (code != CURLM_OK)
            return error_set(err, ERROR_INTERNAL, "libcurl cannot go on with the connections: %s", curl_multi_strerror(code));
        end_finished(transport);
        end_late(transport);
        over = told_to_stop(transport) || over || transport->field.handled || transport->field.stamp >= deadline;
    } while (!over);
    return 0;
}

static void curl_free_transport(struct transport *base)
{
    struct curl_transport *transport = (struct curl_transport *)base;
    transport->field.stamp = clock_now(transport->field.clock);
    transport->closing = true;
    end_doomed(transport);
    while (transport->field.wholes.first)
        end_forced(transport, flight_of_whole(transport->field.wholes.first), TRANSPORT_CANCELLED);
    while (transport->free) {
        struct flight *flight = transport->free;
        transport->free = flight->next;
        flight_free(flight);
    }
    for (size_t k = 0; k < transport->lane_count; k++)
        curl_multi_cleanup(transport->lanes[k]->multi);
    if (transport->epoll >= 0)
        close(transport->epoll);
    curl_slist_free_all(transport->field.headers);
    curl_slist_free_all(transport->pinned);
    curl_slist_free_all(transport->unpinned);
    net_setup_free(transport->field.setup);
    for (size_t k = 0; k < transport->lane_count; k++)
        free(transport->lanes[k]);
    free(transport->lanes);
    free(transport->field.bytes);
    free(transport->watched);
    free(transport);
}

static struct lag *curl_stamp_delay(struct transport *base)
{
    return &((struct curl_transport *)base)->stamp_delay.lag;
}

static const struct transport_operations operations = {
    .start = curl_start,
    .cancel = curl_cancel,
    .wait = curl_wait,
    .stamp_delay = curl_stamp_delay,
    .free = curl_free_transport,
};

static int open_epoll(struct curl_transport *transport, struct error *err)
{
    transport->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (transport->epoll < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot start waiting for connections");
    return 0;
}

static struct curl_slist *new_headers(const struct net_setup *setup)
{
    struct curl_slist *headers = net_setup_headers(setup, "application/json", NULL, 0, false);
    struct curl_slist *longer = curl_slist_append(headers, "Accept: text/event-stream");
    if (!longer)
        abort(); /* out of memory, as in mem.h */
    return longer;
}

static int pin_hosts(struct curl_transport *transport, const char *const *urls, size_t count, struct error *err)
{
    struct error reason;
    for (size_t k = 0; k < count; k++)
        if (resolve_pin(urls[k], &transport->pinned, &reason) < 0 && !resolve_is_left_to_proxy(transport->field.setup, urls[k]))
            return error_set(err, reason.class, "%s", reason.text);
    return 0;
}

struct transport *transport_curl_new(const struct transport_curl_settings *settings, struct error *err)
{
    struct curl_transport *transport = mem_alloc(sizeof *transport);
    transport->transport.operations = &operations;
    transport->field.clock = settings->clock;
    transport->field.time_scale = settings->time_scale > 0 ? settings->time_scale : 1;
    transport->stop = settings->net.stop;
    transport->epoll = -1;
    transport->connections_a_lane = FLIGHT_LANE_MAX * (long)(settings->pin_url_count > 1 ? settings->pin_url_count : 1);
    transport->field.bytes = mem_alloc(FLIGHT_READ_MAX);
    transport->curl_deadline = TIME_FOREVER;
    transport->field.stalls.limit = settings->stall_timeout_ns;
    transport->field.wholes.limit = settings->timeout_ns;
    transport->field.setup = net_setup_new(&settings->net, err);
    if (!transport->field.setup ||
        pin_hosts(transport, settings->pin_urls, settings->pin_url_count, err) < 0 || open_epoll(transport, err) < 0) {
        curl_free_transport(&transport->transport);
        return NULL;
    }
    transport->field.headers = new_headers(transport->field.setup);
    return &transport->transport;
}
