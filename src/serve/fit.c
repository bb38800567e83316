#include "serve/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sort.h"

#define STARTS 4
#define ITERATIONS_MAX 240
#define TOLERANCE 1e-6     /* of the mean square, between the simplex's best and worst */
#define STEP 0.4           /* of the first simplex, in ln(ns) */
#define SPREAD 1.0         /* of the starts, in ln(ns) */
#define SEED 42
#define COST_MAX_NS 1e12   /* as in a preset's file */
#define STEP_MIN_NS 1e5    /* no deployment's step is shorter; a search that strays there would rehearse for ever */

static const struct {
    const char *name, *title;
} figures[FIT_FIGURE_COUNT] = {
#define X(name, key, title) [FIT_##name] = {key, title},
    FIT_FIGURES(X)
#undef X
};

const char *fit_figure_name(enum fit_figure figure)
{
    return figures[figure].name;
}

const char *fit_figure_title(enum fit_figure figure)
{
    return figures[figure].title;
}

const char *fit_cost_name(enum fit_cost cost)
{
    static const char *const names[FIT_COST_COUNT] = {"base", "sequence", "context_token", "prefill_token"};
    return names[cost];
}

/* --- figures ------------------------------------------------------------------------------ */

/* Nearest rank of sorted values. */
static double rank_of(const double *values, size_t count, size_t per_mille)
{
    return values[(count * per_mille + 999) / 1000 - 1];
}

struct statistics {
    double mean, p50, p95, p99;
};

static struct statistics describe(double *values, size_t count)
{
    if (count == 0)
        return (struct statistics){NAN, NAN, NAN, NAN};
    double sum = 0;
    sort_doubles(values, count);
    for (size_t k = 0; k < count; k++)
        sum += values[k];
    return (struct statistics){sum / (double)count, rank_of(values, count, 500), rank_of(values, count, 950), rank_of(values, count, 990)};
}

static void set_rates(struct fit_figures *out, const struct rehearsal_request *requests, size_t count)
{
    double output = 0, total = 0;
    int64_t first = INT64_MAX, last = 0;
    for (size_t k = 0; k < count; k++) {
        output += (double)requests[k].output_tokens;
        total += (double)(requests[k].prompt_tokens + requests[k].output_tokens);
        first = requests[k].sent < first ? requests[k].sent : first;
        last = requests[k].last_token > last ? requests[k].last_token : last;
    }
    double seconds = (double)(last - first) / (double)NS_PER_S;
    out->value[FIT_OUTPUT_TPS] = output / seconds;
    out->value[FIT_TOTAL_TPS] = total / seconds;
}

struct fit_figures fit_describe(const struct rehearsal_request *requests, size_t count, const bool *counted)
{
    double *ttft = mem_calloc(count + 1, sizeof *ttft), *tpot = mem_calloc(count + 1, sizeof *tpot);
    double *with_first = mem_calloc(count + 1, sizeof *with_first);
    size_t n = 0, decoded = 0;
    for (size_t k = 0; k < count; k++) {
        const struct rehearsal_request *request = &requests[k];
        if (counted && !counted[k])
            continue;
        ttft[n] = (double)(request->first_token - request->sent) / NS_PER_MS;
        with_first[n++] = (double)(request->last_token - request->sent) / (double)request->output_tokens / NS_PER_MS;
        if (request->output_tokens > 1)
            tpot[decoded++] = (double)(request->last_token - request->first_token) / (double)(request->output_tokens - 1) / NS_PER_MS;
    }
    struct statistics t = describe(ttft, n), d = describe(tpot, decoded), w = describe(with_first, n);
    struct fit_figures out = {{
        [FIT_TTFT_MEAN] = t.mean, [FIT_TTFT_P50] = t.p50, [FIT_TTFT_P95] = t.p95, [FIT_TTFT_P99] = t.p99,
        [FIT_TPOT_MEAN] = d.mean, [FIT_TPOT_P50] = d.p50, [FIT_TPOT_P95] = d.p95, [FIT_TPOT_P99] = d.p99,
        [FIT_TPOT_WITH_FIRST_P50] = w.p50, [FIT_TPOT_WITH_FIRST_P95] = w.p95, [FIT_OUTPUT_TPS] = NAN, [FIT_TOTAL_TPS] = NAN,
    }};
    if (!counted && n > 0)
        set_rates(&out, requests, count);
    free(ttft);
    free(tpot);
    free(with_first);
    return out;
}

