#include "net/transport.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "support/captures.h"
#include "support/tiny_server.h"

#define CHUNKED "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define BODY "{\"model\":\"m\",\"stream\":true}"

/* ---- one transfer and what was told of it ---- */

struct told {
    struct transfer transfer; /* first: the handler gets this */
    struct transport *transport;
    int sent, headers, ended, status;
    int64_t sent_time, headers_time, first_bytes_time, last_bytes_time, ended_time, connected;
    bool reused;
    struct buf bytes;
    enum transport_result result;
    char message[300];
    int restarts;          /* start again from within ended, so often */
    bool cancel_on_bytes;
    struct told *start_on_bytes;
    int *all_ended;
};

static void on_sent(struct transfer *transfer, int64_t time, int64_t connected, bool reused)
{
    struct told *told = (struct told *)transfer;

    told->sent++;
    told->sent_time = time;
    told->connected = connected;
    told->reused = reused;
}

static void on_headers(struct transfer *transfer, int64_t time, int status)
{
    struct told *told = (struct told *)transfer;

    told->headers++;
    told->headers_time = time;
    told->status = status;
}

static void on_bytes(struct transfer *transfer, int64_t time, const char *bytes, size_t length)
{
    struct told *told = (struct told *)transfer;

    if (told->bytes.len == 0)
        told->first_bytes_time = time;
    told->last_bytes_time = time;
    assert_int_equal(buf_append(&told->bytes, bytes, length), 0);
    if (told->cancel_on_bytes) {
        told->cancel_on_bytes = false;
        transport_cancel(told->transport, transfer);
    }
    if (told->start_on_bytes) {
        transport_start(told->transport, &told->start_on_bytes->transfer);
        told->start_on_bytes = NULL;
    }
}

static void on_ended(struct transfer *transfer, int64_t time, enum transport_result result, const char *message)
{
    struct told *told = (struct told *)transfer;

    told->ended++;
    told->ended_time = time;
    told->result = result;
    snprintf(told->message, sizeof told->message, "%s", message ? message : "");
    if (told->all_ended)
        ++*told->all_ended;
    if (told->restarts > 0) {
        told->restarts--;
        transport_start(told->transport, transfer);
    }
}

static const struct transfer_handler handler = {on_sent, on_headers, on_bytes, on_ended};

static struct told told_new(struct transport *transport, const char *url)
{
    return (struct told){
        .transfer = {.handler = &handler, .url = url, .body = BODY, .body_length = strlen(BODY)},
        .transport = transport,
        .bytes = BUF_INIT((size_t)64 << 20),
    };
}

static struct transport *new_transport(int64_t timeout_ns, int64_t stall_ns)
{
    struct error err = {0};
    const struct transport_curl_settings settings = {
        .clock = clock_system(), .timeout_ns = timeout_ns, .stall_timeout_ns = stall_ns, .max_streams = 8};
    struct transport *transport = transport_curl_new(&settings, &err);

    if (!transport)
        fail_msg("%s", err.text);
    return transport;
}

/* Waits until told was told of `ended` ends. A test that hangs is ended by the runner. */
static void wait_for(struct transport *transport, const struct told *told, int ended)
{
    struct error err = {0};

    while (told->ended < ended)
        if (transport_wait(transport, TIME_FOREVER, &err) < 0)
            fail_msg("%s", err.text);
}

/* Runs one transfer against a script, and gives back what was told. buf_free its bytes. */
static struct told run_one(tiny_script *script, void *context, int64_t timeout_ns, int64_t stall_ns)
{
    struct tiny_server *server = tiny_server_start(script, context);
    struct transport *transport = new_transport(timeout_ns, stall_ns);
    struct told told = told_new(transport, tiny_server_url(server));

    transport_start(transport, &told.transfer);
    wait_for(transport, &told, 1);
    transport_free(transport);
    tiny_server_stop(server);
    assert_int_equal(told.ended, 1);
    assert_null(told.transfer.implementation);
    return told;
}

/* ---- whole responses ---- */

static void serve_text(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    if (tiny_keep_request(server, fd))
        tiny_send(fd, context);
    tiny_wait_gone(fd);
    tiny_close(fd);
}

