/* report.md: what a person reads, and what summarize prints. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "report/report.h"

/* ---- cells ---- */

/* Names come from servers and files: nothing in them may end a cell or begin markup. */
static void add_text(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            buf_append_char(out, ' ');
        else if (*c == '<')
            buf_append_text(out, "&lt;");
        else if (strchr("|`*_[]\\", *c))
            buf_printf(out, "\\%c", *c);
        else
            buf_append_char(out, *c);
    }
}

static void add_number(struct buf *out, double number, int decimals)
{
    char text[UNITS_TEXT_SIZE];
    if (isnan(number))
        buf_append_char(out, '-');
    else if (isinf(number))
        buf_append_text(out, "never");
    else
        buf_append_text(out, units_format_number(number, decimals, text));
}

static void add_cell(struct buf *out, double number, int decimals)
{
    buf_append_text(out, " | ");
    add_number(out, number, decimals);
}

/* To a hundredth of a cent: what was measured has no more digits. */
static void add_usd(struct buf *out, double usd)
{
    char text[UNITS_TEXT_SIZE];
    if (isfinite(usd) && fabs(usd) < 1e9)
        buf_append_text(out, units_format_usd(fabs(usd) < 0.01 ? llround(usd * 1e6) : llround(usd * 1e4) * 100, text));
    else
        buf_append_char(out, '-');
}

static void add_load(struct buf *out, double load, const char *unit)
{
    char text[UNITS_TEXT_SIZE];
    buf_printf(out, "%s %s", units_format_load(load, text), unit);
}

/* ---- what was measured ---- */

static void add_row(struct buf *out, const char *what, const char *text)
{
    buf_printf(out, "| %s | ", what);
    add_text(out, text[0] ? text : "-");
    buf_append_text(out, " |\n");
}

static void add_price(struct buf *out, const struct run_facts *facts)
{
    buf_append_text(out, "| Price | ");
    if (facts->price_micro_usd < 0) {
        buf_append_text(out, "- |\n");
        return;
    }
    add_usd(out, (double)facts->price_micro_usd / 1e6);
    buf_append_text(out, " an hour");
    if (facts->price_source[0]) {
        buf_append_text(out, " (");
        add_text(out, facts->price_source);
        buf_append_char(out, ')');
    }
    buf_append_text(out, " |\n");
}

static void add_facts(struct buf *out, const struct run_facts *facts)
{
    char date[CLOCK_RFC3339_SIZE];
    buf_append_text(out, "| What was measured | |\n| --- | --- |\n");
    add_row(out, "Run", facts->run_id);
    add_row(out, "Started", facts->anchor_realtime_ns ? clock_format_rfc3339(facts->anchor_realtime_ns, 0, date) : "");
    add_row(out, "Model", facts->model);
    add_row(out, "Target", facts->target);
    add_row(out, "Server", facts->server);
    add_row(out, "Hardware", facts->hardware);
    if (facts->gpus > 0)
        buf_printf(out, "| GPUs | %lld |\n", (long long)facts->gpus);
    add_price(out, facts);
    buf_append_text(out, "| Workload | ");
    if (facts->scenario[0]) {
        add_text(out, facts->scenario);
        buf_append_text(out, ": ");
    }
    buf_printf(out, "%s, %s endpoint |\n", facts->tokens, facts->endpoint);
    buf_printf(out, "| Load | %s, %s, streams start %s |\n\n", facts->profile, facts->limits,
               strcmp(facts->stream_start, "spread") == 0 ? "spread over a request's time" : "together");
}

/* ---- levels ---- */

static void add_ttft(struct buf *out, const struct level_summary *level)
{
    double p95 = level_ttft_p95(level);
    buf_append_text(out, " | ");
    if (!isinf(p95)) {
        add_number(out, p95, 0);
        return;
    }
    buf_append_text(out, "> ");
    add_number(out, level->ttft_p95_at_least_ms, 0);
    buf_printf(out, " (%.0f %% unfinished)", 100 * level->unfinished_share);
}

static void add_class(struct buf *out, const struct level_summary *level)
{
    buf_printf(out, " | %s | %s | %s", sla_class_name(level->verdict.level),
               level->verdict.decided_by < 0 ? "-" : sla_default.row[level->verdict.decided_by].title,
               validity_name(level->validity.verdict));
}

