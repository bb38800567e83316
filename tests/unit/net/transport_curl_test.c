#include "net/transport.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "support/captures.h"
#include "support/tiny_server.h"
#include "support/told.h"

/* ---- whole responses ---- */

static void test_events_in_order(void **state)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n" TOLD_CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    struct told told = told_run(told_serve_text, text, 0, 0);

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
    struct tiny_server *server = tiny_server_start(told_serve_text, text);
    struct error err = {0};
    const struct transport_curl_settings settings = {
        .net = {.api_key = "sk-secret", .user_agent = "roibench/test"}, .clock = clock_system()};
    struct transport *transport = transport_curl_new(&settings, &err);
    cleanup_free char *url = mem_printf("%s/v1/completions", tiny_server_url(server));
    struct told told = told_new(transport, url);

    (void)state;
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);

    const char *request = tiny_server_request(server);

    assert_memory_equal(request, "POST /v1/completions HTTP/1.1\r\n", 31);
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer sk-secret\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\nAccept: text/event-stream\r\n"));
    assert_null(strstr(strstr(request, "\r\nAccept:") + 1, "\r\nAccept:")); /* not libcurl's as well */
    assert_non_null(strstr(request, "\r\nUser-Agent: roibench/test\r\n"));
    assert_null(strstr(request, "Expect:"));
    assert_string_equal(strstr(request, "\r\n\r\n"), "\r\n\r\n" TOLD_BODY);
    assert_string_equal(buf_text(&told.bytes), "ok");
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

static void test_an_error_status_is_a_response(void **state)
{
    static char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
    struct told told = told_run(told_serve_text, text, 0, 0);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_int_equal(told.status, 503);
    assert_string_equal(buf_text(&told.bytes), "busy");
    buf_free(&told.bytes);
}

static void test_a_redirect_is_not_followed(void **state)
{
    static char text[] = "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    struct told told = told_run(told_serve_text, text, 0, 0);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_int_equal(told.status, 307);
    assert_int_equal(told.sent, 1);
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
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    transport_start(transport, &told.transfer);
    while (told.bytes.len < 1)
        assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0);
    buf_reset(&told.bytes);
    assert_int_equal(write(fds[1], "g", 1), 1);
    assert_int_equal(read(fds[2], &done, 1), 1);
    told_wait(transport, &told, 1);
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
    struct told told = told_run(serve_replay, &replay, 0, 0);

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

/* ---- connections that are used again ---- */

static void serve_keep_alive(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    (void)context;
    while (tiny_read_request(fd))
        tiny_send(fd, TOLD_CHUNKED "2\r\nok\r\n0\r\n\r\n");
    tiny_close(fd);
}

static void test_connections_are_reused(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_keep_alive, NULL);
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    (void)state;
    told.restarts = 4; /* from within ended */
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 5);
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
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    (void)state;
    told.restarts = 199;
    for (int k = 1; k <= 200; k++) {
        if (k == 1)
            transport_start(transport, &told.transfer);
        told_wait(transport, &told, k);
        assert_int_equal(told.result, TRANSPORT_OK);
    }
    assert_int_equal(told.headers, 200);
    assert_true(told.sent >= 200);
    assert_int_equal(told.bytes.len, 400);
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
        cmocka_unit_test(test_a_full_socket_is_one_arrival),
        cmocka_unit_test(test_captures_in_pieces),
        cmocka_unit_test(test_a_killed_server_truncates),
        cmocka_unit_test(test_connections_are_reused),
        cmocka_unit_test(test_a_server_that_closes_behind_a_response_costs_nothing),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
