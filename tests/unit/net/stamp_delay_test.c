/* Our time stamp against the kernel's: what is computed, what is left alone, how often it is done. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/stamp_delay.h"
#include "support/told.h"

#define MUCH_LATER (7 * NS_PER_S)

/* Two ends of a TCP connection within this machine; ours has the kernel's stamps. */
static void connect_pair(int *ours, int *theirs)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *ours = socket(AF_INET, SOCK_STREAM, 0);
    stamp_delay_watch(*ours);
    assert_int_equal(connect(*ours, (struct sockaddr *)&address, size), 0);
    *theirs = accept(listener, NULL, NULL);
    assert_true(*theirs >= 0);
    close(listener);
}

/* The kernel begins to stamp a moment after the first socket of the machine asked for it. */
static void wait_for_stamps(void)
{
    struct stamp_delay *delay = mem_alloc(sizeof *delay);
    int ours, theirs;
    char byte;
    connect_pair(&ours, &theirs);
    for (int tries = 0; tries < 500 && delay->lag.total == 0; tries++) {
        assert_int_equal(send(theirs, "x", 1, 0), 1);
        assert_int_equal(recv(ours, &byte, 1, MSG_PEEK), 1);
        stamp_delay_sample(delay, ours, clock_system(), clock_now(clock_system()));
        assert_int_equal(recv(ours, &byte, 1, 0), 1);
        usleep(10000);
    }
    assert_int_equal(delay->lag.total, 1);
    close(ours);
    close(theirs);
    free(delay);
}

/* Sent between two readings of our clock, so the stamp lies so far behind it; and every byte is still there. */
static void test_the_delay_is_from_the_kernels_stamp_to_ours(void **state)
{
    struct stamp_delay *delay = mem_alloc(sizeof *delay);
    const struct clock *clock = clock_system();
    int ours, theirs;
    char bytes[16], peeked;
    (void)state;
    wait_for_stamps();
    connect_pair(&ours, &theirs);
    int64_t before = clock_now(clock);
    assert_int_equal(send(theirs, "hello", 5, 0), 5);
    assert_int_equal(recv(ours, &peeked, 1, MSG_PEEK), 1); /* waits until it is there */
    int64_t after = clock_now(clock);
    stamp_delay_sample(delay, ours, clock, after + MUCH_LATER);
    assert_int_equal(delay->lag.total, 1);
    /* A realtime clock that is being steered runs up to 0.05 % faster or slower. */
    assert_in_range(delay->lag.max, MUCH_LATER - NS_PER_MS, MUCH_LATER + (after - before) + NS_PER_MS);
    assert_int_equal(recv(ours, bytes, sizeof bytes, 0), 5);
    assert_memory_equal(bytes, "hello", 5);
    close(ours);
    close(theirs);
    free(delay);
}

static void test_nothing_to_read_and_no_stamp_are_no_samples(void **state)
{
    struct stamp_delay *delay = mem_alloc(sizeof *delay);
    int ours, theirs, unwatched[2];
    char peeked;
    (void)state;
    connect_pair(&ours, &theirs);
    stamp_delay_sample(delay, ours, clock_system(), 0);
    close(theirs);
    assert_int_equal(recv(ours, &peeked, 1, 0), 0); /* the end of the stream came */
    stamp_delay_sample(delay, ours, clock_system(), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, unwatched), 0);
    assert_int_equal(send(unwatched[1], "x", 1, 0), 1);
    stamp_delay_sample(delay, unwatched[0], clock_system(), 0);
    stamp_delay_sample(delay, -1, clock_system(), 0);
    assert_int_equal(delay->lag.total, 0);
    close(unwatched[0]);
    close(unwatched[1]);
    close(ours);
    free(delay);
}

static void test_one_of_the_ready_in_turn_and_not_too_often(void **state)
{
    struct stamp_delay *delay = mem_alloc(sizeof *delay);
    (void)state;
    assert_int_equal(stamp_delay_choose(delay, 0, 0), -1);
    assert_int_equal(stamp_delay_choose(delay, 0, 3), 0);
    assert_int_equal(stamp_delay_choose(delay, 0, 3), 1);
    assert_int_equal(stamp_delay_choose(delay, 0, 3), 2);
    assert_int_equal(stamp_delay_choose(delay, 0, 3), 0);
    stamp_delay_sample(delay, -1, clock_system(), NS_PER_S);
    assert_int_equal(stamp_delay_choose(delay, NS_PER_S + STAMP_DELAY_INTERVAL_NS - 1, 3), -1);
    assert_int_equal(stamp_delay_choose(delay, NS_PER_S + STAMP_DELAY_INTERVAL_NS, 1), 0);
    free(delay);
}

static void test_the_transport_takes_samples(void **state)
{
    static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct tiny_server *server = tiny_server_start(told_serve_text, text);
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));
    (void)state;
    assert_int_equal(transport_stamp_delay(transport)->total, 0);
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);
    assert_int_equal(told.status, 200);
    assert_int_equal(transport_stamp_delay(transport)->total, 1);
    transport_free(transport);
    tiny_server_stop(server);
    buf_free(&told.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_delay_is_from_the_kernels_stamp_to_ours),
        cmocka_unit_test(test_nothing_to_read_and_no_stamp_are_no_samples),
        cmocka_unit_test(test_one_of_the_ready_in_turn_and_not_too_often),
        cmocka_unit_test(test_the_transport_takes_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