static void test_events_in_order(void **state)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n" CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    struct told told = run_one(serve_text, text, 0, 0);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_int_equal(told.sent, 1);
    assert_false(told.reused);
    assert_true(told.connected != TIME_NEVER && told.connected <= told.sent_time);
    assert_int_equal(told.headers, 1);
    assert_int_equal(told.status, 200);
    assert_string_equal(buf_text(&told.bytes), "hello world");
    assert_true(told.sent_time <= told.headers_time && told.headers_time <= told.first_bytes_time &&
                told.last_bytes_time <= told.ended_time);
    buf_free(&told.bytes);
}

static void test_the_request_is_what_was_asked(void **state)
{
    static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct tiny_server *server = tiny_server_start(serve_text, text);
    struct error err = {0};
    const struct transport_curl_settings settings = {
        .net = {.api_key = "sk-secret", .user_agent = "roibench/test"}, .clock = clock_system(), .max_streams = 1};
    struct transport *transport = transport_curl_new(&settings, &err);
    cleanup_free char *url = mem_printf("%s/v1/completions", tiny_server_url(server));
    struct told told = told_new(transport, url);

    (void)state;
    transport_start(transport, &told.transfer);
    wait_for(transport, &told, 1);

    const char *request = tiny_server_request(server);

    assert_memory_equal(request, "POST /v1/completions HTTP/1.1\r\n", 31);
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer sk-secret\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\nUser-Agent: roibench/test\r\n"));
    assert_null(strstr(request, "Expect:"));
    assert_string_equal(strstr(request, "\r\n\r\n"), "\r\n\r\n" BODY);
    assert_string_equal(buf_text(&told.bytes), "ok");
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

static void test_an_error_status_is_a_response(void **state)
{
    static char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
    struct told told = run_one(serve_text, text, 0, 0);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_int_equal(told.status, 503);
    assert_string_equal(buf_text(&told.bytes), "busy");
    buf_free(&told.bytes);
}

static void test_a_redirect_is_not_followed(void **state)
{
    static char text[] = "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    struct told told = run_one(serve_text, text, 0, 0);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_int_equal(told.status, 307);
    assert_int_equal(told.sent, 1);
    buf_free(&told.bytes);
}

/* A large piece that came together has one time: it is read to its end before the clock is read again. */
static void test_what_came_together_has_one_time(void **state)
{
    static char text[40000];
    struct told told;

    (void)state;
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n");

    const size_t head = strlen(text);

    memset(text + head, 'x', 30000);
    text[head + 30000] = '\0';
    told = run_one(serve_text, text, 0, 0);
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_int_equal(told.bytes.len, 30000);
    /* loopback may deliver the segments in several turns; far fewer than there are reads */
    assert_true(told.first_bytes_time <= told.last_bytes_time);
    buf_free(&told.bytes);
}

static void serve_large_at_once(struct tiny_server *server, void *context)
{
    int *pipe_fds = context;
    const int fd = tiny_accept(server);
    char go, text[21000];

    tiny_read_request(fd);
    tiny_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 20001\r\n\r\nh");
    memset(text, 'x', 20000);
    if (read(pipe_fds[0], &go, 1) == 1) {
        tiny_send_bytes(fd, text, 20000);
        if (write(pipe_fds[3], "d", 1) != 1)
            abort();
    }
    tiny_wait_gone(fd);
    tiny_close(fd);
}

/* 20,000 bytes lie in the socket before the transport looks: they are one arrival. */
static void test_a_full_socket_is_one_arrival(void **state)
{
    int fds[4];
    char done;
    struct error err = {0};

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(pipe(fds + 2), 0);

    struct tiny_server *server = tiny_server_start(serve_large_at_once, fds);
    struct transport *transport = new_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    transport_start(transport, &told.transfer);
    while (told.bytes.len < 1)
        assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0);
    buf_reset(&told.bytes);
    assert_int_equal(write(fds[1], "g", 1), 1);
    assert_int_equal(read(fds[2], &done, 1), 1);
    wait_for(transport, &told, 1);
    assert_int_equal(told.bytes.len, 20000);
    assert_true(told.first_bytes_time == told.last_bytes_time);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

/* ---- captured streams, cut by the sockets ---- */

struct replay {
    struct buf raw;
    size_t piece;
};

static void serve_replay(struct tiny_server *server, void *context)
{
    const struct replay *replay = context;
    const int fd = tiny_accept(server);

    tiny_read_request(fd);
    for (size_t at = 0; at < replay->raw.len; at += replay->piece) {
        const size_t left = replay->raw.len - at;

        tiny_send_bytes(fd, replay->raw.data + at, left < replay->piece ? left : replay->piece);
    }
    tiny_close(fd);
}

static void expect_capture(const char *path, size_t piece, enum transport_result expected)
{
    struct replay replay = {.raw = capture_read(path), .piece = piece};
    struct told told = run_one(serve_replay, &replay, 0, 0);

    if (told.result != expected)
        fail_msg("%s in pieces of %zu: result %d (%s), expected %d", path, piece, (int)told.result, told.message, (int)expected);
    if (expected == TRANSPORT_OK) {
        int status;
        struct buf body = capture_read_body(path, &status);

        assert_int_equal(told.status, status);
        assert_int_equal(told.bytes.len, body.len);
        assert_memory_equal(told.bytes.data, body.data, body.len);
        buf_free(&body);
    }
    buf_free(&told.bytes);
    buf_free(&replay.raw);
}

static void test_captures_in_pieces(void **state)
{
    static const char *const paths[] = {
        CAPTURES_FOLDER "/vllm/chat-stream-usage.raw",     CAPTURES_FOLDER "/vllm/cmpl-connclose.raw",
        CAPTURES_FOLDER "/vllm/err-model404.raw",          CAPTURES_FOLDER "/llamacpp/chat-stream.raw",
        CAPTURES_FOLDER "/llamacpp/cmpl-stream-usage.raw", CAPTURES_FOLDER "/vllm-faults/enginecore-kill9.raw",
    };
    static const size_t pieces[] = {1, 7, 1000, 1000000};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++)
            expect_capture(paths[i], pieces[k], TRANSPORT_OK);
}

