/* Loads that were measured several times (--repeat, or a load given twice): what the repeats say together.
 *
 * Every measurement is one value of each figure, and their mean's 95 % interval is Student's t over these values: run-to-run noise, of
 * which one level by itself knows nothing. With fewer than INTERVAL_VALUES_MIN values there is no interval. Measurements that are
 * invalid or were cut off are left out. Levels belong to the summary and must outlive this. */
#ifndef ROIBENCH_STATS_REPEATS_H
#define ROIBENCH_STATS_REPEATS_H

#include "base/arena.h"
#include "stats/figure.h"
#include "stats/interval.h"

struct repeated_load {
    double load;
    const char *unit, *kind;
    const struct level_summary **levels; /* that count, in the order of the run */
    size_t count;
    size_t left_out;                       /* invalid, or cut off */
    struct uncertain figure[FIGURE_COUNT]; /* count: in how many of the levels it is known; only these are averaged */
};

/* Loads with two measurements or more, left out or not, in ascending order; those of streams first. */
struct repeated_load *repeats_find(struct arena *arena, const struct level_summary *levels, size_t count, size_t *found);
/* The values of a figure over the repeats: to values[load->count], those that are known; returns how many. */
size_t repeats_values(const struct repeated_load *load, enum figure figure, double *values);

#endif
