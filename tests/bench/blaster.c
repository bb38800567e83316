/* The most that a server can send: SSE streams that are computed beforehand, out of one epoll loop, to one client. What
 * `roibench simulate` costs beyond it is the price of having a model; and a client can be measured with it that is
 * faster than the simulator.
 *
 *     blaster PORT_FILE [requests=N] [tokens=N] [a-write=N] [rate=X] [ttft-ms=X] [step] [report=FILE]
 *
 * Listens at a free port of 127.0.0.1, which it writes into PORT_FILE. It ends when `requests` POSTs have had their answer and all
 * connections are closed (0, the default: at SIGTERM). Each gets vLLM's chat chunks with `tokens` tokens, whatever it
 * asks for, `a-write` of them in one write; other requests get 404.
 *
 * rate: writes a second and stream, each stream on a schedule of its own that begins ttft-ms after the kernel had its request; with
 * `step` all streams are due at the same moments, as those of an engine that computes them together are. Without a rate: as fast as
 * can be, one write of each stream after the other.
 *
 * The report is one line of JSON, what it really did: CPU seconds; of the writes that had a schedule how late they were (due to the
 * clock read behind send()), ttft (from when the kernel had the request, by its stamp, to the first write: that the server was
 * late to read it is no fault of a client) and itl (write to write, by the tokens of the write), each p50, p99 and max in ns, exact;
 * how often the kernel had no room. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STREAMS_MAX 32768
#define EVENTS 1024
#define SAMPLES_MAX ((size_t)32 << 20)
#define NS_PER_S INT64_C(1000000000)
#define HEADER "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NOT_FOUND "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
#define HEAD                                                                                                                  \
    "data: {\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1795485627,\"model\":\"bench\"," \
    "\"choices\":["
#define ROLE HEAD "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
#define TOKEN HEAD "{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]}\n\n"
#define LAST \
    HEAD "{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null,"         \
    "\"token_ids\":null}]}\n\n"

struct stream {
    int fd;
    bool post;          /* what is asked for is tokens */
    bool queued, gone;  /* in one of the queues; its client went: closed when it comes out of there */
    size_t body_left;   /* of the request, once its header is read; 0: between requests */
    size_t sent, token; /* bytes of the answer, tokens in them */
    int64_t read, due, written; /* the kernel had the request; the next write; the last one */
};

/* Streams in the order in which they are due: all of one queue wait equally long. */
struct queue {
    struct stream *streams[STREAMS_MAX];
    size_t first, count;
};

struct samples {
    uint32_t *ns;
    size_t count;
};

static struct {
    int epoll, listener;
    char *answer;
    size_t *ends; /* of each token's chunk in the answer; the last one's is the answer's */
    size_t length, tokens, a_write;
    struct stream streams[STREAMS_MAX]; /* by descriptor */
    struct queue beginning, going_on;   /* before their first write, and behind it */
    long requests, left;                /* answers to be given; 0: no end */
    size_t open;
    bool step;
    int64_t interval, ttft; /* ns; interval 0: none */
    struct samples late, first, between;
    long blocked, answered;
} server = {.tokens = 100, .a_write = 1};

static volatile sig_atomic_t stopped;

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    exit(1);
}

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return ns_of(time);
}

static int64_t now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
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

/* --- the truth ------------------------------------------------------------------------------- */

