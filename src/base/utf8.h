/* UTF-8 as RFC 3629 has it. */
#ifndef ROIBENCH_BASE_UTF8_H
#define ROIBENCH_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the well-formed character at `at`, 1 to 4; 0: there is none (broken, overlong, a surrogate, beyond U+10FFFF, cut off at
 * `length`, which is at least 1). */
size_t utf8_character(const unsigned char *at, size_t length);

#endif
