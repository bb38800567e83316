#include "stats/repeats_ratio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The same repeat of the other load, that is not taken yet: a load may be given twice, and so have two levels of a repeat. */
static size_t partner_of(const struct repeated_load *b, int repeat, const bool *taken)
{
    size_t k = 0;
    while (k < b->count && (taken[k] || b->levels[k]->repeat != repeat))
        k++;
    return k;
}

static size_t pair_values(const struct repeated_load *a, const struct repeated_load *b, enum figure figure, double *of_a, double *of_b)
{
    bool *taken = mem_calloc(b->count + 1, sizeof *taken);
    size_t count = 0;
    for (size_t k = 0; k < a->count; k++) {
        size_t other = partner_of(b, a->levels[k]->repeat, taken);
        if (other == b->count)
            continue;
        taken[other] = true;
        of_a[count] = figure_of(a->levels[k], figure);
        of_b[count] = figure_of(b->levels[other], figure);
        count += !isnan(of_a[count]) && !isnan(of_b[count]);
    }
    free(taken);
    return count;
}

struct repeats_ratio repeats_ratio(const struct repeated_load *a, const struct repeated_load *b, enum figure figure, bool interleaved)
{
    struct repeats_ratio out = {.ratio = {.value = NAN, .interval = interval_unknown}};
    if (!a || !b)
        return out;
    size_t room = a->count + b->count + 1;
    double *of_a = mem_calloc(room, sizeof *of_a), *of_b = mem_calloc(room, sizeof *of_b);
    size_t pairs = interleaved ? pair_values(a, b, figure, of_a, of_b) : 0;
    if (pairs >= INTERVAL_VALUES_MIN) {
        out.paired = true;
        out.ratio = uncertain_paired_ratio(of_a, of_b, pairs);
    } else {
        size_t a_count = repeats_values(a, figure, of_a), b_count = repeats_values(b, figure, of_b);
        if (a_count >= INTERVAL_VALUES_MIN && b_count >= INTERVAL_VALUES_MIN)
            out.ratio = uncertain_ratio(of_a, a_count, of_b, b_count);
    }
    free(of_a);
    free(of_b);
    if (!isfinite(out.ratio.value)) /* of a repeat that is 0 or infinite there is no ratio */
        out = (struct repeats_ratio){.ratio = {.value = NAN, .interval = interval_unknown}};
    return out;
}

bool uncertain_ratio_is_clear(const struct uncertain *ratio)
{
    return interval_is_known(&ratio->interval) && !interval_contains(&ratio->interval, 1);
}

const struct repeated_load *repeats_of_level(const struct repeated_load *loads, size_t count, const struct level_summary *level)
{
    for (size_t k = 0; level && k < count; k++)
        if (loads[k].load == level->load && strcmp(loads[k].unit, level->unit) == 0 && strcmp(loads[k].kind, level->kind) == 0)
            return loads[k].count >= INTERVAL_VALUES_MIN ? &loads[k] : NULL;
    return NULL;
}
