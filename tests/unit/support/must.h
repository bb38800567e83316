/* For properties, which the fuzzers hold to any bytes: no framework of tests is there. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_MUST_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_MUST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void must(bool holds)
{
    if (!holds)
        abort();
}

/* A copy that ends where the bytes end, so that the sanitizer sees a read beyond them. free() it. */
static inline char *copy_exact(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    must(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

#endif
