#include "base/terminal.h"

static size_t length_of_two(unsigned char first, unsigned char second)
{
    if (first == 0xC2)
        return second >= 0x80 && second < 0xA0 ? 2 : 0; /* C1 */
    return first == 0xD8 && second == 0x9C ? 2 : 0;     /* U+061C, Arabic letter mark */
}

static size_t length_of_three(unsigned char second, unsigned char third)
{
    if (second == 0x80) /* U+200E, U+200F: marks; U+2028, U+2029: separators; U+202A to U+202E: embeddings and overrides */
        return third == 0x8E || third == 0x8F || (third >= 0xA8 && third <= 0xAE) ? 3 : 0;
    return second == 0x81 && third >= 0xA6 && third <= 0xA9 ? 3 : 0; /* U+2066 to U+2069: isolates */
}

size_t terminal_control_length(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (length == 0 || bytes[0] == '\0')
        return 0;
    if (bytes[0] < 0x20 || bytes[0] == 0x7F)
        return 1;
    if (bytes[0] == 0xE2)
        return length >= 3 && bytes[1] != '\0' ? length_of_three(bytes[1], bytes[2]) : 0;
    return (bytes[0] == 0xC2 || bytes[0] == 0xD8) && length >= 2 ? length_of_two(bytes[0], bytes[1]) : 0;
}