static void add_level(struct buf *out, const struct level_summary *level)
{
    buf_append_text(out, "| ");
    add_load(out, level->load, level->unit);
    buf_printf(out, " | %llu (%llu ok, %llu error, %llu incomplete)", (unsigned long long)level->requests.members,
               (unsigned long long)level->requests.ok, (unsigned long long)level->requests.error,
               (unsigned long long)level->requests.incomplete);
    add_ttft(out, level);
    add_cell(out, level->latency[LATENCY_TPOT].percentile[P95], 1);
    add_cell(out, level->latency[LATENCY_TPOT_WITH_FIRST].percentile[P95], 1);
    add_cell(out, level->rate[RATE_USER_TPS], 1);
    add_cell(out, level->rate[RATE_TOTAL_TPS], 1);
    add_cell(out, level->rate[RATE_OUTPUT_TPS], 1);
    add_cell(out, 100 * level->rate[RATE_ERROR_RATE], 2);
    add_class(out, level);
    buf_append_text(out, " |\n");
}

static void add_levels(struct buf *out, const struct run_summary *summary)
{
    buf_append_text(out,
                    "| Load | Requests | TTFT p95, censored (ms) | TPOT p95 (ms) | tpot_with_first p95 (ms) | User tok/s | "
                    "Total tok/s | Output tok/s | Errors (%) | Class | Decided by | Measurement |\n"
                    "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | --- |\n");
    for (size_t k = 0; k < summary->level_count; k++)
        add_level(out, &summary->levels[k]);
    buf_append_char(out, '\n');
}

/* ---- points ---- */

static void add_point(struct buf *out, const char *title, const struct point *point)
{
    buf_printf(out, "- %s: %s", title, point->text ? point->text : "unknown");
    if (point->metric)
        buf_printf(out, ", by %s", point->metric);
    if (point->decided == 0) {
        buf_append_text(out, " (not decided: the 95 % interval holds the limit");
        if (point->needs_requests > 0)
            buf_printf(out, "; about %lld requests a level would decide it", (long long)point->needs_requests);
        buf_append_char(out, ')');
    }
    buf_append_char(out, '\n');
}

static void add_capacities(struct buf *out, const struct points *points)
{
    static const char *const titles[CAPACITY_COUNT] = {"TTFT p95 < 1 s", "TTFT p95 <= 2 s", "nothing worse than acceptable"};
    for (int k = 0; k < CAPACITY_COUNT; k++) {
        const struct level_summary *level = points->capacity[k].level;
        buf_printf(out, "- Capacity with %s: ", titles[k]);
        if (level) {
            add_number(out, level->rate[RATE_TOTAL_TPS], 1);
            buf_append_text(out, " tok/s in and out at ");
            add_load(out, level->load, level->unit);
        } else {
            buf_append_text(out, points->capacity[k].none ? points->capacity[k].none : "none");
        }
        buf_append_char(out, '\n');
    }
}

static void add_points(struct buf *out, const struct points *points)
{
    char low[UNITS_TEXT_SIZE], high[UNITS_TEXT_SIZE];
    add_point(out, "Saturation point", &points->saturation);
    add_point(out, "Breaking point", &points->breaking);
    buf_printf(out, "- Knee: %s\n", points->knee.text ? points->knee.text : "none");
    if (isnan(points->sweet_spot.low))
        buf_printf(out, "- Sweet spot: %s\n", points->sweet_spot.none ? points->sweet_spot.none : "none");
    else
        buf_printf(out, "- Sweet spot: %s to %s %s\n", units_format_load(points->sweet_spot.low, low),
                   units_format_load(points->sweet_spot.high, high), points->unit);
    if (points->max_throughput) {
        buf_append_text(out, "- Peak throughput: ");
        add_number(out, points->max_throughput->rate[RATE_TOTAL_TPS], 1);
        buf_append_text(out, " tok/s in and out at ");
        add_load(out, points->max_throughput->load, points->unit);
        buf_append_char(out, '\n');
    }
    add_capacities(out, points);
    buf_printf(out, "\n**%s**\n\n", points->advice ? points->advice : "No level can be advised.");
}

