/* What a dollar buys: two or more deployments compared at four operating points.
 *
 * All rates are of model time; prices are integer micro-dollars an hour for all of a deployment's GPUs. NAN is not
 * known (a load that did not exist, no price, no GPU count) and `missing` says why. Levels and texts belong to others: the
 * runs and the arena must outlive the result.
 *
 * Where a load was measured INTERVAL_VALUES_MIN times or more, its figures are of the mean of its repeats, with a 95 % interval of
 * run-to-run noise; and a ratio of two such loads is that of geometric means, with an interval (stats/repeats_ratio.h). Else they are of
 * the level that stands for the load, and no interval is given: one run says nothing of how the next would differ. */
#ifndef ROIBENCH_STATS_ROI_H
#define ROIBENCH_STATS_ROI_H

#include <stdbool.h>

#include "base/arena.h"
#include "stats/points.h"
#include "stats/repeats.h"

/* Enum, name in files, heading, inside a sentence. The last is the highest load whose TTFT is acceptable: by the default bounds below 1 s, as its name
 * has it; its texts tell the bound behind what stands here. */
#define OPERATING_POINTS(X)                                             \
    X(PEAK, "peak", "peak throughput", "at peak throughput")            \
    X(BROKE, "broke", "first that broke", "at the first load that broke") \
    X(HELD, "held", "last that held", "at the last load that held")     \
    X(UNDER_1S, "under_1s", "TTFT p95 ", "with TTFT p95 ")

enum operating_point {
#define X(name, key, title, phrase) OPERATING_##name,
    OPERATING_POINTS(X)
#undef X
        OPERATING_COUNT
};
const char *operating_point_name(enum operating_point at);   /* "under_1s" */

struct roi_deployment {
    const char *name;            /* what the report calls it */
    int64_t price_micro_usd;     /* an hour; -1: not known; 0: free, and so without ratios */
    int64_t gpus;                /* 0: not known */
    const struct points *points; /* of the unit compared */
    const struct level_summary *levels;
    size_t level_count;          /* all of the run: those of another unit are left out */
    const struct repeated_load *repeated;
    size_t repeated_count;
    const char *pair_id;         /* runs that have the same took turns; "" or NULL: it was run alone */
    double claim;                /* a published figure of total tokens a second per dollar-hour, to be looked for; not above 0: none */
};

/* Money: enum, name in files, whether more is better. */
#define YIELDS(X)                                               \
    X(TOTAL_PER_USD, "total_tps_per_usd_hour", true)            \
    X(OUTPUT_PER_USD, "output_tps_per_usd_hour", true)          \
    X(USD_PER_M_TOTAL, "usd_per_m_total", false)                \
    X(USD_PER_M_OUTPUT, "usd_per_m_output", false)              \
    X(TOTAL_PER_GPU, "total_tps_per_gpu", true)                 \
    X(OUTPUT_PER_GPU, "output_tps_per_gpu", true)

enum yield {
#define X(name, key, more) YIELD_##name,
    YIELDS(X)
#undef X
        YIELD_COUNT
};
const char *yield_name(enum yield yield);

struct roi_cell {
    const struct level_summary *level; /* NULL: there is no such load */
    const char *missing;               /* then why */
    bool at_least;                     /* no higher load was tested: the deployment may carry more than this */
    const struct repeated_load *repeats; /* that the figures are means of; NULL: they are of `level` alone */
    struct uncertain total, output;      /* tokens a second */
    double yield[YIELD_COUNT];
    struct interval yield_interval[YIELD_COUNT]; /* unknown without repeats */
    struct uncertain ratio; /* of the best total_tps_per_usd_hour to this one's: 1 for the best */
    bool paired;            /* the ratio's interval is of levels that took turns */
};

struct roi_row {
    const struct roi_deployment *deployment;
    struct roi_cell at[OPERATING_COUNT];
};

struct roi_break_even {
    double tokens_per_hour; /* total tokens; NAN: none */
    const char *text;       /* "above 1,012,345 tokens/h", "none up to …", "unknown: …" */
};

/* A pair: `cheap` costs no more an hour than `dear`. Indices into rows. */
struct roi_pair {
    size_t cheap, dear;
    int64_t replicas;         /* floor(price of dear / price of cheap) */
    int64_t left_over_micro_usd;
    double cheap_load[OPERATING_COUNT], dear_load[OPERATING_COUNT]; /* of all replicas together, against one dear */
    double efficiency_delta;  /* broke of dear / broke of cheap */
    struct roi_break_even break_even[OPERATING_COUNT];
    double equal_price_usd[OPERATING_COUNT]; /* what dear would have to cost an hour to yield as much a dollar as cheap */
    bool cheap_at_least[OPERATING_COUNT], dear_at_least[OPERATING_COUNT];
    const char *statement;    /* "4 x A for the price of one B serve 20 against 15 streams …", "… at least 40 …" where the sweep ended */
};

/* One tested load in the plane of yield against user speed: the mean of its repeats, or what its level says. */
struct pareto_point {
    size_t row;
    const struct level_summary *level;
    double per_usd, per_gpu, user_tps;
    bool dominated_per_usd, dominated_per_gpu; /* another point is as good in both and better in one */
};

struct roi {
    const char *unit;
    const char *title[OPERATING_COUNT], *phrase[OPERATING_COUNT]; /* a heading: "TTFT p95 < 1 s"; inside a sentence */
    struct roi_row *rows;
    size_t row_count;
    int best[OPERATING_COUNT]; /* row with the highest total_tps_per_usd_hour; -1: fewer than one is known */
    struct roi_pair *pairs;
    size_t pair_count;
    struct pareto_point *pareto;
    size_t pareto_count;
    const char **footnotes; /* sentences without a full stop */
    size_t footnote_count;
};

/* $/hour / (tps x 3600) x 1e6; NAN without a price (<= 0) or throughput. */
double roi_usd_per_million(int64_t price_micro_usd, double tps);

/* A figure of a load, by the level that stands for it: the mean of its repeats if there are enough that tell, else what the level says. */
struct uncertain roi_figure(const struct roi_deployment *deployment, const struct level_summary *level, enum figure figure);

/* What a throughput is worth, by the price of an hour (micro-dollars) and the number of GPUs: NAN where these are not known. */
void roi_yields(double yields[YIELD_COUNT], double total_tps, double output_tps, int64_t price_micro_usd, int64_t gpus);

/* Their levels took turns (`run --interleave`). */
bool roi_took_turns(const struct roi_deployment *a, const struct roi_deployment *b);

/* Why a price gives no figure per dollar; NULL: it does. */
const char *roi_price_missing(int64_t price_micro_usd);

#define ROI_REPLICAS_MAX 64

void roi_find(struct roi *roi, struct arena *arena, const struct roi_deployment *deployments, size_t count, const char *unit);

#endif
