#include "serve/httpd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/stop.h"

/* The server runs in a child process; the test talks to it over a blocking socket. What the server noticed it
 * tells by one byte through a pipe. */

#define BODY_MAX 1000
#define REPLY_MAX ((size_t)1 << 20)
#define FLOOD ((size_t)32 << 20) /* more than the kernel keeps for a client that does not read */
#define PATIENCE_S 20

struct server {
    pid_t pid;
    int port, told;
};

struct context {
    struct httpd *httpd;
    struct httpd_request *held;
    int tell;
};

static stop_flag stop;

static void on_term(int number)
{
    stop = number;
}

static void tell(struct context *context, char what)
{
    if (write(context->tell, &what, 1) != 1)
        _exit(9);
}

static void held_closed(void *context)
{
    tell(context, 'c');
}

/* Half a stream, and then what a sound server does not do. */
static void do_wrong(struct httpd_request *request, const char *what)
{
    httpd_stream_start(request, 200);
    if (strcmp(what, "split") == 0)
        httpd_stream_split(request);
    httpd_stream_send(request, "half", 4);
    if (strcmp(what, "raw") == 0)
        httpd_stream_raw(request, "as it is", 8);
    if (strcmp(what, "split") == 0)
        httpd_stream_end(request);
    else if (strcmp(what, "reset") == 0)
        httpd_reset(request);
    else
        httpd_close(request);
}

static void change_the_server(struct context *context, struct httpd_request *request, const char *what)
{
    struct error err;
    int result = 0;
    if (strcmp(what, "refuse") == 0)
        result = httpd_refuse(context->httpd, &err);
    else if (strcmp(what, "listen") == 0)
        result = httpd_listen_again(context->httpd, &err);
    else
        httpd_drop_idle(context->httpd, strcmp(what, "reset") == 0);
    httpd_reply(request, result < 0 ? 500 : 200, httpd_is_listening(context->httpd) ? "open" : "shut", 4);
}

static void answer(void *argument, struct httpd_request *request)
{
    struct context *context = argument;
    size_t length;
    const char *path = httpd_path(request), *body = httpd_body(request, &length);
    if (strcmp(path, "/stream") == 0) {
        httpd_stream_start(request, 200);
        httpd_stream_send(request, "one", 3);
        httpd_stream_queue(request, "two", 3);
        httpd_stream_end(request);
    } else if (strncmp(path, "/wrong/", 7) == 0) {
        do_wrong(request, path + 7);
    } else if (strncmp(path, "/server/", 8) == 0) {
        change_the_server(context, request, path + 8);
    } else if (strcmp(path, "/hold") == 0 || strcmp(path, "/open") == 0) {
        httpd_on_closed(request, held_closed, context);
        if (path[1] == 'o')
            httpd_stream_start(request, 200);
        context->held = request;
        tell(context, 'h');
    } else if (strcmp(path, "/flood") == 0) {
        static const char much[FLOOD];
        httpd_on_closed(request, held_closed, context);
        httpd_stream_start(request, 200);
        httpd_stream_send(request, much, sizeof much);
    } else if (strcmp(path, "/end") == 0) {
        httpd_stream_send(context->held, "late", 4);
        httpd_stream_end(context->held);
        httpd_reply(request, 200, "", 0);
    } else if (strcmp(path, "/release") == 0) {
        httpd_reply(context->held, 200, "late", 4);
        httpd_reply(request, 200, "", 0);
    } else {
        httpd_reply_header(request, "x-method", httpd_method(request));
        httpd_reply(request, 200, body, length);
    }
}

static void serve(int port_pipe, int tell_pipe)
{
    struct error err;
    struct context context = {.tell = tell_pipe};
    const struct httpd_settings settings = {.listen = "127.0.0.1:0", .body_max = BODY_MAX, .idle_timeout_s = 1, .clock = clock_system()};
    struct sigaction action = {.sa_handler = on_term};
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    alarm(2 * PATIENCE_S);
    context.httpd = httpd_new(&settings, answer, &context, &err);
    int port = context.httpd ? httpd_port(context.httpd) : 0;
    if (write(port_pipe, &port, sizeof port) != sizeof port)
        _exit(8);
    int result = context.httpd ? httpd_run(context.httpd, &stop, &err) : 1;
    httpd_free(context.httpd);
    exit(result);
}

