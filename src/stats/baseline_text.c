#include "stats/baseline_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

#define DEPLOYMENTS_MAX 4
#define NAMED_MAX 3 /* rows in a sentence */
#define TEXT_MAX ((size_t)64 << 10)

static void list_differences(struct baseline *baseline, struct arena *arena, const struct history_run *was, const struct history_run *is)
{
    const char **list = ARENA_ARRAY(arena, WORKLOAD_FACTS, const char *);
    for (int k = 0; k < WORKLOAD_FACTS; k++) {
        const char *before = was->facts[k].text, *now = is->facts[k].text;
        if (strcmp(before, now) != 0)
            list[baseline->difference_count++] =
                arena_printf(arena, "%s: %s before, %s now", is->facts[k].title, before[0] ? before : "none", now[0] ? now : "none");
    }
    baseline->differences = list;
}

static void add_deployment(struct arena *arena, struct baseline *baseline, const char **list, const char *title, const char *was, const char *is)
{
    if (strcmp(was, is) != 0)
        list[baseline->deployment_count++] =
            arena_printf(arena, "%s: %s before, %s now", title, was[0] ? was : "not told", is[0] ? is : "not told");
}

static const char *gpus_text(struct arena *arena, const struct history_run *run)
{
    return run->gpus > 0 ? arena_printf(arena, "%lld", (long long)run->gpus) : "";
}

static void list_deployments(struct baseline *baseline, struct arena *arena, const struct history_run *was, const struct history_run *is)
{
    const char **list = ARENA_ARRAY(arena, DEPLOYMENTS_MAX, const char *);
    add_deployment(arena, baseline, list, "model", was->model, is->model);
    add_deployment(arena, baseline, list, "server", was->server, is->server);
    add_deployment(arena, baseline, list, "hardware", was->hardware, is->hardware);
    add_deployment(arena, baseline, list, "GPUs", gpus_text(arena, was), gpus_text(arena, is));
    baseline->deployments = list;
}

const char *baseline_change_text(double change, char buffer[BASELINE_CHANGE_SIZE])
{
    if (isnan(change))
        return "-";
    if (isinf(change))
        return change > 0 ? "never comes now" : "came never before";
    if (fabs(change) < 0.0005)
        return "0 %";
    snprintf(buffer, BASELINE_CHANGE_SIZE, "%+.*f %%", fabs(change) < 0.0995 ? 1 : 0, 100 * change);
    return buffer;
}

const char *baseline_row_text(struct arena *arena, const struct baseline_row *row)
{
    char was[HISTORY_VALUE_SIZE], is[HISTORY_VALUE_SIZE], change[BASELINE_CHANGE_SIZE], low[BASELINE_CHANGE_SIZE], high[BASELINE_CHANGE_SIZE];
    const char *bounds = "";
    if (!isnan(row->low) && !isnan(row->high))
        bounds = arena_printf(arena, " (%s to %s)", baseline_change_text(row->low, low), baseline_change_text(row->high, high));
    return arena_printf(arena, "%s at %s: %s before, %s now, %s%s", history_metric_title(row->metric), points_load_text(arena, row->load, row->unit),
                        history_metric_format(row->metric, row->was, was), history_metric_format(row->metric, row->is, is),
                        baseline_change_text(row->change, change), bounds);
}

typedef bool (*row_chooser)(const struct baseline_row *row);

static bool is_worse(const struct baseline_row *row)
{
    return row->verdict == CHANGE_WORSE;
}

static bool is_better(const struct baseline_row *row)
{
    return row->verdict == CHANGE_BETTER;
}

static bool is_beyond_within_run(const struct baseline_row *row)
{
    return row->beyond_within_run;
}

/* Of the chosen ones, the largest changes first. */
static size_t list_largest(const struct baseline *baseline, row_chooser chosen, const struct baseline_row *named[NAMED_MAX])
{
    size_t count = 0;
    for (size_t k = 0; k < baseline->row_count; k++) {
        const struct baseline_row *row = &baseline->rows[k];
        if (!chosen(row))
            continue;
        size_t at = count < NAMED_MAX ? count++ : NAMED_MAX;
        while (at > 0 && fabs(named[at - 1]->change) < fabs(row->change)) {
            if (at < NAMED_MAX)
                named[at] = named[at - 1];
            at--;
        }
        if (at < NAMED_MAX)
            named[at] = row;
    }
    return count;
}

/* all: how many are chosen. */
static void append_rows(struct arena *arena, struct buf *text, const char *head, const struct baseline *baseline, row_chooser chosen, size_t all)
{
    const struct baseline_row *named[NAMED_MAX];
    size_t count = list_largest(baseline, chosen, named);
    for (size_t k = 0; k < count; k++)
        buf_printf(text, "%s%s", k > 0 ? "; " : head, baseline_row_text(arena, named[k]));
    if (all > count)
        buf_printf(text, "; and %zu more", all - count);
    if (all > 0)
        buf_append_char(text, '.');
}

static void append_points(struct buf *text, const struct baseline *baseline, enum change verdict)
{
    for (size_t k = 0; k < BASELINE_POINTS; k++)
        if (baseline->points[k].verdict == verdict)
            buf_printf(text, " The %s point %s: %s before, %s now.", baseline->points[k].name, verdict == CHANGE_WORSE ? "fell" : "rose",
                       baseline->points[k].was, baseline->points[k].is);
}

static bool points_changed(const struct baseline *baseline)
{
    for (size_t k = 0; k < BASELINE_POINTS; k++)
        if (baseline->points[k].verdict == CHANGE_WORSE || baseline->points[k].verdict == CHANGE_BETTER)
            return true;
    return false;
}

static const char *summary_text(struct arena *arena, const struct baseline *baseline)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    char date[CLOCK_RFC3339_SIZE];
    size_t compared = baseline->worse + baseline->better + baseline->same;
    buf_printf(&text, "Against %s of %.10s:", baseline->run_id, clock_format_rfc3339(baseline->started, 0, date));
    append_rows(arena, &text, " Worse beyond noise: ", baseline, is_worse, baseline->worse);
    append_points(&text, baseline, CHANGE_WORSE);
    append_rows(arena, &text, " Better beyond noise: ", baseline, is_better, baseline->better);
    append_points(&text, baseline, CHANGE_BETTER);
    if (baseline->row_count == 0)
        buf_append_text(&text, " they have no load in common: nothing can be compared.");
    else if (compared == 0 && baseline->within_run_only == 0)
        buf_printf(&text, " nothing can be told: %s.", baseline->rows[0].missing);
    else if (baseline->within_run_only == 0 && baseline->worse + baseline->better == 0 && !points_changed(baseline))
        buf_printf(&text, " nothing of %zu numbers changed beyond noise.", compared);
    if (baseline->within_run_only > 0)
        buf_printf(&text, " %zu of %zu numbers are called neither better nor worse: %s.", baseline->within_run_only, baseline->row_count,
                   BASELINE_ALONE);
    append_rows(arena, &text, " More than the noise within the runs: ", baseline, is_beyond_within_run, baseline->beyond_within_run);
    return arena_strdup(arena, buf_text(&text));
}

void baseline_describe(struct baseline *baseline, struct arena *arena, const struct history_run *was, const struct history_run *is)
{
    list_differences(baseline, arena, was, is);
    list_deployments(baseline, arena, was, is);
    baseline->text = summary_text(arena, baseline);
}
