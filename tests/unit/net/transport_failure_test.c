#include "net/transport.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "support/tiny_server.h"
#include "support/told.h"

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
        {{TOLD_CHUNKED "5\r\nhello\r\n", tiny_close}, TRANSPORT_TRUNCATED, 5, 1},
        {{TOLD_CHUNKED "5\r\nhel", tiny_close}, TRANSPORT_TRUNCATED, 3, 1},
        {{TOLD_CHUNKED "5\r\nhello\r\n", tiny_reset}, TRANSPORT_RESET, 5, 1},
        {{TOLD_CHUNKED "zz\r\nhello\r\n", tiny_close}, TRANSPORT_PROTOCOL, 0, 1},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", tiny_close}, TRANSPORT_TRUNCATED, 5, 1},
        {{"HTTP/1.1 200 OK\r\n\r\nuntil the end", tiny_close}, TRANSPORT_OK, 13, 1},
        {{"SSH-2.0-OpenSSH_9.2\r\n", tiny_close}, TRANSPORT_PROTOCOL, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault fault = cases[i].fault;
        struct told told = told_run(serve_fault, &fault, 0, 0);

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
    struct told told = told_run(serve_endless_header, NULL, 0, 0);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_PROTOCOL);
    assert_int_equal(told.bytes.len, 0);
    buf_free(&told.bytes);
}

static void test_silence_ends_as_a_stall(void **state)
{
    static char none[] = "", some[] = TOLD_CHUNKED "5\r\nhello\r\n";
    struct told told = told_run(told_serve_text, none, 0, 50 * NS_PER_MS);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_STALL);
    assert_true(told.ended_time - told.sent_time >= 40 * NS_PER_MS);
    assert_true(told.message[0] != '\0');
    buf_free(&told.bytes);
    told = told_run(told_serve_text, some, 0, 50 * NS_PER_MS);
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
    tiny_send(fd, TOLD_CHUNKED);
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
    struct told told = told_run(serve_drip, NULL, 200 * NS_PER_MS, 150 * NS_PER_MS);

    (void)state;
    assert_int_equal(told.result, TRANSPORT_TIMEOUT);
    assert_true(told.bytes.len > 0);
    buf_free(&told.bytes);
}

static void test_refused_and_unknown_hosts(void **state)
{
    struct transport *transport = told_transport(0, 0);
    struct told refused = told_new(transport, "http://127.0.0.1:1/"), unknown = told_new(transport, "http://no-such-host.invalid/"),
                wrong = told_new(transport, "ftp://127.0.0.1/"), broken = told_new(transport, "http://[::1/");

    (void)state;
    transport_start(transport, &refused.transfer);
    transport_start(transport, &unknown.transfer);
    transport_start(transport, &wrong.transfer);
    transport_start(transport, &broken.transfer);
    told_wait(transport, &refused, 1);
    told_wait(transport, &unknown, 1);
    told_wait(transport, &wrong, 1);
    told_wait(transport, &broken, 1);
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
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, "http://127.0.0.1:1/");
    const int next = dup(0);

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(told.result, TRANSPORT_LOCAL);
    transport_free(transport);
}

/* ---- sockets that cannot be watched ---- */

static int watching_fails; /* errno; 0: it does not */
static int watching_refused;

/* Stands before the C library's, for the transport too: its failures (no memory, too many watches) cannot be had otherwise. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's names are reserved */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (watching_fails && operation != EPOLL_CTL_DEL) {
        watching_refused++;
        errno = watching_fails;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

static void serve_all(struct tiny_server *server, void *context)
{
    for (int fd; (fd = tiny_accept(server)) >= 0; tiny_close(fd))
        while (tiny_read_request(fd))
            tiny_send(fd, context);
}

/* Without a stall limit: a flight that nobody looks at any more would wait for ever. */
static void test_a_socket_that_cannot_be_watched_is_a_local_failure(void **state)
{
    static char text[] = TOLD_CHUNKED "2\r\nok\r\n0\r\n\r\n";
    struct tiny_server *server = tiny_server_start(serve_all, text);
    struct transport *transport = told_transport(0, 0);
    struct told first = told_new(transport, tiny_server_url(server)), second = told_new(transport, tiny_server_url(server));

    (void)state;
    watching_refused = 0;
    watching_fails = ENOSPC;
    transport_start(transport, &first.transfer);
    transport_start(transport, &second.transfer);
    told_wait(transport, &first, 1);
    told_wait(transport, &second, 1);
    watching_fails = 0;
    assert_true(watching_refused >= 2);
    assert_int_equal(first.result, TRANSPORT_LOCAL);
    assert_int_equal(second.result, TRANSPORT_LOCAL);
    assert_string_equal(first.message, "cannot watch the connection: No space left on device");
    transport_start(transport, &first.transfer); /* nothing of it is left behind */
    told_wait(transport, &first, 2);
    assert_int_equal(first.result, TRANSPORT_OK);
    assert_string_equal(buf_text(&first.bytes), "ok");
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&first.bytes);
    buf_free(&second.bytes);
}

/* The same for a connection that was used before, with an answer that never comes. */
static void test_a_used_socket_that_cannot_be_watched_again(void **state)
{
    static char text[] = TOLD_CHUNKED "2\r\nok\r\n0\r\n\r\n";
    struct tiny_server *server = tiny_server_start(told_serve_text, text);
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    (void)state;
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);
    assert_int_equal(told.result, TRANSPORT_OK);
    watching_fails = ENOMEM;
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 2);
    watching_fails = 0;
    assert_int_equal(told.result, TRANSPORT_LOCAL);
    assert_string_equal(told.message, "cannot watch the connection: Cannot allocate memory");
    assert_int_equal(told.sent, 2);
    assert_true(told.reused);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

/* ---- what is refused before any transfer ---- */

static void expect_refused(const struct transport_curl_settings *settings, enum error_class class, const char *says)
{
    struct error err = {0};

    assert_null(transport_curl_new(settings, &err));
    assert_int_equal(err.class, class);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
}

static void test_an_unknown_host_is_refused_before(void **state)
{
    struct transport_curl_settings settings = {
        .clock = clock_system(), .pin_urls = (const char *const[]){"http://no-such-host.invalid:8000/v1"},
        .pin_url_count = 1,
    };

    (void)state;
    expect_refused(&settings, ERROR_TARGET, "cannot look up the host no-such-host.invalid: ");
    expect_refused(&settings, ERROR_TARGET, ". Is the name right, and does DNS answer here?");
    settings.pin_urls = (const char *const[]){"nonsense"};
    expect_refused(&settings, ERROR_USAGE, "nonsense");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_have_classes),
        cmocka_unit_test(test_an_endless_header_is_bounded),
        cmocka_unit_test(test_silence_ends_as_a_stall),
        cmocka_unit_test(test_the_whole_time_is_limited),
        cmocka_unit_test(test_refused_and_unknown_hosts),
        cmocka_unit_test(test_no_descriptor_is_a_local_failure),
        cmocka_unit_test(test_a_socket_that_cannot_be_watched_is_a_local_failure),
        cmocka_unit_test(test_a_used_socket_that_cannot_be_watched_again),
        cmocka_unit_test(test_an_unknown_host_is_refused_before),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