static struct server start(void)
{
    int port_pipe[2], tell_pipe[2];
    struct server server;
    assert_int_equal(pipe(port_pipe), 0);
    assert_int_equal(pipe(tell_pipe), 0);
    server.pid = fork();
    if (server.pid == 0)
        serve(port_pipe[1], tell_pipe[1]);
    close(port_pipe[1]);
    close(tell_pipe[1]);
    assert_int_equal(read(port_pipe[0], &server.port, sizeof server.port), sizeof server.port);
    close(port_pipe[0]);
    server.told = tell_pipe[0];
    assert_true(server.port > 0);
    return server;
}

/* It must end cleanly: under the sanitizers that means without a leak. */
static void finish(const struct server *server)
{
    int status;
    kill(server->pid, SIGTERM);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(server->told);
}

static char told(const struct server *server)
{
    char what = 0;
    assert_int_equal(read(server->told, &what, 1), 1);
    return what;
}

static int client(const struct server *server, const char *text)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
    return fd;
}

/* Reads until the reply holds `end`, or to its end. */
static void read_until(int fd, const char *end, struct buf *reply)
{
    char bytes[4096];
    ssize_t got = 1;
    while (got > 0 && !strstr(buf_text(reply), end)) {
        got = recv(fd, bytes, sizeof bytes, 0);
        assert_true(got >= 0);
        buf_append(reply, bytes, (size_t)got);
    }
}