static void add_sample(struct samples *samples, int64_t ns)
{
    if (!samples->ns) {
        samples->ns = malloc(SAMPLES_MAX * sizeof *samples->ns); /* pages are taken as they are written */
        must(samples->ns != NULL, "memory");
    }
    if (samples->count < SAMPLES_MAX)
        samples->ns[samples->count++] = ns < 0 ? 0 : ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static void note_write(struct stream *stream, size_t tokens)
{
    if (!server.interval)
        return;
    int64_t time = now();
    add_sample(&server.late, time - stream->due);
    if (stream->token == 0)
        add_sample(&server.first, time - stream->read);
    else
        for (size_t k = 0; k < tokens; k++)
            add_sample(&server.between, (time - stream->written) / (int64_t)tokens);
    stream->written = time;
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Nearest rank. */
static uint32_t percentile(const struct samples *samples, size_t percent)
{
    return samples->count ? samples->ns[(samples->count * percent + 99) / 100 - 1] : 0;
}

static void report_samples(FILE *file, const char *name, struct samples *samples)
{
    if (samples->count)
        qsort(samples->ns, samples->count, sizeof *samples->ns, compare_samples);
    fprintf(file, ",\"%s\":{\"count\":%zu,\"p50\":%u,\"p99\":%u,\"max\":%u}", name, samples->count, percentile(samples, 50),
            percentile(samples, 99), percentile(samples, 100));
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void report(const char *path)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage); /* before the sorting, which is no part of serving */
    FILE *file = fopen(path, "w");
    must(file != NULL, path);
    fprintf(file, "{\"cpu_s\":%.3f,\"answered\":%ld,\"blocked\":%ld", seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
            server.answered, server.blocked);
    report_samples(file, "late_ns", &server.late);
    report_samples(file, "ttft_ns", &server.first);
    report_samples(file, "itl_ns", &server.between);
    fprintf(file, "}\n");
    must(fclose(file) == 0, path);
}

/* --- streams --------------------------------------------------------------------------------- */

static void push(struct queue *queue, struct stream *stream)
{
    stream->queued = true;
    queue->streams[(queue->first + queue->count++) % STREAMS_MAX] = stream;
}

static struct stream *pop(struct queue *queue)
{
    struct stream *stream = queue->streams[queue->first];
    queue->first = (queue->first + 1) % STREAMS_MAX;
    queue->count--;
    stream->queued = false;
    return stream;
}

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
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        watch(stream, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void begin_answer(struct stream *stream)
{
    stream->sent = stream->token = 0;
    stream->due = stream->read + server.ttft;
    if (server.step && server.interval)
        stream->due += server.interval - stream->due % server.interval;
    push(&server.beginning, stream);
}

static void close_stream(struct stream *stream)
{
    stream->gone = true;
    epoll_ctl(server.epoll, EPOLL_CTL_DEL, stream->fd, NULL);
    if (stream->queued)
        return;
    close(stream->fd);
    server.open--;
}

/* recv, and stream->read: when the kernel had these bytes. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes there */
static ssize_t receive(struct stream *stream, char *bytes, size_t size)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec vector = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(stream->fd, &message, 0);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    struct timespec stamp;
    stream->read = now();
    if (got > 0 && header && header->cmsg_type == SCM_TIMESTAMPNS) {
        memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
        stream->read -= read_clock(CLOCK_REALTIME) - ns_of(stamp);
    }
    return got;
}

/* A request's header comes in one piece from the clients that this is for. */
static void read_request(struct stream *stream)
{
    char bytes[65536];
    ssize_t got = receive(stream, bytes, sizeof bytes - 1);
    if (got <= 0) {
        close_stream(stream);
        return;
    }
    size_t body = (size_t)got;
    if (stream->body_left == 0) {
        bytes[got] = '\0';
        stream->post = strncmp(bytes, "POST ", 5) == 0;
        if (!stream->post) {
            must(send(stream->fd, NOT_FOUND, sizeof NOT_FOUND - 1, MSG_NOSIGNAL) > 0, "send");
            return;
        }
        const char *length = strcasestr(bytes, "\r\ncontent-length:"), *end = strstr(bytes, "\r\n\r\n");
        must(length && end, "a request without Content-Length");
        stream->body_left = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
        body = (size_t)(bytes + got - (end + 4));
    }
    stream->body_left -= body < stream->body_left ? body : stream->body_left;
    if (stream->body_left == 0)
        begin_answer(stream);
}

/* Sends the next tokens, or what is left of the last ones. */
static void send_tokens(struct stream *stream)
{
    size_t upto = stream->token + server.a_write < server.tokens ? stream->token + server.a_write : server.tokens;
    ssize_t sent = stream->gone ? -1 : send(stream->fd, server.answer + stream->sent, server.ends[upto - 1] - stream->sent, MSG_NOSIGNAL);
    if (stream->gone || (sent < 0 && errno != EAGAIN)) {
        close_stream(stream);
        return;
    }
    stream->sent += sent > 0 ? (size_t)sent : 0;
    if (stream->sent < server.ends[upto - 1]) {
        server.blocked++;
        watch(stream, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        return;
    }
    note_write(stream, upto - stream->token);
    stream->token = upto;
    stream->due += server.interval;
    if (upto < server.tokens) {
        push(&server.going_on, stream);
        return;
    }
    server.answered++;
    server.left--;
}

static void send_due(struct queue *queue)
{
    for (size_t turn = queue->count; turn > 0 && (!server.interval || queue->streams[queue->first]->due <= now()); turn--)
        send_tokens(pop(queue));
}

static void handle(const struct epoll_event *event)
{
    struct stream *stream = event->data.ptr;
    if (!stream) {
        accept_all();
        return;
    }
    if (event->events & EPOLLOUT) {
        watch(stream, EPOLLIN, EPOLL_CTL_MOD);
        push(&server.going_on, stream);
    }
    if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_request(stream);
}

/* --- the loop -------------------------------------------------------------------------------- */

static int64_t earliest(int64_t due, const struct queue *queue)
{
    if (queue->count == 0)
        return due;
    return !server.interval ? 0 : queue->streams[queue->first]->due < due ? queue->streams[queue->first]->due : due;
}

static void serve(void)
{
    struct epoll_event events[EVENTS];
    while (!stopped && (server.requests == 0 || server.left > 0 || server.open > 0)) {
        int64_t due = earliest(earliest(INT64_MAX, &server.beginning), &server.going_on);
        int64_t wait = due == INT64_MAX ? NS_PER_S : due == 0 ? 0 : due - now();
        struct timespec time = {.tv_sec = wait > 0 ? wait / NS_PER_S : 0, .tv_nsec = wait > 0 ? wait % NS_PER_S : 0};
        int ready = epoll_pwait2(server.epoll, events, EVENTS, &time, NULL);
        must(ready >= 0 || errno == EINTR, "epoll_pwait2");
        for (int k = 0; k < ready; k++)
            handle(&events[k]);
        send_due(&server.beginning);
        send_due(&server.going_on);
    }
}

static void listen_at_any(const char *port_file)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct epoll_event event = {.events = EPOLLIN};
    int on = 1;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(bind(server.listener, (struct sockaddr *)&address, size) == 0 && listen(server.listener, 4096) == 0 &&
             getsockname(server.listener, (struct sockaddr *)&address, &size) == 0, "listen");
    setsockopt(server.listener, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on); /* what comes before accept has a stamp too */
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &event) == 0, "epoll_ctl");
    FILE *file = fopen(port_file, "w");
    must(file && fprintf(file, "%d\n", ntohs(address.sin_port)) > 0 && fclose(file) == 0, port_file);
}

