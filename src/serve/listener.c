#include "serve/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"

#define BACKLOG 4096
#define ADDRESS_SIZE (INET6_ADDRSTRLEN + 16)
#define PORT_MAX 65535
#define LISTENER_FLAGS (LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC)

struct listener {
    struct event_base *base;
    struct evhttp *http;
    struct evconnlistener *accepting;  /* evhttp's; NULL as bound */
    struct evhttp_bound_socket *bound; /* NULL: connecting is refused */
    evutil_socket_t reserved;          /* then: holds the port; else -1 */
    char address[ADDRESS_SIZE];
    int port;
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int parse_port(const char *text, uint16_t *port)
{
    int64_t number;
    if (units_parse_integer(text, &number) < 0 || number < 0 || number > PORT_MAX)
        return -1;
    *port = (uint16_t)number;
    return 0;
}

/* "host:port"; a host of IPv6 stands in brackets. Returns the address's size, or 0. */
static socklen_t parse_address(const char *text, union address *address)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    uint16_t port;
    if (!colon || (size_t)(colon - text) >= sizeof host || parse_port(colon + 1, &port) < 0)
        return 0;
    size_t length = (size_t)(colon - text);
    memcpy(host, text, length);
    host[length] = '\0';
    memset(address, 0, sizeof *address);
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        return inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) == 1 ? sizeof address->v6 : 0;
    }
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(port);
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    return inet_pton(AF_INET, numeric, &address->v4.sin_addr) == 1 ? sizeof address->v4 : 0;
}

static void tell_address(struct listener *listener, evutil_socket_t fd)
{
    union address address;
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "?";
    memset(&address, 0, sizeof address);
    getsockname(fd, &address.any, &size);
    bool v6 = address.any.sa_family == AF_INET6;
    inet_ntop(address.any.sa_family, v6 ? (void *)&address.v6.sin6_addr : (void *)&address.v4.sin_addr, host, sizeof host);
    listener->port = ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port);
    snprintf(listener->address, sizeof listener->address, v6 ? "[%s]:%d" : "%s:%d", host, listener->port);
}

/* Out of file descriptors, usually: the connection stays in the backlog, and the loop must not spin on it.
 * The context is evhttp, whose callback shares it. */
static void accept_failed(struct evconnlistener *accepting, void *context)
{
    (void)context;
    evconnlistener_disable(accepting);
}

void listener_wake(struct listener *listener)
{
    if (listener->accepting)
        evconnlistener_enable(listener->accepting);
}

static void serve_listener(struct listener *listener)
{
    int on = 1;
    evutil_socket_t fd = evconnlistener_get_fd(listener->accepting);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    listener->bound = evhttp_bind_listener(listener->http, listener->accepting);
    if (!listener->bound)
        abort(); /* only without memory */
    evconnlistener_set_error_cb(listener->accepting, accept_failed);
}

static int listen_at(struct listener *listener, const char *text, struct error *err)
{
    union address address;
    socklen_t size = parse_address(text, &address);
    if (size == 0)
        return error_set(err, ERROR_USAGE, "'%s' is no address to listen at: expected host:port, e.g. 127.0.0.1:8000, "
                         "[::1]:8000 or 0.0.0.0:0 (any free port)", text);
    listener->accepting = evconnlistener_new_bind(listener->base, NULL, NULL, LISTENER_FLAGS, BACKLOG, &address.any, (int)size);
    if (!listener->accepting)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot listen at %s", text);
    tell_address(listener, evconnlistener_get_fd(listener->accepting));
    serve_listener(listener);
    return 0;
}

/* Two sockets may have the same port as long as neither listens: the one that does not keeps it ours. */
int listener_refuse(struct listener *listener, struct error *err)
{
    union address address;
    int on = 1;
    if (!listener->bound)
        return 0;
    socklen_t size = parse_address(listener->address, &address);
    if (size == 0)
        return error_set(err, ERROR_INTERNAL, "'%s' is no address", listener->address);
    evhttp_del_accept_socket(listener->http, listener->bound);
    listener->bound = NULL;
    listener->accepting = NULL;
    listener->reserved = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener->reserved, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listener->reserved < 0 || bind(listener->reserved, &address.any, size) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot keep %s while connections are refused", listener->address);
    return 0;
}

int listener_listen_again(struct listener *listener, struct error *err)
{
    if (listener->bound)
        return 0;
    listener->accepting = evconnlistener_new(listener->base, NULL, NULL, LISTENER_FLAGS, BACKLOG, listener->reserved);
    if (!listener->accepting)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot listen at %s again", listener->address);
    listener->reserved = -1;
    serve_listener(listener);
    return 0;
}

bool listener_is_open(const struct listener *listener)
{
    return listener->bound != NULL;
}

struct listener *listener_new(struct event_base *base, struct evhttp *http, const char *address, struct error *err)
{
    struct listener *listener = mem_alloc(sizeof *listener);
    *listener = (struct listener){.base = base, .http = http, .reserved = -1};
    if (listen_at(listener, address, err) < 0) {
        listener_free(listener);
        return NULL;
    }
    return listener;
}

void listener_free(struct listener *listener)
{
    if (!listener)
        return;
    if (listener->reserved >= 0)
        close(listener->reserved);
    free(listener);
}

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}

int listener_port(const struct listener *listener)
{
    return listener->port;
}
