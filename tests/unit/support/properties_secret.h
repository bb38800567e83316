/* What holds of the search for credentials in any bytes. */
#ifndef ROIBENCH_TESTS_PROPERTIES_SECRET_H
#define ROIBENCH_TESTS_PROPERTIES_SECRET_H

#include <stddef.h>
#include <stdint.h>

/* Pieces of any size find the same at the same place, and what regular expressions find (a second description of the shapes) is found. */
void property_secret(const uint8_t *data, size_t size);

#endif
