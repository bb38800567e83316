#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

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

void sort_doubles(double *values, size_t count)
{
    if (count > 1)
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