/* ---- notes ---- */

static void add_notes(struct buf *out, const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->note_count; k++)
        buf_printf(out, "- %s\n", summary->notes[k]);
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        for (size_t r = 0; r < level->validity.count; r++) {
            buf_append_text(out, "- ");
            add_load(out, level->load, level->unit);
            buf_printf(out, " (%s): %s\n", validity_name(level->validity.verdict), level->validity.reasons[r]);
        }
        const char *disagreement = level->server.sums.disagreement;
        if (disagreement) {
            buf_append_text(out, "- ");
            add_load(out, level->load, level->unit);
            buf_printf(out, ": %s\n", disagreement);
        }
    }
    buf_append_text(out, "- Throughput counts the tokens that arrived inside the measurement window. Requests of one level are not "
                         "independent samples: intervals of their percentiles are narrower than they look.\n");
}

static void add_sweep(struct buf *out, const struct run_summary *summary, const char *heading)
{
    buf_printf(out, "%s Levels\n\n", heading);
    add_levels(out, summary);
    buf_printf(out, "%s Points\n\n", heading);
    for (size_t k = 0; k < summary->points_count; k++)
        add_points(out, &summary->points[k]);
    buf_printf(out, "%s Is the measurement valid?\n\n", heading);
    add_notes(out, summary);
}

void report_markdown_run(const struct run_summary *summary, struct buf *out)
{
    buf_append_text(out, "# ");
    add_text(out, summary->facts.model);
    buf_append_text(out, "\n\n");
    add_facts(out, &summary->facts);
    add_sweep(out, summary, "##");
}

/* ---- comparisons ---- */

static void add_name(struct buf *out, const struct comparison *comparison, size_t row)
{
    add_text(out, comparison->names[row]);
}

