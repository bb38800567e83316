/* What must hold for every data file, hostile ones included: abort() when it does not. As properties.h; apart from it because the readers need more of
 * the library. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_DATASET_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_DATASET_H

#include <stddef.h>
#include <stdint.h>

/* However the bytes come, the rows are the same; texts are clean and errors are one line. The first byte chooses how they come, the second the format
 * and whether bad rows are left out. */
void property_dataset(const uint8_t *data, size_t size);
/* A line of data.jsonl: what is read of it lies inside of it. */
void property_dataset_line(const uint8_t *data, size_t size);
/* Lengths as GuideLLM writes them: read or refused, and then within the plan's bounds. */
void property_synthetic(const uint8_t *data, size_t size);

#endif
