#include "net/transport.h"

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
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"
#include "support/captures.h"
#include "support/mutate.h"
#include "support/tiny_server.h"
#include "support/told.h"

/* ---- heads that lie or never end ---- */

static void test_a_trailer_is_no_status_line(void **state)
{
    static char text[] = TOLD_CHUNKED "5\r\nhello\r\n0\r\nHTTP/1.1 500 No\r\nX: y\r\n\r\n";
    struct told told = told_run(told_serve_text, text, 0, 0);

    (void)state;
    assert_int_equal(told.headers, 1);
    assert_int_equal(told.status, 200);
    buf_free(&told.bytes);
}

struct endless {
    const char *head, *again; /* `again` until the client goes, a thousand times a MiB at most */
};

static void serve_endless(struct tiny_server *server, void *context)
{
    const struct endless *endless = context;
    const int fd = tiny_accept(server);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    struct buf block = BUF_INIT((size_t)2 << 20);

    while (block.len < (size_t)1 << 20)
        buf_printf(&block, "%s", endless->again);
    tiny_read_request(fd);
    tiny_send(fd, endless->head);
    for (int k = 0; k < 1000 && poll(&gone, 1, 0) == 0; k++)
        tiny_send_bytes(fd, block.data, block.len);
    tiny_close(fd);
    buf_free(&block);
}

static void test_what_never_ends_is_bounded(void **state)
{
    static const struct endless cases[] = {
        {"HTTP/1.1 200 OK\r\n", "X-Small: header\r\n"},
        {"", "HTTP/1.1 100 Continue\r\n\r\n"},
        {"", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"},
        {TOLD_CHUNKED "1\r\na\r\n0\r\n", "X-Trailer: and another one\r\n"},
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct endless endless = cases[k];
        struct told told = told_run(serve_endless, &endless, 0, 0);

        if (told.result != TRANSPORT_PROTOCOL)
            fail_msg("case %zu: result %d (%s)", k, (int)told.result, told.message);
        buf_free(&told.bytes);
    }
}

static void test_lengths_that_lie(void **state)
{
    static const struct {
        const char *text;
        enum transport_result result;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", TRANSPORT_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", TRANSPORT_PROTOCOL},
        {TOLD_CHUNKED "FFFFFFFFFFFFFFFFFF\r\nhello\r\n", TRANSPORT_PROTOCOL},
        {TOLD_CHUNKED "-5\r\nhello\r\n", TRANSPORT_PROTOCOL},
        {TOLD_CHUNKED "3\r\nhello\r\n0\r\n\r\n", TRANSPORT_PROTOCOL},
        {"HTTP/9.9 200 OK\r\n\r\nhello", TRANSPORT_PROTOCOL},
        {"HTTP/1.1 20x OK\r\n\r\nhello", TRANSPORT_PROTOCOL},
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        cleanup_free char *text = mem_strdup(cases[k].text);
        struct told told = told_run(told_serve_text, text, 0, 0);

        if (told.result != cases[k].result || told.message[0] == '\0')
            fail_msg("case %zu: result %d (%s)", k, (int)told.result, told.message);
        assert_int_equal(told.sent, 1);
        buf_free(&told.bytes);
    }
}

/* ---- captures that were tampered with ---- */

static void serve_bytes(struct tiny_server *server, void *context)
{
    const struct buf *answer = context;

    for (int fd; (fd = tiny_accept(server)) >= 0;) {
        if (tiny_read_request(fd))
            tiny_send_bytes(fd, answer->data, answer->len);
        tiny_close(fd);
    }
}

static void test_whatever_comes_ends_once(void **state)
{
    static const char *const paths[] = {
        CAPTURES_FOLDER "/vllm/chat-stream-usage.raw",
        CAPTURES_FOLDER "/vllm/err-model404.raw",
        CAPTURES_FOLDER "/llamacpp/chat-stream.raw",
    };
    struct random random;

    (void)state;
    random_seed(&random, 11);
    for (int round = 0; round < 300; round++) {
        struct buf raw = capture_read(paths[round % 3]), changed = BUF_INIT(CAPTURE_MAX);

        mutate(&random, raw.data, raw.len, &changed);

        struct told told = told_run(serve_bytes, &changed, 0, 0); /* ended once: told_run looks */

        assert_true(told.sent >= 1);
        assert_true(told.headers <= 1);
        assert_true((told.result == TRANSPORT_OK) == (told.message[0] == '\0'));
        buf_free(&told.bytes);
        buf_free(&changed);
        buf_free(&raw);
    }
}

/* ---- everything at once ---- */

#define STREAMS 40
#define CONNECTIONS_MAX 256
#define TRANSFERS 3000

/* Answers, breaks, hangs and hangs up as it comes. */
static bool answer_somehow(struct random *random, int fd)
{
    switch (random_below(random, 9)) {
    case 0:
        tiny_send(fd, TOLD_CHUNKED "3\r\nbad");
        tiny_reset(fd);
        return false;
    case 1:
        tiny_send(fd, TOLD_CHUNKED "5\r\nhello\r\n");
        tiny_close(fd);
        return false;
    case 2:
        tiny_reset(fd);
        return false;
    case 3:
        tiny_send(fd, TOLD_CHUNKED "5\r\nhello\r\n"); /* and silence */
        return true;
    case 4:
        tiny_send(fd, "garbage\r\n\r\n");
        return true;
    case 5:
        tiny_send(fd, TOLD_CHUNKED "2\r\nok\r\n0\r\n\r\n");
        tiny_close(fd); /* as llama.cpp does */
        return false;
    default:
        tiny_send(fd, TOLD_CHUNKED "2\r\nok\r\n0\r\n\r\n");
        return true;
    }
}

