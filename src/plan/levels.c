/* --levels: "concurrent:1,3,5" is a list, "poisson:0.1-5.0/8" eight loads in geometric progression. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/units.h"
#include "plan/profile.h"

#define KINDS_MAX 1024

static void list_kinds(struct buf *out)
{
    const struct profile *profile;
    for (size_t k = 0; (profile = profile_at(k)); k++)
        if (profile->takes_loads)
            buf_printf(out, "%s%s", out->len > 0 ? ", " : "", profile->name);
}

static int add_list(struct plan *plan, const struct profile *profile, char *list, struct error *err)
{
    char *rest = list, *item;
    while ((item = strsep(&rest, ","))) {
        double load;
        if (units_parse_number(item, &load) < 0)
            return error_set(err, ERROR_USAGE, "--levels: '%s' is not a number of %s", item, profile->rate_help);
        if (profile_add_level(plan, profile, load, "--levels", err) < 0)
            return -1;
    }
    return 0;
}

/* Closed loops have whole streams: rounded, and each number only once. The ends are as they were given. */
static int add_progression(struct plan *plan, const struct profile *profile, double low, double high, int64_t count, struct error *err)
{
    double before = 0;
    for (int64_t k = 0; k < count; k++) {
        double load = k == 0 ? low : k == count - 1 ? high : profile_round_rate(low * pow(high / low, (double)k / (double)(count - 1)));
        if (!profile->open_loop)
            load = round(load);
        if (load > before && profile_add_level(plan, profile, load, "--levels", err) < 0)
            return -1;
        before = load;
    }
    return 0;
}

static int add_range(struct plan *plan, const struct profile *profile, char *range, char *slash, struct error *err)
{
    double low, high;
    int64_t count;
    char *dash = strchr(range, '-');
    *slash = '\0';
    if (dash)
        *dash = '\0';
    bool read = dash && units_parse_number(range, &low) == 0 && units_parse_number(dash + 1, &high) == 0 &&
                units_parse_integer(slash + 1, &count) == 0;
    if (!read || !(low > 0) || !(high > low) || count < 1 || count > PLAN_LEVELS_MAX)
        return error_set(err, ERROR_USAGE, "--levels: a range is LOW-HIGH/COUNT with 0 < LOW < HIGH and a COUNT from 1 to %d, "
                         "as in %s:%s", PLAN_LEVELS_MAX, profile->name, profile->open_loop ? "0.1-5.0/8" : "1-32/6");
    return add_progression(plan, profile, low, high, count, err);
}

int levels_parse(const char *text, struct plan *plan, struct error *err)
{
    cleanup_free char *copy = mem_strdup(text);
    char *loads = strchr(copy, ':');
    if (loads)
        *loads++ = '\0';
    const struct profile *profile = profile_find(copy);
    if (!loads || !profile || !profile->takes_loads) {
        cleanup_buf struct buf kinds = BUF_INIT(KINDS_MAX);
        list_kinds(&kinds);
        return error_set(err, ERROR_USAGE, "--levels: '%s' is not KIND:LOADS, as in concurrent:1,5,10 or poisson:0.1-5.0/8. "
                         "Known kinds: %s", text, buf_text(&kinds));
    }
    char *slash = strchr(loads, '/');
    return slash ? add_range(plan, profile, loads, slash, err) : add_list(plan, profile, loads, err);
}
