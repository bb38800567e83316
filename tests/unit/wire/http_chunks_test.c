#include "wire/http_chunks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/mutate.h"
#include "support/properties.h"

static const char *const BODIES[] = {
    "5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0001\r\n!\r\n0\r\nTrailer: 5\r\n\r\n",
    "5;name=\"v\"\r\nhello\r\n00\r\n\r\n5\r\nnever\r\n",
    "A\r\n0123456789\r\nf\r\n\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n",
    "5\nhello\n3\nyou\n0\n\n",
};

static void append(void *context, const char *bytes, size_t length)
{
    buf_append(context, bytes, length);
}

static void expect_body(const char *text, const char *body)
{
    struct http_chunks chunks;
    struct buf got = BUF_INIT(4096);
    http_chunks_begin(&chunks);
    http_chunks_feed(&chunks, text, strlen(text), append, &got);
    assert_string_equal(buf_text(&got), body);
    buf_free(&got);
}

static void test_bodies(void **state)
{
    (void)state;
    expect_body(BODIES[0], "hello");
    expect_body(BODIES[1], "hello world");
    expect_body(BODIES[2], "abcdefghijklmnopqrstuvwxyz!");
    expect_body(BODIES[3], "hello");
    expect_body(BODIES[4], "0123456789\r\n0\r\n\r\n0\r\n\r\n0\r\n");
    expect_body(BODIES[5], "helloyou");
    expect_body("", "");
}

static void test_what_is_broken_ends_the_body(void **state)
{
    (void)state;
    expect_body("x\r\nhello\r\n0\r\n\r\n", "");
    expect_body("\r\n5\r\nhello\r\n", "");
    expect_body("-5\r\nhello\r\n", "");
    expect_body("5\r\nhelloworld\r\n5\r\nagain\r\n", "hello");
    expect_body("00000000000000005\r\nhello\r\n", ""); /* 17 digits */
    expect_body("ffffffffffffffff\r\nhello", "hello");
}

static size_t whole_length(const char *before, const char *text)
{
    struct http_chunks chunks;
    struct buf body = BUF_INIT(4096);
    http_chunks_begin(&chunks);
    http_chunks_feed(&chunks, before, strlen(before), append, &body);
    buf_free(&body);
    return http_chunks_whole_length(&chunks, text, strlen(text));
}

static void test_what_is_whole_chunks(void **state)
{
    (void)state;
    assert_int_equal(whole_length("", "5\r\nhello\r\n"), 10);
    assert_int_equal(whole_length("", "5\r\nhello\r\n3\r\nyou\r\n"), 18);
    assert_int_equal(whole_length("", "5\r\nhello\r\n5\r\nhel"), 10);        /* the second is cut */
    assert_int_equal(whole_length("", "5\r\nhello\r\n5\r\nhello"), 10);
    assert_int_equal(whole_length("", "5\r\nhello\r\n5\r\nhello\r"), 10);
    assert_int_equal(whole_length("", "5\r\nhello\r\n5"), 10);
    assert_int_equal(whole_length("", "5\r\nhello\r\n5\r\n"), 10);
    assert_int_equal(whole_length("", "5\r\nhello\r\n0\r\n\r\n"), 10);       /* the last one */
    assert_int_equal(whole_length("", "5\r\nhello\r\n000\r\n\r\n"), 10);
    assert_int_equal(whole_length("", "5;x\r\nhello\r\n"), 0);               /* unusual */
    assert_int_equal(whole_length("", "5\nhello\r\n"), 0);
    assert_int_equal(whole_length("", "5\r\nhelloX\n"), 0);
    assert_int_equal(whole_length("", "x\r\n"), 0);
    assert_int_equal(whole_length("", "ffffffffffffffff\r\nx\r\n"), 0);
    assert_int_equal(whole_length("", "fffffffffffffff\r\nx\r\n"), 0);
    assert_int_equal(whole_length("", ""), 0);
    assert_int_equal(whole_length("5\r\nhe", "llo\r\n2\r\nyo\r\n"), 0);      /* not between two chunks */
    assert_int_equal(whole_length("5", "\r\nhello\r\n"), 0);
    assert_int_equal(whole_length("5\r\nhello\r\n", "2\r\nyo\r\n"), 7);
    assert_int_equal(whole_length("0\r\n", "5\r\nhello\r\n"), 0);            /* it is over */
}

static void test_cut_anywhere_it_is_the_same(void **state)
{
    struct random random;
    struct buf changed = BUF_INIT(4096);
    (void)state;
    random_seed(&random, 5);
    for (size_t i = 0; i < 60000; i++) {
        const char *body = BODIES[i % (sizeof BODIES / sizeof *BODIES)];
        char cuts[2] = {(char)random_below(&random, 256), (char)random_below(&random, 256)};
        if (i < 20000) {
            buf_reset(&changed);
            buf_append_text(&changed, body);
        } else {
            mutate(&random, body, strlen(body), &changed);
        }
        struct buf input = BUF_INIT(8192);
        buf_append(&input, cuts, sizeof cuts);
        buf_append(&input, buf_text(&changed), changed.len);
        property_http_chunks((const uint8_t *)input.data, input.len);
        buf_free(&input);
    }
    buf_free(&changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_what_is_broken_ends_the_body),
        cmocka_unit_test(test_what_is_whole_chunks),
        cmocka_unit_test(test_cut_anywhere_it_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
