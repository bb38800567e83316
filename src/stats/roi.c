#include "stats/roi.h"

#include <math.h>
#include <string.h>

#include "base/units.h"
#include "stats/pareto.h"

#define MICRO_USD 1e6
#define SECONDS_PER_HOUR 3600.0
#define MILLION 1e6

static const struct {
    const char *name, *title, *phrase;
} operating_points[OPERATING_COUNT] = {
#define X(name, key, title, phrase) [OPERATING_##name] = {key, title, phrase},
    OPERATING_POINTS(X)
#undef X
};

const char *operating_point_name(enum operating_point at)
{
    return operating_points[at].name;
}

const char *operating_point_title(enum operating_point at)
{
    return operating_points[at].title;
}

const char *operating_point_phrase(enum operating_point at)
{
    return operating_points[at].phrase;
}

const char *yield_name(enum yield yield)
{
    static const char *const names[] = {
#define X(name, key, more) [YIELD_##name] = key,
        YIELDS(X)
#undef X
    };
    return names[yield];
}

/* ---- one deployment at one operating point ---- */

/* Whether the load is the highest that was tested. */
static bool is_last(const struct roi_deployment *deployment, const struct level_summary *level)
{
    for (size_t k = 0; k < deployment->level_count; k++)
        if (strcmp(deployment->levels[k].unit, level->unit) == 0 && deployment->levels[k].load > level->load)
            return false;
    return true;
}

static struct roi_cell choose_level(struct arena *arena, const struct roi_deployment *deployment, enum operating_point at)
{
    struct roi_cell cell = {0};
    const struct points *points = deployment->points;
    const struct point *breaking = &points->breaking;
    switch (at) {
    case OPERATING_PEAK:
        cell.level = points->max_throughput;
        cell.missing = "no throughput is known";
        break;
    case OPERATING_BROKE:
        cell.level = breaking->broke_level;
        cell.missing = breaking->held_level ? arena_printf(arena, "did not break up to %s",
                                                           points_load_text(arena, breaking->held, points->unit))
                                            : breaking->text;
        break;
    case OPERATING_HELD:
        cell.level = breaking->held_level;
        cell.missing = breaking->broke_level ? arena_printf(arena, "broke at the lowest load tested, %s",
                                                            points_load_text(arena, breaking->broke, points->unit))
                                             : breaking->text;
        break;
    case OPERATING_UNDER_1S:
    default:
        cell.level = points->capacity[CAPACITY_TTFT].level;
        cell.missing = points->capacity[CAPACITY_TTFT].none;
        break;
    }
    if (cell.level) {
        cell.missing = NULL;
        cell.at_least = (at == OPERATING_HELD || at == OPERATING_UNDER_1S) && is_last(deployment, cell.level);
    }
    return cell;
}

static double usd_per_hour(int64_t price_micro_usd)
{
    return price_micro_usd > 0 ? (double)price_micro_usd / MICRO_USD : NAN;
}

double roi_usd_per_million(int64_t price_micro_usd, double tps)
{
    return tps > 0 ? usd_per_hour(price_micro_usd) / (tps * SECONDS_PER_HOUR) * MILLION : NAN;
}

const char *roi_price_missing(int64_t price_micro_usd)
{
    if (price_micro_usd > 0)
        return NULL;
    return price_micro_usd == 0 ? "price 0: no ratio" : "no price is known";
}

static void fill_yields(struct roi_cell *cell, const struct roi_deployment *deployment)
{
    for (int k = 0; k < YIELD_COUNT; k++)
        cell->yield[k] = NAN;
    cell->ratio = NAN;
    if (!cell->level)
        return;
    double total = cell->level->rate[RATE_TOTAL_TPS], output = cell->level->rate[RATE_OUTPUT_TPS];
    double price = usd_per_hour(deployment->price_micro_usd);
    double gpus = deployment->gpus > 0 ? (double)deployment->gpus : NAN;
    cell->yield[YIELD_TOTAL_PER_USD] = total / price;
    cell->yield[YIELD_OUTPUT_PER_USD] = output / price;
    cell->yield[YIELD_USD_PER_M_TOTAL] = roi_usd_per_million(deployment->price_micro_usd, total);
    cell->yield[YIELD_USD_PER_M_OUTPUT] = roi_usd_per_million(deployment->price_micro_usd, output);
    cell->yield[YIELD_TOTAL_PER_GPU] = total / gpus;
    cell->yield[YIELD_OUTPUT_PER_GPU] = output / gpus;
}

