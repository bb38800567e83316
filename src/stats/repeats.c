#include "stats/repeats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

size_t repeats_values(const struct repeated_load *load, enum figure figure, double *values)
{
    size_t known = 0;
    for (size_t k = 0; k < load->count; k++) {
        double value = figure_of(load->levels[k], figure);
        if (!isnan(value))
            values[known++] = value;
    }
    return known;
}

static bool is_of_load(const struct level_summary *level, const struct level_summary *other)
{
    return level->load == other->load && strcmp(level->unit, other->unit) == 0 && strcmp(level->kind, other->kind) == 0;
}

static bool counts(const struct level_summary *level)
{
    bool cut_off = (!level->ended && !level->imported) || level->stopped;
    return level->validity.verdict != VALIDITY_INVALID && !cut_off;
}

/* All measurements of the load of levels[first], which is its first one. */
static struct repeated_load gather(struct arena *arena, const struct level_summary *levels, size_t count, size_t first)
{
    const struct level_summary *level = &levels[first];
    struct repeated_load load = {.load = level->load, .unit = level->unit, .kind = level->kind,
                                 .levels = ARENA_ARRAY(arena, count - first, const struct level_summary *)};
    for (size_t k = first; k < count; k++) {
        if (!is_of_load(&levels[k], level))
            continue;
        if (counts(&levels[k]))
            load.levels[load.count++] = &levels[k];
        else
            load.left_out++;
    }
    return load;
}

static void estimate_figures(struct repeated_load *load)
{
    double *values = mem_calloc(load->count + 1, sizeof *values);
    for (int k = 0; k < FIGURE_COUNT; k++) {
        size_t known = repeats_values(load, (enum figure)k, values);
        load->figure[k] = uncertain_mean(values, known);
        load->figure[k].interval = interval_above_zero(load->figure[k].interval);
    }
    free(values);
}

static bool is_first_of_load(const struct level_summary *levels, size_t k)
{
    for (size_t before = 0; before < k; before++)
        if (is_of_load(&levels[before], &levels[k]))
            return false;
    return true;
}

static int compare_loads(const void *a, const void *b)
{
    const struct repeated_load *x = a, *y = b;
    int by_unit = strcmp(y->unit, x->unit), by_kind = strcmp(x->kind, y->kind); /* "streams" before "req/s" */
    return by_unit != 0 ? by_unit : x->load != y->load ? (x->load > y->load) - (x->load < y->load) : by_kind;
}

struct repeated_load *repeats_find(struct arena *arena, const struct level_summary *levels, size_t count, size_t *found)
{
    struct repeated_load *loads = ARENA_ARRAY(arena, count + 1, struct repeated_load);
    *found = 0;
    for (size_t k = 0; k < count; k++) {
        if (!is_first_of_load(levels, k))
            continue;
        struct repeated_load load = gather(arena, levels, count, k);
        if (load.count + load.left_out < 2)
            continue;
        estimate_figures(&load);
        loads[(*found)++] = load;
    }
    if (*found > 1)
        qsort(loads, *found, sizeof *loads, compare_loads);
    return loads;
}
