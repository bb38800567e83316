/* Numbers in order, and how far into them a time reaches. */
#ifndef ROIBENCH_BASE_SORT_H
#define ROIBENCH_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Ascending; no value is NAN. Of none nothing is done, values may be NULL then. */
void sort_doubles(double *values, size_t count);
void sort_times(int64_t *times, size_t count);

struct weighted {
    double value, weight;
};

/* By value, which is never NAN; equal ones stay in their order. */
void sort_weighted(struct weighted *items, size_t count);

/* Sorts the values; the middle one, or the mean of the two in the middle. count > 0. */
double sort_median(double *values, size_t count);

/* How many of `count` items, ascending by time, are at or before t. An item has `size` bytes and begins with its time, an int64_t. items may be
 * NULL where there are none. */
size_t sort_count_until(const void *items, size_t count, size_t size, int64_t t);

#endif
