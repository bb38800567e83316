/* From two sets of numbers to how much they differ, and whether that may be chance. Everything is on logarithms: a change is a quotient. */
#ifndef ROIBENCH_STATS_NOISE_H
#define ROIBENCH_STATS_NOISE_H

#include <stddef.h>

/* A difference and what is known of its error: std_error above and below may differ; freedom is Student's, +infinity: normal. NAN: not known. */
struct difference {
    double value;
    double error_below, error_above; /* standard errors: how far the truth may lie below the value, and above it */
    double freedom;
};

/* A number with a 95 % interval, or several of them that are to be averaged. */
struct side {
    double mean;         /* of the values */
    double below, above; /* half widths of the 95 % interval of the mean, from each value's own; NAN: not known */
    double variance;     /* of the values (n - 1); NAN: fewer than two */
    size_t count;
};
struct bounded {
    double value, low, high; /* low and high may be NAN */
};
struct side side_of(const struct bounded *values, size_t count);

/* is - was. By each number's own interval (MOVER). */
struct difference difference_within(const struct side *is, const struct side *was);
/* By what the values of each side differ by among themselves (Welch). NAN with fewer than three of one. */
struct difference difference_of_repeats(const struct side *is, const struct side *was);
#define NOISE_RUNS_MIN 3 /* earlier values that tell what two of them differ by */
/* By the median step from one to the next of `count` earlier values, in the order of time: a slow drift and a few real changes do not enlarge it. NAN
 * with fewer than NOISE_RUNS_MIN. */
struct difference difference_by_history(const struct side *is, const struct side *was, const double *earlier, size_t count);

/* P(as far from 0 by chance). */
double difference_p(const struct difference *difference);
/* Its 95 % interval. */
void difference_bounds(const struct difference *difference, double *low, double *high);

/* p: `count` chances; NAN ones are left out. The largest of them that is still significant at `rate` after Benjamini and Hochberg; -1: none is. */
double discovery_limit(const double *p, size_t count, double rate);

#endif
