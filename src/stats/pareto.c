#include "stats/pareto.h"

#include <math.h>

#include "base/units.h"

static void collect(struct roi *roi, size_t row)
{
    const struct roi_deployment *deployment = roi->rows[row].deployment;
    double price = deployment->price_micro_usd > 0 ? units_usd(deployment->price_micro_usd) : NAN;
    double gpus = deployment->gpus > 0 ? (double)deployment->gpus : NAN;
    for (size_t k = 0; k < deployment->points->load_count; k++) {
        const struct level_summary *level = deployment->points->loads[k];
        double total = roi_figure(deployment, level, FIGURE_TOTAL_TPS).value, speed = roi_figure(deployment, level, FIGURE_USER_TPS).value;
        if (isnan(total) || isnan(speed))
            continue;
        roi->pareto[roi->pareto_count++] =
            (struct pareto_point){.row = row, .level = level, .per_usd = total / price, .per_gpu = total / gpus, .user_tps = speed};
    }
}

/* Not-known yields dominate nobody and are dominated by nobody. */
static bool dominates(double yield_a, double speed_a, double yield_b, double speed_b)
{
    return yield_a >= yield_b && speed_a >= speed_b && (yield_a > yield_b || speed_a > speed_b);
}

void pareto_find(struct roi *roi, struct arena *arena)
{
    size_t most = 0;
    for (size_t row = 0; row < roi->row_count; row++)
        most += roi->rows[row].deployment->points->load_count;
    roi->pareto = ARENA_ARRAY(arena, most + 1, struct pareto_point);
    for (size_t row = 0; row < roi->row_count; row++)
        collect(roi, row);
    for (size_t k = 0; k < roi->pareto_count; k++)
        for (size_t other = 0; other < roi->pareto_count; other++) {
            struct pareto_point *p = &roi->pareto[k];
            const struct pareto_point *q = &roi->pareto[other];
            p->dominated_per_usd |= dominates(q->per_usd, q->user_tps, p->per_usd, p->user_tps);
            p->dominated_per_gpu |= dominates(q->per_gpu, q->user_tps, p->per_gpu, p->user_tps);
        }
}
