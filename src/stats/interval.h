/* How far a number may be from the truth: 95 % intervals of means, and of ratios of means.
 *
 * Two kinds of noise are told apart and never mixed:
 *
 *   within a run   how the number of a level would differ had the level been measured at another time of the same run: from blocks
 *                  of its window (stats/blocks.h). Nothing is known of it by which two runs could be compared.
 *   run to run     what repeats of the same load differ by (stats/repeats.h). Only these belong beside a ratio of two deployments,
 *                  and only with INTERVAL_VALUES_MIN of each.
 *
 * Values are taken as independent and their mean as normal: Student's t. A ratio is that of the geometric means; its interval is made
 * of the logarithms, by Welch's t (B. L. Welch, Biometrika 34 (1947) 28-35; the degrees of freedom are Satterthwaite's), of pairs by
 * Student's t on the logarithms of their ratios. One that contains 1 is called "not distinguishable".
 *
 * NAN is "not known" throughout. */
#ifndef ROIBENCH_STATS_INTERVAL_H
#define ROIBENCH_STATS_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>

struct interval {
    double low, high; /* NAN: this bound is not known */
};

extern const struct interval interval_unknown; /* both NAN */

bool interval_is_known(const struct interval *interval); /* both bounds are */
/* Of what cannot be negative: a bound below 0 is 0. */
struct interval interval_above_zero(struct interval interval);
bool interval_contains(const struct interval *interval, double value); /* false: a bound is not known */

#define INTERVAL_VALUES_MIN 3 /* with fewer, no interval */

/* A mean of several values, or a ratio of two such means. */
struct uncertain {
    double value;
    struct interval interval; /* 95 % */
    size_t count;             /* values; of a ratio the fewer of both sides' */
};

/* The quantile of Student's t: x with P(T <= x) = p, 0 < p < 1, freedom > 0 (need not be whole). Error below 1e-10 relative, tested
 * against scipy. */
double student_quantile(double p, double freedom);
/* P(|T| >= |t|); freedom may be infinite: the normal distribution. */
double student_two_sided(double t, double freedom);

/* The arithmetic mean. A value that is NAN or infinite makes the mean so; there is no interval then. */
struct uncertain uncertain_mean(const double *values, size_t count);
/* a over b, measured apart. Values must be above 0, else nothing is known. */
struct uncertain uncertain_ratio(const double *a, size_t a_count, const double *b, size_t b_count);
/* a[k] over b[k], measured together. */
struct uncertain uncertain_paired_ratio(const double *a, const double *b, size_t count);

#endif
