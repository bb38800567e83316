#include "support/tiny_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define REQUEST_MAX ((size_t)64 << 20)
#define BACKLOG 4096

struct tiny_server {
    int listener;
    char url[64];
    pthread_t thread;
    atomic_bool over;
    struct buf request;
    tiny_script *script;
    void *context;
};

static void *run(void *argument)
{
    struct tiny_server *server = argument;

    server->script(server, server->context);
    return NULL;
}

struct tiny_server *tiny_server_start(tiny_script *script, void *context)
{
    struct tiny_server *server = mem_alloc(sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    server->request = BUF_INIT(REQUEST_MAX);
    server->script = script;
    server->context = context;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&address, size) < 0 ||
        listen(server->listener, BACKLOG) < 0 || getsockname(server->listener, (struct sockaddr *)&address, &size) < 0)
        abort();
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    if (pthread_create(&server->thread, NULL, run, server) != 0)
        abort();
    return server;
}

void tiny_server_stop(struct tiny_server *server)
{
    server->over = true;
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    buf_free(&server->request);
    free(server);
}

const char *tiny_server_url(const struct tiny_server *server)
{
    return server->url;
}

int tiny_server_listener(const struct tiny_server *server)
{
    return server->listener;
}

int tiny_accept(struct tiny_server *server)
{
    const int on = 1;
    const int fd = server->over ? -1 : accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Bytes of the whole request that begins with this text; 0: its head is not complete. */
static size_t request_length(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");

    if (!end)
        return 0;
    return (size_t)(end + 4 - text) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

static bool read_into(int fd, struct buf *request)
{
    char chunk[16384];
    size_t whole = 0;

    buf_reset(request);
    for (;;) {
        if (whole == 0)
            whole = request_length(buf_text(request));
        if (whole > 0 && request->len >= whole)
            return true;

        const ssize_t got = recv(fd, chunk, sizeof chunk, 0);

        if (got <= 0 || buf_append(request, chunk, (size_t)got) < 0)
            return false;
    }
}

bool tiny_read_request(int fd)
{
    cleanup_buf struct buf request = BUF_INIT(REQUEST_MAX);

    return read_into(fd, &request);
}

bool tiny_keep_request(struct tiny_server *server, int fd)
{
    struct buf request = BUF_INIT(REQUEST_MAX);

    if (!read_into(fd, &request)) {
        buf_free(&request);
        return false;
    }
    buf_free(&server->request);
    server->request = request;
    return true;
}

const char *tiny_server_request(const struct tiny_server *server)
{
    return buf_text(&server->request);
}

void tiny_send_bytes(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return; /* the client is gone: the test will say what it expected */
        bytes += sent;
        length -= (size_t)sent;
    }
}

void tiny_send(int fd, const char *text)
{
    tiny_send_bytes(fd, text, strlen(text));
}

void tiny_close(int fd)
{
    close(fd);
}

void tiny_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

void tiny_wait_gone(int fd)
{
    char chunk[4096];

    while (recv(fd, chunk, sizeof chunk, 0) > 0)
        ;
}