static void fill_rows(struct roi *roi, struct arena *arena, const struct roi_deployment *deployments)
{
    for (size_t k = 0; k < roi->row_count; k++) {
        roi->rows[k].deployment = &deployments[k];
        for (int at = 0; at < OPERATING_COUNT; at++) {
            roi->rows[k].at[at] = choose_level(arena, &deployments[k], (enum operating_point)at);
            fill_yields(&roi->rows[k].at[at], &deployments[k]);
        }
    }
}

static double headline(const struct roi *roi, size_t row, int at)
{
    return roi->rows[row].at[at].yield[YIELD_TOTAL_PER_USD];
}

static void fill_ratios(struct roi *roi)
{
    for (int at = 0; at < OPERATING_COUNT; at++) {
        roi->best[at] = -1;
        for (size_t k = 0; k < roi->row_count; k++)
            if (!isnan(headline(roi, k, at)) && (roi->best[at] < 0 || headline(roi, k, at) > headline(roi, (size_t)roi->best[at], at)))
                roi->best[at] = (int)k;
        for (size_t k = 0; k < roi->row_count && roi->best[at] >= 0; k++)
            roi->rows[k].at[at].ratio = headline(roi, (size_t)roi->best[at], at) / headline(roi, k, at);
    }
}

/* ---- pairs ---- */

/* Replicas of capacity cap that carry just more than `load`. */
static double replicas_above(double load, double cap)
{
    return floor(load / cap * (1 + 1e-12)) + 1;
}

static struct roi_break_even find_break_even(struct arena *arena, const struct roi_cell *cheap, const struct roi_cell *dear,
                                             const struct roi_deployment *a, const struct roi_deployment *b)
{
    struct roi_break_even out = {NAN, NULL};
    if (!cheap->level || !dear->level || isnan(cheap->yield[YIELD_TOTAL_PER_USD]) || isnan(dear->yield[YIELD_TOTAL_PER_USD])) {
        out.text = "unknown: not both have this operating point and a price";
        return out;
    }
    double cap_a = cheap->level->rate[RATE_TOTAL_TPS] * SECONDS_PER_HOUR;
    double cap_b = dear->level->rate[RATE_TOTAL_TPS] * SECONDS_PER_HOUR;
    char number[UNITS_TEXT_SIZE];
    if (!(cap_a > 0) || !(cap_b > 0)) {
        out.text = "unknown: no throughput";
        return out;
    }
    double load = 0;
    for (int k = 0; k < ROI_REPLICAS_MAX; k++) {
        load = k * cap_a;
        double need_b = replicas_above(load, cap_b);
        if (need_b > ROI_REPLICAS_MAX)
            break;
        if ((double)(k + 1) * (double)a->price_micro_usd > need_b * (double)b->price_micro_usd) {
            out.tokens_per_hour = load;
            out.text = arena_printf(arena, "above %s tokens/h", units_format_number(load, 0, number));
            return out;
        }
    }
    out.text = arena_printf(arena, "none up to %s tokens/h", units_format_number(fmin(cap_a, cap_b) * ROI_REPLICAS_MAX, 0, number));
    return out;
}

static double load_of(const struct roi_cell *cell)
{
    return cell->level ? cell->level->load : NAN;
}

static const char *at_least_text(bool at_least)
{
    return at_least ? "at least " : "";
}

