/* The speed of a deployment out of what was measured on it: the four costs of a step (serve/scheduler.h) with which the
 * serving model, given the same load, comes nearest to the figures.
 *
 * A figure is one number of one level: "TTFT p95 at 8 streams". What is minimized is the mean square of ln(model / measured) over
 * all figures of all levels, so that a figure of 50 ms and one of 5 s weigh alike; its root, for small ones, is the typical
 * relative deviation. The search is Nelder and Mead's simplex (1965) over the logarithms of the costs, from several starts that
 * are drawn with a fixed seed: the same levels give the same costs.
 *
 * Not every set of figures can tell all four costs apart: with one prompt length, what a sequence costs and what its context
 * costs look alike. So each cost is taken away once and the others fitted again (fit.without): one whose absence makes
 * nothing worse was not measured by these levels. */
#ifndef ROIBENCH_SERVE_FIT_H
#define ROIBENCH_SERVE_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "serve/rehearsal.h"

/* enum, name in files, heading. Times in ms; TPOT is (last token - first token) / (tokens - 1), "with first"
 * (last token - sent) / tokens; rates are tokens that came, over the time from the first sending to the last token. */
#define FIT_FIGURES(X)                                                        \
    X(TTFT_MEAN, "ttft_mean_ms", "TTFT mean")                                 \
    X(TTFT_P50, "ttft_p50_ms", "TTFT p50")                                    \
    X(TTFT_P95, "ttft_p95_ms", "TTFT p95")                                    \
    X(TTFT_P99, "ttft_p99_ms", "TTFT p99")                                    \
    X(TPOT_MEAN, "tpot_mean_ms", "TPOT mean")                                 \
    X(TPOT_P50, "tpot_p50_ms", "TPOT p50")                                    \
    X(TPOT_P95, "tpot_p95_ms", "TPOT p95")                                    \
    X(TPOT_P99, "tpot_p99_ms", "TPOT p99")                                    \
    X(TPOT_WITH_FIRST_P50, "tpot_with_first_p50_ms", "TPOT with first p50")   \
    X(TPOT_WITH_FIRST_P95, "tpot_with_first_p95_ms", "TPOT with first p95")   \
    X(OUTPUT_TPS, "output_tps", "output tok/s")                               \
    X(TOTAL_TPS, "total_tps", "total tok/s")

enum fit_figure {
#define X(name, key, title) FIT_##name,
    FIT_FIGURES(X)
#undef X
        FIT_FIGURE_COUNT
};
const char *fit_figure_name(enum fit_figure figure);
const char *fit_figure_title(enum fit_figure figure);

struct fit_figures {
    double value[FIT_FIGURE_COUNT]; /* NAN: not known */
};

/* Of requests that are done. counted: which of them count (a window); NULL: all. Rates need all, and are NAN without. */
struct fit_figures fit_describe(const struct rehearsal_request *requests, size_t count, const bool *counted);

struct fit_level {
    const char *name;                     /* "8 streams" */
    const struct rehearsal_loop *loop;    /* a closed loop; or NULL: */
    const struct rehearsal_request *sent; /* requests sent at known times, in that order; left as they are */
    size_t sent_count;
    const bool *counted;                  /* of `sent`, for the figures; NULL: all */
    struct fit_figures measured;
    double weight;                        /* of its figures; 1, or 0: shown, not fitted */
};

enum fit_cost { FIT_BASE, FIT_SEQUENCE, FIT_CONTEXT_TOKEN, FIT_PREFILL_TOKEN, FIT_COST_COUNT };
const char *fit_cost_name(enum fit_cost cost); /* "context_token" */

struct fit {
    /* given */
    struct scheduler_settings settings; /* cost: of what is held, its value, ns; the rest of the deployment's settings */
    bool held[FIT_COST_COUNT];
    const struct fit_level *levels;
    size_t level_count;
    /* found */
    double cost[FIT_COST_COUNT];        /* ns; those that were searched for are at most 10^12, and base is at least 10^5 */
    double deviation;                   /* root mean square of ln(model / measured) */
    double without[FIT_COST_COUNT];     /* the deviation with this cost 0 and the others fitted again; NAN: held */
};

/* Figures of the model for one level. */
struct fit_figures fit_predict(const struct scheduler_settings *settings, const struct fit_level *level);

/* Returns 0, or -1: no level has a figure that weighs anything. */
int fit_find(struct fit *fit);

#endif