struct fit_figures fit_predict(const struct scheduler_settings *settings, const struct fit_level *level)
{
    struct rehearsal_request *requests;
    size_t count = level->sent_count;
    if (level->loop) {
        requests = rehearsal_run(settings, level->loop, &count);
    } else {
        requests = mem_calloc(count + 1, sizeof *requests);
        memcpy(requests, level->sent, count * sizeof *requests);
        rehearsal_replay(settings, requests, count);
    }
    struct fit_figures out = fit_describe(requests, count, level->counted);
    free(requests);
    return out;
}

/* --- how far off --------------------------------------------------------------------------- */

static double *cost_of(struct scheduler_cost *cost, int which)
{
    double *const members[FIT_COST_COUNT] = {&cost->base, &cost->sequence, &cost->context_token, &cost->prefill_token};
    return members[which];
}

/* The mean square of ln(model / measured); NAN: there is nothing to compare. */
static double mean_square(const struct fit *fit, const double cost[FIT_COST_COUNT])
{
    struct scheduler_settings settings = fit->settings;
    double sum = 0, weight = 0;
    for (int k = 0; k < FIT_COST_COUNT; k++)
        *cost_of(&settings.cost, k) = cost[k];
    settings.cost.base = fmax(settings.cost.base, STEP_MIN_NS);
    for (size_t k = 0; k < fit->level_count; k++) {
        const struct fit_level *level = &fit->levels[k];
        if (!(level->weight > 0))
            continue;
        struct fit_figures model = fit_predict(&settings, level);
        for (int f = 0; f < FIT_FIGURE_COUNT; f++) {
            if (!(level->measured.value[f] > 0) || !(model.value[f] > 0))
                continue;
            double off = log(model.value[f] / level->measured.value[f]);
            sum += level->weight * off * off;
            weight += level->weight;
        }
    }
    return sum / weight;
}

/* --- Nelder and Mead -------------------------------------------------------------------------- */

/* Costs that are searched for; the others stay as they are in `cost`. */
struct search {
    const struct fit *fit;
    double cost[FIT_COST_COUNT];
    int free_cost[FIT_COST_COUNT];
    int dimensions;
};

struct vertex {
    double at[FIT_COST_COUNT]; /* ln(ns) of the free costs */
    double value;
};

static void evaluate(struct search *search, struct vertex *vertex)
{
    for (int k = 0; k < search->dimensions; k++) {
        int which = search->free_cost[k];
        search->cost[which] = fmin(fmax(exp(vertex->at[k]), which == FIT_BASE ? STEP_MIN_NS : 0), COST_MAX_NS);
    }
    vertex->value = mean_square(search->fit, search->cost);
}

