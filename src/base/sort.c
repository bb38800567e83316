#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define RADIX_MIN 512 /* below, comparing is faster */
#define DIGITS 8
#define DIGIT_BITS 8
#define DIGIT_VALUES (1U << DIGIT_BITS)
#define SIGN (UINT64_C(1) << 63)

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

/* By one digit, equal ones in the order that they have: `from` to `to`. at: where the keys of each digit begin. */
static void scatter(const uint64_t *from, uint64_t *to, size_t count, unsigned digit, size_t at[DIGIT_VALUES])
{
    for (size_t k = 0; k < count; k++)
        to[at[from[k] >> (digit * DIGIT_BITS) & (DIGIT_VALUES - 1)]++] = from[k];
}

/* How many keys have each value of each digit. */
static void count_digits(const uint64_t *keys, size_t count, size_t counts[DIGITS][DIGIT_VALUES])
{
    memset(counts, 0, DIGITS * sizeof counts[0]);
    for (size_t k = 0; k < count; k++)
        for (unsigned digit = 0; digit < DIGITS; digit++)
            counts[digit][keys[k] >> (digit * DIGIT_BITS) & (DIGIT_VALUES - 1)]++;
}

/* Radix sort from the least digit on; one in which all keys are equal is skipped. Returns where they are in the end: keys, or spare. */
static const uint64_t *sort_keys(uint64_t *keys, uint64_t *spare, size_t count)
{
    size_t counts[DIGITS][DIGIT_VALUES];
    count_digits(keys, count, counts);
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        size_t *at = counts[digit], before = 0;
        if (at[keys[0] >> (digit * DIGIT_BITS) & (DIGIT_VALUES - 1)] == count)
            continue;
        for (unsigned value = 0; value < DIGIT_VALUES; value++) {
            size_t here = at[value];
            at[value] = before;
            before += here;
        }
        scatter(keys, spare, count, digit, at);
        uint64_t *swap = keys;
        keys = spare;
        spare = swap;
    }
    return keys;
}

/* The bits of a double ascend with its value, those of negative ones the other way round. */
static uint64_t key_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static double value_of(uint64_t key)
{
    double value;
    uint64_t bits = key & SIGN ? key ^ SIGN : ~key;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void radix_sort_doubles(double *values, size_t count)
{
    uint64_t *keys = mem_calloc(2 * count, sizeof *keys);
    for (size_t k = 0; k < count; k++)
        keys[k] = key_of(values[k]);
    const uint64_t *sorted = sort_keys(keys, keys + count, count);
    for (size_t k = 0; k < count; k++)
        values[k] = value_of(sorted[k]);
    free(keys);
}

void sort_doubles(double *values, size_t count)
{
    if (count >= RADIX_MIN)
        radix_sort_doubles(values, count);
    else if (count > 1)
        qsort(values, count, sizeof *values, compare_doubles);
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
