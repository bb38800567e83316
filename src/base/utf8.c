#include "base/utf8.h"

#include <stdbool.h>

size_t utf8_character(const unsigned char *at, size_t length)
{
    const unsigned char first = at[0];

    if (first < 0x80)
        return 1;

    const size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;

    if (first < 0xC2 || first > 0xF4 || length < size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;

    const bool overlong = (first == 0xE0 && at[1] < 0xA0) || (first == 0xF0 && at[1] < 0x90);
    const bool surrogate = first == 0xED && at[1] > 0x9F;
    const bool beyond = first == 0xF4 && at[1] > 0x8F;

    return overlong || surrogate || beyond ? 0 : size;
}
