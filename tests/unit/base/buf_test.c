#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_grows_and_is_terminated(void **state)
{
    cleanup_buf struct buf buf = BUF_INIT(100000);

    (void)state;
    assert_string_equal(buf_text(&buf), "");
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buf_append_char(&buf, (char)('a' + i % 26)), 0);
    assert_int_equal(buf.len, 10000);
    assert_int_equal(strlen(buf.data), 10000);
    assert_int_equal(buf.data[27], 'b');
}

static void test_ceiling_is_exact(void **state)
{
    cleanup_buf struct buf buf = BUF_INIT(5);

    (void)state;
    assert_int_equal(buf_append_text(&buf, "12345"), 0);
    assert_false(buf.overflowed);
    assert_int_equal(buf_append_char(&buf, '6'), -1);
    assert_true(buf.overflowed);
    assert_string_equal(buf_text(&buf), "12345");
    assert_int_equal(buf_append(&buf, "", 0), 0);
    assert_true(buf.overflowed);
    buf_reset(&buf);
    assert_false(buf.overflowed);
    assert_int_equal(buf_printf(&buf, "%d", 123456), -1);
    assert_string_equal(buf_text(&buf), "");
    assert_int_equal(buf_printf(&buf, "%d", 12345), 0);
    assert_string_equal(buf_text(&buf), "12345");
}

static void test_huge_length_is_refused(void **state)
{
    cleanup_buf struct buf buf = BUF_INIT(SIZE_MAX);

    (void)state;
    buf_append_text(&buf, "x");
    assert_int_equal(buf_append(&buf, "y", SIZE_MAX - 1), -1);
    assert_int_equal(buf_append(&buf, "y", SIZE_MAX), -1);
    assert_string_equal(buf_text(&buf), "x");
}

static void test_steal(void **state)
{
    struct buf buf = BUF_INIT(100);

    (void)state;
    buf_append(&buf, "a\0b", 3);

    char *text = buf_steal(&buf);

    assert_memory_equal(text, "a\0b", 4);
    free(text);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf_text(&buf), "");
    text = buf_steal(&buf);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_is_terminated),
        cmocka_unit_test(test_ceiling_is_exact),
        cmocka_unit_test(test_huge_length_is_refused),
        cmocka_unit_test(test_steal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
