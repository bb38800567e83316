/* What report.md says of earlier runs. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "report/history_report.h"
#include "report/markdown.h"
#include "report/table.h"

#define LOAD_SIZE (UNITS_TEXT_SIZE + 16)

void markdown_baseline_verdict(struct buf *out, const struct baseline *baseline)
{
    if (!baseline)
        return;
    buf_append_text(out, "**");
    markdown_text(out, baseline->text);
    buf_append_text(out, "**\n\n");
}

/* "+18 % worse", "+1.2 %", "+3.0 % ?" */
static void change_cell(struct table *table, const struct baseline_row *row)
{
    char change[BASELINE_CHANGE_SIZE];
    const char *mark = "";
    if (isnan(row->change)) {
        table_printf(table, "-");
        return;
    }
    if (row->verdict == CHANGE_WORSE || row->verdict == CHANGE_BETTER)
        mark = row->verdict == CHANGE_WORSE ? " worse" : " better";
    else if (row->beyond_within_run)
        mark = baseline_row_loss(row) > 0 ? " worse?" : " better?";
    else if (row->verdict == CHANGE_UNKNOWN)
        mark = " ?";
    table_printf(table, "%s%s", baseline_change_text(row->change, change), mark);
}

static const char *load_text(const struct baseline_row *row, char text[LOAD_SIZE])
{
    char number[UNITS_TEXT_SIZE];
    snprintf(text, LOAD_SIZE, "%s %s", units_format_load(row->load, number), row->unit);
    return text;
}

static void add_changes(struct buf *out, const struct baseline *baseline)
{
    static const struct table_column columns[] = {
        {"Load", true},
#define X(name, key, title, unit, decimals, more) {title, true},
        HISTORY_METRICS(X)
#undef X
        {0}};
    struct table table;
    char text[LOAD_SIZE];
    if (baseline->row_count == 0)
        return;
    table_begin(&table, columns);
    for (size_t k = 0; k < baseline->row_count; k++) {
        if (k % HISTORY_METRIC_COUNT == 0)
            table_printf(&table, "%s", load_text(&baseline->rows[k], text));
        change_cell(&table, &baseline->rows[k]);
    }
    table_end(&table, out);
    buf_append_text(out, "Changes of each number from the baseline to this run; of error rates in percentage points. \"worse\", \"better\": "
                         "significant at 5 % over all of them together; ");
    if (baseline->within_run_only > 0)
        buf_append_text(out, "\"worse?\", \"better?\": more than the noise within the two runs, but what two runs of the same differ by is not known "
                             "(it takes --repeat 3 in both, or three earlier runs); ");
    buf_append_text(out, "\"?\": not known; all else is within noise.");
    if (baseline->earlier_runs > 0)
        buf_printf(out, " Noise is the largest of what is seen within the runs, between repeats, and what %zu earlier runs of the series differ by.",
                   baseline->earlier_runs);
    buf_append_text(out, "\n\n");
}

/* "420 ms", "496 ms", "+18 %", "+9 % to +28 %" */
static void add_detail(struct table *table, const struct baseline_row *row)
{
    char text[HISTORY_VALUE_SIZE], load[LOAD_SIZE], low[BASELINE_CHANGE_SIZE], high[BASELINE_CHANGE_SIZE];
    table_printf(table, "%s", change_name(row->verdict));
    table_printf(table, "%s", load_text(row, load));
    table_printf(table, "%s", history_metric_title(row->metric));
    table_printf(table, "%s", history_metric_format(row->metric, row->was, text));
    table_printf(table, "%s", history_metric_format(row->metric, row->is, text));
    table_printf(table, "%s", baseline_change_text(row->change, low));
    if (isnan(row->low) || isnan(row->high))
        table_printf(table, "-");
    else
        table_printf(table, "%s to %s", baseline_change_text(row->low, low), baseline_change_text(row->high, high));
    table_printf(table, "%s", noise_name(row->noise) ? noise_name(row->noise) : "-");
}

static void add_details(struct buf *out, const struct baseline *baseline)
{
    static const struct table_column columns[] = {{"Verdict", false}, {"load", true},      {"metric", false},          {"before", true},
                                                  {"now", true},      {"change", true},    {"95 % interval", true},    {"noise from", false},
                                                  {0}};
    struct table table;
    if (baseline->worse + baseline->better == 0)
        return;
    table_begin(&table, columns);
    for (size_t k = 0; k < baseline->row_count; k++)
        if (baseline->rows[k].verdict == CHANGE_WORSE || baseline->rows[k].verdict == CHANGE_BETTER)
            add_detail(&table, &baseline->rows[k]);
    table_end(&table, out);
}

static void add_points(struct buf *out, const struct baseline *baseline)
{
    static const struct table_column columns[] = {{"Point", false}, {"before", false}, {"now", false}, {"verdict", false}, {0}};
    struct table table;
    table_begin(&table, columns);
    for (size_t k = 0; k < BASELINE_POINTS; k++) {
        table_printf(&table, "%s", baseline->points[k].name);
        table_text(&table, baseline->points[k].was);
        table_text(&table, baseline->points[k].is);
        table_printf(&table, "%s", change_name(baseline->points[k].verdict));
    }
    table_end(&table, out);
}

void markdown_baseline(struct buf *out, const struct baseline *baseline, const char *heading)
{
    if (!baseline)
        return;
    char date[CLOCK_RFC3339_SIZE];
    buf_printf(out, "%s Against ", heading);
    markdown_text(out, baseline->run_id);
    buf_printf(out, " of %.10s\n\n", clock_format_rfc3339(baseline->started, 0, date));
    markdown_list(out, "**The two were not measured alike: take every change below with care.**", baseline->differences, baseline->difference_count);
    if (baseline->sla_note) {
        markdown_text(out, baseline->sla_note);
        buf_append_text(out, ".\n\n");
    }
    markdown_list(out, "What is served is not the same:", baseline->deployments, baseline->deployment_count);
    add_changes(out, baseline);
    add_details(out, baseline);
    add_points(out, baseline);
}

void markdown_trend(struct buf *out, const struct trend *trend, const char *heading)
{
    if (!trend)
        return;
    char first[CLOCK_RFC3339_SIZE], last[CLOCK_RFC3339_SIZE];
    buf_printf(out, "%s Trend of %zu runs, %.10s to %.10s\n\n", heading, trend->run_count, clock_format_rfc3339(trend->first, 0, first),
               clock_format_rfc3339(trend->last, 0, last));
    for (size_t k = 0; k < TREND_METRICS; k++) {
        buf_append_text(out, "- ");
        markdown_text(out, trend->texts[k]);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
}
