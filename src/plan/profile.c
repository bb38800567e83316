#include "plan/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct profile *const profiles[] = {
#define PROFILE(name) &profile_##name,
#include "plan/profiles.def"
#undef PROFILE
};

#define PROFILE_COUNT (sizeof profiles / sizeof profiles[0])

const struct profile *profile_at(size_t index)
{
    return index < PROFILE_COUNT ? profiles[index] : NULL;
}

bool profile_load_changes(const struct profile *profile)
{
    return profile->open_loop && !profile->takes_loads;
}

double profile_round_rate(double rate)
{
    char text[32];
    snprintf(text, sizeof text, "%.4g", rate);
    return strtod(text, NULL);
}

const struct profile *profile_find(const char *name)
{
    for (size_t k = 0; k < PROFILE_COUNT; k++)
        if (strcmp(profiles[k]->name, name) == 0)
            return profiles[k];
    return NULL;
}

int profile_check_load(const struct profile *profile, double load, const char *option, struct error *err)
{
    if (profile->open_loop) {
        if (!(load > 0) || load > PROFILE_RATE_MAX)
            return error_set(err, ERROR_USAGE, "%s: %g: a rate is more than 0 and at most %g requests a second", option, load,
                             PROFILE_RATE_MAX);
    } else if (!(load >= 1) || load > (double)profile->max_streams || load != floor(load)) {
        return error_set(err, ERROR_USAGE, "%s: %g: streams of %s are a whole number from 1 to %lld", option, load, profile->name,
                         (long long)profile->max_streams);
    }
    return 0;
}

int profile_add_level(struct plan *plan, const struct profile *profile, double load, const char *option, struct error *err)
{
    if (profile_check_load(profile, load, option, err) < 0)
        return -1;
    if (plan->level_count == PLAN_LEVELS_MAX)
        return error_set(err, ERROR_USAGE, "%s: more than %d levels", option, PLAN_LEVELS_MAX);
    if (!plan->levels)
        plan->levels = ARENA_ARRAY(plan->arena, PLAN_LEVELS_MAX, struct level);
    struct level *level = &plan->levels[plan->level_count];
    *level = (struct level){
        .index = (int)plan->level_count,
        .load = load,
        .unit = profile->open_loop ? LOAD_REQUESTS_PER_S : LOAD_STREAMS,
    };
    snprintf(level->kind, sizeof level->kind, "%s", profile->name);
    plan->level_count++;
    return 0;
}

const char *profile_fault(const struct plan *plan)
{
    for (size_t k = 0; k < plan->level_count; k++) {
        const struct profile *profile = profile_find(plan->levels[k].kind);
        const char *fault = profile->fault ? profile->fault(plan, &plan->levels[k]) : NULL;
        if (fault)
            return fault;
    }
    return NULL;
}

int profile_levels_of_rates(struct plan *plan, const struct profile *profile, const double *rates, size_t count, struct error *err)
{
    if (count == 0)
        return error_set(err, ERROR_USAGE, "--profile %s needs --rate: %s, separated by commas", profile->name, profile->rate_help);
    for (size_t k = 0; k < count; k++)
        if (profile_add_level(plan, profile, rates[k], "--rate", err) < 0)
            return -1;
    return 0;
}
