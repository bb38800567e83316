/* What must hold for every file that is imported, hostile ones included: abort() when it does not. As properties.h; apart from it because the readers need
 * most of the library. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_IMPORT_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_IMPORT_H

#include <stddef.h>
#include <stdint.h>

/* Read or refused in one clean line that names the file; what was read is within its ceilings, and its reports are documents. The first byte is the
 * format's number. */
void property_import(const uint8_t *data, size_t size);

#endif
