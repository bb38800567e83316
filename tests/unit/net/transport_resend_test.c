/* A connection that was used before and turns out dead: its request goes once more, unless an answer had begun.
 *
 * libcurl does most of it by itself, up to five times, each over any connection that is left; flight_may_go_again does the
 * rest. The two tests that fail without it say so. */
#include "net/flight.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "support/tiny_server.h"
#include "support/told.h"

#define ANSWER(text) TOLD_CHUNKED "3\r\n" text "\r\n0\r\n\r\n"

static void answer(int fd, const char *text)
{
    tiny_read_request(fd);
    tiny_send(fd, text);
}

static void wait_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};

    poll(&one, 1, -1);
}

/* ---- once more ---- */

/* How a server ends the connection on which the second request came. */
typedef void second_request(int fd);

static void read_and_close(int fd)
{
    tiny_read_request(fd);
    tiny_close(fd);
}

static void read_and_reset(int fd)
{
    tiny_read_request(fd);
    tiny_reset(fd);
}

static void close_unread(int fd)
{
    wait_readable(fd);
    tiny_close(fd);
}

static void serve_second(struct tiny_server *server, void *context)
{
    int fd = tiny_accept(server);

    answer(fd, ANSWER("one"));
    (*(second_request **)context)(fd);
    fd = tiny_accept(server);
    answer(fd, ANSWER("two"));
    tiny_wait_gone(fd);
    tiny_close(fd);
}

/* The second request, with this body, goes again on a fresh connection. */
static void expect_second_try(second_request *end, const char *body, size_t length)
{
    struct tiny_server *server = tiny_server_start(serve_second, &end);
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);
    told.transfer.body = body;
    told.transfer.body_length = length;
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 2);
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
    expect_second_try(read_and_close, TOLD_BODY, strlen(TOLD_BODY));
    expect_second_try(read_and_reset, TOLD_BODY, strlen(TOLD_BODY));
    expect_second_try(close_unread, TOLD_BODY, strlen(TOLD_BODY));
}

#define LARGE_BODY ((size_t)32 << 20) /* more than all buffers of sockets hold */

/* Says good-bye while the body is on its way, goes on reading for a while, and breaks. */
static void stop_reading(int fd)
{
    char chunk[65536];

    wait_readable(fd);
    shutdown(fd, SHUT_WR);
    for (size_t left = LARGE_BODY / 4; left > 0;) {
        const ssize_t got = recv(fd, chunk, sizeof chunk, 0);

        if (got <= 0)
            break;
        left -= (size_t)got < left ? (size_t)got : left;
    }
    tiny_reset(fd);
}

/* libcurl goes again when it fails to read, not when it fails to write a body (one beyond its first 64 kB): that is ours. */
static void test_a_connection_that_dies_under_a_long_body(void **state)
{
    char *body = mem_alloc(LARGE_BODY);

    (void)state;
    memset(body, 'b', LARGE_BODY);
    expect_second_try(stop_reading, body, LARGE_BODY);
    free(body);
}

#define IDLE 7 /* more than the six tries of libcurl */

/* A server that goes down behind its keep-alive connections: each of them dies with the next request. */
static void serve_going_down(struct tiny_server *server, void *context)
{
    struct pollfd fds[IDLE + 1];

    (void)context;
    for (int k = 0; k < IDLE; k++) {
        fds[k] = (struct pollfd){.fd = tiny_accept(server), .events = POLLIN};
        tiny_read_request(fds[k].fd);
    }
    for (int k = 0; k < IDLE; k++)
        tiny_send(fds[k].fd, ANSWER("one"));
    fds[IDLE] = (struct pollfd){.fd = tiny_server_listener(server), .events = POLLIN};
    while (poll(fds, IDLE + 1, -1) > 0 && !fds[IDLE].revents)
        for (int k = 0; k < IDLE; k++)
            if (fds[k].revents) {
                read_and_close(fds[k].fd);
                fds[k].fd = -1; /* poll passes it over */
            }

    const int fresh = tiny_accept(server);

    if (fresh >= 0) {
        answer(fresh, ANSWER("two"));
        tiny_wait_gone(fresh);
        tiny_close(fresh);
    }
    for (int k = 0; k < IDLE; k++)
        if (fds[k].fd >= 0)
            tiny_close(fds[k].fd);
}

/* libcurl takes one dead connection after the other, and gives up; ours then asks for a fresh one. */
static void test_a_fresh_connection_when_all_others_died(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_going_down, NULL);
    struct transport *transport = told_transport(0, 0);
    struct told all[IDLE];

    (void)state;
    for (int k = 0; k < IDLE; k++) {
        all[k] = told_new(transport, tiny_server_url(server));
        transport_start(transport, &all[k].transfer);
    }
    for (int k = 0; k < IDLE; k++)
        told_wait(transport, &all[k], 1);
    transport_start(transport, &all[0].transfer);
    told_wait(transport, &all[0], 2);
    assert_int_equal(all[0].result, TRANSPORT_OK);
    assert_false(all[0].reused);
    assert_int_equal(all[0].sent, 1 + 6 + 1);
    assert_string_equal(buf_text(&all[0].bytes), "onetwo");
    transport_free(transport);
    tiny_server_stop(server);
    for (int k = 0; k < IDLE; k++)
        buf_free(&all[k].bytes);
}

/* ---- and not again ---- */

/* Answers the first request, then breaks every connection in its way, whether it was used before or not. */
static void serve_no_more(struct tiny_server *server, void *context)
{
    int fd = tiny_accept(server);

    answer(fd, ANSWER("one"));
    do {
        tiny_read_request(fd);
        tiny_send(fd, context);
        usleep(20000); /* an RST would overtake what was sent */
        tiny_reset(fd);
    } while ((fd = tiny_accept(server)) >= 0);
}

/* The second request is sent so often, and fails. */
static void expect_reset(const char *begun, int sent)
{
    char *text = mem_strdup(begun);
    struct tiny_server *server = tiny_server_start(serve_no_more, text);
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));

    told.restarts = 1;
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 2);
    if (told.result != TRANSPORT_RESET || told.sent != 1 + sent)
        fail_msg("'%s': result %d (%s), sent %d times", begun, (int)told.result, told.message, told.sent - 1);
    assert_int_equal(told.ended, 2);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
    free(text);
}

static void test_a_fresh_connection_that_breaks_is_the_end(void **state)
{
    (void)state;
    expect_reset("", 2);
}

/* The server may have generated for it. A line of the answer is the least that libcurl shows (net/flight.h). */
static void test_a_begun_answer_is_not_asked_for_again(void **state)
{
    (void)state;
    expect_reset("HTTP/1.1 200 OK\r\n", 1);
    expect_reset("HTTP/1.1 100 Continue\r\n\r\n", 1);
    expect_reset(TOLD_CHUNKED, 1);
    expect_reset(TOLD_CHUNKED "3\r\nt", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dead_connection_is_tried_once_more),
        cmocka_unit_test(test_a_connection_that_dies_under_a_long_body),
        cmocka_unit_test(test_a_fresh_connection_when_all_others_died),
        cmocka_unit_test(test_a_fresh_connection_that_breaks_is_the_end),
        cmocka_unit_test(test_a_begun_answer_is_not_asked_for_again),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
