/* report.md: what a person reads, and what summarize prints. */
#include <math.h>

#include "base/units.h"
#include "report/history_report.h"
#include "report/markdown.h"
#include "report/table.h"

/* ---- one run ---- */

static void add_advice(struct buf *out, const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->points_count; k++) {
        buf_append_text(out, "**");
        markdown_text(out, summary->points[k].advice);
        buf_append_text(out, "**\n\n");
    }
    if (summary->points_count == 0)
        buf_append_text(out, "**No level was measured.**\n\n");
}

static void add_sweep(struct buf *out, const struct run_summary *summary, const char *heading)
{
    buf_printf(out, "%s Levels\n\n", heading);
    markdown_levels(out, summary);
    markdown_windows(out, summary);
    for (size_t k = 0; k < summary->points_count; k++) {
        buf_printf(out, "%s Points of the sweep over %s\n\n", heading, summary->points[k].unit);
        markdown_points(out, &summary->points[k]);
    }
}

void report_markdown_run(const struct run_summary *summary, struct buf *out)
{
    buf_append_text(out, "# ");
    markdown_text(out, summary->facts.model);
    buf_append_text(out, "\n\n");
    add_advice(out, summary);
    markdown_baseline_verdict(out, summary->baseline);
    buf_append_text(out, "## What was measured\n\n");
    markdown_facts(out, summary);
    add_sweep(out, summary, "##");
    markdown_repeats(out, summary, "##");
    markdown_intervals(out, summary, "##");
    markdown_baseline(out, summary->baseline, "##");
    markdown_trend(out, summary->trend, "##");
    markdown_failures(out, summary, "##");
    markdown_server(out, summary, "##");
    markdown_gpus(out, summary, "##");
    markdown_validity(out, summary, "##");
    markdown_footnotes(out);
}

/* ---- a comparison ---- */

static const char *name_of(const struct comparison *comparison, size_t row)
{
    return comparison->names[row];
}

static void add_differences(struct buf *out, const struct comparison *comparison)
{
    if (comparison->difference_count == 0) {
        buf_append_text(out, "The workloads are equal.\n\n");
        return;
    }
    buf_append_text(out, "**These runs were not measured alike: take every ratio below with care.**\n\n");
    for (size_t k = 0; k < comparison->difference_count; k++) {
        buf_append_text(out, "- ");
        markdown_text(out, comparison->differences[k]);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
}

static void add_deployments(struct buf *out, const struct comparison *comparison)
{
    if (comparison->deployment_difference_count == 0)
        return;
    buf_append_text(out, "What Kubernetes says of the deployments differs in:\n\n");
    for (size_t k = 0; k < comparison->deployment_difference_count; k++) {
        buf_append_text(out, "- ");
        markdown_text(out, comparison->deployment_differences[k]);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
}

static bool has_invalid_level(const struct run_summary *run)
{
    for (size_t k = 0; k < run->level_count; k++)
        if (run->levels[k].validity.verdict == VALIDITY_INVALID)
            return true;
    return false;
}

static void add_warnings(struct buf *out, const struct comparison *comparison)
{
    for (size_t k = 0; k < comparison->count; k++) {
        if (!has_invalid_level(comparison->runs[k]))
            continue;
        buf_append_text(out, "**Levels of ");
        markdown_text(out, name_of(comparison, k));
        buf_append_text(out, " are invalid as a measurement: see below.**\n\n");
    }
}

static void add_statements(struct buf *out, const struct comparison *comparison)
{
    for (size_t k = 0; k < comparison->roi.pair_count; k++) {
        buf_append_text(out, "**");
        markdown_text(out, comparison->roi.pairs[k].statement);
        buf_append_text(out, ".**\n\n");
    }
}

static void ratio_cell(struct table *table, double ratio)
{
    if (isnan(ratio))
        table_printf(table, "-");
    else if (ratio == 1)
        table_printf(table, "best");
    else
        table_printf(table, "%.1f x less", ratio);
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
    table_printf(table, "%s", operating_point_title(at));
    table_text(table, name_of(comparison, row));
    if (!cell->level) {
        table_text(table, cell->missing);
        for (int k = 0; k < 7; k++)
            table_printf(table, "-");
        return;
    }
    load_cell(table, cell->level->load, cell->at_least, cell->level->unit);
    table_printf(table, "%s", markdown_ttft(cell->level, text));
    table_number(table, cell->level->rate[RATE_TOTAL_TPS], 0);
    table_number(table, cell->yield[YIELD_TOTAL_PER_USD], 0);
    ratio_cell(table, cell->ratio);
    table_printf(table, "%s", markdown_usd(cell->yield[YIELD_USD_PER_M_TOTAL], text));
    table_printf(table, "%s", markdown_usd(cell->yield[YIELD_USD_PER_M_OUTPUT], text));
    table_number(table, cell->yield[YIELD_TOTAL_PER_GPU], 0);
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
    buf_append_text(out, "The ratio is that of total tok/s per $/h. Only figures of one operating point can be compared: published ratios often "
                         "mix two of them. \">=\": no higher load was tested. Every figure comes from one level of each deployment (where a load was "
                         "measured several times, the worst): no interval is printed on a ratio.\n\n");
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
        table_printf(&table, "%s", operating_point_title((enum operating_point)at));
        load_cell(&table, pair->cheap_load[at], pair->cheap_at_least[at], comparison->unit);
        load_cell(&table, pair->dear_load[at], pair->dear_at_least[at], comparison->unit);
        table_text(&table, pair->break_even[at].text);
        table_printf(&table, isnan(pair->equal_price_usd[at]) ? "%s" : "%s an hour", markdown_usd(pair->equal_price_usd[at], text));
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

static void add_roi(struct buf *out, const struct comparison *comparison)
{
    if (!comparison->unit) {
        buf_append_text(out, "The loads of these runs have no unit in common: there is nothing to compare.\n\n");
        return;
    }
    buf_append_text(out, "## What a dollar buys\n\n");
    add_operating_points(out, comparison);
    buf_append_text(out, "## For the price of one\n\n");
    add_pairs(out, comparison);
    buf_append_text(out, "## Throughput against the speed of one user\n\n");
    add_pareto(out, comparison);
}

static void add_run(struct buf *out, const struct comparison *comparison, size_t k)
{
    buf_append_text(out, "## ");
    markdown_text(out, name_of(comparison, k));
    buf_append_text(out, "\n\n");
    add_advice(out, comparison->runs[k]);
    markdown_facts(out, comparison->runs[k]);
    add_sweep(out, comparison->runs[k], "###");
    markdown_repeats(out, comparison->runs[k], "###");
    markdown_intervals(out, comparison->runs[k], "###");
    markdown_server(out, comparison->runs[k], "###");
    markdown_gpus(out, comparison->runs[k], "###");
    markdown_validity(out, comparison->runs[k], "###");
}

/* The tables first, then what they mean side by side, and the money last: that is what stays on the screen. */
void report_markdown_comparison(const struct comparison *comparison, struct buf *out)
{
    buf_append_text(out, "# ");
    for (size_t k = 0; k < comparison->count; k++) {
        buf_append_text(out, k > 0 ? " against " : "");
        markdown_text(out, name_of(comparison, k));
    }
    buf_append_text(out, "\n\n");
    add_differences(out, comparison);
    add_deployments(out, comparison);
    add_warnings(out, comparison);
    add_statements(out, comparison);
    for (size_t k = 0; k < comparison->count; k++)
        add_run(out, comparison, k);
    add_roi(out, comparison);
    markdown_footnotes(out);
}