static void test_a_killed_server_truncates(void **state)
{
    (void)state;
    expect_capture(CAPTURES_FOLDER "/vllm-faults/apiserver-kill9.raw", 1000, TRANSPORT_TRUNCATED);
    expect_capture(CAPTURES_FOLDER "/llamacpp-faults/kill9.raw", 1000, TRANSPORT_TRUNCATED);
}

/* ---- failures ---- */

struct fault {
    const char *text;
    void (*end)(int fd);
};

static void serve_fault(struct tiny_server *server, void *context)
{
    const struct fault *fault = context;

    for (int fd; (fd = tiny_accept(server)) >= 0;) {
        tiny_read_request(fd);
        tiny_send(fd, fault->text);
        usleep(20000); /* an RST would overtake what was sent */
        fault->end(fd);
    }
}

static void test_failures_have_classes(void **state)
{
    static const struct {
        struct fault fault;
        enum transport_result result;
        size_t bytes;
        int headers;
    } cases[] = {
        {{"", tiny_close}, TRANSPORT_RESET, 0, 0},
        {{"", tiny_reset}, TRANSPORT_RESET, 0, 0},
        {{CHUNKED "5\r\nhello\r\n", tiny_close}, TRANSPORT_TRUNCATED, 5, 1},
        {{CHUNKED "5\r\nhel", tiny_close}, TRANSPORT_TRUNCATED, 3, 1},
        {{CHUNKED "5\r\nhello\r\n", tiny_reset}, TRANSPORT_RESET, 5, 1},
        {{CHUNKED "zz\r\nhello\r\n", tiny_close}, TRANSPORT_PROTOCOL, 0, 1},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", tiny_close}, TRANSPORT_TRUNCATED, 5, 1},
        {{"HTTP/1.1 200 OK\r\n\r\nuntil the end", tiny_close}, TRANSPORT_OK, 13, 1},
        {{"SSH-2.0-OpenSSH_9.2\r\n", tiny_close}, TRANSPORT_PROTOCOL, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault fault = cases[i].fault;
        struct told told = run_one(serve_fault, &fault, 0, 0);

        if (told.result != cases[i].result || told.bytes.len != cases[i].bytes || told.headers != cases[i].headers)
            fail_msg("case %zu: result %d (%s), %zu bytes, %d headers", i, (int)told.result, told.message, told.bytes.len, told.headers);
        assert_int_equal(told.sent, 1); /* a fresh connection: not sent again */
        assert_true((told.result == TRANSPORT_OK) == (told.message[0] == '\0'));
        buf_free(&told.bytes);
    }
}

static void serve_endless_header(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);
    char filler[1001];

    (void)context;
    memset(filler, 'h', 1000);
    filler[1000] = '\0';
    tiny_read_request(fd);
    tiny_send(fd, "HTTP/1.1 200 OK\r\nX-Long: ");
    for (int i = 0; i < 1000; i++)
        tiny_send(fd, filler);
    tiny_close(fd);
}

