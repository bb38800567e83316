#include "report/markdown_comparison.h"

#include <math.h>
#include <string.h>

#include "base/units.h"
#include "report/markdown.h"
#include "report/table.h"

static const char *name_of(const struct comparison *comparison, size_t row)
{
    return comparison->names[row];
}

/* ---- before any ratio ---- */

static void add_validity(struct buf *out, const struct comparison *comparison)
{
    bool any = false;
    for (size_t k = 0; k < comparison->count; k++) {
        if (!comparison->validity[k])
            continue;
        if (!any)
            buf_append_text(out, "Not all of this is a valid measurement:\n\n");
        any = true;
        buf_append_text(out, "- ");
        markdown_text(out, name_of(comparison, k));
        buf_append_text(out, ": ");
        markdown_text(out, comparison->validity[k]);
        buf_append_char(out, '\n');
    }
    if (any)
        buf_append_char(out, '\n');
}

static void add_quality(struct buf *out, const struct comparison *comparison)
{
    bool any = false;
    for (size_t k = 0; k < comparison->count; k++)
        any |= comparison->runs[k]->facts.quality[0] != '\0';
    if (!any)
        return;
    buf_append_text(out, "Quality, as it was supplied and not measured here:\n\n");
    for (size_t k = 0; k < comparison->count; k++) {
        buf_append_text(out, "- ");
        markdown_text(out, name_of(comparison, k));
        buf_append_text(out, ": ");
        markdown_quality(out, &comparison->runs[k]->facts);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
}

/* Which of the others took turns with the first. */
static void add_turns(struct buf *out, const struct comparison *comparison)
{
    const char *pair = comparison->runs[0]->facts.pair_id;
    for (size_t k = 1; k < comparison->count; k++) {
        if (!pair[0] || strcmp(pair, comparison->runs[k]->facts.pair_id) != 0)
            continue;
        buf_append_text(out, "The levels of ");
        markdown_text(out, name_of(comparison, 0));
        buf_append_text(out, " and ");
        markdown_text(out, name_of(comparison, k));
        buf_append_text(out, " took turns: repeats are compared pair by pair.\n\n");
    }
}

void markdown_comparison_before(struct buf *out, const struct comparison *comparison)
{
    if (comparison->difference_count == 0)
        buf_append_text(out, "The workloads are equal.\n\n");
    bool differ = comparison->difference_count > comparison->unknown_count;
    markdown_list(out,
                  differ ? "**These runs were not measured alike: take every ratio below with care.**"
                         : "**Not all is known of how these runs were measured:**",
                  comparison->differences, comparison->difference_count);
    markdown_list(out, "The deployments differ in:", comparison->deployment_differences, comparison->deployment_difference_count);
    if (comparison->sla_note) {
        markdown_text(out, comparison->sla_note);
        buf_append_text(out, ".\n\n");
    }
    add_validity(out, comparison);
    add_turns(out, comparison);
    add_quality(out, comparison);
}

/* ---- what a dollar buys ---- */

static void ratio_cell(struct table *table, const struct uncertain *ratio, bool is_best)
{
    const struct interval *interval = &ratio->interval;
    if (isnan(ratio->value))
        table_printf(table, "-");
    else if (is_best || (ratio->value == 1 && !interval_is_known(interval)))
        table_printf(table, "best");
    else if (!interval_is_known(interval))
        table_printf(table, "%.1f x less", ratio->value);
    else if (interval_contains(interval, 1))
        table_printf(table, "not distinguishable (%.2f to %.2f)", interval->low, interval->high);
    else
        table_printf(table, "%.2f x less (%.2f to %.2f)", ratio->value, interval->low, interval->high);
}

/* "231 (225 to 237)" */
static void yield_cell(struct table *table, const struct roi_cell *cell, enum yield yield, int decimals)
{
    char value[UNITS_TEXT_SIZE], low[UNITS_TEXT_SIZE], high[UNITS_TEXT_SIZE];
    const struct interval *interval = &cell->yield_interval[yield];
    if (!interval_is_known(interval))
        table_number(table, cell->yield[yield], decimals);
    else
        table_printf(table, "%s (%s to %s)", units_format_number(cell->yield[yield], decimals, value),
                     units_format_number(interval->low, decimals, low), units_format_number(interval->high, decimals, high));
}

/* at_least: no higher load was tested. */
static void load_cell(struct table *table, double load, bool at_least, const char *unit)
{
    char text[UNITS_TEXT_SIZE];
    if (isnan(load))
        table_printf(table, "-");
    else
        table_printf(table, "%s%s %s", at_least ? ">= " : "", units_format_load(load, text), unit);
}

static void add_roi_row(struct table *table, const struct comparison *comparison, size_t row, enum operating_point at)
{
    char text[MARKDOWN_TTFT_SIZE];
    const struct roi_cell *cell = &comparison->roi.rows[row].at[at];
    table_printf(table, "%s", comparison->roi.title[at]);
    table_text(table, name_of(comparison, row));
    if (!cell->level) {
        table_text(table, cell->missing);
        for (int k = 0; k < 7; k++)
            table_printf(table, "-");
        return;
    }
    load_cell(table, cell->level->load, cell->at_least, cell->level->unit);
    table_printf(table, "%s", markdown_ttft(cell->level, text));
    table_number(table, cell->total.value, 0);
    yield_cell(table, cell, YIELD_TOTAL_PER_USD, 0);
    ratio_cell(table, &cell->ratio, comparison->roi.best[at] == (int)row);
    table_printf(table, "%s", markdown_usd(cell->yield[YIELD_USD_PER_M_TOTAL], text));
    table_printf(table, "%s", markdown_usd(cell->yield[YIELD_USD_PER_M_OUTPUT], text));
    table_number(table, cell->yield[YIELD_TOTAL_PER_GPU], 0);
}

static void add_precision(struct buf *out, const struct roi *roi)
{
    bool all = true, any = false;
    for (size_t k = 0; k < roi->row_count; k++)
        for (int at = 0; at < OPERATING_COUNT; at++) {
            const struct roi_cell *cell = &roi->rows[k].at[at];
            any |= cell->level && cell->repeats;
            all &= !cell->level || cell->repeats;
        }
    if (any)
        buf_printf(out, " Figures of a load that was measured %d times or more are means of its repeats; intervals are 95 %% ones of run-to-run noise, and a ratio "
                        "whose interval holds 1 is not distinguishable.", INTERVAL_VALUES_MIN);
    if (!all)
        buf_printf(out, " %s of one level (where a load was measured several times, the worst): no interval is printed on a ratio of such figures, for that takes "
                        "%d repeats of both (--repeat %d).", any ? "All others are" : "Every figure is", INTERVAL_VALUES_MIN, INTERVAL_VALUES_MIN);
    buf_append_text(out, "\n\n");
}

static void add_operating_points(struct buf *out, const struct comparison *comparison)
{
    static const struct table_column columns[] = {
        {"Operating point", false}, {"deployment", false}, {"load", true},         {"TTFT p95 ms", true},      {"total tok/s", true},
        {"tok/s per $/h", true},    {"to the best", true}, {"$ / M tokens", true}, {"$ / M output", true},     {"tok/s per GPU", true},
        {0}};
    struct table table;
    table_begin(&table, columns);
    for (int at = 0; at < OPERATING_COUNT; at++)
        for (size_t k = 0; k < comparison->roi.row_count; k++)
            add_roi_row(&table, comparison, k, (enum operating_point)at);
    table_end(&table, out);
    buf_append_text(out, "The ratio is that of total tok/s per $/h. \">=\": no higher load was tested.");
    add_precision(out, &comparison->roi);
    for (size_t k = 0; k < comparison->roi.footnote_count; k++) {
        buf_append_text(out, "- ");
        markdown_text(out, comparison->roi.footnotes[k]);
        buf_append_text(out, ".\n");
    }
    if (comparison->roi.footnote_count > 0)
        buf_append_char(out, '\n');
}

static void add_pair(struct buf *out, const struct comparison *comparison, const struct roi_pair *pair)
{
    static const struct table_column columns[] = {{"Operating point", false}, {"cheap ones carry", true}, {"dear one carries", true},
                                                  {"dear one pays off", false}, {"worth the same at", true}, {0}};
    char text[UNITS_TEXT_SIZE];
    struct table table;
    buf_printf(out, "%lld x ", (long long)pair->replicas);
    markdown_text(out, name_of(comparison, pair->cheap));
    buf_append_text(out, " (cheap) against one ");
    markdown_text(out, name_of(comparison, pair->dear));
    buf_append_text(out, " (dear) for the same money");
    if (pair->left_over_micro_usd > 0)
        buf_printf(out, ", with %s an hour left over", units_format_usd(pair->left_over_micro_usd, text));
    if (isfinite(pair->efficiency_delta))
        buf_printf(out, "; one dear breaks at %.2g times the load of one cheap", pair->efficiency_delta);
    buf_append_text(out, ":\n\n");
    table_begin(&table, columns);
    for (int at = 0; at < OPERATING_COUNT; at++) {
        table_printf(&table, "%s", comparison->roi.title[at]);
        load_cell(&table, pair->cheap_load[at], pair->cheap_at_least[at], comparison->unit);
        load_cell(&table, pair->dear_load[at], pair->dear_at_least[at], comparison->unit);
        table_text(&table, pair->break_even[at].text);
        table_printf(&table, isfinite(pair->equal_price_usd[at]) ? "%s an hour" : "%s", markdown_usd(pair->equal_price_usd[at], text));
    }
    table_end(&table, out);
}

static bool have_two_prices(const struct roi *roi)
{
    size_t known = 0;
    for (size_t k = 0; k < roi->row_count; k++)
        known += roi->rows[k].deployment->price_micro_usd >= 0;
    return known >= 2;
}

static void add_free_ones(struct buf *out, const struct comparison *comparison)
{
    for (size_t k = 0; k < comparison->roi.row_count; k++) {
        int64_t price = comparison->roi.rows[k].deployment->price_micro_usd;
        if (price != 0)
            continue;
        markdown_text(out, name_of(comparison, k));
        buf_printf(out, ": %s.\n\n", roi_price_missing(price));
    }
}

static void add_pairs(struct buf *out, const struct comparison *comparison)
{
    add_free_ones(out, comparison);
    if (comparison->roi.pair_count == 0) {
        if (!have_two_prices(&comparison->roi))
            buf_append_text(out, "No two deployments have a price: --price NAME=USD gives one.\n\n");
        return;
    }
    for (size_t k = 0; k < comparison->roi.pair_count; k++)
        add_pair(out, comparison, &comparison->roi.pairs[k]);
    buf_append_text(out, "Perfect balancing between the cheap ones is assumed. The dear one pays off above the load, in total tokens an hour, "
                         "at which the cheap ones needed cost more; \"worth the same at\" is the price at which it yields as much a dollar.\n\n");
}

static const char *mark(double yield, bool dominated)
{
    return isnan(yield) ? "-" : dominated ? "dominated" : "frontier";
}

static void add_pareto(struct buf *out, const struct comparison *comparison)
{
    static const struct table_column columns[] = {{"Deployment", false},   {"load", true},          {"user tok/s", true},
                                                  {"tok/s per $/h", true}, {"per dollar", false},   {"tok/s per GPU", true},
                                                  {"per GPU", false},      {0}};
    struct table table;
    table_begin(&table, columns);
    for (size_t k = 0; k < comparison->roi.pareto_count; k++) {
        const struct pareto_point *point = &comparison->roi.pareto[k];
        table_text(&table, name_of(comparison, point->row));
        load_cell(&table, point->level->load, false, comparison->unit);
        table_number(&table, point->user_tps, 1);
        table_number(&table, point->per_usd, 0);
        table_printf(&table, "%s", mark(point->per_usd, point->dominated_per_usd));
        table_number(&table, point->per_gpu, 0);
        table_printf(&table, "%s", mark(point->per_gpu, point->dominated_per_gpu));
    }
    table_end(&table, out);
    buf_append_text(out, "Dominated: some other load of some deployment gives at least as much of both, and more of one.\n\n");
}

/* ---- the same load ---- */

static const char *figure_text(enum figure figure, double value, char *buffer)
{
    if (isinf(value))
        return "never";
    return isnan(value) ? "-" : units_format_number(value, figure == FIGURE_USER_TPS || figure == FIGURE_TOTAL_TPS ? 1 : 0, buffer);
}

static void add_same_load(struct table *table, const struct comparison *comparison, const struct same_load *load, struct arena *arena)
{
    char a[UNITS_TEXT_SIZE], b[UNITS_TEXT_SIZE];
    for (int k = 0; k < SAME_LOAD_FIGURE_COUNT; k++) {
        const struct same_load_figure *figure = &load->figures[k];
        if (isnan(figure->a) && isnan(figure->b))
            continue;
        load_cell(table, load->load, false, comparison->unit);
        table_printf(table, "%s, %s", figure_title(figure->figure), figure_unit(figure->figure));
        table_text(table, name_of(comparison, load->b));
        table_printf(table, "%s", figure_text(figure->figure, figure->a, a));
        table_printf(table, "%s", figure_text(figure->figure, figure->b, b));
        table_printf(table, "%s", same_load_text(arena, &figure->ratio));
    }
}

static void add_same_loads(struct buf *out, const struct comparison *comparison)
{
    const struct table_column columns[] = {{"Load", true}, {"figure", false}, {"of", false}, {"first", true}, {"this", true}, {"against the first", false}, {0}};
    struct table table;
    if (comparison->same_load_count == 0)
        return;
    buf_append_text(out, "## At the same load\n\nThe first is ");
    markdown_text(out, name_of(comparison, 0));
    buf_append_text(out, "; whatever it costs.\n\n");
    struct arena *arena = arena_new();
    table_begin(&table, columns);
    for (size_t k = 0; k < comparison->same_load_count; k++)
        add_same_load(&table, comparison, &comparison->same_loads[k], arena);
    table_end(&table, out);
    arena_free(arena);
    buf_append_text(out, "In brackets: 95 % intervals of run-to-run noise, where both were measured three times or more.");
    if (comparison->same_load_left_out > 0)
        buf_printf(out, " Left out: %zu load%s at which a measurement is invalid.", comparison->same_load_left_out,
                   comparison->same_load_left_out == 1 ? "" : "s");
    buf_append_text(out, "\n\n");
}

/* ---- conversations ---- */

static void add_conversations(struct buf *out, const struct comparison *comparison)
{
    static const struct table_column columns[] = {{"Operating point", false}, {"deployment", false}, {"load", true}, {"conversations", true},
                                                  {"turns/s", true}, {"a turn, s", true}, {"$ / 1000 turns", true}, {0}};
    int64_t calls = comparison->runs[0]->calls_per_turn;
    struct table table;
    if (calls <= 1)
        return;
    buf_printf(out, "## Where a turn makes %lld calls\n\n", (long long)calls);
    table_begin(&table, columns);
    for (int at = 0; at < OPERATING_COUNT; at++)
        for (size_t k = 0; k < comparison->roi.row_count; k++) {
            const struct roi_row *row = &comparison->roi.rows[k];
            if (!row->at[at].level)
                continue;
            table_printf(&table, "%s", comparison->roi.title[at]);
            table_text(&table, name_of(comparison, k));
            markdown_conversation_cells(&table, row->at[at].level, calls, row->deployment->price_micro_usd);
        }
    table_end(&table, out);
}

void markdown_comparison_roi(struct buf *out, const struct comparison *comparison)
{
    if (!comparison->unit) {
        buf_append_text(out, "The loads of these runs have no unit in common: there is nothing to compare.\n\n");
        return;
    }
    add_same_loads(out, comparison);
    buf_append_text(out, "## What a dollar buys\n\n");
    add_operating_points(out, comparison);
    add_conversations(out, comparison);
    buf_append_text(out, "## For the price of one\n\n");
    add_pairs(out, comparison);
    buf_append_text(out, "## Throughput against the speed of one user\n\n");
    add_pareto(out, comparison);
}