/* What the pair was not tested for: behind "at least". */
static const char *untested_text(struct arena *arena, const struct roi_pair *pair, enum operating_point at, const char *cheap, const char *dear)
{
    bool a = pair->cheap_at_least[at], b = pair->dear_at_least[at];
    if (a && b)
        return "; no higher load was tested, so how they compare is not known";
    return a || b ? arena_printf(arena, "; no higher load of %s was tested", a ? cheap : dear) : "";
}

static const char *make_statement(const struct roi *roi, struct arena *arena, const struct roi_pair *pair)
{
    const char *cheap = roi->rows[pair->cheap].deployment->name, *dear = roi->rows[pair->dear].deployment->name;
    static const enum operating_point order[] = {OPERATING_HELD, OPERATING_UNDER_1S, OPERATING_BROKE, OPERATING_PEAK};
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
        double x = pair->cheap_load[order[k]], y = pair->dear_load[order[k]];
        char many[UNITS_TEXT_SIZE], few[UNITS_TEXT_SIZE];
        if (isnan(x) || isnan(y))
            continue;
        return arena_printf(arena, "%lld x %s for the price of one %s serve %s%s against %s%s %s (%s%s)", (long long)pair->replicas,
                            cheap, dear, at_least_text(pair->cheap_at_least[order[k]]), units_format_load(x, many),
                            at_least_text(pair->dear_at_least[order[k]]), units_format_load(y, few), roi->unit,
                            operating_point_phrase(order[k]), untested_text(arena, pair, order[k], cheap, dear));
    }
    return arena_printf(arena, "%lld x %s for the price of one %s; they have no operating point in common", (long long)pair->replicas,
                        cheap, dear);
}

static struct roi_pair make_pair(const struct roi *roi, struct arena *arena, size_t cheap, size_t dear)
{
    const struct roi_row *a = &roi->rows[cheap], *b = &roi->rows[dear];
    int64_t price_a = a->deployment->price_micro_usd, price_b = b->deployment->price_micro_usd;
    struct roi_pair pair = {.cheap = cheap, .dear = dear, .replicas = price_b / price_a};
    pair.left_over_micro_usd = price_b - pair.replicas * price_a;
    for (int at = 0; at < OPERATING_COUNT; at++) {
        pair.cheap_load[at] = load_of(&a->at[at]) * (double)pair.replicas;
        pair.dear_load[at] = load_of(&b->at[at]);
        pair.cheap_at_least[at] = a->at[at].at_least;
        pair.dear_at_least[at] = b->at[at].at_least;
        pair.break_even[at] = find_break_even(arena, &a->at[at], &b->at[at], a->deployment, b->deployment);
        pair.equal_price_usd[at] = b->at[at].level ? b->at[at].level->rate[RATE_TOTAL_TPS] / a->at[at].yield[YIELD_TOTAL_PER_USD] : NAN;
    }
    pair.efficiency_delta = load_of(&b->at[OPERATING_BROKE]) / load_of(&a->at[OPERATING_BROKE]);
    pair.statement = make_statement(roi, arena, &pair);
    return pair;
}

static void fill_pairs(struct roi *roi, struct arena *arena)
{
    roi->pairs = ARENA_ARRAY(arena, roi->row_count * roi->row_count + 1, struct roi_pair);
    for (size_t k = 0; k < roi->row_count; k++)
        for (size_t other = k + 1; other < roi->row_count; other++) {
            int64_t x = roi->rows[k].deployment->price_micro_usd, y = roi->rows[other].deployment->price_micro_usd;
            if (x > 0 && y > 0)
                roi->pairs[roi->pair_count++] = x <= y ? make_pair(roi, arena, k, other) : make_pair(roi, arena, other, k);
        }
}

void roi_find(struct roi *roi, struct arena *arena, const struct roi_deployment *deployments, size_t count, const char *unit)
{
    *roi = (struct roi){.unit = unit, .rows = ARENA_ARRAY(arena, count + 1, struct roi_row), .row_count = count};
    fill_rows(roi, arena, deployments);
    fill_ratios(roi);
    fill_pairs(roi, arena);
    pareto_find(roi, arena);
}
