/* What holds of the search for credentials in any bytes. */
#ifndef ROIBENCH_TESTS_PROPERTIES_SECRET_H
#define ROIBENCH_TESTS_PROPERTIES_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "wire/secret_scan.h"

/* The first shape that is found when the bytes come in pieces of that size. */
enum secret_shape search_in_pieces(struct secret_scan *scan, const char *bytes, size_t length, size_t piece, uint64_t *offset);

/* Pieces of any size find the same at the same place, and what regular expressions find (a second description of the shapes) is found. */
void property_secret(const uint8_t *data, size_t size);

#endif
