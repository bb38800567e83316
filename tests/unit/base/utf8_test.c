#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The bits of a code point in `size` bytes, whether or not they should be that many. */
static void encode(uint32_t point, size_t size, unsigned char *out)
{
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};

    for (size_t i = size; i-- > 1; point >>= 6)
        out[i] = (unsigned char)(0x80 | (point & 0x3F));
    out[0] = (unsigned char)(marks[size] | point);
}

/* Every number that 1 to 4 bytes can hold: a character only in its shortest form, no surrogate, not beyond U+10FFFF; and never when cut. */
static void test_every_code_point_in_every_length(void **state)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000, 0x110000}, limits[] = {0, 0x80, 0x800, 0x10000, 0x200000};

    (void)state;
    for (size_t size = 1; size <= 4; size++) {
        for (uint32_t point = 0; point < limits[size]; point++) {
            unsigned char bytes[4];
            const bool valid = point >= least[size] && point < least[5] && !(point >= 0xD800 && point < 0xE000);

            encode(point, size, bytes);
            if (utf8_character(bytes, size) != (valid ? size : 0))
                fail_msg("U+%04X in %zu bytes", point, size);
            for (size_t cut = 1; cut < size; cut++)
                assert_int_equal(utf8_character(bytes, cut), 0);
        }
    }
}

static void test_bytes_that_follow_wrongly(void **state)
{
    (void)state;
    for (unsigned first = 0x80; first < 0x100; first++) {
        for (unsigned wrong = 0; wrong < 0x100; wrong += wrong == 0x7F ? 0x41 : 1) { /* all but continuations */
            for (size_t at = 1; at < 4; at++) {
                unsigned char bytes[4] = {(unsigned char)first, 0xA0, 0xA0, 0xA0};
                const size_t size = first < 0xC2 || first > 0xF4 ? 0 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;

                bytes[at] = (unsigned char)wrong;
                if (at < size)
                    assert_int_equal(utf8_character(bytes, 4), 0);
            }
        }
    }
    assert_int_equal(utf8_character((const unsigned char *)"\x80", 1), 0);
    assert_int_equal(utf8_character((const unsigned char *)"\xFF\x80\x80\x80", 4), 0);
    assert_int_equal(utf8_character((const unsigned char *)"\xC3\xA9x", 3), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point_in_every_length),
        cmocka_unit_test(test_bytes_that_follow_wrongly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
