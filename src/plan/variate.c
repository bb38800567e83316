#include "plan/variate.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"

#define DRAWS_MAX 1000 /* bounds far out in a tail are hit by clamping */

static const struct {
    const char *name, *spread;
    bool spread_is_time;
} kinds[VARIATE_KIND_COUNT] = {
    [VARIATE_CONSTANT] = {"constant", NULL, false},    [VARIATE_EXPONENTIAL] = {"exponential", NULL, false},
    [VARIATE_LOGNORMAL] = {"lognormal", "sigma", false}, [VARIATE_UNIFORM] = {"uniform", NULL, false},
    [VARIATE_NORMAL] = {"normal", "stddev", true},
};

const char *variate_kind_name(enum variate_kind kind)
{
    return kinds[kind].name;
}

const char *variate_spread_name(enum variate_kind kind)
{
    return kinds[kind].spread;
}

/* --- text ------------------------------------------------------------------------------- */

static int parse_value(const char *text, enum variate_unit unit, double *value)
{
    int64_t ns;
    if (unit == VARIATE_TOKENS)
        return units_parse_number(text, value);
    if (units_parse_duration(text, &ns) < 0)
        return -1;
    *value = (double)ns / (double)NS_PER_S;
    return 0;
}

static int parse_range(char *text, enum variate_unit unit, struct variate *variate)
{
    char *dash = strchr(text, '-');
    if (!dash)
        return -1;
    *dash = '\0';
    return parse_value(text, unit, &variate->min) < 0 ? -1 : parse_value(dash + 1, unit, &variate->max);
}

/* "mean=2s", or a value without a name: the mean, of a uniform one its two ends. */
static int parse_item(char *item, enum variate_unit unit, struct variate *variate)
{
    char *value = strchr(item, '=');
    if (!value)
        return variate->kind == VARIATE_UNIFORM ? parse_range(item, unit, variate) : parse_value(item, unit, &variate->mean);
    *value++ = '\0';
    if (strcmp(item, "min") == 0)
        return parse_value(value, unit, &variate->min);
    if (strcmp(item, "max") == 0)
        return parse_value(value, unit, &variate->max);
    if (strcmp(item, "mean") == 0 && variate->kind != VARIATE_UNIFORM)
        return parse_value(value, unit, &variate->mean);
    const char *spread = kinds[variate->kind].spread;
    if (!spread || strcmp(item, spread) != 0)
        return -1;
    return kinds[variate->kind].spread_is_time ? parse_value(value, unit, &variate->spread)
                                                    : units_parse_number(value, &variate->spread);
}

static int parse(char *text, enum variate_unit unit, struct variate *variate)
{
    char *items = strchr(text, ':'), *item;
    if (!items)
        return parse_value(text, unit, &variate->mean);
    *items++ = '\0';
    while (variate->kind < VARIATE_KIND_COUNT && strcmp(kinds[variate->kind].name, text) != 0)
        variate->kind++;
    if (variate->kind == VARIATE_KIND_COUNT)
        return -1;
    while ((item = strsep(&items, ",")))
        if (parse_item(item, unit, variate) < 0)
            return -1;
    return 0;
}

int variate_parse(const char *text, const char *option, enum variate_unit unit, double most, struct variate *variate, struct error *err)
{
    cleanup_free char *copy = mem_strdup(text);
    *variate = (struct variate){.max = most};
    if (parse(copy, unit, variate) < 0)
        return error_set(err, ERROR_USAGE, unit == VARIATE_TOKENS
                         ? "%s: '%s' is not one of exponential:256, lognormal:mean=256,sigma=0.8, uniform:100-400, "
                           "normal:mean=256,stddev=50; min= and max= bound it. Or: histogram:FILE"
                         : "%s: '%s' is not a time (5s) or one of exponential:2s, lognormal:mean=2s,sigma=0.8, uniform:1s-3s, "
                           "normal:mean=5s,stddev=1s; min= and max= bound it", option, text);
    if (variate->kind == VARIATE_UNIFORM)
        variate->mean = (variate->min + variate->max) / 2;
    if (variate->max > most || variate->mean > most)
        return error_set(err, ERROR_USAGE, "%s: '%s': %g %s", option, text, most, unit == VARIATE_TOKENS ? "tokens are the most" : "s is the longest time");
    const char *fault = variate_fault(variate);
    return fault ? error_set(err, ERROR_USAGE, "%s: '%s': %s", option, text, fault) : 0;
}

const char *variate_fault(const struct variate *variate)
{
    bool constant = variate->kind == VARIATE_CONSTANT;
    if (!(variate->min >= 0 && variate->min <= variate->mean && variate->mean <= variate->max))
        return "min, mean and max must ascend from 0";
    if (!constant && !(variate->max > variate->min && variate->mean > 0))
        return "min and max, or a mean, leave nothing to be drawn";
    if (kinds[variate->kind].spread && !(variate->spread > 0))
        return "how far it spreads (sigma of a lognormal, stddev of a normal) must be more than 0";
    if (variate->kind == VARIATE_LOGNORMAL && variate->spread > VARIATE_SIGMA_MAX)
        return "sigma is that of the logarithm: at most 5";
    return NULL;
}

void variate_describe(const struct variate *variate, struct buf *out)
{
    const char *spread = kinds[variate->kind].spread;
    char text[UNITS_TEXT_SIZE];
    if (variate->kind == VARIATE_UNIFORM) {
        buf_printf(out, "uniform, %g to %g s", variate->min, variate->max);
        return;
    }
    if (variate->kind != VARIATE_CONSTANT)
        buf_printf(out, "%s, mean ", kinds[variate->kind].name);
    buf_append_text(out, units_format_duration(llround(variate->mean * (double)NS_PER_S), text));
    if (spread)
        buf_printf(out, ", %s %g%s", spread, variate->spread, kinds[variate->kind].spread_is_time ? " s" : "");
}

/* --- drawing ------------------------------------------------------------------------------ */

static double draw_once(const struct variate *variate, struct random *random)
{
    double mean = variate->mean, spread = variate->spread;
    switch (variate->kind) {
    case VARIATE_EXPONENTIAL:
        return random_exponential(random, mean);
    case VARIATE_LOGNORMAL: /* mu = ln(mean) - sigma^2 / 2 */
        return mean * random_lognormal(random, -spread * spread / 2, spread);
    case VARIATE_UNIFORM:
        return variate->min + (variate->max - variate->min) * random_uniform(random);
    case VARIATE_NORMAL:
        return random_normal(random, mean, spread);
    case VARIATE_CONSTANT:
    case VARIATE_KIND_COUNT:
        break;
    }
    return mean;
}

double variate_draw(const struct variate *variate, struct random *random)
{
    double value = 0;
    for (int tries = 0; tries < DRAWS_MAX; tries++) {
        value = draw_once(variate, random);
        if (value >= variate->min && value <= variate->max)
            return value;
    }
    return value < variate->min ? variate->min : variate->max;
}
