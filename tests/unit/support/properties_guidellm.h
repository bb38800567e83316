/* What must hold for every command line of GuideLLM's: abort() when it does not. As properties.h; apart from it because more of the library is needed. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_GUIDELLM_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_GUIDELLM_H

#include <stddef.h>
#include <stdint.h>

/* Lines are words of the command line, those with a = and no dash the environment. Read, or refused with a reason; what is read becomes options that have a
 * name, and files of a known kind. Names of files are not followed. */
void property_guidellm_command(const uint8_t *data, size_t size);

#endif