static void test_an_endless_header_is_bounded(void **state)
{
    struct told told = run_one(serve_endless_header, NULL, 0, 0);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_PROTOCOL);
    assert_int_equal(told.bytes.len, 0);
    buf_free(&told.bytes);
}

static void serve_nothing(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    tiny_read_request(fd);
    tiny_send(fd, context);
    tiny_wait_gone(fd); /* the transport hangs up: a generation would end */
    tiny_close(fd);
}

static void test_silence_ends_as_a_stall(void **state)
{
    static char none[] = "", some[] = CHUNKED "5\r\nhello\r\n";
    struct told told = run_one(serve_nothing, none, 0, 50 * NS_PER_MS);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_STALL);
    assert_true(told.ended_time - told.sent_time >= 40 * NS_PER_MS);
    assert_true(told.message[0] != '\0');
    buf_free(&told.bytes);
    told = run_one(serve_nothing, some, 0, 50 * NS_PER_MS);
    assert_int_equal(told.result, TRANSPORT_STALL);
    assert_string_equal(buf_text(&told.bytes), "hello");
    assert_true(told.ended_time - told.last_bytes_time >= 50 * NS_PER_MS);
    buf_free(&told.bytes);
}

static void serve_drip(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    (void)context;
    tiny_read_request(fd);
    tiny_send(fd, CHUNKED);
    for (int i = 0; i < 1000; i++) {
        struct pollfd gone = {.fd = fd, .events = POLLIN};

        if (poll(&gone, 1, 10) > 0)
            break;
        tiny_send(fd, "1\r\nx\r\n");
    }
    tiny_close(fd);
}

static void test_the_whole_time_is_limited(void **state)
{
    struct told told = run_one(serve_drip, NULL, 200 * NS_PER_MS, 150 * NS_PER_MS);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_TIMEOUT);
    assert_true(told.bytes.len > 0);
    buf_free(&told.bytes);
}

static void test_refused_and_unknown_hosts(void **state)
{
    struct transport *transport = new_transport(0, 0);
    struct told refused = told_new(transport, "http://127.0.0.1:1/"), unknown = told_new(transport, "http://no-such-host.invalid/"),
                wrong = told_new(transport, "ftp://127.0.0.1/"), broken = told_new(transport, "http://[::1/");

    (void)state;
    transport_start(transport, &refused.transfer);
    transport_start(transport, &unknown.transfer);
    transport_start(transport, &wrong.transfer);
    transport_start(transport, &broken.transfer);
    wait_for(transport, &refused, 1);
    wait_for(transport, &unknown, 1);
    wait_for(transport, &wrong, 1);
    wait_for(transport, &broken, 1);
    assert_int_equal(refused.result, TRANSPORT_CONNECT);
    assert_string_equal(refused.message, "connection refused");
    assert_int_equal(refused.sent, 0);
    assert_int_equal(unknown.result, TRANSPORT_DNS);
    assert_int_equal(wrong.result, TRANSPORT_PROTOCOL);
    assert_int_equal(broken.result, TRANSPORT_PROTOCOL);
    transport_free(transport);
}

