/* Properties (support/properties.h) of what AWS and servers like it answer, and of the files that hold keys. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_AWS_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_AWS_H

#include <stddef.h>
#include <stdint.h>

/* Each reader takes any answer: refused with a reason, or read into clean texts within their ceilings. */
void property_s3_answers(const uint8_t *data, size_t size);
/* A file of profiles, and answers that hand out keys, likewise. */
void property_aws_keys(const uint8_t *data, size_t size);

#endif