static void serve_somehow(struct tiny_server *server, void *context)
{
    struct pollfd fds[CONNECTIONS_MAX] = {{.fd = tiny_server_listener(server), .events = POLLIN}};
    nfds_t count = 1;
    char request[4096];
    struct random random;

    (void)context;
    random_seed(&random, 5);
    while (poll(fds, count, -1) > 0 && !(fds[0].revents & POLLHUP)) {
        for (nfds_t k = count; k-- > 1;) {
            if (!fds[k].revents)
                continue;

            const bool gone = recv(fds[k].fd, request, sizeof request, 0) <= 0;

            if (gone)
                tiny_close(fds[k].fd);
            if (gone || !answer_somehow(&random, fds[k].fd))
                fds[k] = fds[--count];
        }
        if (fds[0].revents && count < CONNECTIONS_MAX) {
            const int fd = tiny_accept(server);

            if (fd < 0)
                break;
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
    }
    for (nfds_t k = 1; k < count; k++)
        tiny_close(fds[k].fd);
}

struct storm;

struct drop {
    struct transfer transfer;
    struct storm *storm;
    bool in_flight, headed;
    int sent;
};

struct storm {
    struct transport *transport;
    struct random random;
    struct drop drops[STREAMS];
    int started, ended, results[TRANSPORT_CANCELLED + 1];
    const char *url;
};

static void start_drop(struct drop *drop)
{
    struct storm *storm = drop->storm;

    assert_false(drop->in_flight);
    if (storm->started == TRANSFERS)
        return;
    storm->started++;
    drop->in_flight = true;
    drop->headed = false;
    drop->sent = 0;
    transport_start(storm->transport, &drop->transfer);
}

/* Any callback may cancel any transfer, also the one that it is about, also twice. */
static void cancel_some(struct storm *storm)
{
    struct drop *other = &storm->drops[random_below(&storm->random, STREAMS)];

    if (random_below(&storm->random, 20) == 0 && other->in_flight)
        transport_cancel(storm->transport, &other->transfer);
}

static void drop_sent(struct transfer *transfer, int64_t time, int64_t connected, bool reused)
{
    struct drop *drop = (struct drop *)transfer;

    assert_true(drop->in_flight);
    assert_true(reused == (connected == TIME_NEVER));
    assert_true(reused || connected <= time);
    drop->sent++;
    cancel_some(drop->storm);
}

static void drop_headers(struct transfer *transfer, int64_t time, int status)
{
    struct drop *drop = (struct drop *)transfer;

    (void)time;
    assert_true(drop->in_flight && drop->sent > 0 && !drop->headed);
    assert_int_equal(status, 200);
    drop->headed = true;
    cancel_some(drop->storm);
}

static void drop_bytes(struct transfer *transfer, int64_t time, const char *bytes, size_t length)
{
    struct drop *drop = (struct drop *)transfer;

    (void)time, (void)bytes;
    assert_true(drop->in_flight && drop->headed && length > 0);
    cancel_some(drop->storm);
}

static void drop_ended(struct transfer *transfer, int64_t time, enum transport_result result, const char *message)
{
    struct drop *drop = (struct drop *)transfer;
    struct storm *storm = drop->storm;

    (void)time;
    assert_true(drop->in_flight);
    assert_non_null(message);
    drop->in_flight = false;
    storm->ended++;
    storm->results[result]++;
    cancel_some(storm);
    start_drop(drop);
}

static void test_a_storm_ends_every_transfer_once(void **state)
{
    static const struct transfer_handler handler = {drop_sent, drop_headers, drop_bytes, drop_ended};
    struct tiny_server *server = tiny_server_start(serve_somehow, NULL);
    struct storm storm = {.transport = told_transport(0, 5 * NS_PER_MS), .url = tiny_server_url(server)};
    struct error err = {0};

    (void)state;
    random_seed(&storm.random, 6);
    for (int k = 0; k < STREAMS; k++) {
        storm.drops[k] = (struct drop){
            .transfer = {.handler = &handler, .url = storm.url, .body = TOLD_BODY, .body_length = strlen(TOLD_BODY)}, .storm = &storm};
        start_drop(&storm.drops[k]);
    }
    while (storm.ended < TRANSFERS - STREAMS / 2)
        assert_int_equal(transport_wait(storm.transport, TIME_FOREVER, &err), 0);
    transport_free(storm.transport);
    tiny_server_stop(server);
    assert_int_equal(storm.ended, storm.started);
    for (enum transport_result k = TRANSPORT_OK; k <= TRANSPORT_CANCELLED; k++) {
        const bool comes = k == TRANSPORT_OK || k == TRANSPORT_STALL || k == TRANSPORT_RESET || k == TRANSPORT_TRUNCATED ||
                           k == TRANSPORT_PROTOCOL || k == TRANSPORT_CANCELLED;

        if (comes && storm.results[k] == 0)
            fail_msg("no transfer ended with result %d", (int)k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trailer_is_no_status_line),
        cmocka_unit_test(test_what_never_ends_is_bounded),
        cmocka_unit_test(test_lengths_that_lie),
        cmocka_unit_test(test_whatever_comes_ends_once),
        cmocka_unit_test(test_a_storm_ends_every_transfer_once),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