/* No descriptor is left for a socket: our own machine's fault. */
static void test_no_descriptor_is_a_local_failure(void **state)
{
    struct rlimit limit, none;
    struct transport *transport = new_transport(0, 0);
    struct told told = told_new(transport, "http://127.0.0.1:1/");
    const int next = dup(0);

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    transport_start(transport, &told.transfer);
    wait_for(transport, &told, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(told.result, TRANSPORT_LOCAL);
    transport_free(transport);
}

static void test_too_many_streams_are_refused_before(void **state)
{
    struct error err = {0};
    const struct transport_curl_settings settings = {.clock = clock_system(), .max_streams = (size_t)1 << 30};

    (void)state;
    assert_null(transport_curl_new(&settings, &err));
    assert_non_null(strstr(err.text, "open files"));
}

/* ---- connections that are used again ---- */

static void serve_keep_alive(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    (void)context;
    while (tiny_read_request(fd))
        tiny_send(fd, CHUNKED "2\r\nok\r\n0\r\n\r\n");
    tiny_close(fd);
}

static void test_connections_are_reused(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_keep_alive, NULL);
    struct transport *transport = new_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    (void)state;
    told.restarts = 4; /* from within ended */
    transport_start(transport, &told.transfer);
    wait_for(transport, &told, 5);
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_int_equal(told.sent, 5); /* the script accepts one connection only */
    assert_true(told.reused);
    assert_true(told.connected == TIME_NEVER);
    assert_string_equal(buf_text(&told.bytes), "okokokokok");
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

/* As llama.cpp does: says keep-alive and closes behind the response. */
static void serve_and_close(struct tiny_server *server, void *context)
{
    (void)context;
    for (int fd; (fd = tiny_accept(server)) >= 0;) {
        if (tiny_read_request(fd))
            tiny_send(fd, "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        tiny_close(fd);
    }
}

static void test_a_server_that_closes_behind_a_response_costs_nothing(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_and_close, NULL);
    struct transport *transport = new_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    (void)state;
    told.restarts = 199;
    for (int k = 1; k <= 200; k++) {
        if (k == 1)
            transport_start(transport, &told.transfer);
        wait_for(transport, &told, k);
        assert_int_equal(told.result, TRANSPORT_OK);
    }
    assert_int_equal(told.headers, 200);
    assert_true(told.sent >= 200);
    assert_int_equal(told.bytes.len, 400);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

/* The second request reaches the server, which hangs up without an answer. */
static void serve_then_hang_up(struct tiny_server *server, void *context)
{
    void (*hang_up)(int fd) = *(void (**)(int))context;
    int fd = tiny_accept(server);

    tiny_read_request(fd);
    tiny_send(fd, CHUNKED "3\r\none\r\n0\r\n\r\n");
    tiny_read_request(fd);
    hang_up(fd);
    fd = tiny_accept(server);
    tiny_read_request(fd);
    tiny_send(fd, CHUNKED "3\r\ntwo\r\n0\r\n\r\n");
    tiny_wait_gone(fd);
    tiny_close(fd);
}

static void expect_second_try(void (*hang_up)(int fd))
{
    struct tiny_server *server = tiny_server_start(serve_then_hang_up, &hang_up);
    struct transport *transport = new_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    told.restarts = 1;
    transport_start(transport, &told.transfer);
    wait_for(transport, &told, 2);
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_int_equal(told.sent, 3);
    assert_false(told.reused);
    assert_string_equal(buf_text(&told.bytes), "onetwo");
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

static void test_a_dead_connection_is_tried_once_more(void **state)
{
    (void)state;
    expect_second_try(tiny_close);
    expect_second_try(tiny_reset);
}

/* Once an answer began, nothing is sent twice: the server generated for it. */
static void serve_then_break(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    (void)context;
    tiny_read_request(fd);
    tiny_send(fd, CHUNKED "3\r\none\r\n0\r\n\r\n");
    tiny_read_request(fd);
    tiny_send(fd, "HTTP/1.1 200 OK\r\n");
    usleep(20000);
    tiny_reset(fd);
}

static void test_a_begun_answer_is_not_asked_for_again(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_then_break, NULL);
    struct transport *transport = new_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    (void)state;
    told.restarts = 1;
    transport_start(transport, &told.transfer);
    wait_for(transport, &told, 2);
    assert_int_equal(told.result, TRANSPORT_RESET);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

/* ---- cancel, free, stop, deadlines ---- */

static void test_cancel_ends_and_hangs_up(void **state)
{
    static char some[] = CHUNKED "5\r\nhello\r\n";
    struct tiny_server *server = tiny_server_start(serve_nothing, some); /* its script ends when we hang up */
    struct transport *transport = new_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server)), never = told_new(transport, tiny_server_url(server));

    (void)state;
    told.cancel_on_bytes = true;
    transport_start(transport, &told.transfer);
    wait_for(transport, &told, 1);
    assert_int_equal(told.result, TRANSPORT_CANCELLED);
    assert_string_equal(buf_text(&told.bytes), "hello");

    transport_start(transport, &never.transfer);
    transport_cancel(transport, &never.transfer);
    transport_cancel(transport, &never.transfer);
    wait_for(transport, &never, 1);
    assert_int_equal(never.result, TRANSPORT_CANCELLED);
    assert_int_equal(never.ended, 1);
    tiny_server_stop(server);
    transport_free(transport);
    assert_int_equal(told.ended + never.ended, 2);
    buf_free(&told.bytes);
}

static void serve_two(struct tiny_server *server, void *context)
{
    const int first = tiny_accept(server);

    (void)context;
    tiny_read_request(first);
    tiny_send(first, CHUNKED "1\r\na\r\n");

    const int second = tiny_accept(server);

    tiny_read_request(second);
    tiny_send(second, CHUNKED "1\r\nb\r\n0\r\n\r\n");
    tiny_send(first, "0\r\n\r\n");
    tiny_wait_gone(first);
    tiny_close(first);
    tiny_close(second);
}

static void test_start_from_within_a_callback(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_two, NULL);
    struct transport *transport = new_transport(0, 0);
    struct told first = told_new(transport, tiny_server_url(server)), second = told_new(transport, tiny_server_url(server));

    (void)state;
    first.start_on_bytes = &second;
    transport_start(transport, &first.transfer);
    wait_for(transport, &first, 1);
    wait_for(transport, &second, 1);
    assert_int_equal(first.result, TRANSPORT_OK);
    assert_int_equal(second.result, TRANSPORT_OK);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&first.bytes);
    buf_free(&second.bytes);
}

