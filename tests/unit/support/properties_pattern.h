/* What holds of any extended regular expression and any bytes. */
#ifndef ROIBENCH_TESTS_PROPERTIES_PATTERN_H
#define ROIBENCH_TESTS_PROPERTIES_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* One line of expression, then the bytes to search. Whatever is accepted the C library accepts too, and finds in the same lines; pieces of any size
 * give the same. */
void property_pattern(const uint8_t *data, size_t size);

#endif
