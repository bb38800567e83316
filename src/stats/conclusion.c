#include "stats/conclusion.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/units.h"
#include "stats/repeats_ratio.h"

/* ---- what speaks against it ---- */

static size_t count_levels(const struct run_summary *run, enum validity verdict)
{
    size_t count = 0;
    for (size_t k = 0; k < run->level_count; k++)
        count += run->levels[k].validity.verdict == verdict;
    return count;
}

static bool is_listed(const char *list, const char *tag)
{
    size_t length = strlen(tag);
    for (const char *at = strstr(list, tag); at; at = strstr(at + 1, tag))
        if ((at == list || at[-1] == ' ') && (at[length] == '\0' || at[length] == ','))
            return true;
    return false;
}

/* The tags of all reasons of this verdict, each once. */
static const char *tags_of(struct arena *arena, const struct run_summary *run, enum validity verdict)
{
    const char *tags = "";
    for (size_t k = 0; k < run->level_count; k++)
        for (size_t r = 0; r < run->levels[k].validity.count; r++) {
            const struct validity_reason *reason = &run->levels[k].validity.reasons[r];
            if (reason->verdict == verdict && !is_listed(tags, reason->tag))
                tags = arena_printf(arena, "%s%s%s", tags, tags[0] ? ", " : "", reason->tag);
        }
    return tags;
}

const char *conclusion_of_validity(struct arena *arena, const struct run_summary *run)
{
    size_t invalid = count_levels(run, VALIDITY_INVALID), suspect = count_levels(run, VALIDITY_SUSPECT);
    const char *first = "", *second = "";
    if (invalid == 0 && suspect == 0)
        return NULL;
    if (invalid > 0)
        first = arena_printf(arena, "%zu of %zu level%s %s invalid as a measurement (%s)", invalid, run->level_count,
                             run->level_count == 1 ? "" : "s", invalid == 1 ? "is" : "are", tags_of(arena, run, VALIDITY_INVALID));
    if (suspect > 0)
        second = arena_printf(arena, "%s%zu of %zu level%s %s suspect (%s)", invalid > 0 ? ", " : "", suspect, run->level_count,
                              run->level_count == 1 ? "" : "s", suspect == 1 ? "is" : "are", tags_of(arena, run, VALIDITY_SUSPECT));
    return arena_printf(arena, "%s%s", first, second);
}

static const char *invalid_runs(const struct comparison *comparison)
{
    const char *names = "";
    for (size_t k = 0; k < comparison->count; k++)
        if (count_levels(comparison->runs[k], VALIDITY_INVALID) > 0)
            names = arena_printf(comparison->arena, "%s%s%s", names, names[0] ? " and " : "", comparison->names[k]);
    return names;
}

/* "": nothing; else it ends in ": ". */
static const char *caveat_text(const struct comparison *comparison)
{
    const char *invalid = invalid_runs(comparison), *alike = "";
    if (comparison->difference_count > comparison->unknown_count)
        alike = "the runs were not measured alike";
    else if (comparison->unknown_count > 0)
        alike = "not all is known of how the runs were measured";
    const char *levels = invalid[0] ? arena_printf(comparison->arena, "not every level of %s is valid as a measurement", invalid) : "";
    if (!alike[0] && !levels[0])
        return "";
    return arena_printf(comparison->arena, "Take this with care, for %s%s%s: ", alike, alike[0] && levels[0] ? " and " : "", levels);
}

/* ---- who gives more ---- */

/* Rows that have this yield there, and more than 0 of it. */
static size_t count_rows(const struct roi *roi, enum operating_point at, enum yield yield)
{
    size_t count = 0;
    for (size_t k = 0; k < roi->row_count; k++)
        if (roi->rows[k].at[at].yield[yield] > 0)
            count++;
    return count;
}

/* The operating point that the conclusion is about: the first of these that two deployments have. */
static bool choose_point(const struct roi *roi, enum yield yield, enum operating_point *at)
{
    static const enum operating_point order[] = {OPERATING_HELD, OPERATING_UNDER_1S, OPERATING_BROKE, OPERATING_PEAK};
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
        *at = order[k];
        if (count_rows(roi, *at, yield) >= 2)
            return true;
    }
    return false;
}

/* The row with the most, or the most but for one. -1: there is none. */
static int row_with_most(const struct roi *roi, enum operating_point at, enum yield yield, int but)
{
    int best = -1;
    for (size_t k = 0; k < roi->row_count; k++) {
        double has = roi->rows[k].at[at].yield[yield];
        if ((int)k != but && has > 0 && (best < 0 || has > roi->rows[best].at[at].yield[yield]))
            best = (int)k;
    }
    return best;
}

static const char *interval_text(struct arena *arena, const struct roi_cell *cell)
{
    if (!interval_is_known(&cell->ratio.interval))
        return "";
    return arena_printf(arena, " (%.3g to %.3g from run to run)", cell->ratio.interval.low, cell->ratio.interval.high);
}

