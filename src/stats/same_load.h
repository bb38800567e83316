/* Two runs at the loads that both were tested with: what is left to differ is the deployment.
 *
 * Unlike an operating point, a load needs neither a price nor a break: this is how two settings of one deployment are compared, at best by
 * runs whose levels took turns (`run --interleave`). Figures of a load that was repeated are means of the repeats; a ratio has an interval
 * only then (stats/repeats_ratio.h), of run-to-run noise. */
#ifndef ROIBENCH_STATS_SAME_LOAD_H
#define ROIBENCH_STATS_SAME_LOAD_H

#include "stats/figure.h"
#include "stats/roi.h"

#define SAME_LOAD_FIGURES(X) \
    X(FIGURE_TTFT_P50)       \
    X(FIGURE_TTFT_P95)       \
    X(FIGURE_E2E_P50)        \
    X(FIGURE_USER_TPS)       \
    X(FIGURE_TOTAL_TPS)

#define X(figure) +1
enum { SAME_LOAD_FIGURE_COUNT = 0 SAME_LOAD_FIGURES(X) };
#undef X

struct same_load_figure {
    enum figure figure;
    double a, b;            /* NAN: not known; a TTFT may be +infinity */
    struct uncertain ratio; /* b / a; value NAN: one of them is 0, infinite or not known; interval: with repeats only */
    bool paired;            /* the interval is of levels that took turns */
};

struct same_load {
    size_t a, b; /* indices of the deployments, a < b */
    double load;
    size_t repeats; /* of the one that has fewer that count; 1: no interval */
    struct same_load_figure figures[SAME_LOAD_FIGURE_COUNT];
};

/* The first deployment against each of the others, in their order and that of loads. Loads at which either measurement is invalid are left
 * out: *left_out counts them. */
struct same_load *same_loads_find(struct arena *arena, const struct roi_deployment *deployments, size_t count, size_t *found, size_t *left_out);

/* "28 % more (21 % more to 36 % more)", "not distinguishable (3 % less to 2 % more)", "12 % less"; "-" without a ratio. What a ratio of two measurements
 * says, with its interval if there is one. */
const char *same_load_text(struct arena *arena, const struct uncertain *ratio);

#endif
