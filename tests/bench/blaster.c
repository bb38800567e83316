/* The most that a server can send: SSE streams that are computed beforehand, out of one epoll loop, to one client. What
 * `roibench simulate` costs beyond it is the price of having a model; and a client can be measured with it that is
 * faster than the simulator.
 *
 *     blaster PORT_FILE REQUESTS TOKENS TOKENS_A_WRITE RATE
 *
 * Listens at a free port of 127.0.0.1, which it writes into PORT_FILE, and ends when REQUESTS requests have had their answer
 * and all connections are closed. Each gets vLLM's chat chunks with TOKENS tokens, whatever it asks for. RATE: tokens a second and stream, all streams in step;
 * 0: as fast as can be, TOKENS_A_WRITE of a stream in one write, then the next stream's. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STREAMS_MAX 32768
#define EVENTS 1024
#define HEADER "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define HEAD                                                                                                                  \
    "data: {\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1795485627,\"model\":\"bench\"," \
    "\"choices\":["
#define ROLE HEAD "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
#define TOKEN HEAD "{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]}\n\n"
#define LAST \
    HEAD "{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null,\"token_ids\":null}]}\n\n"

struct stream {
    int fd;
    bool blocked;       /* the kernel has no room */
    size_t body_left;   /* of the request, once its header is read; 0: between requests */
    size_t sent, token; /* bytes of the answer, tokens in them */
};

static struct {
    int epoll, listener;
    char *answer;
    size_t *ends; /* of each token's chunk in the answer; the last one's is the answer's */
    size_t length, tokens, a_write;
    struct stream streams[STREAMS_MAX]; /* by descriptor */
    struct stream *active[STREAMS_MAX]; /* those that are owed tokens */
    size_t active_count;
    long left; /* answers to be given */
    size_t open;
    int64_t interval, due; /* ns; interval 0: none */
} server;

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* --- the answer ------------------------------------------------------------------------------ */

static void add(const char *text)
{
    size_t length = strlen(text);
    memcpy(server.answer + server.length, text, length);
    server.length += length;
}

static void add_chunk(const char *text)
{
    char size[32];
    snprintf(size, sizeof size, "%zx\r\n", strlen(text));
    add(size);
    add(text);
    add("\r\n");
}

static void make_answer(size_t prompt_tokens)
{
    char usage[512];
    server.answer = malloc((server.tokens + 4) * 512);
    server.ends = calloc(server.tokens, sizeof *server.ends);
    must(server.answer && server.ends, "memory");
    add(HEADER);
    add_chunk(ROLE);
    for (size_t k = 0; k < server.tokens; k++) {
        add_chunk(k + 1 < server.tokens ? TOKEN : LAST);
        server.ends[k] = server.length;
    }
    snprintf(usage, sizeof usage, HEAD "],\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu,\"completion_tokens\":%zu}}\n\n",
             prompt_tokens, prompt_tokens + server.tokens, server.tokens);
    add_chunk(usage);
    add_chunk("data: [DONE]\n\n");
    add("0\r\n\r\n");
    server.ends[server.tokens - 1] = server.length;
}

/* --- streams --------------------------------------------------------------------------------- */

static void watch(struct stream *stream, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = stream};
    must(epoll_ctl(server.epoll, operation, stream->fd, &event) == 0, "epoll_ctl");
}