/* The value of an argument NAME=VALUE, or NULL. */
static const char *value_of(const char *argument, const char *name)
{
    size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

int main(int argc, char **argv)
{
    const char *value, *report_path = NULL;
    bool fine = argc >= 2;
    for (int k = 2; k < argc && fine; k++) {
        if ((value = value_of(argv[k], "requests")))
            server.requests = server.left = strtol(value, NULL, 10);
        else if ((value = value_of(argv[k], "tokens")))
            server.tokens = strtoul(value, NULL, 10);
        else if ((value = value_of(argv[k], "a-write")))
            server.a_write = strtoul(value, NULL, 10);
        else if ((value = value_of(argv[k], "rate")) && strtod(value, NULL) > 0)
            server.interval = (int64_t)((double)NS_PER_S / strtod(value, NULL));
        else if ((value = value_of(argv[k], "ttft-ms")))
            server.ttft = (int64_t)(strtod(value, NULL) * 1e6);
        else if ((value = value_of(argv[k], "report")))
            report_path = value;
        else if (strcmp(argv[k], "step") == 0)
            server.step = true;
        else
            fine = false;
    }
    if (!fine || server.tokens == 0 || server.a_write == 0) {
        fprintf(stderr, "usage: %s PORT_FILE [requests=N] [tokens=N] [a-write=N] [rate=X] [ttft-ms=X] [step] [report=FILE]\n", argv[0]);
        return 2;
    }
    signal(SIGTERM, on_signal);
    make_answer(42);
    listen_at_any(argv[1]);
    serve();
    if (report_path)
        report(report_path);
    return 0;
}
