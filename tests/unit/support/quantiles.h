/* Draws against quantiles that scipy computed (tests/unit/plan/quantiles.py). */
#ifndef ROIBENCH_TESTS_QUANTILES_H
#define ROIBENCH_TESTS_QUANTILES_H

#include <stddef.h>

/* Kolmogorov and Smirnov's distance as far as 99 quantiles show it: never more than the true one, so its limits hold for this one too.
 * values are sorted by this. Fails the test when the file does not know the name. */
double quantiles_distance(const char *name, double *values, size_t count);

/* What one true sample in a thousand exceeds: p > 0.001. */
double quantiles_limit(size_t count);

#endif
