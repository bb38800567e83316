#include "load/clock_offset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/tiny_server.h"

/* A target whose clock is `offset` behind ours, and that takes `there` to get a question and `back` for the answer. */
struct target {
    struct clock_fake time;
    int64_t offset, there, back;
    int64_t refresh; /* its Date is made so often; 0: for each answer */
    int64_t date, refreshed;
    bool may_be_old;
    int asked, fails_at; /* fails_at 0: never */
    int64_t jump;        /* added to its clock after ten answers */
};

static int ask(void *context, struct clock_answer *answer)
{
    struct target *target = context;
    target->time.now += target->there;
    int64_t clock = target->time.now + target->time.realtime_offset - target->offset + (target->asked >= 10 ? target->jump : 0);
    if (target->refresh == 0 || target->time.now - target->refreshed >= target->refresh) {
        int64_t periods = target->refresh > 0 ? (target->time.now - target->refreshed) / target->refresh : 0;
        int64_t since = target->refresh > 0 ? target->time.now - target->refreshed - periods * target->refresh : 0;
        target->refreshed = target->time.now - since;
        target->date = (clock - since) / NS_PER_S * NS_PER_S;
    }
    target->time.now += target->back;
    *answer = (struct clock_answer){target->date, target->may_be_old};
    return ++target->asked == target->fails_at ? -1 : 0;
}

static struct clock_check watch(struct target *target, int64_t patience)
{
    struct clock clock = clock_fake_clock(&target->time);
    struct clock_check check = {.synchronized = -1, .max_error_ns = -1};
    clock_offset_watch(&clock, target->time.now + patience, ask, target, &check);
    return check;
}

static struct target make_target(int64_t offset)
{
    return (struct target){.time = {.now = 12345 * NS_PER_MS, .realtime_offset = 1790000000 * NS_PER_S + 777}, .offset = offset,
                           .there = 150 * NS_PER_US, .back = 250 * NS_PER_US};
}

static void assert_within(const struct clock_check *check, int64_t truth, int64_t error_max)
{
    if (check->error_ns < 0 || check->error_ns > error_max || llabs(check->offset_ns - truth) > check->error_ns)
        fail_msg("offset %lld +/- %lld ns, in truth %lld, expected +/- %lld", (long long)check->offset_ns, (long long)check->error_ns,
                 (long long)truth, (long long)error_max);
}

static void test_an_offset_is_found(void **state)
{
    (void)state;
    for (int64_t offset = -2500 * NS_PER_MS; offset < 2500 * NS_PER_MS; offset += 73 * NS_PER_MS + 12345) {
        struct target target = make_target(offset);
        int64_t began = target.time.now;
        struct clock_check check = watch(&target, CLOCK_OFFSET_TIME_NS);
        assert_within(&check, offset, 3 * NS_PER_MS);
        assert_true(target.time.now - began < CLOCK_OFFSET_TIME_NS);
        assert_true(target.asked < 80);
    }
}

/* The error says what a long way makes of it, also when it is longer in one direction. */
static void test_a_long_way(void **state)
{
    (void)state;
    for (int64_t offset = -NS_PER_S; offset < NS_PER_S; offset += 51 * NS_PER_MS) {
        struct target target = make_target(offset);
        target.there = 60 * NS_PER_MS;
        target.back = 5 * NS_PER_MS;
        struct clock_check check = watch(&target, CLOCK_OFFSET_TIME_NS);
        assert_within(&check, offset, 100 * NS_PER_MS);
    }
}

static void test_a_date_that_is_made_once_a_second(void **state)
{
    (void)state;
    for (int64_t phase = 0; phase < NS_PER_S; phase += 37 * NS_PER_MS) {
        struct target target = make_target(40 * NS_PER_MS);
        target.refresh = NS_PER_S;
        target.refreshed = target.time.now - NS_PER_S - phase;
        target.may_be_old = true;
        struct clock_check check = watch(&target, CLOCK_OFFSET_TIME_NS);
        assert_within(&check, target.offset, 600 * NS_PER_MS);
    }
}

/* An exact server never shows the same second for more than a second. */
static void test_an_old_date_contradicts_itself(void **state)
{
    struct target target = make_target(0);
    (void)state;
    target.refresh = 1050 * NS_PER_MS;
    target.refreshed = target.time.now - target.refresh;
    struct clock_check check = watch(&target, 10 * NS_PER_S);
    assert_within(&check, 0, NS_PER_S);
    assert_true(check.error_ns > 400 * NS_PER_MS);
}

