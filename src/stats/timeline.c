#include "stats/timeline.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"

#define CELL_NS 100000
#define CELLS_MAX ((int64_t)1000000)
#define NS 1e9 /* of a second */

void timeline_init(struct timeline *timeline, int64_t start, int64_t end)
{
    int64_t length = end > start ? end - start : 0;
    *timeline = (struct timeline){.start = start, .end = end, .width = CELL_NS};
    if (length == 0)
        return;
    if (length / CELL_NS >= CELLS_MAX)
        timeline->width = length / CELLS_MAX + 1;
    timeline->cells = (size_t)(length / timeline->width) + 1;
    timeline->cell = mem_calloc(timeline->cells, sizeof timeline->cell[0]);
}

void timeline_free(struct timeline *timeline)
{
    free(timeline->cell);
    *timeline = (struct timeline){0};
}

static void add_to_cell(struct timeline_cell *cell, int64_t first, double weight)
{
    if (cell->weight == 0 || first < cell->first)
        cell->first = first;
    cell->weight += weight;
}

void timeline_add(struct timeline *timeline, int64_t t, double weight)
{
    if (timeline->cells == 0 || t < timeline->start || t > timeline->end || !(weight > 0))
        return;
    add_to_cell(&timeline->cell[(t - timeline->start) / timeline->width], t, weight);
}

void timeline_add_all(struct timeline *timeline, const struct timeline *other)
{
    for (size_t k = 0; k < other->cells; k++)
        if (other->cell[k].weight > 0)
            add_to_cell(&timeline->cell[k], other->cell[k].first, other->cell[k].weight);
}

/* An event with the one before and the one after it: the span's ends are events without weight. */
struct neighbours {
    int64_t before, t;
    double weight;
    struct weighted_list *rates;
};

static void pass(struct neighbours *at, int64_t next)
{
    double own = (double)(next - at->before) / 2;
    if (own > 0)
        weighted_add(at->rates, at->weight * NS / own, own);
    at->before = at->t;
    at->t = next;
}

struct spread timeline_rate(const struct timeline *timeline)
{
    struct weighted_list rates = {0};
    struct neighbours at = {timeline->start, timeline->start, 0, &rates};
    double total = 0;
    for (size_t k = 0; k < timeline->cells; k++) {
        const struct timeline_cell *cell = &timeline->cell[k];
        if (!(cell->weight > 0))
            continue;
        total += cell->weight;
        if (cell->first > at.t) {
            pass(&at, cell->first);
            at.weight = cell->weight;
        } else {
            at.weight += cell->weight; /* at the very start */
        }
    }
    if (timeline->end > at.t) {
        pass(&at, timeline->end);
        at.weight = 0;
    }
    pass(&at, timeline->end);
    struct spread spread = spread_of(&rates);
    spread.count = total;
    weighted_free(&rates);
    return spread;
}

/* ---- overlaps ---- */

void interval_ends_add(struct interval_ends *ends, int64_t from, int64_t to)
{
    MEM_GROW(ends->from, ends->from_cap, ends->count + 1);
    MEM_GROW(ends->to, ends->to_cap, ends->count + 1);
    ends->from[ends->count] = from;
    ends->to[ends->count++] = to;
}

void interval_ends_free(struct interval_ends *ends)
{
    free(ends->from);
    free(ends->to);
    *ends = (struct interval_ends){0};
}

struct spread interval_ends_overlap(struct interval_ends *ends, int64_t start, int64_t end)
{
    struct weighted_list levels = {0};
    size_t begun = 0, over = 0, reaching = 0;
    int64_t t = start;
    for (size_t k = 0; k < ends->count; k++)
        reaching += ends->to[k] >= start && ends->from[k] <= end;
    sort_times(ends->from, ends->count);
    sort_times(ends->to, ends->count);
    while (over < ends->count && t < end) {
        bool begins = begun < ends->count && ends->from[begun] <= ends->to[over];
        int64_t next = begins ? ends->from[begun] : ends->to[over];
        next = next < end ? next : end;
        if (next > t) {
            weighted_add(&levels, (double)(begun - over), (double)(next - t));
            t = next;
        }
        if (begins)
            begun++;
        else
            over++;
    }
    if (t < end)
        weighted_add(&levels, (double)(begun - over), (double)(end - t));
    struct spread spread = spread_of(&levels);
    spread.count = (double)reaching;
    weighted_free(&levels);
    return spread;
}