static int compare_vertices(const void *a, const void *b)
{
    const struct vertex *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

/* centre + factor x (centre - worst) */
static struct vertex move(struct search *search, const struct vertex *worst, const double *centre, double factor)
{
    struct vertex out = {.value = 0};
    for (int k = 0; k < search->dimensions; k++)
        out.at[k] = centre[k] + factor * (centre[k] - worst->at[k]);
    evaluate(search, &out);
    return out;
}

static void shrink(struct search *search, struct vertex *simplex)
{
    for (int v = 1; v <= search->dimensions; v++) {
        for (int k = 0; k < search->dimensions; k++)
            simplex[v].at[k] = simplex[0].at[k] + (simplex[v].at[k] - simplex[0].at[k]) / 2;
        evaluate(search, &simplex[v]);
    }
}

/* One turn: simplex is sorted from the best to the worst. */
static void improve(struct search *search, struct vertex *simplex)
{
    int n = search->dimensions;
    double centre[FIT_COST_COUNT] = {0};
    struct vertex *worst = &simplex[n];
    for (int v = 0; v < n; v++)
        for (int k = 0; k < n; k++)
            centre[k] += simplex[v].at[k] / n;
    struct vertex reflected = move(search, worst, centre, 1);
    if (reflected.value < simplex[0].value) {
        struct vertex expanded = move(search, worst, centre, 2);
        *worst = expanded.value < reflected.value ? expanded : reflected;
        return;
    }
    if (reflected.value < simplex[n - 1].value) {
        *worst = reflected;
        return;
    }
    struct vertex contracted = move(search, worst, centre, reflected.value < worst->value ? 0.5 : -0.5);
    if (contracted.value < worst->value && contracted.value < reflected.value)
        *worst = contracted;
    else
        shrink(search, simplex);
}

/* From one start; leaves the best in search->cost and returns its value. */
static double descend(struct search *search, const double start[FIT_COST_COUNT])
{
    struct vertex simplex[FIT_COST_COUNT + 1] = {{.value = 0}};
    int n = search->dimensions;
    for (int v = 0; v <= n; v++) {
        for (int k = 0; k < n; k++)
            simplex[v].at[k] = log(start[search->free_cost[k]]) + (v == k + 1 ? STEP : 0);
        evaluate(search, &simplex[v]);
    }
    for (int turn = 0; turn < ITERATIONS_MAX; turn++) {
        qsort(simplex, (size_t)n + 1, sizeof *simplex, compare_vertices);
        if (n == 0 || simplex[n].value - simplex[0].value < TOLERANCE)
            break;
        improve(search, simplex);
    }
    qsort(simplex, (size_t)n + 1, sizeof *simplex, compare_vertices);
    evaluate(search, &simplex[0]);
    return simplex[0].value;
}

/* --- the fit ------------------------------------------------------------------------------------ */

/* What a deployment of any size might have: a step of the smallest TPOT, a prompt that costs what its TTFT says. */
static void guess(const struct fit *fit, double start[FIT_COST_COUNT])
{
    double tpot = INFINITY;
    static const enum fit_figure like_tpot[] = {FIT_TPOT_P50, FIT_TPOT_MEAN, FIT_TPOT_P95, FIT_TPOT_WITH_FIRST_P50, FIT_TPOT_WITH_FIRST_P95};
    for (size_t k = 0; k < fit->level_count; k++)
        for (size_t f = 0; f < sizeof like_tpot / sizeof like_tpot[0]; f++)
            if (fit->levels[k].measured.value[like_tpot[f]] > 0)
                tpot = fmin(tpot, fit->levels[k].measured.value[like_tpot[f]] * NS_PER_MS);
    start[FIT_BASE] = isfinite(tpot) ? tpot : 20.0 * NS_PER_MS;
    start[FIT_SEQUENCE] = start[FIT_BASE] / 200;
    start[FIT_CONTEXT_TOKEN] = start[FIT_BASE] / 200000;
    start[FIT_PREFILL_TOKEN] = start[FIT_BASE] / 200;
}

static struct search search_new(const struct fit *fit, const double cost[FIT_COST_COUNT], int without)
{
    struct search search = {.fit = fit};
    memcpy(search.cost, cost, sizeof search.cost);
    for (int k = 0; k < FIT_COST_COUNT; k++)
        if (!fit->held[k] && k != without)
            search.free_cost[search.dimensions++] = k;
    if (without >= 0)
        search.cost[without] = 0;
    return search;
}

static double find_best(struct fit *fit, const double start[FIT_COST_COUNT])
{
    struct random random;
    double best = INFINITY;
    random_seed(&random, SEED);
    for (int k = 0; k < STARTS; k++) {
        double from[FIT_COST_COUNT];
        for (int c = 0; c < FIT_COST_COUNT; c++)
            from[c] = k == 0 ? start[c] : start[c] * exp(SPREAD * random_normal(&random, 0, 1));
        struct search search = search_new(fit, start, -1);
        double value = descend(&search, from);
        if (value < best) {
            best = value;
            memcpy(fit->cost, search.cost, sizeof fit->cost);
        }
    }
    return best;
}

int fit_find(struct fit *fit)
{
    double start[FIT_COST_COUNT];
    guess(fit, start);
    for (int k = 0; k < FIT_COST_COUNT; k++)
        if (fit->held[k])
            start[k] = *cost_of(&fit->settings.cost, k);
    if (isnan(mean_square(fit, start)))
        return -1;
    fit->deviation = sqrt(find_best(fit, start));
    for (int k = 0; k < FIT_COST_COUNT; k++) {
        fit->without[k] = NAN;
        if (fit->held[k])
            continue;
        struct search search = search_new(fit, fit->cost, k);
        fit->without[k] = sqrt(descend(&search, fit->cost));
    }
    for (int k = 0; k < FIT_COST_COUNT; k++)
        *cost_of(&fit->settings.cost, k) = fit->cost[k];
    return 0;
}