static void test_little_time_leaves_a_large_error(void **state)
{
    struct target target = make_target(-300 * NS_PER_MS);
    (void)state;
    struct clock_check check = watch(&target, 100 * NS_PER_MS);
    assert_within(&check, target.offset, 500 * NS_PER_MS);
    assert_true(target.asked <= 6);
    struct target none = make_target(0);
    check = watch(&none, 0);
    assert_int_equal(check.error_ns, -1);
    assert_int_equal(none.asked, 0);
}

static void test_what_cannot_be_found_out(void **state)
{
    struct target silent = make_target(0), old = make_target(0);
    (void)state;
    silent.fails_at = 7;
    struct clock_check check = watch(&silent, CLOCK_OFFSET_TIME_NS);
    assert_int_equal(check.error_ns, -1);
    old.refresh = 5 * NS_PER_S;
    old.refreshed = old.time.now - 4 * NS_PER_S;
    check = watch(&old, 10 * NS_PER_S);
    assert_int_equal(check.error_ns, -1);
}

static void test_a_clock_that_is_set(void **state)
{
    struct target set = make_target(0);
    (void)state;
    set.jump = 10 * NS_PER_S;
    struct clock_check check = watch(&set, CLOCK_OFFSET_TIME_NS);
    assert_within(&check, -set.jump, 600 * NS_PER_MS);
}

/* ---- over HTTP ---- */

static void answer_with_dates(struct tiny_server *server, void *context)
{
    const char *header = context;
    int fd;
    while ((fd = tiny_accept(server)) >= 0) {
        while (tiny_read_request(fd)) {
            char date[CLOCK_RFC3339_SIZE], answer[256];
            int64_t now = clock_realtime(clock_system());
            clock_format_rfc3339(now, 0, date);
            /* 2026-11-24T12:00:00Z: libcurl's reader of dates takes "24 Nov 2026 12:00:00 GMT" in any order. */
            static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
            long month = strtol(date + 5, NULL, 10);
            snprintf(answer, sizeof answer, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n%s%.2s %s %.4s %.8s GMT\r\n\r\n", header, date + 8,
                     months[month - 1], date, date + 11);
            tiny_send(fd, answer);
        }
        tiny_close(fd);
    }
}

static struct clock_check measure(const char *header, bool cached)
{
    char text[64];
    snprintf(text, sizeof text, "%s", header);
    struct tiny_server *server = tiny_server_start(answer_with_dates, text);
    const struct net_settings net = {0};
    struct clock_check check;
    clock_offset_measure(&net, clock_system(), tiny_server_url(server), cached, clock_now(clock_system()) + 300 * NS_PER_MS, &check);
    tiny_server_stop(server);
    return check;
}

static void test_over_http(void **state)
{
    (void)state;
    struct clock_check check = measure("Date: ", false);
    assert_within(&check, 0, 500 * NS_PER_MS);
    check = measure("Date: ", true);
    assert_within(&check, 0, NS_PER_S);
    assert_true(check.error_ns > 500 * NS_PER_MS);
    check = measure("Server: uvicorn\r\nDate: ", false);
    assert_within(&check, 0, NS_PER_S);
    assert_true(check.error_ns > 500 * NS_PER_MS);
    check = measure("X-Date: ", false);
    assert_int_equal(check.error_ns, -1);
}

static void test_nobody_there(void **state)
{
    const struct net_settings net = {0};
    struct clock_check check;
    (void)state;
    clock_offset_measure(&net, clock_system(), "http://127.0.0.1:1/health", false, clock_now(clock_system()) + NS_PER_S, &check);
    assert_int_equal(check.error_ns, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_offset_is_found),
        cmocka_unit_test(test_a_long_way),
        cmocka_unit_test(test_a_date_that_is_made_once_a_second),
        cmocka_unit_test(test_an_old_date_contradicts_itself),
        cmocka_unit_test(test_little_time_leaves_a_large_error),
        cmocka_unit_test(test_what_cannot_be_found_out),
        cmocka_unit_test(test_a_clock_that_is_set),
        cmocka_unit_test(test_over_http),
        cmocka_unit_test(test_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
