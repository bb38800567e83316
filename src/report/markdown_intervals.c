/* How sure the numbers are: within a run by blocks and ranks, from run to run by repeats. */
#include <math.h>

#include "base/units.h"
#include "report/markdown.h"
#include "report/table.h"

/* "never" for +infinity, "-" for what is not known. */
static const char *bound_text(double bound, int decimals, char *buffer)
{
    return isnan(bound) ? "-" : isinf(bound) ? "never" : units_format_number(bound, decimals, buffer);
}

/* "1,489 (1,402 to 1,601)"; without the bracket where neither bound is known. */
static void interval_cell(struct table *table, double value, const struct interval *interval, int decimals)
{
    char number[UNITS_TEXT_SIZE], low[UNITS_TEXT_SIZE], high[UNITS_TEXT_SIZE];
    if (isnan(value))
        table_printf(table, "-");
    else if (isinf(value) || (isnan(interval->low) && isnan(interval->high)))
        table_printf(table, "%s", bound_text(value, decimals, number));
    else
        table_printf(table, "%s (%s to %s)", bound_text(value, decimals, number), bound_text(interval->low, decimals, low),
                     bound_text(interval->high, decimals, high));
}

static void figure_cell(struct table *table, const struct level_summary *level, enum figure figure, int decimals)
{
    struct interval interval = figure_interval_of(level, figure);
    interval_cell(table, figure_of(level, figure), &interval, decimals);
}

static bool has_objectives(const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->points_count; k++)
        if (summary->points[k].has_objectives)
            return true;
    return false;
}

static void add_goodput(struct buf *out, const struct run_summary *summary)
{
    static const struct table_column columns[] = {
        {"Load", true}, {"goodput req/s", true}, {"met every goal", true}, {0}};
    struct table table;
    char load[MARKDOWN_LOAD_SIZE];
    if (!has_objectives(summary))
        return;
    buf_append_text(out, "Goodput counts requests that ended ok and met every goal at once:\n\n");
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        table_printf(&table, "%s", markdown_load(level, load));
        figure_cell(&table, level, FIGURE_GOODPUT_RPS, 3);
        markdown_percent(&table, level->goodput_share);
    }
    table_end(&table, out);
}

static bool has_few_blocks(const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->level_count; k++)
        if (summary->levels[k].blocks.count < BLOCKS)
            return true;
    return false;
}

/* None at all: there is no level, or another tool told its numbers without its samples. */
static bool has_intervals(const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        const struct interval *median = &level->latency[LATENCY_TTFT].interval[INTERVAL_P50];
        if (!level->imported || level->blocks.count > 0 || !isnan(median->low) || !isnan(median->high))
            return true;
    }
    return false;
}

void markdown_intervals(struct buf *out, const struct run_summary *summary, const char *heading)
{
    static const struct table_column columns[] = {{"Load", true},         {"TTFT p95 ms", true},  {"TPOT p95 ms", true}, {"e2e mean ms", true},
                                                  {"total tok/s", true}, {"output tok/s", true}, {"req/s", true},       {"blocks", true},
                                                  {0}};
    struct table table;
    char load[MARKDOWN_LOAD_SIZE];
    if (!has_intervals(summary))
        return;
    buf_printf(out, "%s How sure are these numbers?\n\n", heading);
    add_goodput(out, summary);
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        const struct distribution *e2e = &level->latency[LATENCY_E2E];
        table_printf(&table, "%s", markdown_load(level, load));
        figure_cell(&table, level, FIGURE_TTFT_P95, 0);
        figure_cell(&table, level, FIGURE_TPOT_P95, 1);
        interval_cell(&table, e2e->mean, &e2e->mean_interval, 0);
        figure_cell(&table, level, FIGURE_TOTAL_TPS, 1);
        figure_cell(&table, level, FIGURE_OUTPUT_TPS, 1);
        figure_cell(&table, level, FIGURE_REQUEST_RPS, 2);
        table_printf(&table, "%zu", level->blocks.count);
    }
    table_end(&table, out);
    buf_append_text(out, "In brackets 95 % intervals of within-run noise only: another run may differ by more. Those of percentiles are made of ranks, those of "
                         "means and rates of the window's blocks.");
    if (has_few_blocks(summary))
        buf_printf(out, " Fewer than %d blocks: the window is shorter than %d times the median request, and the interval as wide as that makes it; below %d "
                        "there is none.", BLOCKS, BLOCKS, BLOCKS_MIN);
    buf_append_text(out, "\n\n");
}

/* ---- repeats ---- */

static void run_to_run_cell(struct table *table, const struct repeated_load *load, enum figure figure, int decimals)
{
    const struct uncertain *mean = &load->figure[figure];
    interval_cell(table, mean->value, &mean->interval, decimals);
}

void markdown_repeats(struct buf *out, const struct run_summary *summary, const char *heading)
{
    static const struct table_column columns[] = {{"Load", true},        {"measured", true},    {"TTFT p95 ms", true},  {"TPOT p95 ms", true},
                                                  {"e2e p50 ms", true}, {"total tok/s", true}, {"output tok/s", true}, {"req/s", true},
                                                  {0}};
    struct table table;
    char number[UNITS_TEXT_SIZE];
    if (summary->repeated_count == 0)
        return;
    buf_printf(out, "%s Over the repeats\n\n", heading);
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->repeated_count; k++) {
        const struct repeated_load *load = &summary->repeated[k];
        table_printf(&table, "%s %s", units_format_load(load->load, number), load->unit);
        if (load->left_out > 0)
            table_printf(&table, "%zu, %zu left out", load->count, load->left_out);
        else
            table_printf(&table, "%zu", load->count);
        run_to_run_cell(&table, load, FIGURE_TTFT_P95, 0);
        run_to_run_cell(&table, load, FIGURE_TPOT_P95, 1);
        run_to_run_cell(&table, load, FIGURE_E2E_P50, 0);
        run_to_run_cell(&table, load, FIGURE_TOTAL_TPS, 1);
        run_to_run_cell(&table, load, FIGURE_OUTPUT_TPS, 1);
        run_to_run_cell(&table, load, FIGURE_REQUEST_RPS, 2);
    }
    table_end(&table, out);
    buf_printf(out, "Means over the repeats of a load; in brackets 95 %% intervals of run-to-run noise (Student's t, from %d repeats on). Repeats that are "
                    "invalid or were cut off are left out. One rule for all figures of a load: its throughput, and what that costs, is this mean from %d repeats on; "
                    "its class, its points and the TTFT beside them are those of the worst repeat.\n\n", INTERVAL_VALUES_MIN, INTERVAL_VALUES_MIN);
}