static void test_freeing_ends_what_is_in_flight(void **state)
{
    static char some[] = CHUNKED "5\r\nhello\r\n";
    struct tiny_server *server = tiny_server_start(serve_nothing, some);
    struct transport *transport = new_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server)), never = told_new(transport, tiny_server_url(server));
    struct error err = {0};

    (void)state;
    transport_start(transport, &told.transfer);
    while (told.bytes.len == 0)
        assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0);
    transport_start(transport, &never.transfer);
    told.restarts = never.restarts = 1; /* in vain */
    transport_free(transport);
    assert_int_equal(told.ended, 1);
    assert_int_equal(never.ended, 1);
    assert_int_equal(told.result, TRANSPORT_CANCELLED);
    assert_int_equal(never.result, TRANSPORT_CANCELLED);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

static void test_wait_keeps_its_deadline(void **state)
{
    struct transport *transport = new_transport(0, 0);
    struct error err = {0};
    const int64_t deadline = clock_now(clock_system()) + 3 * NS_PER_MS + 300 * NS_PER_US;

    (void)state;
    assert_int_equal(transport_wait(transport, TIME_NEVER, &err), 0);
    while (clock_now(clock_system()) < deadline)
        assert_int_equal(transport_wait(transport, deadline, &err), 0);
    transport_free(transport);
}

static volatile sig_atomic_t stop_flag;

static void *stop_soon(void *unused)
{
    usleep(30000);
    stop_flag = 1; /* by another thread: no signal interrupts the waiting */
    return unused;
}

static void test_stop_ends_the_waiting_once(void **state)
{
    struct error err = {0};
    const struct transport_curl_settings settings = {.net = {.stop = &stop_flag}, .clock = clock_system(), .max_streams = 1};
    pthread_t thread;

    (void)state;
    stop_flag = 0;

    struct transport *transport = transport_curl_new(&settings, &err);

    assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0); /* would wait for ever otherwise */
    while (!stop_flag)
        assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0);
    pthread_join(thread, NULL);
    transport_free(transport);
}

/* ---- many ---- */

struct crowd {
    int count;
};

