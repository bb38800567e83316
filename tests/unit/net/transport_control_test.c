#include "net/transport.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/stop.h"
#include "support/tiny_server.h"
#include "support/told.h"

/* ---- cancel, free, stop, deadlines ---- */

static void test_cancel_ends_and_hangs_up(void **state)
{
    static char some[] = TOLD_CHUNKED "5\r\nhello\r\n";
    struct tiny_server *server = tiny_server_start(told_serve_text, some); /* its script ends when we hang up */
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server)), never = told_new(transport, tiny_server_url(server));

    (void)state;
    told.cancel_on_bytes = true;
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);
    assert_int_equal(told.result, TRANSPORT_CANCELLED);
    assert_string_equal(buf_text(&told.bytes), "hello");

    transport_start(transport, &never.transfer);
    transport_cancel(transport, &never.transfer);
    transport_cancel(transport, &never.transfer);
    told_wait(transport, &never, 1);
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
    tiny_send(first, TOLD_CHUNKED "1\r\na\r\n");

    const int second = tiny_accept(server);

    tiny_read_request(second);
    tiny_send(second, TOLD_CHUNKED "1\r\nb\r\n0\r\n\r\n");
    tiny_send(first, "0\r\n\r\n");
    tiny_wait_gone(first);
    tiny_close(first);
    tiny_close(second);
}

static void test_start_from_within_a_callback(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_two, NULL);
    struct transport *transport = told_transport(0, 0);
    struct told first = told_new(transport, tiny_server_url(server)), second = told_new(transport, tiny_server_url(server));

    (void)state;
    first.start_on_bytes = &second;
    transport_start(transport, &first.transfer);
    told_wait(transport, &first, 1);
    told_wait(transport, &second, 1);
    assert_int_equal(first.result, TRANSPORT_OK);
    assert_int_equal(second.result, TRANSPORT_OK);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&first.bytes);
    buf_free(&second.bytes);
}

static void test_freeing_ends_what_is_in_flight(void **state)
{
    static char some[] = TOLD_CHUNKED "5\r\nhello\r\n";
    struct tiny_server *server = tiny_server_start(told_serve_text, some);
    struct transport *transport = told_transport(0, 0);
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
    struct transport *transport = told_transport(0, 0);
    struct error err = {0};
    const int64_t deadline = clock_now(clock_system()) + 3 * NS_PER_MS + 300 * NS_PER_US;

    (void)state;
    assert_int_equal(transport_wait(transport, TIME_NEVER, &err), 0);
    while (clock_now(clock_system()) < deadline)
        assert_int_equal(transport_wait(transport, deadline, &err), 0);
    transport_free(transport);
}

static stop_flag stop_now;

static void *stop_soon(void *unused)
{
    usleep(30000);
    stop_now = 1; /* by another thread: no signal interrupts the waiting */
    return unused;
}

static void test_stop_ends_the_waiting_once(void **state)
{
    struct error err = {0};
    const struct transport_curl_settings settings = {.net = {.stop = &stop_now}, .clock = clock_system()};
    pthread_t thread;

    (void)state;
    stop_now = 0;

    struct transport *transport = transport_curl_new(&settings, &err);

    assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0); /* would wait for ever otherwise */
    while (!stop_now)
        assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0);
    pthread_join(thread, NULL);
    transport_free(transport);
}

/* ---- many ---- */

struct crowd {
    int count;
};

static void answer_crowd(const int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        tiny_read_request(fds[i]);
        tiny_send(fds[i], TOLD_CHUNKED);
    }
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < count; i++)
            tiny_send(fds[i], "8\r\ndata: x\n\r\n");
    for (int i = 0; i < count; i++)
        tiny_send(fds[i], "0\r\n\r\n");
}

/* Takes all connections first, so that all streams are open at once; then gives each a piece in turn; and once more on the same ones. */
static void serve_crowd(struct tiny_server *server, void *context)
{
    const int count = ((struct crowd *)context)->count;
    int *fds = mem_calloc((size_t)count, sizeof *fds);

    for (int i = 0; i < count; i++)
        fds[i] = tiny_accept(server);
    answer_crowd(fds, count);
    answer_crowd(fds, count);
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

/* Over many multi handles of libcurl (FLIGHT_LANE_MAX), and every connection is used again. */
static void test_a_thousand_streams(void **state)
{
    struct crowd crowd = {.count = streams_allowed(1000)};
    struct tiny_server *server = tiny_server_start(serve_crowd, &crowd);
    struct error err = {0};
    const struct transport_curl_settings settings = {
        .clock = clock_system(), .pin_urls = (const char *const[]){tiny_server_url(server)}, .pin_url_count = 1};
    struct transport *transport = transport_curl_new(&settings, &err);
    struct told *all = mem_calloc((size_t)crowd.count, sizeof *all);
    int ended = 0;

    (void)state;
    assert_non_null(transport);
    for (int i = 0; i < crowd.count; i++) {
        all[i] = told_new(transport, tiny_server_url(server));
        all[i].all_ended = &ended;
        all[i].restarts = 1;
        transport_start(transport, &all[i].transfer);
    }
    while (ended < 2 * crowd.count)
        assert_int_equal(transport_wait(transport, TIME_FOREVER, &err), 0);
    transport_free(transport);
    tiny_server_stop(server);
    for (int i = 0; i < crowd.count; i++) {
        assert_int_equal(all[i].result, TRANSPORT_OK);
        assert_int_equal(all[i].sent, 2);
        assert_true(all[i].reused);
        assert_int_equal(all[i].bytes.len, 80);
        buf_free(&all[i].bytes);
    }
    free(all);
}

static void test_a_name_is_pinned(void **state)
{
    static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct tiny_server *server = tiny_server_start(told_serve_text, text);
    cleanup_free char *url = mem_printf("http://localhost%s", strrchr(tiny_server_url(server), ':'));
    struct error err = {0};
    const struct transport_curl_settings settings = {.clock = clock_system(),
        .pin_urls = (const char *const[]){url}, .pin_url_count = 1};
    struct transport *transport = transport_curl_new(&settings, &err);
    struct told told = told_new(transport, url);

    (void)state;
    assert_non_null(transport);
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);
    assert_int_equal(told.result, TRANSPORT_OK);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
