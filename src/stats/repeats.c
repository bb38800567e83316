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

/* All measurements of one load: `count` levels in the order of the run. */
static struct repeated_load gather(struct arena *arena, const struct level_summary *const *levels, size_t count)
{
    struct repeated_load load = {.load = levels[0]->load, .unit = levels[0]->unit, .kind = levels[0]->kind,
                                 .levels = ARENA_ARRAY(arena, count, const struct level_summary *)};
    for (size_t k = 0; k < count; k++) {
        if (counts(levels[k]))
            load.levels[load.count++] = levels[k];
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

/* By load, those of streams before those of req/s; of one load in the order of the run, which is that of their addresses. */
static int compare_levels(const void *a, const void *b)
{
    const struct level_summary *x = *(const struct level_summary *const *)a, *y = *(const struct level_summary *const *)b;
    int by_unit = strcmp(y->unit, x->unit), by_kind = strcmp(x->kind, y->kind);
    if (by_unit != 0)
        return by_unit;
    if (x->load != y->load)
        return (x->load > y->load) - (x->load < y->load);
    return by_kind != 0 ? by_kind : (x > y) - (x < y);
}

struct repeated_load *repeats_find(struct arena *arena, const struct level_summary *levels, size_t count, size_t *found)
{
    const struct level_summary **sorted = ARENA_ARRAY(arena, count + 1, const struct level_summary *);
    struct repeated_load *loads = ARENA_ARRAY(arena, count / 2 + 1, struct repeated_load);
    *found = 0;
    for (size_t k = 0; k < count; k++)
        sorted[k] = &levels[k];
    if (count > 1)
        qsort(sorted, count, sizeof *sorted, compare_levels);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && is_of_load(sorted[to], sorted[from]); to++)
            ;
        if (to - from < 2)
            continue;
        struct repeated_load *load = &loads[(*found)++];
        *load = gather(arena, sorted + from, to - from);
        estimate_figures(load);
    }
    return loads;
}
