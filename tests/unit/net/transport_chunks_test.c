/* Streams that come chunk by chunk, which are read past libcurl (flight_read), cut and broken in every way. */
#include "net/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "support/tiny_server.h"
#include "support/told.h"

#define CHUNKS 40

/* Long enough for the client to have read what was sent before: the test is of no use if it is not, and does not fail. */
static void pause_a_little(void)
{
    const struct timespec span = {.tv_nsec = 500000};
    nanosleep(&span, NULL);
}

struct stream {
    struct buf text;       /* the body in its chunks, with its end if it has one */
    struct buf body;
    uint64_t seed;
    size_t longest;        /* of a write */
    bool reset;
    int requests, accepts; /* answered */
};

static struct stream stream_new(uint64_t seed, size_t longest)
{
    struct stream stream = {.text = BUF_INIT(1 << 20), .body = BUF_INIT(1 << 20), .seed = seed, .longest = longest};
    struct random random;
    random_seed(&random, seed);
    for (int k = 0; k < CHUNKS; k++) {
        size_t length = 1 + (size_t)random_below(&random, 40);
        char data[64];
        for (size_t i = 0; i < length; i++)
            data[i] = "0\r\na5 "[random_below(&random, 6)]; /* looks like framing */
        buf_printf(&stream.text, "%zx\r\n", length);
        buf_append(&stream.text, data, length);
        buf_append_text(&stream.text, "\r\n");
        buf_append(&stream.body, data, length);
    }
    return stream;
}

static void stream_free(struct stream *stream)
{
    buf_free(&stream->text);
    buf_free(&stream->body);
}

static void send_cut(const struct stream *stream, int fd)
{
    struct random random;
    random_seed(&random, stream->seed + 1);
    tiny_send(fd, TOLD_CHUNKED);
    for (size_t at = 0; at < stream->text.len;) {
        size_t piece = 1 + (size_t)random_below(&random, stream->longest);
        piece = piece < stream->text.len - at ? piece : stream->text.len - at;
        pause_a_little();
        tiny_send_bytes(fd, stream->text.data + at, piece);
        at += piece;
    }
}

/* Answers on a connection for as long as requests come. */
static void serve_stream(struct tiny_server *server, void *context)
{
    struct stream *stream = context;
    int fd;
    while ((fd = tiny_accept(server)) >= 0) {
        stream->accepts++;
        while (tiny_read_request(fd)) {
            send_cut(stream, fd);
            stream->requests++;
            if (stream->reset)
                break;
        }
        (stream->reset ? tiny_reset : tiny_close)(fd);
    }
}

static void serve_and_close(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);
    tiny_read_request(fd);
    send_cut(context, fd);
    tiny_close(fd);
}

static void expect_whole(const struct told *told, const struct stream *stream)
{
    if (told->result != TRANSPORT_OK)
        fail_msg("seed %llu: result %d (%s)", (unsigned long long)stream->seed, (int)told->result, told->message);
    assert_int_equal(told->bytes.len, stream->body.len);
    assert_memory_equal(told->bytes.data, stream->body.data, stream->body.len);
}

static void test_cut_anywhere(void **state)
{
    static const size_t longest[] = {1, 3, 30, 200};
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct stream stream = stream_new(seed, longest[seed % 4]);
        buf_append_text(&stream.text, seed % 3 ? "0\r\n\r\n" : "0\r\nTrailer: 5\r\nOther: 7\r\n\r\n");
        struct told told = told_run(serve_stream, &stream, 0, 0);
        expect_whole(&told, &stream);
        buf_free(&told.bytes);
        stream_free(&stream);
    }
}

/* libcurl has not seen the chunks, and yet knows that the connection is free again. */
static void test_the_connection_is_used_again(void **state)
{
    struct stream stream = stream_new(99, 50);
    buf_append_text(&stream.text, "0\r\n\r\n");
    struct tiny_server *server = tiny_server_start(serve_stream, &stream);
    struct transport *transport = told_transport(0, 0);
    struct told told = told_new(transport, tiny_server_url(server));
    (void)state;
    for (int k = 1; k <= 3; k++) {
        buf_reset(&told.bytes);
        transport_start(transport, &told.transfer);
        told_wait(transport, &told, k);
        expect_whole(&told, &stream);
        assert_int_equal(told.reused, k > 1);
    }
    transport_free(transport);
    tiny_server_stop(server);
    assert_int_equal(stream.accepts, 1);
    assert_int_equal(stream.requests, 3);
    buf_free(&told.bytes);
    stream_free(&stream);
}

static void expect_broken(tiny_script *script, const char *tail, bool reset, enum transport_result expected)
{
    struct stream stream = stream_new(7, 60);
    buf_append_text(&stream.text, tail);
    stream.reset = reset;
    struct told told = told_run(script, &stream, 0, 0);
    if (told.result != expected)
        fail_msg("'%s': result %d (%s), expected %d", tail, (int)told.result, told.message, (int)expected);
    assert_true(told.bytes.len >= stream.body.len);
    assert_memory_equal(told.bytes.data, stream.body.data, stream.body.len);
    buf_free(&told.bytes);
    stream_free(&stream);
}

static void test_ends_that_are_none(void **state)
{
    static const char *const cut[] = {"", "5", "5\r\n", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "0\r\n"};
    static const char *const garbage[] = {"x\r\n", "5\r\nhelloworld", "\r\n", "12345678123456781\r\n"};
    (void)state;
    for (size_t k = 0; k < sizeof cut / sizeof *cut; k++)
        expect_broken(serve_and_close, cut[k], false, TRANSPORT_TRUNCATED);
    for (size_t k = 0; k < sizeof garbage / sizeof *garbage; k++)
        expect_broken(serve_and_close, garbage[k], false, TRANSPORT_PROTOCOL);
}

static void serve_and_reset(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);
    tiny_read_request(fd);
    send_cut(context, fd);
    for (int k = 0; k < 40; k++) /* or the reset would throw away what was not read yet */
        pause_a_little();
    tiny_reset(fd);
}

static void test_a_reset_inside_a_chunk(void **state)
{
    (void)state;
    expect_broken(serve_and_reset, "", true, TRANSPORT_RESET);
    expect_broken(serve_and_reset, "5\r\nhel", true, TRANSPORT_RESET);
}

static void test_a_stall_inside_a_chunk(void **state)
{
    struct stream stream = stream_new(8, 60);
    buf_append_text(&stream.text, "5\r\nhel");
    struct told told = told_run(serve_stream, &stream, 0, 300 * NS_PER_MS);
    (void)state;
    assert_int_equal(told.result, TRANSPORT_STALL);
    assert_int_equal(told.bytes.len, stream.body.len + 3);
    buf_free(&told.bytes);
    stream_free(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_the_connection_is_used_again),
        cmocka_unit_test(test_ends_that_are_none),
        cmocka_unit_test(test_a_reset_inside_a_chunk),
        cmocka_unit_test(test_a_stall_inside_a_chunk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
