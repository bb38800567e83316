/* report.md: what a person reads, and what summarize prints. */
#include "report/history_report.h"
#include "report/markdown.h"
#include "report/markdown_comparison.h"
#include "report/table.h"

/* ---- one run ---- */

static void add_advice(struct buf *out, const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->points_count; k++) {
        buf_append_text(out, "**");
        markdown_text(out, summary->points[k].advice);
        if (summary->points[k].assurance[0])
            buf_append_char(out, ' ');
        markdown_text(out, summary->points[k].assurance);
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
    markdown_turns(out, summary, "##");
    markdown_conversations(out, summary, "##");
    markdown_repeats(out, summary, "##");
    markdown_intervals(out, summary, "##");
    markdown_baseline(out, summary->baseline, "##");
    markdown_trend(out, summary->trend, "##");
    markdown_failures(out, summary, "##");
    markdown_server(out, summary, "##");
    markdown_gpus(out, summary, "##");
    markdown_validity(out, summary, "##");
    markdown_classes(out, summary->sla);
    markdown_footnotes(out);
}

/* ---- a comparison ---- */

static void add_run(struct buf *out, const struct comparison *comparison, size_t k)
{
    buf_append_text(out, "## ");
    markdown_text(out, comparison->names[k]);
    buf_append_text(out, "\n\n");
    add_advice(out, comparison->runs[k]);
    markdown_facts(out, comparison->runs[k]);
    add_sweep(out, comparison->runs[k], "###");
    markdown_turns(out, comparison->runs[k], "###");
    markdown_conversations(out, comparison->runs[k], "###");
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
        markdown_text(out, comparison->names[k]);
    }
    buf_append_text(out, "\n\n");
    buf_append_text(out, "**");
    markdown_text(out, comparison->conclusion);
    buf_append_text(out, "**\n\n");
    markdown_comparison_before(out, comparison);
    for (size_t k = 0; k < comparison->count; k++)
        add_run(out, comparison, k);
    markdown_classes(out, comparison->runs[0]->sla);
    markdown_comparison_roi(out, comparison);
    markdown_footnotes(out);
}
