#include "stats/interval.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define TWO_SIDED_95 0.975
#define FRACTION_STEPS 500     /* of the continued fraction; some tens are enough */
#define FRACTION_ERROR 1e-18L
#define FRACTION_TINY 1e-300L
#define QUANTILE_STEPS 200     /* of a bisection */

const struct interval interval_unknown = {NAN, NAN};

bool interval_is_known(const struct interval *interval)
{
    return !isnan(interval->low) && !isnan(interval->high);
}

struct interval interval_above_zero(struct interval interval)
{
    if (interval.low < 0)
        interval.low = 0;
    if (interval.high < 0)
        interval.high = 0;
    return interval;
}

bool interval_contains(const struct interval *interval, double value)
{
    return interval->low <= value && value <= interval->high;
}

/* ---- Student's t ---- */

static long double not_tiny(long double x)
{
    return fabsl(x) < FRACTION_TINY ? FRACTION_TINY : x;
}

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method; it converges for x < (a + 1) / (a + b + 2). */
static long double beta_fraction(long double a, long double b, long double x)
{
    long double c = 1, d = 1 / not_tiny(1 - (a + b) * x / (a + 1)), result = d;
    for (int m = 1; m <= FRACTION_STEPS; m++) {
        long double n = m, even = n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n));
        long double odd = -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1));
        d = 1 / not_tiny(1 + even * d);
        c = not_tiny(1 + even / c);
        result *= c * d;
        d = 1 / not_tiny(1 + odd * d);
        c = not_tiny(1 + odd / c);
        result *= c * d;
        if (fabsl(c * d - 1) < FRACTION_ERROR)
            break;
    }
    return result;
}

/* The regularized incomplete beta function I_x(a, b). */
static long double incomplete_beta(long double a, long double b, long double x)
{
    int sign;
    if (x > (a + 1) / (a + b + 2))
        return 1 - incomplete_beta(b, a, 1 - x);
    long double front = lgammal_r(a + b, &sign) - lgammal_r(a, &sign) - lgammal_r(b, &sign) + a * logl(x) + b * log1pl(-x);
    return x > 0 ? expl(front) * beta_fraction(a, b, x) / a : 0;
}

/* P(T > t), t >= 0. */
static long double student_tail(long double t, long double freedom)
{
    return incomplete_beta(freedom / 2, 0.5L, freedom / (freedom + t * t)) / 2;
}

double student_quantile(double p, double freedom)
{
    long double tail = p < 0.5 ? (long double)p : 1 - (long double)p, low = 0, high = 1;
    if (!(p > 0 && p < 1 && freedom > 0))
        return NAN;
    while (student_tail(high, freedom) > tail)
        high *= 2;
    for (int k = 0; k < QUANTILE_STEPS; k++) {
        long double middle = low + (high - low) / 2;
        if (student_tail(middle, freedom) > tail)
            low = middle;
        else
            high = middle;
    }
    return (double)(p < 0.5 ? -high : high);
}

double student_two_sided(double t, double freedom)
{
    if (isnan(t) || !(freedom > 0))
        return NAN;
    if (isinf(freedom))
        return erfc(fabs(t) / sqrt(2));
    return isinf(t) ? 0 : (double)(2 * student_tail(fabsl((long double)t), freedom));
}

/* ---- means ---- */

struct moments {
    double mean, variance; /* of the sample (n - 1) */
    size_t count;
};

static struct moments moments_of(const double *values, size_t count)
{
    struct moments moments = {NAN, NAN, count};
    long double sum = 0, squares = 0;
    for (size_t k = 0; k < count; k++)
        sum += (long double)values[k];
    if (count == 0)
        return moments;
    long double mean = sum / (long double)count;
    moments.mean = (double)mean;
    for (size_t k = 0; k < count; k++)
        squares += ((long double)values[k] - mean) * ((long double)values[k] - mean);
    if (count > 1)
        moments.variance = (double)(squares / (long double)(count - 1));
    return moments;
}

static struct interval around(double value, double std_error, double freedom)
{
    double half = std_error > 0 ? student_quantile(TWO_SIDED_95, freedom) * std_error : 0;
    return (struct interval){value - half, value + half};
}

struct uncertain uncertain_mean(const double *values, size_t count)
{
    struct moments moments = moments_of(values, count);
    struct uncertain estimate = {moments.mean, interval_unknown, count};
    if (count >= INTERVAL_VALUES_MIN && isfinite(moments.variance))
        estimate.interval = around(moments.mean, sqrt(moments.variance / (double)count), (double)(count - 1));
    return estimate;
}

/* ---- ratios ---- */

/* NULL: one is not above 0, or not finite. The caller frees. */
static double *logarithms_of(const double *values, size_t count)
{
    double *logarithms = mem_calloc(count + 1, sizeof *logarithms);
    for (size_t k = 0; k < count; k++) {
        if (!(values[k] > 0) || isinf(values[k])) {
            free(logarithms);
            return NULL;
        }
        logarithms[k] = log(values[k]);
    }
    return logarithms;
}

static struct uncertain exponential_of(struct uncertain estimate)
{
    return (struct uncertain){exp(estimate.value), {exp(estimate.interval.low), exp(estimate.interval.high)}, estimate.count};
}

/* a - b. */
static struct uncertain welch(const struct moments *a, const struct moments *b)
{
    size_t fewer = a->count < b->count ? a->count : b->count;
    struct uncertain estimate = {a->mean - b->mean, interval_unknown, fewer};
    if (fewer < INTERVAL_VALUES_MIN)
        return estimate;
    double va = a->variance / (double)a->count, vb = b->variance / (double)b->count;
    double freedom = (va + vb) * (va + vb) / (va * va / (double)(a->count - 1) + vb * vb / (double)(b->count - 1));
    estimate.interval = around(estimate.value, sqrt(va + vb), freedom);
    return estimate;
}

struct uncertain uncertain_ratio(const double *a, size_t a_count, const double *b, size_t b_count)
{
    struct uncertain estimate = {NAN, interval_unknown, a_count < b_count ? a_count : b_count};
    double *log_a = logarithms_of(a, a_count), *log_b = logarithms_of(b, b_count);
    if (log_a && log_b && estimate.count > 0) {
        struct moments of_a = moments_of(log_a, a_count), of_b = moments_of(log_b, b_count);
        estimate = exponential_of(welch(&of_a, &of_b));
    }
    free(log_a);
    free(log_b);
    return estimate;
}

struct uncertain uncertain_paired_ratio(const double *a, const double *b, size_t count)
{
    struct uncertain estimate = {NAN, interval_unknown, count};
    double *log_a = logarithms_of(a, count), *log_b = logarithms_of(b, count);
    if (log_a && log_b && count > 0) {
        for (size_t k = 0; k < count; k++)
            log_a[k] -= log_b[k];
        estimate = exponential_of(uncertain_mean(log_a, count));
    }
    free(log_a);
    free(log_b);
    return estimate;
}
