#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/quantiles.h"

#define EXPECTED "tests/unit/plan/quantiles.tsv"
#define QUANTILES 99

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t count_up_to(const double *sorted, size_t count, double value)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sorted[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double quantiles_distance(const char *name, double *values, size_t count)
{
    FILE *file = fopen(EXPECTED, "r");
    char line[256];
    double worst = 0;
    int found = 0;
    assert_non_null(file);
    qsort(values, count, sizeof *values, ascending);
    while (fgets(line, sizeof line, file)) {
        char *probability = strchr(line, '\t'), *rest;
        if (!probability || (size_t)(probability - line) != strlen(name) || strncmp(line, name, strlen(name)) != 0)
            continue;
        double p = strtod(probability, &rest), value = strtod(rest, NULL);
        worst = fmax(worst, fabs((double)count_up_to(values, count, value) / (double)count - p));
        found++;
    }
    fclose(file);
    assert_int_equal(found, QUANTILES);
    return worst;
}

double quantiles_limit(size_t count)
{
    return 1.95 / sqrt((double)count);
}
