#include "base/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    size_t length;
} cases[] = {
    {"", 0},
    {"a", 0},
    {" ", 0},
    {"\x1B[2J", 1},
    {"\n", 1},
    {"\x7F", 1},
    {"\xC2\x80", 2},
    {"\xC2\x9B" "31m", 2}, /* CSI in one character */
    {"\xC2\x9F", 2},
    {"\xC2\xA0", 0},
    {"\xC2", 0},
    {"\xC3\xA9", 0},
    {"\xD8\x9C", 2},
    {"\xD8\xA7", 0},
    {"\xE2\x80\x8D", 0}, /* the joiner of emoji */
    {"\xE2\x80\x8E", 3},
    {"\xE2\x80\x8F", 3},
    {"\xE2\x80\xA6", 0}, /* an ellipsis */
    {"\xE2\x80\xA8", 3},
    {"\xE2\x80\xAA", 3},
    {"\xE2\x80\xAE" "gnp.exe", 3}, /* right-to-left override */
    {"\xE2\x80\xAF", 0},
    {"\xE2\x81\xA5", 0},
    {"\xE2\x81\xA6", 3},
    {"\xE2\x81\xA9", 3},
    {"\xE2\x81\xAA", 0},
    {"\xE2\x80", 0},
    {"\xE2", 0},
    {"\xFF", 0},
};

static void test_controls(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        if (terminal_control_length(cases[k].text, SIZE_MAX) != cases[k].length ||
            terminal_control_length(cases[k].text, strlen(cases[k].text)) != cases[k].length)
            fail_msg("case %zu", k);
}

/* Nothing is read beyond the length: under ASan the end of the array is watched. */
static void test_the_length_is_kept(void **state)
{
    (void)state;
    static const char whole[3] = {'\xE2', '\x80', '\xAE'};
    assert_int_equal(terminal_control_length(whole, 3), 3);
    for (size_t length = 0; length < 3; length++) {
        char part[3];
        memcpy(part, whole, length);
        assert_int_equal(terminal_control_length(part, length), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_the_length_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