static void answers_and_keeps_the_connection(void **state)
{
    (void)state;
    struct server server = start();
    int fd = client(&server, "POST /echo?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    read_until(fd, "hello", &reply);
    assert_non_null(strstr(reply.data, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(reply.data, "x-method: POST\r\n"));
    assert_non_null(strstr(reply.data, "Content-Length: 5\r\n"));
    buf_reset(&reply);
    assert_true(send(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n", 34, 0) > 0);
    read_until(fd, "0\r\n\r\n", &reply);
    assert_non_null(strstr(reply.data, "\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
    close(fd);
    finish(&server);
}

static void two_requests_ahead_are_answered_in_order(void **state)
{
    (void)state;
    struct server server = start();
    int fd = client(&server, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nnext");
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX), other = BUF_INIT(REPLY_MAX);
    assert_int_equal(told(&server), 'h');
    int releaser = client(&server, "GET /release HTTP/1.1\r\nHost: h\r\n\r\n");
    read_until(fd, "next", &reply);
    assert_non_null(strstr(reply.data, "late"));
    assert_true(strstr(reply.data, "late") < strstr(reply.data, "next"));
    read_until(releaser, "\r\n\r\n", &other);
    close(releaser);
    close(fd);
    finish(&server);
}

/* Both before anything was sent and in the middle of a stream; both by a clean end and by a reset. */
static void a_client_that_goes_is_noticed(void **state)
{
    (void)state;
    struct server server = start();
    static const char *const requests[] = {"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n", "GET /open HTTP/1.1\r\nHost: h\r\n\r\n"};
    for (int k = 0; k < 4; k++) {
        int fd = client(&server, requests[k % 2]);
        struct linger reset = {.l_onoff = k / 2, .l_linger = 0};
        assert_int_equal(told(&server), 'h');
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        assert_int_equal(told(&server), 'c');
    }
    finish(&server);
}

/* What it has sent ahead hides its end from who would read it. Also when the answer is a stream. */
static void a_client_that_sends_ahead_and_goes_is_noticed(void **state)
{
    (void)state;
    struct server server = start();
    static const char *const requests[] = {"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n", "GET /open HTTP/1.1\r\nHost: h\r\n\r\n"};
    for (int k = 0; k < 4; k++) {
        int fd = client(&server, requests[k % 2]);
        struct linger reset = {.l_onoff = k / 2, .l_linger = 0};
        assert_int_equal(told(&server), 'h');
        assert_int_equal(send(fd, "G", 1, 0), 1);
        usleep(20000); /* the byte is seen on its own */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        assert_int_equal(told(&server), 'c');
    }
    finish(&server);
}

static void a_client_that_takes_nothing_is_dropped(void **state)
{
    (void)state;
    struct server server = start();
    int fd = client(&server, "GET /flood HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(told(&server), 'c');
    close(fd);
    finish(&server);
}

/* What comes during a stream stays in the kernel, which takes no more some time. */
static void who_floods_an_open_stream_has_to_wait(void **state)
{
    (void)state;
    static const char much[FLOOD];
    struct server server = start();
    struct timeval patience = {.tv_usec = 200000};
    int fd = client(&server, "GET /open HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(told(&server), 'h');
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    assert_in_range(send(fd, much, sizeof much, 0), 1, sizeof much - 1);
    close(fd);
    assert_int_equal(told(&server), 'c');
    finish(&server);
}

static void a_reply_to_head_has_no_body(void **state)
{
    (void)state;
    struct server server = start();
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    int fd = client(&server, "HEAD /server/listen HTTP/1.1\r\nHost: h\r\n\r\n"
                             "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nafter");
    read_until(fd, "after", &reply);
    assert_non_null(strstr(reply.data, "Content-Length: 4\r\n"));
    assert_non_null(strstr(reply.data, "\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert_null(strstr(reply.data, "open"));
    close(fd);
    finish(&server);
}

/* Its stream has neither chunks nor a length: only the connection's end can tell of its own. */
static void a_stream_to_http_1_0_ends_with_its_connection(void **state)
{
    (void)state;
    static const char *const requests[] = {"GET /stream HTTP/1.0\r\n\r\n", "GET /stream HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"};
    struct server server = start();
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    for (size_t k = 0; k < sizeof requests / sizeof requests[0]; k++) {
        int fd = client(&server, requests[k]);
        buf_reset(&reply);
        read_until(fd, "nothing has this", &reply);
        assert_string_equal(strstr(reply.data, "\r\n\r\n"), "\r\n\r\nonetwo");
        assert_null(strstr(reply.data, "Content-Length"));
        assert_null(strstr(reply.data, "keep-alive"));
        close(fd);
    }
    finish(&server);
}

static void open_requests_are_closed_at_the_end(void **state)
{
    (void)state;
    struct server server = start();
    int fd = client(&server, "GET /open HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(told(&server), 'h');
    kill(server.pid, SIGTERM);
    assert_int_equal(told(&server), 'c');
    close(fd);
    finish(&server);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    struct server server = start();
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    int fd = client(&server, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
    read_until(fd, "\r\n\r\n", &reply);
    assert_non_null(strstr(reply.data, " 413 "));
    close(fd);
    static const char *const broken[] = {"nonsense\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                                         "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "\r\n\r\n\r\n"};
    for (size_t k = 0; k < sizeof broken / sizeof broken[0]; k++) {
        fd = client(&server, broken[k]);
        shutdown(fd, SHUT_WR);
        buf_reset(&reply);
        read_until(fd, "nothing has this", &reply);
        assert_null(strstr(buf_text(&reply), " 200 "));
        close(fd);
    }
    fd = client(&server, "GET /echo HTTP/1.0\r\n\r\n"); /* it still lives */
    buf_reset(&reply);
    read_until(fd, " 200 ", &reply);
    close(fd);
    finish(&server);
}

static void nothing_here(void *context, struct httpd_request *request)
{
    (void)context, (void)request;
}

static int try_address(const char *address, struct error *err)
{
    const struct httpd_settings settings = {.listen = address, .body_max = BODY_MAX, .clock = clock_system()};
    struct httpd *httpd = httpd_new(&settings, nothing_here, NULL, err);
    httpd_free(httpd);
    return httpd ? 0 : -1;
}

/* --- what a sound server does not do ---------------------------------------------------------- */

/* errno of the read behind the last byte; 0: FIN. */
static int read_to_the_end(int fd, struct buf *reply)
{
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        buf_append(reply, bytes, (size_t)got);
    return got < 0 ? errno : 0;
}

static int end_of(const struct server *server, const char *what, struct buf *reply)
{
    char text[64];
    snprintf(text, sizeof text, "GET /wrong/%s HTTP/1.1\r\nHost: h\r\n\r\n", what);
    int fd = client(server, text);
    buf_reset(reply);
    int end = read_to_the_end(fd, reply);
    close(fd);
    return end;
}

static void streams_are_broken_off(void **state)
{
    (void)state;
    struct server server = start();
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    assert_int_equal(end_of(&server, "close", &reply), 0);
    assert_string_equal(strstr(reply.data, "\r\n\r\n"), "\r\n\r\n4\r\nhalf\r\n");
    assert_int_equal(end_of(&server, "raw", &reply), 0);
    assert_string_equal(strstr(reply.data, "\r\n\r\n"), "\r\n\r\n4\r\nhalf\r\nas it is");
    assert_int_equal(end_of(&server, "reset", &reply), ECONNRESET);
    finish(&server);
}

static void a_stream_is_split_into_bytes(void **state)
{
    (void)state;
    struct server server = start();
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    int fd = client(&server, "GET /wrong/split HTTP/1.1\r\nHost: h\r\n\r\n");
    read_until(fd, "\r\n0\r\n\r\n", &reply);
    assert_string_equal(strstr(reply.data, "\r\n\r\n"), "\r\n\r\n1\r\nh\r\n1\r\na\r\n1\r\nl\r\n1\r\nf\r\n0\r\n\r\n");
    close(fd);
    finish(&server);
}

static void ask(int fd, const char *path, const char *end, struct buf *reply)
{
    char text[64];
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    assert_int_equal(send(fd, text, (size_t)length, 0), length);
    buf_reset(reply);
    read_until(fd, end, reply);
}

static int try_to_connect(const struct server *server)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int result = connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
    close(fd);
    return result;
}

static void connections_are_refused_for_a_while(void **state)
{
    (void)state;
    struct server server = start();
    struct error err;
    char address[32];
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    int fd = client(&server, "");
    snprintf(address, sizeof address, "127.0.0.1:%d", server.port);
    for (int k = 0; k < 2; k++) {
        ask(fd, "/server/refuse", "shut", &reply);
        ask(fd, "/server/refuse", "shut", &reply); /* it is already */
        assert_int_equal(try_to_connect(&server), ECONNREFUSED);
        ask(fd, "/server/listen", "open", &reply);
        ask(fd, "/server/listen", "open", &reply);
        assert_int_equal(try_to_connect(&server), 0);
        assert_int_equal(try_address(address, &err), -1);
    }
    ask(fd, "/server/refuse", "shut", &reply);
    close(fd);
    finish(&server); /* it ends well in this state too */
}

static void idle_connections_are_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int end;
    } ways[] = {{"/server/close", 0}, {"/server/reset", ECONNRESET}};
    struct server server = start();
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    int held = client(&server, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(told(&server), 'h');
    for (size_t k = 0; k < sizeof ways / sizeof ways[0]; k++) {
        int idle = client(&server, ""), asker = client(&server, "");
        ask(idle, "/echo", "\r\n\r\n", &reply);
        ask(asker, ways[k].path, "open", &reply);
        buf_reset(&reply);
        assert_int_equal(read_to_the_end(idle, &reply), ways[k].end);
        assert_int_equal(reply.len, 0);
        ask(asker, "/echo", "\r\n\r\n", &reply); /* who asked was not idle */
        close(asker);
        close(idle);
    }
    int releaser = client(&server, "GET /release HTTP/1.1\r\nHost: h\r\n\r\n");
    buf_reset(&reply);
    read_until(held, "late", &reply);
    close(releaser);
    close(held);
    finish(&server);
}

/* The server's timeout is a second here. A request that waits longer for its reply, or for more of it, is not idle. */
static void who_waits_is_not_idle(void **state)
{
    (void)state;
    struct server server = start();
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    int open = client(&server, "GET /open HTTP/1.1\r\nHost: h\r\n\r\n"), idle = client(&server, "");
    assert_int_equal(told(&server), 'h');
    assert_int_equal(read_to_the_end(idle, &reply), 0); /* dropped after a second: later than the stream would be */
    int ender = client(&server, "GET /end HTTP/1.1\r\nHost: h\r\n\r\n");
    read_until(open, "0\r\n\r\n", &reply);
    assert_non_null(strstr(reply.data, "late"));
    buf_reset(&reply);
    assert_int_equal(read_to_the_end(open, &reply), 0); /* now it is idle */
    close(ender);
    close(idle);
    close(open);
    finish(&server);
}

/* Connections above the limit wait until there is room for them. */
static void without_descriptors_it_waits(void **state)
{
    (void)state;
    struct rlimit before, low = {.rlim_cur = 40, .rlim_max = 40};
    getrlimit(RLIMIT_NOFILE, &before);
    low.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &low);
    struct server server = start();
    setrlimit(RLIMIT_NOFILE, &before);
    int fds[60];
    cleanup_buf struct buf reply = BUF_INIT(REPLY_MAX);
    for (int k = 0; k < 60; k++)
        fds[k] = client(&server, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int k = 0; k < 60; k++) {
        buf_reset(&reply);
        read_until(fds[k], "\r\n\r\n", &reply);
        assert_non_null(strstr(buf_text(&reply), " 200 "));
        close(fds[k]);
    }
    finish(&server);
}

static void addresses_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
                                        "no.such.host:1", "[::1:0", "::1:0", "256.0.0.1:0"};
    struct error err;
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        assert_int_equal(try_address(wrong[k], &err), -1);
        assert_int_equal(err.class, ERROR_USAGE);
        assert_non_null(strstr(err.text, "is no address"));
    }
    assert_int_equal(try_address("127.0.0.1:0", &err), 0);
    assert_int_equal(try_address("localhost:0", &err), 0);
}

static void a_taken_port_is_named(void **state)
{
    (void)state;
    struct server server = start();
    struct error err;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", server.port);
    assert_int_equal(try_address(address, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, address));
    assert_non_null(strstr(err.text, "in use"));
    finish(&server);
}

static void raise_stop(void *context)
{
    (void)context;
    stop = SIGTERM;
}

static void timer_does_not_call_early(void **state)
{
    (void)state;
    struct error err;
    const struct httpd_settings settings = {.listen = "127.0.0.1:0", .body_max = BODY_MAX, .clock = clock_system()};
    struct httpd *httpd = httpd_new(&settings, nothing_here, NULL, &err);
    struct httpd_timer *timer = httpd_timer_new(httpd, raise_stop, NULL);
    int64_t due = clock_now(clock_system()) + 3 * NS_PER_MS;
    stop = 0;
    httpd_timer_set(timer, due);
    assert_int_equal(httpd_run(httpd, &stop, &err), 0);
    assert_true(clock_now(clock_system()) >= due);
    httpd_timer_free(timer);
    httpd_free(httpd);
    stop = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_keeps_the_connection),
        cmocka_unit_test(two_requests_ahead_are_answered_in_order),
        cmocka_unit_test(a_client_that_goes_is_noticed),
        cmocka_unit_test(a_client_that_sends_ahead_and_goes_is_noticed),
        cmocka_unit_test(a_client_that_takes_nothing_is_dropped),
        cmocka_unit_test(who_floods_an_open_stream_has_to_wait),
        cmocka_unit_test(a_reply_to_head_has_no_body),
        cmocka_unit_test(a_stream_to_http_1_0_ends_with_its_connection),
        cmocka_unit_test(who_waits_is_not_idle),
        cmocka_unit_test(open_requests_are_closed_at_the_end),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(streams_are_broken_off),
        cmocka_unit_test(a_stream_is_split_into_bytes),
        cmocka_unit_test(connections_are_refused_for_a_while),
        cmocka_unit_test(idle_connections_are_dropped),
        cmocka_unit_test(without_descriptors_it_waits),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(a_taken_port_is_named),
        cmocka_unit_test(timer_does_not_call_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
