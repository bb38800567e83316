/* What must hold for every file of --sla, hostile ones included: abort() when it does not. As properties.h; apart from it because more of the library is
 * needed. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_SLA_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_SLA_H

#include <stddef.h>
#include <stdint.h>

/* Read or refused by a message that names the file; what was read has bounds in their order and within their range, each class has values, its texts for
 * people are there, and it comes back from a plan as it was. */
void property_sla(const uint8_t *data, size_t size);

#endif
