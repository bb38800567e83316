#include "stats/figure.h"

#include <math.h>

static const struct {
    const char *name, *title, *unit;
    enum better better;
} figures[FIGURE_COUNT] = {
#define X(name, key, title, unit, better) [FIGURE_##name] = {key, title, unit, better},
    FIGURES(X)
#undef X
};

const char *figure_name(enum figure figure)
{
    return figures[figure].name;
}

const char *figure_title(enum figure figure)
{
    return figures[figure].title;
}

const char *figure_unit(enum figure figure)
{
    return figures[figure].unit;
}

enum better figure_better(enum figure figure)
{
    return figures[figure].better;
}

/* Where a figure is found: a percentile of a latency, a rate, or a mean of the server's. */
struct place {
    enum { A_LATENCY, A_RATE, A_GAUGE } kind;
    int which;    /* enum latency, enum rate */
    int interval; /* of a latency's percentile: INTERVAL_P50, INTERVAL_P95 */
};

static struct place place_of(enum figure figure)
{
    static const struct place places[FIGURE_COUNT] = {
        [FIGURE_TTFT_P50] = {A_LATENCY, LATENCY_TTFT_CENSORED, INTERVAL_P50},
        [FIGURE_TTFT_P95] = {A_LATENCY, LATENCY_TTFT_CENSORED, INTERVAL_P95},
        [FIGURE_ITL_P50] = {A_LATENCY, LATENCY_ITL, INTERVAL_P50},
        [FIGURE_ITL_P95] = {A_LATENCY, LATENCY_ITL, INTERVAL_P95},
        [FIGURE_TPOT_P50] = {A_LATENCY, LATENCY_TPOT, INTERVAL_P50},
        [FIGURE_TPOT_P95] = {A_LATENCY, LATENCY_TPOT, INTERVAL_P95},
        [FIGURE_E2E_P50] = {A_LATENCY, LATENCY_E2E, INTERVAL_P50},
        [FIGURE_E2E_P95] = {A_LATENCY, LATENCY_E2E, INTERVAL_P95},
        [FIGURE_USER_TPS] = {A_RATE, RATE_USER_TPS, 0},
        [FIGURE_OUTPUT_TPS] = {A_RATE, RATE_OUTPUT_TPS, 0},
        [FIGURE_TOTAL_TPS] = {A_RATE, RATE_TOTAL_TPS, 0},
        [FIGURE_REQUEST_RPS] = {A_RATE, RATE_REQUEST_RPS, 0},
        [FIGURE_GOODPUT_RPS] = {A_RATE, RATE_GOODPUT_RPS, 0},
        [FIGURE_ERROR_RATE] = {A_RATE, RATE_ERROR_RATE, 0},
        [FIGURE_QUEUE_DEPTH] = {A_GAUGE, 0, 0},
        [FIGURE_KV_CACHE] = {A_GAUGE, 0, 0},
    };
    return places[figure];
}

double figure_of(const struct level_summary *level, enum figure figure)
{
    struct place place = place_of(figure);
    if (place.kind == A_GAUGE)
        return figure == FIGURE_QUEUE_DEPTH ? level->server.queue_depth.mean : level->server.kv_cache.mean;
    if (place.kind == A_RATE)
        return level->rate[place.which];
    if (place.which == LATENCY_TTFT_CENSORED && level->grew)
        return INFINITY;
    return level->latency[place.which].percentile[interval_percentile(place.interval)];
}

struct interval figure_interval_of(const struct level_summary *level, enum figure figure)
{
    struct place place = place_of(figure);
    if (place.kind == A_GAUGE || (place.kind == A_LATENCY && place.which == LATENCY_TTFT_CENSORED && level->grew))
        return interval_unknown;
    if (place.kind == A_RATE)
        return level->rate_interval[place.which];
    return level->latency[place.which].interval[place.interval];
}