static void add_differences(struct buf *out, const struct comparison *comparison)
{
    if (comparison->difference_count == 0) {
        buf_append_text(out, "The workloads are equal.\n\n");
        return;
    }
    buf_append_text(out, "**These runs were not measured alike: take every ratio with care.**\n\n");
    for (size_t k = 0; k < comparison->difference_count; k++) {
        buf_append_text(out, "- ");
        add_text(out, comparison->differences[k]);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
}

static void add_roi_cell(struct buf *out, const struct comparison *comparison, size_t row, enum operating_point at)
{
    const struct roi_cell *cell = &comparison->roi.rows[row].at[at];
    buf_append_text(out, "| ");
    add_name(out, comparison, row);
    buf_append_text(out, " | ");
    if (!cell->level) {
        add_text(out, cell->missing ? cell->missing : "-");
        buf_append_text(out, " | - | - | - | - | - | - |\n");
        return;
    }
    add_load(out, cell->level->load, cell->level->unit);
    add_cell(out, cell->level->rate[RATE_TOTAL_TPS], 1);
    add_cell(out, cell->yield[YIELD_TOTAL_PER_USD], 1);
    add_cell(out, cell->ratio, 2);
    buf_append_text(out, " | ");
    add_usd(out, cell->yield[YIELD_USD_PER_M_TOTAL]);
    buf_append_text(out, " | ");
    add_usd(out, cell->yield[YIELD_USD_PER_M_OUTPUT]);
    add_cell(out, cell->yield[YIELD_TOTAL_PER_GPU], 1);
    buf_append_text(out, " |\n");
}

static void add_operating_points(struct buf *out, const struct comparison *comparison)
{
    for (int at = 0; at < OPERATING_COUNT; at++) {
        buf_printf(out, "### At the operating point \"%s\"\n\n", operating_point_title((enum operating_point)at));
        buf_append_text(out, "| Deployment | Load | Total tok/s | Total tok/s per $/h | Best / this | $ per million tokens | "
                             "$ per million output tokens | Total tok/s per GPU |\n"
                             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        for (size_t k = 0; k < comparison->roi.row_count; k++)
            add_roi_cell(out, comparison, k, (enum operating_point)at);
        buf_append_char(out, '\n');
    }
}

static void add_break_even(struct buf *out, const struct comparison *comparison, const struct roi_pair *pair)
{
    buf_append_text(out, "Break-even, the total tokens an hour from which one dear deployment costs less than the cheap ones needed:\n\n"
                         "| Operating point | Break-even | Equal price: the dear one would have to cost |\n| --- | --- | ---: |\n");
    for (int at = 0; at < OPERATING_COUNT; at++) {
        buf_printf(out, "| %s | ", operating_point_title((enum operating_point)at));
        add_text(out, pair->break_even[at].text ? pair->break_even[at].text : "-");
        buf_append_text(out, " | ");
        add_usd(out, pair->equal_price_usd[at]);
        buf_append_text(out, isnan(pair->equal_price_usd[at]) ? " |\n" : " an hour |\n");
    }
    buf_append_text(out, "\nHere \"cheap\" is ");
    add_name(out, comparison, pair->cheap);
    buf_append_text(out, " and \"dear\" is ");
    add_name(out, comparison, pair->dear);
    buf_append_text(out, ".\n\n");
}

static void add_pairs(struct buf *out, const struct comparison *comparison)
{
    char usd[UNITS_TEXT_SIZE];
    for (size_t k = 0; k < comparison->roi.pair_count; k++) {
        const struct roi_pair *pair = &comparison->roi.pairs[k];
        if (pair->statement) {
            buf_append_text(out, "**");
            add_text(out, pair->statement);
            buf_append_text(out, "**\n\n");
        }
        if (pair->replicas > 0 && pair->left_over_micro_usd > 0)
            buf_printf(out, "%s an hour is left over.\n\n", units_format_usd(pair->left_over_micro_usd, usd));
        if (isfinite(pair->efficiency_delta))
            buf_printf(out, "Efficiency delta (loads at which they broke, dear / cheap): %.2f.\n\n", pair->efficiency_delta);
        add_break_even(out, comparison, pair);
    }
}

static void add_pareto(struct buf *out, const struct comparison *comparison)
{
    buf_append_text(out, "| Deployment | Load | User tok/s | Total tok/s per $/h | Total tok/s per GPU | Dominated per $ | "
                         "Dominated per GPU |\n| --- | --- | ---: | ---: | ---: | --- | --- |\n");
    for (size_t k = 0; k < comparison->roi.pareto_count; k++) {
        const struct pareto_point *point = &comparison->roi.pareto[k];
        buf_append_text(out, "| ");
        add_name(out, comparison, point->row);
        buf_append_text(out, " | ");
        add_load(out, point->level->load, point->level->unit);
        add_cell(out, point->user_tps, 1);
        add_cell(out, point->per_usd, 1);
        add_cell(out, point->per_gpu, 1);
        buf_printf(out, " | %s | %s |\n", isnan(point->per_usd) ? "-" : point->dominated_per_usd ? "yes" : "no",
                   isnan(point->per_gpu) ? "-" : point->dominated_per_gpu ? "yes" : "no");
    }
    buf_append_char(out, '\n');
}

static void add_roi(struct buf *out, const struct comparison *comparison)
{
    buf_append_text(out, "## What a dollar buys\n\n");
    add_differences(out, comparison);
    if (!comparison->unit) {
        buf_append_text(out, "The loads of these runs have no unit in common: there is nothing to compare.\n\n");
        return;
    }
    add_pairs(out, comparison);
    add_operating_points(out, comparison);
    buf_append_text(out, "## Pareto frontier: throughput against the speed of one user\n\n");
    add_pareto(out, comparison);
    buf_append_text(out, "Every figure comes from one run of each deployment: without repeats no interval is printed on a ratio.\n\n");
}

void report_markdown_comparison(const struct comparison *comparison, struct buf *out)
{
    buf_append_text(out, "# ");
    for (size_t k = 0; k < comparison->count; k++) {
        buf_append_text(out, k > 0 ? " against " : "");
        add_name(out, comparison, k);
    }
    buf_append_text(out, "\n\n");
    add_roi(out, comparison);
    for (size_t k = 0; k < comparison->count; k++) {
        buf_append_text(out, "## ");
        add_name(out, comparison, k);
        buf_append_text(out, "\n\n");
        add_facts(out, &comparison->runs[k]->facts);
        add_sweep(out, comparison->runs[k], "###");
    }
}
