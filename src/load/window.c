#include "load/window.h"

static int64_t trim_ns(const struct plan *plan, const struct trim *trim, int64_t length)
{
    if (trim->kind == TRIM_SHARE)
        return (int64_t)(trim->share * (double)length);
    return trim->kind == TRIM_TIME ? plan_wall_ns(plan, trim->ns) : 0;
}

void window_trim(const struct plan *plan, int64_t measure_start, struct level_end *end)
{
    int64_t length = end->end - end->start;
    int64_t start = end->start + trim_ns(plan, &plan->limits.warmup, length);
    int64_t stop = end->end - trim_ns(plan, &plan->limits.cooldown, length);
    if (start < measure_start)
        start = measure_start;
    if (start > end->end)
        start = end->end;
    end->window_start = start;
    end->window_end = stop < start ? start : stop;
}
