#include "support/put_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define FILES_MAX 16
#define REQUEST_MAX ((size_t)64 << 20)

struct stored {
    char *path;
    struct buf content;
};

struct put_server {
    int listener, port;
    pthread_t thread;
    pthread_mutex_t lock;
    struct stored files[FILES_MAX];
    size_t file_count;
    struct buf requests;
    int put_status, head_status;
    char *put_body;
    const char *refused_once; /* suffix of the path; NULL: none */
};

static struct stored *find(struct put_server *server, const char *path)
{
    for (size_t k = 0; k < server->file_count; k++) {
        if (strcmp(server->files[k].path, path) == 0)
            return &server->files[k];
    }
    return NULL;
}

static void store(struct put_server *server, const char *path, const char *bytes, size_t length)
{
    struct stored *file = find(server, path);

    if (!file && server->file_count < FILES_MAX) {
        file = &server->files[server->file_count++];
        *file = (struct stored){.path = mem_strdup(path), .content = BUF_INIT(REQUEST_MAX)};
    }
    if (!file)
        abort();
    buf_reset(&file->content);
    buf_append(&file->content, bytes, length);
}

static void answer(int fd, int status, const char *headers, const char *body, size_t length, bool head)
{
    struct buf out = BUF_INIT(REQUEST_MAX);

    buf_printf(&out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status, length, headers);
    if (!head)
        buf_append(&out, body, length);
    for (size_t done = 0; done < out.len;) {
        const ssize_t written = send(fd, out.data + done, out.len - done, MSG_NOSIGNAL);

        if (written <= 0)
            break;
        done += (size_t)written;
    }
    buf_free(&out);
}

static void answer_put(struct put_server *server, int fd, const char *path, const char *body, size_t length)
{
    const size_t path_length = strlen(path), suffix_length = server->refused_once ? strlen(server->refused_once) : 0;

    if (server->refused_once && path_length > suffix_length && strcmp(path + path_length - suffix_length, server->refused_once) == 0) {
        server->refused_once = NULL;
        answer(fd, 503, "", "later", 5, false);
        return;
    }
    if (server->put_status != 0) {
        answer(fd, server->put_status, server->put_status / 100 == 3 ? "Location: /elsewhere/x?token=secret\r\n" : "", server->put_body, strlen(server->put_body), false);
        return;
    }
    store(server, path, body, length);
    answer(fd, 201, "ETag: \"e1\"\r\n", "", 0, false);
}

static void answer_get(struct put_server *server, int fd, const char *path, bool head)
{
    const struct stored *file = find(server, path);

    if (head && server->head_status != 0)
        answer(fd, server->head_status, "", "", 0, true);
    else if (file)
        answer(fd, 200, "ETag: \"e0\"\r\n", buf_text(&file->content), file->content.len, head);
    else
        answer(fd, 404, "", "", 0, head);
}

/* Reads until `needed` bytes are there. */
static int receive(int fd, struct buf *in, size_t needed)
{
    char block[65536];

    while (in->len < needed) {
        const ssize_t got = recv(fd, block, sizeof block, 0);

        if (got <= 0 || buf_append(in, block, (size_t)got) < 0)
            return -1;
    }
    return 0;
}

static void serve(struct put_server *server, int fd)
{
    struct buf in = BUF_INIT(REQUEST_MAX);
    char method[8], path[1024];
    const char *end = NULL;

    while (!(end = in.data ? strstr(in.data, "\r\n\r\n") : NULL) && receive(fd, &in, in.len + 1) == 0)
        ;
    if (end && sscanf(in.data, "%7s %1023s", method, path) == 2) {
        const char *announced = strcasestr(in.data, "\r\nContent-Length:");
        const size_t begin = (size_t)(end + 4 - in.data);
        const size_t length = announced && announced < end ? strtoul(announced + 17, NULL, 10) : 0;

        if (strcasestr(in.data, "\r\nExpect: 100-continue"))
            send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
        if (receive(fd, &in, begin + length) == 0) {
            pthread_mutex_lock(&server->lock);
            buf_printf(&server->requests, "%s %s\n", method, path);
            if (strcmp(method, "PUT") == 0)
                answer_put(server, fd, path, in.data + begin, length);
            else
                answer_get(server, fd, path, strcmp(method, "HEAD") == 0);
            pthread_mutex_unlock(&server->lock);
        }
    }
    buf_free(&in);
}

static void *run(void *context)
{
    struct put_server *server = context;
    int fd;

    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        serve(server, fd);
        close(fd);
    }
    return NULL;
}

void put_server_store(struct put_server *server, const char *path, const char *bytes, size_t length)
{
    pthread_mutex_lock(&server->lock);
    store(server, path, bytes, length);
    pthread_mutex_unlock(&server->lock);
}

void put_server_refuse_once(struct put_server *server, const char *suffix)
{
    pthread_mutex_lock(&server->lock);
    server->refused_once = suffix;
    pthread_mutex_unlock(&server->lock);
}

struct put_server *put_server_start(void)
{
    struct put_server *server = mem_alloc(sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    pthread_mutex_init(&server->lock, NULL);
    server->requests = BUF_INIT(REQUEST_MAX);
    server->put_body = mem_strdup("");
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&address, size) < 0 || listen(server->listener, 16) < 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) < 0 ||
        pthread_create(&server->thread, NULL, run, server) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    return server;
}

void put_server_stop(struct put_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (size_t k = 0; k < server->file_count; k++) {
        free(server->files[k].path);
        buf_free(&server->files[k].content);
    }
    buf_free(&server->requests);
    free(server->put_body);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int put_server_port(const struct put_server *server)
{
    return server->port;
}

void put_server_answer(struct put_server *server, int put_status, const char *put_body, int head_status)
{
    pthread_mutex_lock(&server->lock);
    server->put_status = put_status;
    server->head_status = head_status;
    free(server->put_body);
    server->put_body = mem_strdup(put_body);
    pthread_mutex_unlock(&server->lock);
}

const char *put_server_content(struct put_server *server, const char *path, size_t *length)
{
    pthread_mutex_lock(&server->lock);

    const struct stored *file = find(server, path);
    const char *content = file ? buf_text(&file->content) : NULL;

    *length = file ? file->content.len : 0;
    pthread_mutex_unlock(&server->lock);
    return content;
}

char *put_server_requests(struct put_server *server)
{
    pthread_mutex_lock(&server->lock);

    char *requests = mem_strdup(buf_text(&server->requests));

    pthread_mutex_unlock(&server->lock);
    return requests;
}
