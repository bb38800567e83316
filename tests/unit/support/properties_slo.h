/* What must hold for every text of --slo, hostile ones included: abort() when it does not. As properties.h; apart from it because more of the library is
 * needed. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_SLO_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_SLO_H

#include <stddef.h>
#include <stdint.h>

/* Read or refused by one line; what was read is within the plan's bounds, is described, and comes back from a plan as it was, but for the digits that a
 * file has. */
void property_slo(const uint8_t *data, size_t size);

#endif
