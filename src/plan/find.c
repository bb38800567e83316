#include "plan/find.h"

#include <math.h>
#include <string.h>

#include "plan/profile.h"

/* What was found so far. */
struct search {
    const struct find_result *done;
    size_t count;
    size_t levels; /* different ones */
};

static bool met_at(const struct search *search, int index)
{
    for (size_t k = 0; k < search->count; k++)
        if (search->done[k].level.index == index && search->done[k].met)
            return true;
    return false;
}

static double load_of(const struct search *search, int index)
{
    for (size_t k = 0; k < search->count; k++)
        if (search->done[k].level.index == index)
            return search->done[k].level.load;
    return NAN;
}

static struct search make_search(const struct find_result *done, size_t count)
{
    struct search search = {done, count, 0};
    for (size_t k = 0; k < count; k++)
        if ((size_t)done[k].level.index + 1 > search.levels)
            search.levels = (size_t)done[k].level.index + 1;
    return search;
}

/* The k-th load of the bracketing; NAN: there is none. */
static double bracketing_load(const struct find *find, size_t k)
{
    if (find->given_count > 1)
        return k < find->given_count ? find->given[k].load : NAN;
    double load = find->given[0].load * ldexp(1, (int)k), before = load / 2;
    if (k == 0)
        return load;
    if (k > FIND_DOUBLINGS_MAX || before >= find->most)
        return NAN;
    return load < find->most ? load : find->most;
}

/* Levels that belong to the bracketing; *closed: no more of them are needed. */
static size_t count_bracketing(const struct find *find, const struct search *search, bool *closed)
{
    size_t k = 0;
    *closed = false;
    for (; k < search->levels && !*closed && !isnan(bracketing_load(find, k)); k++)
        *closed = k > 0 && met_at(search, (int)k);
    if (isnan(bracketing_load(find, k)))
        *closed = true;
    return k;
}

static double halfway(double held, double broke, enum load_unit unit)
{
    double half = (held + broke) / 2;
    return unit == LOAD_STREAMS ? floor(half) : profile_round_rate(half);
}

/* A load met the condition where any level of it did. */
static void find_ends(const struct search *search, double *held, double *broke)
{
    *held = 0;
    *broke = NAN;
    for (size_t k = 0; k < search->levels; k++) {
        double load = load_of(search, (int)k);
        bool met = false;
        for (size_t other = 0; other < search->levels; other++)
            met |= load_of(search, (int)other) == load && met_at(search, (int)other);
        if (!met && load > *held)
            *held = load;
    }
    for (size_t k = 0; k < search->levels; k++) {
        double load = load_of(search, (int)k);
        if (load > *held && !(load >= *broke)) /* above held, all of them met it */
            *broke = load;
    }
}

const char *find_fault(const struct level *levels, size_t count)
{
    const struct profile *profile = count > 0 ? profile_find(levels[0].kind) : NULL;
    if (!profile || !profile->takes_loads)
        return "it looks for a load: begin with levels of a profile whose --rate is one";
    for (size_t k = 1; k < count; k++)
        if (strcmp(levels[k].kind, levels[0].kind) != 0 || levels[k].load <= levels[k - 1].load)
            return "the loads to begin with must ascend and be of one kind";
    return NULL;
}

int find_next_level(const struct find *find, const struct find_result *done, size_t count, struct level *next)
{
    struct search search = make_search(done, count);
    bool closed;
    size_t bracketing = count_bracketing(find, &search, &closed);
    *next = find->given[0];
    next->index = (int)search.levels;
    if (search.levels >= PLAN_LEVELS_MAX)
        return 0;
    if (!closed) {
        next->load = bracketing_load(find, bracketing);
        return 1;
    }
    if (search.levels - bracketing >= (size_t)find->refine)
        return 0;
    double held, broke;
    find_ends(&search, &held, &broke);
    next->load = halfway(held, broke, next->unit);
    return next->load > held && next->load < broke; /* false where nothing broke */
}
