/* Random times as people write them: `5s`, `exponential:2s`, `lognormal:mean=2s,sigma=0.8`, `uniform:1s-3s`, `normal:mean=5s,stddev=1s,max=10s`.
 *
 * What lies outside [min, max] is drawn again. `mean` is that of the distribution before this; sigma is the standard deviation of the
 * logarithm, so that a lognormal's median is mean / exp(sigma^2 / 2). Values are seconds;
 * numbers of tokens have no unit (`lognormal:mean=256,sigma=0.8`). */
#ifndef ROIBENCH_PLAN_VARIATE_H
#define ROIBENCH_PLAN_VARIATE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/random.h"

#define VARIATE_SIGMA_MAX 5 /* a mean 270,000 times the median */

enum variate_kind {
    VARIATE_CONSTANT,
    VARIATE_EXPONENTIAL,
    VARIATE_LOGNORMAL,
    VARIATE_UNIFORM,
    VARIATE_NORMAL,
    VARIATE_KIND_COUNT
};
const char *variate_kind_name(enum variate_kind kind);   /* "lognormal" */
const char *variate_spread_name(enum variate_kind kind); /* "sigma", "stddev"; NULL: it has none */

/* All zero: always 0. */
struct variate {
    enum variate_kind kind;
    double mean;   /* of a uniform one: (min + max) / 2 */
    double spread; /* sigma or standard deviation; 0: has none */
    double min, max;
};

enum variate_unit { VARIATE_SECONDS, VARIATE_TOKENS };
/* most: the largest value that may be drawn, and max where none is given. ERROR_USAGE names option and text. */
int variate_parse(const char *text, const char *option, enum variate_unit unit, double most, struct variate *variate, struct error *err);
/* NULL: fine; else what is wrong with it, as a sentence's end. */
const char *variate_fault(const struct variate *variate);
double variate_draw(const struct variate *variate, struct random *random);
#define VARIATE_TEXT_MAX 256
/* "exponential, mean 2.0 s" */
void variate_describe(const struct variate *variate, struct buf *out);

#endif
