/* The seam between the load engine and the network: many streamed requests at once.
 *
 * Waiting belongs to the transport: the engine says until when, and every
 * callback comes from inside transport_wait, on the caller's thread. The real
 * transport (transport_curl) waits in epoll_wait and stamps all that is ready
 * with one reading of the clock; the fake one of the tests moves a fake clock,
 * so an hour of load runs in milliseconds.
 *
 * A struct transfer is the caller's memory from transport_start until `ended`
 * was called, which happens exactly once for every started transfer: also after
 * transport_cancel (from within the next wait, or directly), also when the transport is freed.
 * From `ended` on the caller may reuse the struct, even start it again at once from within the callback
 * (not while the transport is being freed: then nothing is started any more, and no `ended` follows).
 * start and cancel may be called from within every callback.
 *
 * Latency fields: `sent` is when the request is about to be written to its
 * connection (a new connection's DNS, TCP and TLS lie before it). Where a reused connection
 * turned out dead before a line of the response came, the request goes again on another one
 * and `sent` is called once more: the caller overwrites its time and counts `reconnected`. */
#ifndef ROIBENCH_NET_TRANSPORT_H
#define ROIBENCH_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/lag.h"
#include "net/http_client.h"

enum transport_result {
    TRANSPORT_OK,        /* the response was read to its end, whatever its status */
    TRANSPORT_DNS, TRANSPORT_LOCAL /* fds, ports, memory */, TRANSPORT_CONNECT, TRANSPORT_TLS,
    TRANSPORT_TIMEOUT,   /* the request's whole time */
    TRANSPORT_STALL,     /* no byte for stall_timeout */
    TRANSPORT_RESET,     /* the connection broke before or while the response came */
    TRANSPORT_TRUNCATED, /* the connection was closed in an orderly way inside the body */
    TRANSPORT_PROTOCOL,  /* not HTTP, or a header beyond all bounds */
    TRANSPORT_CANCELLED,
};

struct transfer;

struct transfer_handler {
    /* connected: when the connection was ready (TIME_NEVER on a reused one). */
    void (*sent)(struct transfer *transfer, int64_t time, int64_t connected, bool reused);
    void (*headers)(struct transfer *transfer, int64_t time, int status);
    /* Any number of times, cut anywhere; the bytes are valid only during the call. Also for error bodies. */
    void (*bytes)(struct transfer *transfer, int64_t time, const char *bytes, size_t length);
    void (*ended)(struct transfer *transfer, int64_t time, enum transport_result result, const char *message);
};

struct transfer {
    const struct transfer_handler *handler;
    const char *url;         /* borrowed until ended */
    const char *body;        /* JSON, POSTed; borrowed until ended. NULL: a GET */
    size_t body_length;
    void *implementation;    /* the transport's own */
};

struct transport;

struct transport_operations {
    /* Begins a transfer. Never fails: trouble comes as `ended`, from within the next wait. */
    void (*start)(struct transport *transport, struct transfer *transfer);
    /* Ends it as TRANSPORT_CANCELLED (its connection is closed, so the server stops generating). */
    void (*cancel)(struct transport *transport, struct transfer *transfer);
    /* Handles what is ready; returns as soon as anything was handled, at `deadline` (of the transport's clock, TIME_FOREVER:
     * none) or when stop changed (once a change: waiting goes on afterwards, so that what is in flight can be drained).
     * Sockets are looked at in every call. Returns -1 with *err only when the transport itself is broken. */
    int (*wait)(struct transport *transport, int64_t deadline, struct error *err);
    /* By how much time stamps were later than the kernel's (net/stamp_delay.h): a sample; the caller may empty it. NULL: unknown. */
    struct lag *(*stamp_delay)(struct transport *transport);
    /* Ends what is in flight as TRANSPORT_CANCELLED. */
    void (*free)(struct transport *transport);
};

struct transport {
    const struct transport_operations *operations;
};

static inline void transport_start(struct transport *transport, struct transfer *transfer)
{
    transport->operations->start(transport, transfer);
}
static inline void transport_cancel(struct transport *transport, struct transfer *transfer)
{
    transport->operations->cancel(transport, transfer);
}
static inline int transport_wait(struct transport *transport, int64_t deadline, struct error *err)
{
    return transport->operations->wait(transport, deadline, err);
}
/* NULL: this transport does not know. */
static inline struct lag *transport_stamp_delay(struct transport *transport)
{
    return transport->operations->stamp_delay ? transport->operations->stamp_delay(transport) : NULL;
}
static inline void transport_free(struct transport *transport)
{
    transport->operations->free(transport);
}

/* transport_curl: the real one. Times out transfers itself, on `clock`. */
struct transport_curl_settings {
    struct net_settings net;
    const struct clock *clock;
    int64_t timeout_ns;       /* whole request; <= 0: none */
    int64_t stall_timeout_ns; /* between two bytes, and before the first; <= 0: none */
    double time_scale;        /* of the model's time: spans in messages are multiplied by it; 0: they are wall time */
    const char *const *pin_urls; /* their hosts are resolved once here and now, and pinned for all transfers until one finds nobody there */
    size_t pin_url_count;
};
struct transport *transport_curl_new(const struct transport_curl_settings *settings, struct error *err);

#endif
