#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_sets_class_and_text(void **state)
{
    struct error err = {0};

    (void)state;
    assert_int_equal(error_set(&err, ERROR_TARGET, "cannot reach %s", "http://x:1"), -1);
    assert_int_equal(err.class, ERROR_TARGET);
    assert_string_equal(err.text, "cannot reach http://x:1");
}

static void test_errno_is_appended(void **state)
{
    struct error err = {0};

    (void)state;
    assert_int_equal(error_set_errno(&err, ERROR_USAGE, ENOENT, "cannot open %s", "plan.json"), -1);
    assert_string_equal(err.text, "cannot open plan.json: No such file or directory");
}

static void test_wrap_keeps_class(void **state)
{
    struct error err = {0};

    (void)state;
    error_set(&err, ERROR_PUBLISH, "disk full");
    assert_int_equal(error_wrap(&err, "writing %s", "a.tar"), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    assert_string_equal(err.text, "writing a.tar: disk full");
}

static void test_own_text_may_be_an_argument(void **state)
{
    struct error err = {0};

    (void)state;
    error_set(&err, ERROR_TARGET, "inner");
    error_set(&err, ERROR_INTERNAL, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
}

static void test_long_texts_are_cut(void **state)
{
    struct error err = {0};
    char filler[3 * ERROR_TEXT_MAX];

    (void)state;
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    error_set(&err, ERROR_INTERNAL, "%s", filler);
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_string_equal(err.text + ERROR_TEXT_MAX - 5, "x...");
    error_set_errno(&err, ERROR_INTERNAL, ENOENT, "%s", filler);
    assert_string_equal(err.text + ERROR_TEXT_MAX - 5, "x...");
    error_wrap(&err, "head");
    assert_memory_equal(err.text, "head: xxx", 9);
    assert_string_equal(err.text + ERROR_TEXT_MAX - 4, "...");
}

static void test_no_half_character_before_the_dots(void **state)
{
    struct error err = {0};
    char filler[ERROR_TEXT_MAX + 64];

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(filler, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof filler; i += 3)
            memcpy(filler + i, "\xE2\x82\xAC", 4);
        error_set(&err, ERROR_INTERNAL, "%s", filler);

        const size_t length = strlen(err.text);

        assert_string_equal(err.text + length - 3, "...");
        assert_int_equal((unsigned char)err.text[length - 4], 0xAC);
        assert_int_equal((length - 3 - shift) % 3, 0);
    }
}

static void test_null_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERROR_USAGE, "x"), -1);
    assert_int_equal(error_set_errno(NULL, ERROR_USAGE, EIO, "x"), -1);
    assert_int_equal(error_wrap(NULL, "x"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_class_and_text),         cmocka_unit_test(test_errno_is_appended),
        cmocka_unit_test(test_wrap_keeps_class),            cmocka_unit_test(test_own_text_may_be_an_argument),
        cmocka_unit_test(test_long_texts_are_cut),          cmocka_unit_test(test_no_half_character_before_the_dots),
        cmocka_unit_test(test_null_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
