#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define RADIX_MIN 512 /* below, comparing is faster */
#define DIGITS 8
#define DIGIT_BITS 8
#define DIGIT_VALUES (1U << DIGIT_BITS)
#define SIGN (UINT64_C(1) << 63)

/* Of items that begin with one. */
static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The bits of a double ascend with its value, those of negative ones the other way round. */
static inline uint64_t key_of(const unsigned char *item)
{
    uint64_t bits;
    memcpy(&bits, item, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static inline size_t digit_of(const unsigned char *item, unsigned digit)
{
    return key_of(item) >> (digit * DIGIT_BITS) & (DIGIT_VALUES - 1);
}

/* How many items have each value of each digit. */
static inline void count_digits(const unsigned char *items, size_t count, size_t size, size_t counts[DIGITS][DIGIT_VALUES])
{
    memset(counts, 0, DIGITS * sizeof counts[0]);
    for (size_t k = 0; k < count; k++)
        for (unsigned digit = 0; digit < DIGITS; digit++)
            counts[digit][digit_of(items + k * size, digit)]++;
}

/* By one digit; equal ones stay in their order. counts becomes where each value's next item goes. */
static inline void scatter(const unsigned char *from, unsigned char *to, size_t count, size_t size, unsigned digit, size_t counts[DIGIT_VALUES])
{
    size_t before = 0;
    for (unsigned value = 0; value < DIGIT_VALUES; value++) {
        size_t here = counts[value];
        counts[value] = before;
        before += here;
    }
    for (size_t k = 0; k < count; k++)
        memcpy(to + counts[digit_of(from + k * size, digit)]++ * size, from + k * size, size);
}

/* Radix sort from the least digit on; one in which all are equal is skipped. Inlined, for the size to be a constant. */
static inline __attribute__((always_inline)) void radix_sort(unsigned char *items, size_t count, size_t size)
{
    size_t counts[DIGITS][DIGIT_VALUES];
    unsigned char *spare = mem_calloc(count, size), *from = items, *to = spare;
    count_digits(items, count, size, counts);
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        if (counts[digit][digit_of(from, digit)] == count)
            continue;
        scatter(from, to, count, size, digit, counts[digit]);
        unsigned char *swap = from;
        from = to;
        to = swap;
    }
    if (from == spare)
        memcpy(items, spare, count * size);
    free(spare);
}

void sort_doubles(double *values, size_t count)
{
    if (count >= RADIX_MIN)
        radix_sort((unsigned char *)values, count, sizeof *values);
    else if (count > 1)
        qsort(values, count, sizeof *values, compare_doubles);
}

void sort_weighted(struct weighted *items, size_t count)
{
    if (count >= RADIX_MIN)
        radix_sort((unsigned char *)items, count, sizeof *items);
    else if (count > 1)
        qsort(items, count, sizeof *items, compare_doubles);
}

void sort_times(int64_t *times, size_t count)
{
    if (count > 1)
        qsort(times, count, sizeof *times, compare_times);
}

double sort_median(double *values, size_t count)
{
    sort_doubles(values, count);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

size_t sort_count_until(const void *items, size_t count, size_t size, int64_t t)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t time;
        memcpy(&time, (const char *)items + middle * size, sizeof time);
        if (time <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
