/* The least a client can do: N sockets in one epoll, the same request over and over; 64 kB are received at a time, `data:` is counted
 * and nothing else is looked at. What `roibench run` costs beyond it is the price of measuring.
 *
 *     bare_reader PORT STREAMS REQUESTS BODY_FILE      127.0.0.1; the body is that of every request
 *
 * Prints how many `data:` came, in how many calls of recv. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX 65536
#define EVENTS 1024
#define END "\r\n0\r\n\r\n" /* the last chunk of an answer, and the line before it */
#define END_LENGTH (sizeof END - 1)
#define EVENT "data:"
#define EVENT_LENGTH (sizeof EVENT - 1)
#define RECEIVE_BYTES 65536

struct stream {
    int fd;
    char tail[END_LENGTH]; /* the newest bytes of the answer */
};

struct client {
    struct stream *streams;
    char request[BODY_MAX + 256];
    size_t request_length;
    long left, in_flight; /* requests to be sent, and sent */
    long events, receives;
    char bytes[RECEIVE_BYTES];
};

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    exit(1);
}

static void make_request(struct client *client, const char *path)
{
    static char body[BODY_MAX];
    FILE *file = fopen(path, "rb");
    must(file != NULL, path);
    size_t length = fread(body, 1, sizeof body - 1, file);
    fclose(file);
    client->request_length = (size_t)snprintf(client->request, sizeof client->request,
                                              "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                              "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                              length, body);
}

static int open_socket(int port)
{
    const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_request(struct client *client, struct stream *stream)
{
    memset(stream->tail, 0, sizeof stream->tail);
    must(send(stream->fd, client->request, client->request_length, MSG_NOSIGNAL) == (ssize_t)client->request_length, "send");
    client->left--;
    client->in_flight++;
}

/* Keeps the newest END_LENGTH bytes. */
static void keep_tail(struct stream *stream, const char *bytes, size_t length)
{
    if (length >= END_LENGTH) {
        memcpy(stream->tail, bytes + length - END_LENGTH, END_LENGTH);
        return;
    }
    memmove(stream->tail, stream->tail + length, END_LENGTH - length);
    memcpy(stream->tail + END_LENGTH - length, bytes, length);
}

static long count_events(const char *bytes, size_t length)
{
    const char *end = bytes + length;
    long count = 0;
    while ((bytes = memmem(bytes, (size_t)(end - bytes), EVENT, EVENT_LENGTH))) {
        bytes += EVENT_LENGTH;
        count++;
    }
    return count;
}

/* Those that are cut by the receives: begun in the tail and ended in the new bytes. */
static long count_cut_events(const struct stream *stream, const char *bytes, size_t length)
{
    char seam[2 * (EVENT_LENGTH - 1)];
    size_t more = length < EVENT_LENGTH - 1 ? length : EVENT_LENGTH - 1;
    memcpy(seam, stream->tail + END_LENGTH - (EVENT_LENGTH - 1), EVENT_LENGTH - 1);
    memcpy(seam + EVENT_LENGTH - 1, bytes, more);
    return count_events(seam, EVENT_LENGTH - 1 + more);
}

static void read_answer(struct client *client, struct stream *stream)
{
    ssize_t got = recv(stream->fd, client->bytes, sizeof client->bytes, 0);
    must(got > 0, "recv");
    client->receives++;
    client->events += count_cut_events(stream, client->bytes, (size_t)got) + count_events(client->bytes, (size_t)got);
    keep_tail(stream, client->bytes, (size_t)got);
    if (memcmp(stream->tail, END, END_LENGTH) != 0)
        return;
    client->in_flight--;
    if (client->left > 0)
        send_request(client, stream);
}

int main(int argc, char **argv)
{
    static struct client client;
    struct epoll_event events[EVENTS];
    if (argc != 5) {
        fprintf(stderr, "usage: %s PORT STREAMS REQUESTS BODY_FILE\n", argv[0]);
        return 2;
    }
    long count = strtol(argv[2], NULL, 10);
    must(count > 0, "STREAMS");
    client.left = strtol(argv[3], NULL, 10);
    make_request(&client, argv[4]);
    client.streams = calloc((size_t)count, sizeof *client.streams);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    must(client.streams && epoll >= 0, "epoll_create1");
    for (long k = 0; k < count && client.left > 0; k++) {
        struct stream *stream = &client.streams[k];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
        stream->fd = open_socket((int)strtol(argv[1], NULL, 10));
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, stream->fd, &event) == 0, "epoll_ctl");
        send_request(&client, stream);
    }
    while (client.in_flight > 0) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        must(ready > 0, "epoll_wait");
        for (int k = 0; k < ready; k++)
            read_answer(&client, events[k].data.ptr);
    }
    printf("%ld %ld\n", client.events, client.receives);
    free(client.streams);
    return 0;
}
