/* Input as a broken or hostile peer would send it: a good example with a few random changes, the same for the same seed. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_MUTATE_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_MUTATE_H

#include "base/buf.h"
#include "base/random.h"

/* Replaces *out by a changed copy of the bytes: bits, bytes, pieces left out or moved, JSON values and members put in, and what breaks parsers. */
void mutate(struct random *random, const char *bytes, size_t length, struct buf *out);

#endif