static const char *of_others_text(struct arena *arena, const struct roi *roi, enum operating_point at, int best, int second)
{
    double least = INFINITY, most = 0;
    for (size_t k = 0; k < roi->row_count; k++) {
        double ratio = roi->rows[k].at[at].ratio.value;
        if ((int)k == best || (int)k == second || isnan(ratio))
            continue;
        least = fmin(least, ratio);
        most = fmax(most, ratio);
    }
    if (most <= 0)
        return "";
    if (least == most)
        return arena_printf(arena, ", and %.2g times as many as the other", most);
    return arena_printf(arena, ", and %.2g to %.2g times as many as the others", least, most);
}

static const char *money_text(const struct comparison *comparison, enum operating_point at)
{
    struct arena *arena = comparison->arena;
    const struct roi *roi = &comparison->roi;
    int best = roi->best[at], second = row_with_most(roi, at, YIELD_TOTAL_PER_USD, best);
    const struct roi_cell *top = &roi->rows[best].at[at], *cell = &roi->rows[second].at[at];
    const char *first = comparison->names[best], *other = comparison->names[second];
    char more[UNITS_TEXT_SIZE], less[UNITS_TEXT_SIZE];
    units_format_number(top->yield[YIELD_TOTAL_PER_USD], 0, more);
    units_format_number(cell->yield[YIELD_TOTAL_PER_USD], 0, less);
    if (interval_is_known(&cell->ratio.interval) && !uncertain_ratio_is_clear(&cell->ratio))
        return arena_printf(arena, "%s, %s and %s are not distinguishable by the tokens that a dollar buys: %s and %s tok/s per $/hour, a ratio of %.3g%s",
                            roi->phrase[at], first, other, more, less, cell->ratio.value, interval_text(arena, cell));
    bool fine = interval_is_known(&cell->ratio.interval) || cell->ratio.value < 1.05;
    return arena_printf(arena, "%s, %s gives %.*f times as many tokens a dollar as %s%s%s: %s against %s tok/s per $/hour", roi->phrase[at], first,
                        fine ? 2 : 1, cell->ratio.value, other, interval_text(arena, cell),
                        of_others_text(arena, roi, at, best, second), more, less);
}

static const char *gpus_text(const struct comparison *comparison, enum operating_point at)
{
    const struct roi *roi = &comparison->roi;
    int best = row_with_most(roi, at, YIELD_TOTAL_PER_GPU, -1), second = row_with_most(roi, at, YIELD_TOTAL_PER_GPU, best);
    double more = roi->rows[best].at[at].yield[YIELD_TOTAL_PER_GPU], less = roi->rows[second].at[at].yield[YIELD_TOTAL_PER_GPU];
    char most[UNITS_TEXT_SIZE], other[UNITS_TEXT_SIZE];
    return arena_printf(comparison->arena, "%s, %s gives %.2g times as many tokens a GPU as %s: %s against %s tok/s per GPU (no two have a price above 0)",
                        roi->phrase[at], comparison->names[best], more / less, comparison->names[second],
                        units_format_number(more, 0, most), units_format_number(less, 0, other));
}

static const char *first_sentence(const struct comparison *comparison)
{
    enum operating_point at;
    if (choose_point(&comparison->roi, YIELD_TOTAL_PER_USD, &at))
        return money_text(comparison, at);
    if (choose_point(&comparison->roi, YIELD_TOTAL_PER_GPU, &at))
        return gpus_text(comparison, at);
    return "what a dollar buys in each cannot be compared, for no two have both a price above 0 and an operating point in common";
}

/* ---- what the money buys ---- */

/* The deployment that gives most against the dearest other: with two, the only pair. */
static const struct roi_pair *choose_pair(const struct roi *roi)
{
    const struct roi_pair *chosen = NULL;
    enum operating_point at;
    int best = choose_point(roi, YIELD_TOTAL_PER_USD, &at) ? roi->best[at] : -1;
    for (size_t k = 0; k < roi->pair_count; k++) {
        const struct roi_pair *pair = &roi->pairs[k];
        bool has_best = (int)pair->cheap == best || (int)pair->dear == best;
        if (!chosen || (has_best && pair->replicas > chosen->replicas))
            chosen = pair;
    }
    return chosen;
}

static const char *carried_text(const struct comparison *comparison)
{
    const char *text = "";
    for (size_t k = 0; k < comparison->count; k++) {
        const struct roi_cell *held = &comparison->roi.rows[k].at[OPERATING_HELD];
        const char *load = held->level ? arena_printf(comparison->arena, "held %s%s", held->at_least ? "at least " : "",
                                                      points_load_text(comparison->arena, held->level->load, comparison->unit))
                                       : held->missing;
        text = arena_printf(comparison->arena, "%s%s%s %s", text, text[0] ? ", " : "", comparison->names[k], load);
    }
    return text;
}

static const char *with_capital(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    copy[0] = (char)toupper((unsigned char)copy[0]);
    return copy;
}

const char *conclusion_make(const struct comparison *comparison)
{
    struct arena *arena = comparison->arena;
    if (!comparison->unit)
        return "The loads of these runs have no unit in common, so there is nothing to compare. What each of them comes to is said below.";
    const char *caveat = caveat_text(comparison), *first = first_sentence(comparison);
    const struct roi_pair *pair = choose_pair(&comparison->roi);
    return arena_printf(arena, "%s%s. %s.", caveat, caveat[0] ? first : with_capital(arena, first),
                        pair ? pair->statement : carried_text(comparison));
}
