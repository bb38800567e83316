/* Load profiles: how --rate becomes levels, and when a level's requests are due.
 *
 * To add one: write src/plan/profile_<name>.c that defines
 * `const struct profile profile_<name>`, and add PROFILE(<name>) to profiles.def. Nothing else. */
#ifndef ROIBENCH_PLAN_PROFILE_H
#define ROIBENCH_PLAN_PROFILE_H

#include "base/error.h"
#include "base/random.h"
#include "plan/plan.h"

struct arrivals;

struct profile {
    const char *name, *summary;
    const char *rate_help; /* what --rate means: "streams", "requests/s", "number of levels"; NULL: takes none */
    /* Fills plan->levels (in the plan's arena) from the numbers of --rate (none: the profile's default, or an error). */
    int (*make_levels)(struct plan *plan, const double *rates, size_t count, struct error *err);
    /* A profile that chooses levels while it runs (sweep without --levels); NULL: plan->levels are all. As plan_next_level. */
    int (*next_level)(const struct plan *plan, const struct level_result *done, size_t done_count, struct level *next);
    /* Can be the kind of a level. Closed loop: requests follow one another in `load` streams. */
    bool is_kind, open_loop;
    int64_t max_streams; /* of a closed loop */
    /* A number is a level's whole load: it may stand in --levels, and be looked for by --find. */
    bool takes_loads;
    /* NULL: the plan holds all that such a level needs (plan->arrival_shape); else a sentence with what it does not. NULL function: nothing else. */
    const char *(*fault)(const struct plan *plan, const struct level *level);
    /* Open loop: when the next request is due, seconds of model time from the level's start; not before the one before it. INFINITY: there is
     * none. May use arrivals' members number, sum and random. */
    double (*next)(struct arrivals *arrivals);
};

/* profile_synchronous, profile_concurrent, … */
#define PROFILE(name) extern const struct profile profile_##name;
#include "plan/profiles.def"
#undef PROFILE

#define PROFILE_RATE_MAX 1e6 /* requests a second */
#define PROFILE_BURSTINESS_MIN 0.01
#define PROFILE_BURSTINESS_MAX 1000
#define PROFILE_BURST_MAX 1000000 /* requests at once */

/* For the profiles' make_levels. option: what the number was given by, for errors. */
int profile_check_load(const struct profile *profile, double load, const char *option, struct error *err);
int profile_add_level(struct plan *plan, const struct profile *profile, double load, const char *option, struct error *err);
/* NULL, or what the plan lacks for one of its levels. */
const char *profile_fault(const struct plan *plan);
/* One level a rate, at least one. */
int profile_levels_of_rates(struct plan *plan, const struct profile *profile, const double *rates, size_t count, struct error *err);

/* The load of a level of this kind changes while it lasts, as it was asked to: no part of it is steadier than another. */
bool profile_load_changes(const struct profile *profile);

/* To four digits, as many as a person wants to read: for rates that are computed. */
double profile_round_rate(double rate);

/* NULL: no such profile. */
const struct profile *profile_find(const char *name);
/* By position, NULL behind the last: for --help and "known:" lists. */
const struct profile *profile_at(size_t index);

/* --levels "concurrent:1,3,5" | "poisson:0.1-5.0/8" (geometric): appends to plan->levels, kinds checked. */
int levels_parse(const char *text, struct plan *plan, struct error *err);

/* Arrivals of one open-loop level, drawn one by one, the same for the same plan, level and repeat. Offsets from the level's start,
 * ns of WALL time (divided by time_scale), never decreasing. */
struct arrivals {
    const struct profile *profile;
    const struct plan *plan; /* borrowed */
    struct level level;
    struct random random;
    int64_t number; /* of the next one, from 0 */
    double sum;     /* of what a profile draws: rounded once an arrival, so that roundings do not add up */
};
void arrivals_init(struct arrivals *arrivals, const struct plan *plan, const struct level *level, int repeat);
int64_t arrivals_next(struct arrivals *arrivals);

#endif
