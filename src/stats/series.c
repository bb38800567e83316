#include "stats/series.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"

#define PER_MILLE 1000
#define TAIL 0.025L /* of a two-sided 95 % interval */

static const struct {
    uint64_t per_mille;
    const char *name;
} percentiles[PERCENTILE_COUNT] = {
    [P1] = {10, "p1"},    [P5] = {50, "p5"},    [P10] = {100, "p10"}, [P25] = {250, "p25"}, [P50] = {500, "p50"},
    [P75] = {750, "p75"}, [P90] = {900, "p90"}, [P95] = {950, "p95"}, [P99] = {990, "p99"}, [P999] = {999, "p99.9"},
};

static const enum percentile interval_of[INTERVAL_COUNT] = {
    [INTERVAL_P50] = P50, [INTERVAL_P90] = P90, [INTERVAL_P95] = P95, [INTERVAL_P99] = P99};

uint64_t percentile_per_mille(enum percentile percentile)
{
    return percentiles[percentile].per_mille;
}

const char *percentile_name(enum percentile percentile)
{
    return percentiles[percentile].name;
}

enum percentile interval_percentile(int interval)
{
    return interval_of[interval];
}

struct distribution distribution_empty(void)
{
    struct distribution empty = {.mean = NAN, .std = NAN, .mean_interval = {NAN, NAN}, .min = NAN, .max = NAN};
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        empty.percentile[k] = NAN;
    for (int k = 0; k < INTERVAL_COUNT; k++)
        empty.interval[k] = (struct interval){NAN, NAN};
    return empty;
}

bool distribution_is_known(const struct distribution *distribution)
{
    bool known = distribution->count > 0 || !isnan(distribution->mean) || !isnan(distribution->min) || !isnan(distribution->max);
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        known |= !isnan(distribution->percentile[k]);
    return known;
}

uint64_t series_rank(uint64_t count, uint64_t per_mille)
{
    /* count x per_mille may pass 2^64, so the whole thousands go first. */
    uint64_t rank = count / PER_MILLE * per_mille + (count % PER_MILLE * per_mille + PER_MILLE - 1) / PER_MILLE;
    return rank > 0 ? rank : 1;
}

static long double binomial_term(uint64_t count, long double p, uint64_t k)
{
    int sign;
    long double n = (long double)count, x = (long double)k;
    return expl(lgammal_r(n + 1, &sign) - lgammal_r(x + 1, &sign) - lgammal_r(n - x + 1, &sign) + x * logl(p) +
                (n - x) * log1pl(-p));
}

/* P(B <= k) for B binomial(count, p), by its terms from k downwards; meant for k below the mean, where they fall quickly. */
static long double binomial_below(uint64_t count, long double p, uint64_t k)
{
    long double term = binomial_term(count, p, k), sum = 0;
    for (uint64_t at = k; term > sum * 1e-21L; at--) {
        sum += term;
        if (at == 0)
            break;
        term *= (long double)at / (long double)(count - at + 1) * (1 - p) / p;
    }
    return sum;
}

/* The highest rank r with P(B <= r - 1) <= TAIL: 0 if there is none. B is binomial(count, p). */
static uint64_t highest_rank(uint64_t count, long double p)
{
    uint64_t low = 0, high = (uint64_t)((long double)count * p) + 1;
    if (high > count)
        high = count;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (binomial_below(count, p, middle - 1) <= TAIL)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void series_interval_ranks(uint64_t count, uint64_t per_mille, uint64_t *low, uint64_t *high)
{
    *low = *high = 0;
    if (count == 0)
        return;
    long double p = (long double)per_mille / PER_MILLE;
    *low = highest_rank(count, p);
    /* P(B >= u) is P(count - B <= count - u): the same question from the other end. */
    uint64_t mirrored = highest_rank(count, (long double)(PER_MILLE - per_mille) / PER_MILLE);
    *high = mirrored > 0 ? count + 1 - mirrored : 0;
}

uint64_t series_samples_needed(uint64_t per_mille)
{
    return (uint64_t)ceill(logl(TAIL) / logl((long double)per_mille / PER_MILLE));
}

void series_add(struct series *series, double value)
{
    MEM_GROW(series->values, series->cap, series->count + 1);
    series->values[series->count++] = value;
}

void series_free(struct series *series)
{
    free(series->values);
    *series = (struct series){0};
}

static void describe_moments(const double *sorted, size_t count, struct distribution *out)
{
    if (isinf(sorted[count - 1]))
        return;
    long double sum = 0, squares = 0;
    for (size_t k = 0; k < count; k++)
        sum += (long double)sorted[k];
    long double mean = sum / (long double)count;
    for (size_t k = 0; k < count; k++)
        squares += ((long double)sorted[k] - mean) * ((long double)sorted[k] - mean);
    out->mean = (double)mean;
    if (count > 1)
        out->std = (double)sqrtl(squares / (long double)(count - 1));
}

struct distribution series_describe(struct series *series)
{
    struct distribution out = distribution_empty();
    size_t count = series->count;
    out.count = count;
    if (count == 0)
        return out;
    double *sorted = series->values;
    sort_doubles(sorted, count);
    out.min = sorted[0];
    out.max = sorted[count - 1];
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        out.percentile[k] = sorted[series_rank(count, percentiles[k].per_mille) - 1];
    for (int k = 0; k < INTERVAL_COUNT; k++) {
        uint64_t low, high;
        series_interval_ranks(count, percentiles[interval_of[k]].per_mille, &low, &high);
        out.interval[k] = (struct interval){low ? sorted[low - 1] : NAN, high ? sorted[high - 1] : NAN};
    }
    describe_moments(sorted, count, &out);
    return out;
}

double series_select(double *values, size_t count, uint64_t per_mille)
{
    return series_select_rank(values, count, series_rank(count, per_mille));
}

/* Hoare's selection in Wirth's form: what is left of the wanted place ends up <= it, what is right of it >= it. */
double series_select_rank(double *values, size_t count, uint64_t rank)
{
    ptrdiff_t wanted = (ptrdiff_t)rank - 1, low = 0, high = (ptrdiff_t)count - 1;
    while (low < high) {
        double pivot = values[wanted];
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (pivot < values[j])
                j--;
            if (i <= j) {
                double swap = values[i];
                values[i++] = values[j];
                values[j--] = swap;
            }
        }
        if (j < wanted)
            low = i;
        if (wanted < i)
            high = j;
    }
    return values[wanted];
}