static void accept_all(void)
{
    int on = 1, fd;
    while ((fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        must(fd < STREAMS_MAX, "too many streams");
        struct stream *stream = &server.streams[fd];
        *stream = (struct stream){.fd = fd};
        server.open++;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(stream, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void begin_answer(struct stream *stream)
{
    stream->sent = stream->token = 0;
    server.active[server.active_count++] = stream;
}

/* A request's header comes in one piece from the clients that this is for. */
static void read_request(struct stream *stream)
{
    char bytes[65536];
    ssize_t got = recv(stream->fd, bytes, sizeof bytes - 1, 0);
    if (got <= 0) {
        close(stream->fd);
        server.open--;
        return;
    }
    size_t body = (size_t)got;
    if (stream->body_left == 0) {
        bytes[got] = '\0';
        const char *length = strcasestr(bytes, "\r\ncontent-length:"), *end = strstr(bytes, "\r\n\r\n");
        must(length && end, "a request without Content-Length");
        stream->body_left = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
        body = (size_t)(bytes + got - (end + 4));
    }
    stream->body_left -= body < stream->body_left ? body : stream->body_left;
    if (stream->body_left == 0)
        begin_answer(stream);
}

/* Sends the next tokens; true: the answer is complete. */
static bool send_tokens(struct stream *stream, size_t count)
{
    size_t upto = stream->token + count < server.tokens ? stream->token + count : server.tokens;
    ssize_t sent = send(stream->fd, server.answer + stream->sent, server.ends[upto - 1] - stream->sent, MSG_NOSIGNAL);
    must(sent > 0 || errno == EAGAIN, "send");
    stream->sent += sent > 0 ? (size_t)sent : 0;
    stream->token = upto;
    if (stream->sent < server.ends[upto - 1]) {
        stream->token = upto - 1;
        stream->blocked = true;
        watch(stream, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    return stream->sent == server.length;
}

/* One round over all streams. */
static void send_round(void)
{
    size_t kept = 0;
    for (size_t k = 0; k < server.active_count; k++) {
        struct stream *stream = server.active[k];
        if (!stream->blocked && send_tokens(stream, server.a_write))
            server.left--;
        else
            server.active[kept++] = stream;
    }
    server.active_count = kept;
}

static void handle(const struct epoll_event *event)
{
    struct stream *stream = event->data.ptr;
    if (!stream) {
        accept_all();
        return;
    }
    if (event->events & EPOLLOUT) {
        stream->blocked = false;
        watch(stream, EPOLLIN, EPOLL_CTL_MOD);
    }
    if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_request(stream);
}

/* Milliseconds until a round is due; -1: none is. */
static int wait_time(void)
{
    bool ready = false;
    for (size_t k = 0; k < server.active_count && !ready; k++)
        ready = !server.active[k]->blocked;
    if (!ready)
        return -1;
    int64_t wait = server.interval ? server.due - now() : 0;
    return wait > 0 ? (int)(wait / 1000000) : 0;
}

static void serve(void)
{
    struct epoll_event events[EVENTS];
    while (server.left > 0 || server.open > 0) {
        int ready = epoll_wait(server.epoll, events, EVENTS, wait_time());
        must(ready >= 0, "epoll_wait");
        for (int k = 0; k < ready; k++)
            handle(&events[k]);
        if (server.interval && now() < server.due)
            continue;
        send_round();
        server.due = server.due + server.interval > now() ? server.due + server.interval : now() + server.interval;
    }
}

static void listen_at_any(const char *port_file)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct epoll_event event = {.events = EPOLLIN};
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(bind(server.listener, (struct sockaddr *)&address, size) == 0 && listen(server.listener, 4096) == 0 &&
             getsockname(server.listener, (struct sockaddr *)&address, &size) == 0, "listen");
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &event) == 0, "epoll_ctl");
    FILE *file = fopen(port_file, "w");
    must(file && fprintf(file, "%d\n", ntohs(address.sin_port)) > 0 && fclose(file) == 0, port_file);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: %s PORT_FILE REQUESTS TOKENS TOKENS_A_WRITE RATE\n", argv[0]);
        return 2;
    }
    double rate = strtod(argv[5], NULL);
    server.left = strtol(argv[2], NULL, 10);
    server.tokens = strtoul(argv[3], NULL, 10);
    server.a_write = strtoul(argv[4], NULL, 10);
    server.interval = rate > 0 ? (int64_t)(1e9 / rate) : 0;
    must(server.tokens > 0 && server.a_write > 0, "TOKENS");
    make_answer(42);
    listen_at_any(argv[1]);
    serve();
    return 0;
}
