#include "stats/roi.h"

#include <math.h>
#include <string.h>

#include "base/units.h"
#include "stats/footnotes.h"
#include "stats/pareto.h"
#include "stats/repeats_ratio.h"

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
    return price_micro_usd > 0 ? units_usd(price_micro_usd) : NAN;
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

struct uncertain roi_figure(const struct roi_deployment *deployment, const struct level_summary *level, enum figure figure)
{
    const struct repeated_load *repeats = repeats_of_level(deployment->repeated, deployment->repeated_count, level);
    if (repeats && repeats->figure[figure].count >= INTERVAL_VALUES_MIN)
        return repeats->figure[figure];
    return (struct uncertain){.value = figure_of(level, figure), .interval = interval_unknown, .count = 1};
}

void roi_yields(double yields[YIELD_COUNT], double total_tps, double output_tps, int64_t price_micro_usd, int64_t gpus)
{
    double price = usd_per_hour(price_micro_usd), count = gpus > 0 ? (double)gpus : NAN;
    yields[YIELD_TOTAL_PER_USD] = total_tps / price;
    yields[YIELD_OUTPUT_PER_USD] = output_tps / price;
    yields[YIELD_USD_PER_M_TOTAL] = roi_usd_per_million(price_micro_usd, total_tps);
    yields[YIELD_USD_PER_M_OUTPUT] = roi_usd_per_million(price_micro_usd, output_tps);
    yields[YIELD_TOTAL_PER_GPU] = total_tps / count;
    yields[YIELD_OUTPUT_PER_GPU] = output_tps / count;
}

static bool more_is_better(enum yield yield)
{
    static const bool more[] = {
#define X(name, key, more_is_better) [YIELD_##name] = more_is_better,
        YIELDS(X)
#undef X
    };
    return more[yield];
}

/* More tokens make a million of them cheaper: there the bounds change places. */
static void fill_yields(struct roi_cell *cell, const struct roi_deployment *deployment)
{
    const struct uncertain unknown = {.value = NAN, .interval = interval_unknown};
    double low[YIELD_COUNT], high[YIELD_COUNT];
    cell->total = cell->output = cell->ratio = unknown;
    if (cell->level) {
        cell->repeats = repeats_of_level(deployment->repeated, deployment->repeated_count, cell->level);
        cell->total = roi_figure(deployment, cell->level, FIGURE_TOTAL_TPS);
        cell->output = roi_figure(deployment, cell->level, FIGURE_OUTPUT_TPS);
    }
    int64_t price = deployment->price_micro_usd, gpus = deployment->gpus;
    roi_yields(cell->yield, cell->total.value, cell->output.value, price, gpus);
    roi_yields(low, cell->total.interval.low, cell->output.interval.low, price, gpus);
    roi_yields(high, cell->total.interval.high, cell->output.interval.high, price, gpus);
    for (int k = 0; k < YIELD_COUNT; k++)
        cell->yield_interval[k] = more_is_better((enum yield)k) ? (struct interval){low[k], high[k]} : (struct interval){high[k], low[k]};
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

bool roi_took_turns(const struct roi_deployment *a, const struct roi_deployment *b)
{
    return a->pair_id && b->pair_id && a->pair_id[0] && strcmp(a->pair_id, b->pair_id) == 0;
}

/* Prices are exact: only throughputs have noise. */
static void fill_ratio(struct roi *roi, size_t best, size_t row, int at)
{
    const struct roi_cell *top = &roi->rows[best].at[at];
    struct roi_cell *cell = &roi->rows[row].at[at];
    const struct roi_deployment *a = roi->rows[best].deployment, *b = roi->rows[row].deployment;
    cell->ratio = (struct uncertain){.value = headline(roi, best, at) / headline(roi, row, at), .interval = interval_unknown, .count = 1};
    if (!isfinite(cell->ratio.value)) /* nothing came of this one */
        cell->ratio.value = NAN;
    if (best == row || isnan(cell->ratio.value))
        return;
    struct repeats_ratio by_repeats = repeats_ratio(top->repeats, cell->repeats, FIGURE_TOTAL_TPS, roi_took_turns(a, b));
    if (isnan(by_repeats.ratio.value))
        return;
    double prices = (double)b->price_micro_usd / (double)a->price_micro_usd;
    cell->paired = by_repeats.paired;
    cell->ratio = (struct uncertain){.value = by_repeats.ratio.value * prices,
                                     .interval = {by_repeats.ratio.interval.low * prices, by_repeats.ratio.interval.high * prices},
                                     .count = by_repeats.ratio.count};
}

static void fill_ratios(struct roi *roi)
{
    for (int at = 0; at < OPERATING_COUNT; at++) {
        roi->best[at] = -1;
        for (size_t k = 0; k < roi->row_count; k++)
            if (!isnan(headline(roi, k, at)) && (roi->best[at] < 0 || headline(roi, k, at) > headline(roi, (size_t)roi->best[at], at)))
                roi->best[at] = (int)k;
        for (size_t k = 0; k < roi->row_count && roi->best[at] >= 0; k++)
            fill_ratio(roi, (size_t)roi->best[at], k, at);
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
    double cap_a = cheap->total.value * SECONDS_PER_HOUR, cap_b = dear->total.value * SECONDS_PER_HOUR;
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
        return arena_printf(arena, "%lld x %s for the price of one %s serve%s %s%s against %s%s %s (%s%s)", (long long)pair->replicas,
                            cheap, dear, pair->replicas == 1 ? "s" : "", at_least_text(pair->cheap_at_least[order[k]]), units_format_load(x, many),
                            at_least_text(pair->dear_at_least[order[k]]), units_format_load(y, few), roi->unit,
                            roi->phrase[order[k]], untested_text(arena, pair, order[k], cheap, dear));
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
        pair.equal_price_usd[at] = b->at[at].total.value / a->at[at].yield[YIELD_TOTAL_PER_USD];
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

static void fill_texts(struct roi *roi, struct arena *arena, const struct sla *sla)
{
    for (int at = 0; at < OPERATING_COUNT; at++) {
        const char *bound = at == OPERATING_UNDER_1S ? sla_bound_text(&sla->row[SLA_TTFT], SLA_ACCEPTABLE, arena) : "";
        roi->title[at] = arena_printf(arena, "%s%s", operating_points[at].title, bound);
        roi->phrase[at] = arena_printf(arena, "%s%s", operating_points[at].phrase, bound);
    }
}

void roi_find(struct roi *roi, struct arena *arena, const struct roi_deployment *deployments, size_t count, const char *unit)
{
    *roi = (struct roi){.unit = unit, .rows = ARENA_ARRAY(arena, count + 1, struct roi_row), .row_count = count};
    fill_texts(roi, arena, count > 0 ? deployments[0].points->sla : &sla_default);
    fill_rows(roi, arena, deployments);
    fill_ratios(roi);
    fill_pairs(roi, arena);
    pareto_find(roi, arena);
    footnotes_make(roi, arena);
}