/* Takes all connections first, so that all streams are open at once; then gives each a piece in turn. */
static void serve_crowd(struct tiny_server *server, void *context)
{
    const int count = ((struct crowd *)context)->count;
    int *fds = mem_calloc((size_t)count, sizeof *fds);

    for (int i = 0; i < count; i++)
        fds[i] = tiny_accept(server);
    for (int i = 0; i < count; i++) {
        tiny_read_request(fds[i]);
        tiny_send(fds[i], CHUNKED);
    }
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < count; i++)
            tiny_send(fds[i], "8\r\ndata: x\n\r\n");
    for (int i = 0; i < count; i++)
        tiny_send(fds[i], "0\r\n\r\n");
    for (int i = 0; i < count; i++) {
        tiny_wait_gone(fds[i]);
        tiny_close(fds[i]);
    }
    free(fds);
}

static int streams_allowed(int wanted)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 2 * (rlim_t)wanted + 100 ? wanted : (int)(limit.rlim_cur / 2) - 100;
}

static void test_a_thousand_streams(void **state)
{
    struct crowd crowd = {.count = streams_allowed(1000)};
    struct tiny_server *server = tiny_server_start(serve_crowd, &crowd);
    struct error err = {0};
    const struct transport_curl_settings settings = {
        .clock = clock_system(), .max_streams = (size_t)crowd.count, .pin_url = tiny_server_url(server)};
    struct transport *transport = transport_curl_new(&settings, &err);
    struct told *all = mem_calloc((size_t)crowd.count, sizeof *all);
    int ended = 0;

    (void)state;
    assert_non_null(transport);
    for (int i = 0; i < crowd.count; i++) {
        all[i] = told_new(transport, tiny_server_url(server));
        all[i].all_ended = &ended;
        transport_start(transport, &all[i].transfer);
    }
    while (ended < crowd.count)
        assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0);
    transport_free(transport);
    tiny_server_stop(server);
    for (int i = 0; i < crowd.count; i++) {
        assert_int_equal(all[i].result, TRANSPORT_OK);
        assert_int_equal(all[i].sent, 1);
        assert_int_equal(all[i].bytes.len, 40);
        buf_free(&all[i].bytes);
    }
    free(all);
}

static void test_a_name_is_pinned(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_keep_alive, NULL);
    cleanup_free char *url = mem_printf("http://localhost%s", strrchr(tiny_server_url(server), ':'));
    struct error err = {0};
    const struct transport_curl_settings settings = {.clock = clock_system(), .max_streams = 1, .pin_url = url};
    struct transport *transport = transport_curl_new(&settings, &err);
    struct told told = told_new(transport, url);

    (void)state;
    assert_non_null(transport);
    transport_start(transport, &told.transfer);
    wait_for(transport, &told, 1);
    assert_int_equal(told.result, TRANSPORT_OK);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_in_order),
        cmocka_unit_test(test_the_request_is_what_was_asked),
        cmocka_unit_test(test_an_error_status_is_a_response),
        cmocka_unit_test(test_a_redirect_is_not_followed),
        cmocka_unit_test(test_what_came_together_has_one_time),
        cmocka_unit_test(test_a_full_socket_is_one_arrival),
        cmocka_unit_test(test_captures_in_pieces),
        cmocka_unit_test(test_a_killed_server_truncates),
        cmocka_unit_test(test_failures_have_classes),
        cmocka_unit_test(test_an_endless_header_is_bounded),
        cmocka_unit_test(test_silence_ends_as_a_stall),
        cmocka_unit_test(test_the_whole_time_is_limited),
        cmocka_unit_test(test_refused_and_unknown_hosts),
        cmocka_unit_test(test_no_descriptor_is_a_local_failure),
        cmocka_unit_test(test_too_many_streams_are_refused_before),
        cmocka_unit_test(test_connections_are_reused),
        cmocka_unit_test(test_a_server_that_closes_behind_a_response_costs_nothing),
        cmocka_unit_test(test_a_dead_connection_is_tried_once_more),
        cmocka_unit_test(test_a_begun_answer_is_not_asked_for_again),
        cmocka_unit_test(test_cancel_ends_and_hangs_up),
        cmocka_unit_test(test_start_from_within_a_callback),
        cmocka_unit_test(test_freeing_ends_what_is_in_flight),
        cmocka_unit_test(test_wait_keeps_its_deadline),
        cmocka_unit_test(test_stop_ends_the_waiting_once),
        cmocka_unit_test(test_a_thousand_streams),
        cmocka_unit_test(test_a_name_is_pinned),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
