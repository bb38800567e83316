#include "stats/same_load.h"

#include <math.h>

#include "stats/repeats_ratio.h"

static const struct repeated_load *repeats_at(const struct roi_deployment *deployment, const struct level_summary *level)
{
    return repeats_of_level(deployment->repeated, deployment->repeated_count, level);
}

/* Both sides of the load: deployments and the levels that stand for it. */
struct sides {
    const struct roi_deployment *a, *b;
    const struct level_summary *of_a, *of_b;
};

static struct same_load_figure compare_figure(const struct sides *sides, enum figure figure)
{
    struct same_load_figure out = {.figure = figure,
                                   .a = roi_figure(sides->a, sides->of_a, figure).value,
                                   .b = roi_figure(sides->b, sides->of_b, figure).value,
                                   .ratio = {.value = NAN, .interval = interval_unknown, .count = 1}};
    struct repeats_ratio by_repeats = repeats_ratio(repeats_at(sides->b, sides->of_b), repeats_at(sides->a, sides->of_a), figure,
                                                    roi_took_turns(sides->a, sides->b));
    if (!isnan(by_repeats.ratio.value)) {
        out.ratio = by_repeats.ratio;
        out.paired = by_repeats.paired;
    } else if (isfinite(out.a) && isfinite(out.b) && out.a > 0 && out.b > 0) {
        out.ratio.value = out.b / out.a;
    }
    return out;
}

static size_t repeats_of(const struct sides *sides)
{
    const struct repeated_load *a = repeats_at(sides->a, sides->of_a), *b = repeats_at(sides->b, sides->of_b);
    if (!a || !b)
        return 1;
    return a->count < b->count ? a->count : b->count;
}

static const struct level_summary *level_at(const struct roi_deployment *deployment, double load)
{
    for (size_t k = 0; k < deployment->points->load_count; k++)
        if (deployment->points->loads[k]->load == load)
            return deployment->points->loads[k];
    return NULL;
}

/* Of a load that was repeated, invalid measurements are left out by themselves. */
static bool is_measured(const struct roi_deployment *deployment, const struct level_summary *level)
{
    return level->validity.verdict != VALIDITY_INVALID || repeats_at(deployment, level);
}

static struct same_load compare_load(const struct sides *sides, size_t b)
{
    static const enum figure figures[SAME_LOAD_FIGURE_COUNT] = {
#define X(figure) figure,
        SAME_LOAD_FIGURES(X)
#undef X
    };
    struct same_load out = {.a = 0, .b = b, .load = sides->of_a->load, .repeats = repeats_of(sides)};
    for (int k = 0; k < SAME_LOAD_FIGURE_COUNT; k++)
        out.figures[k] = compare_figure(sides, figures[k]);
    return out;
}

struct same_load *same_loads_find(struct arena *arena, const struct roi_deployment *deployments, size_t count, size_t *found, size_t *left_out)
{
    const struct roi_deployment *first = &deployments[0];
    struct same_load *loads = ARENA_ARRAY(arena, count * (first->points->load_count + 1), struct same_load);
    *found = *left_out = 0;
    for (size_t b = 1; b < count; b++)
        for (size_t k = 0; k < first->points->load_count; k++) {
            const struct level_summary *of_a = first->points->loads[k];
            struct sides sides = {first, &deployments[b], of_a, level_at(&deployments[b], of_a->load)};
            if (!sides.of_b)
                continue;
            if (is_measured(sides.a, of_a) && is_measured(sides.b, sides.of_b))
                loads[(*found)++] = compare_load(&sides, b);
            else
                (*left_out)++;
        }
    return loads;
}

/* "28 % more", "12 % less", "equal" */
static const char *change_text(struct arena *arena, double ratio)
{
    double percent = 100 * (ratio - 1);
    if (ratio >= 2)
        return arena_printf(arena, "%.3g times", ratio);
    if (fabs(percent) < 0.05)
        return "equal";
    return arena_printf(arena, "%.*f %% %s", fabs(percent) < 9.95 ? 1 : 0, fabs(percent), percent < 0 ? "less" : "more");
}

const char *same_load_text(struct arena *arena, const struct uncertain *ratio)
{
    if (isnan(ratio->value))
        return "-";
    const char *change = change_text(arena, ratio->value);
    if (!interval_is_known(&ratio->interval))
        return change;
    const char *low = change_text(arena, ratio->interval.low), *high = change_text(arena, ratio->interval.high);
    if (uncertain_ratio_is_clear(ratio))
        return arena_printf(arena, "%s (%s to %s)", change, low, high);
    return arena_printf(arena, "not distinguishable (%s to %s)", low, high);
}
