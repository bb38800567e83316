/* What must hold for every summary.json that is read back, hostile ones included: abort() when it does not. As properties.h; apart from it because
 * the reader needs most of the library. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_HISTORY_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_HISTORY_H

#include <stddef.h>
#include <stdint.h>

/* Read or refused in a line that names the file. What was read is no better and no worse than itself, and what is said of it are documents. */
void property_summary(const uint8_t *data, size_t size);

#endif
