#include "cmd/roibench/command_history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "record/workspace.h"
#include "report/summary_read.h"

#define CONDITIONS_TEXT_MAX ((size_t)64 << 10)

CLEANUP_DEFINE(struct plan, plan_free)
CLEANUP_DEFINE(struct history_run, history_run_free)

/* ---- all runs ---- */

/* NULL with *err. */
static struct history_run *read_run(const char *folder, struct error *err)
{
    cleanup_free char *plan_path = file_join(folder, "plan.json");
    cleanup_free char *path = file_join(folder, "summary.json");
    cleanup_with(plan_free) struct plan *plan = plan_read(plan_path, err);
    if (!plan)
        return NULL;
    return file_exists(path) ? summary_read(path, plan, err) : history_run_new(plan);
}

int command_history_read(const struct app *app, const char *workspace, struct command_history *history, struct error *err)
{
    char **ids;
    size_t count;
    *history = (struct command_history){0};
    if (workspace_list_runs(workspace, &ids, &count, err) < 0)
        return -1;
    history->runs = mem_calloc(count + 1, sizeof *history->runs);
    for (size_t k = 0; k < count; k++) {
        struct error own = {0};
        cleanup_free char *folder = workspace_run_folder(workspace, ids[k]);
        struct history_run *run = read_run(folder, &own);
        if (run) {
            run->run_id = arena_strdup(run->arena, ids[k]); /* by which it is found: a folder may have been renamed */
            history->runs[history->count++] = run;
        } else {
            log_warning(&app->log, "%s; the run is left out of account", own.text);
        }
    }
    workspace_free_ids(ids, count);
    if (history->count > 0)
        qsort(history->runs, history->count, sizeof *history->runs, history_run_compare);
    return 0;
}

void command_history_free(struct command_history *history)
{
    for (size_t k = 0; k < history->count; k++)
        history_run_free(history->runs[k]);
    free(history->runs);
    *history = (struct command_history){0};
}

struct trend *command_history_trend(struct arena *arena, const struct command_history *history, const struct history_run *newest)
{
    const struct history_run **series = ARENA_ARRAY(arena, history->count + 1, const struct history_run *);
    size_t count = 0;
    for (size_t k = 0; k < history->count; k++) {
        const struct history_run *run = history->runs[k];
        if (run->level_count > 0 && strcmp(run->series, newest->series) == 0 && strcmp(run->run_id, newest->run_id) != 0 &&
            run->started <= newest->started)
            series[count++] = run;
    }
    if (newest->level_count > 0)
        series[count++] = newest;
    return count >= TREND_RUNS_MIN && newest->level_count > 0 ? trend_find(arena, series, count) : NULL;
}

/* ---- the baseline ---- */

static bool has_valid_level(const struct history_run *run)
{
    for (size_t k = 0; k < run->level_count; k++)
        if (run->levels[k].validity != VALIDITY_INVALID)
            return true;
    return false;
}

/* The newest before `is` of its series that measured anything. */
static const struct history_run *find_previous(const struct command_history *history, const struct history_run *is)
{
    for (size_t k = history->count; k-- > 0;) {
        const struct history_run *run = history->runs[k];
        if (strcmp(run->series, is->series) == 0 && run->started < is->started && strcmp(run->run_id, is->run_id) != 0 &&
            has_valid_level(run))
            return run;
    }
    return NULL;
}

/* From the records, by these bounds. */
static struct history_run *judge_run(const char *folder, const struct sla *sla, struct error *err)
{
    cleanup_free char *plan_path = file_join(folder, "plan.json");
    cleanup_with(plan_free) struct plan *plan = plan_read(plan_path, err);
    struct run_summary *summary = plan ? run_summary_make(folder, plan, sla, err) : NULL;
    struct history_run *run = summary ? history_run_of(summary) : NULL;
    run_summary_free(summary);
    return run;
}

/* From summary.json, where it is there; else from the records. */
static struct history_run *open_run(const char *folder, const struct sla *sla, struct error *err)
{
    cleanup_free char *path = file_join(folder, "summary.json");
    return file_exists(path) ? read_run(folder, err) : judge_run(folder, sla, err);
}

/* A run that was judged by other bounds is judged again; where its records are gone, NULL: it stays as it was. */
static struct history_run *judge_alike(const struct app *app, const char *folder, const struct history_run *was, const struct sla *sla)
{
    struct error own = {0};
    struct history_run *again = sla_equal(was->sla, sla) ? NULL : judge_run(folder, sla, &own);
    if (own.class != ERROR_NONE)
        log_info(&app->log, "%s was judged by other SLA classes and cannot be judged again: %s", was->run_id, own.text);
    return again;
}

static int check_alike(const struct gate *gate, const struct baseline *baseline, struct error *err)
{
    if (isnan(gate->regression) || baseline->difference_count == 0)
        return 0;
    return error_set(err, ERROR_USAGE, "--fail-on regression: %s was not measured alike (%s)", baseline->run_id, baseline->differences[0]);
}

int command_baseline(const struct app *app, const struct options *options, const struct gate *gate, struct arena *arena,
                     const struct history_run *is, const struct command_history *history, struct baseline **baseline, struct error *err)
{
    const char *workspace = options_text(options, "workspace"), *name = options_text(options, "baseline");
    cleanup_with(history_run_free) struct history_run *opened = NULL;
    cleanup_free char *folder = NULL;
    const struct history_run *was = NULL;
    *baseline = NULL;
    if (!name)
        return 0;
    if (strcmp(name, "previous") == 0) {
        if (command_check_workspace(workspace, err) < 0)
            return error_wrap(err, "--baseline previous");
        was = find_previous(history, is);
        if (!was)
            log_info(&app->log, "--baseline previous: %s has no earlier run of %s on this hardware with this workload: it is the first", workspace,
                     is->model);
        else
            folder = workspace_run_folder(workspace, was->run_id);
    } else {
        folder = command_find_run_folder(workspace, name, err);
        opened = folder ? open_run(folder, is->sla, err) : NULL;
        if (!opened)
            return error_wrap(err, "--baseline");
        was = opened;
        if (strcmp(was->run_id, is->run_id) == 0)
            return error_set(err, ERROR_USAGE, "--baseline %s: this is the run itself", name);
    }
    if (!was)
        return 0;
    cleanup_with(history_run_free) struct history_run *again = judge_alike(app, folder, was, is->sla);
    *baseline = baseline_compare(arena, again ? again : was, is, (const struct history_run *const *)history->runs, history->count);
    (*baseline)->previous = !opened;
    for (size_t k = 0; k < (*baseline)->difference_count; k++)
        log_warning(&app->log, "not measured as %s was: %s", (*baseline)->run_id, (*baseline)->differences[k]);
    return check_alike(gate, *baseline, err);
}

/* ---- conditions ---- */

int command_gate_read(const struct options *options, struct gate *gate, struct error *err)
{
    *gate = gate_open;
    for (size_t k = 0; k < options_count(options, "fail-on"); k++)
        if (gate_add(gate, options_item(options, "fail-on", k), err) < 0)
            return error_wrap(err, "--fail-on");
    if (!isnan(gate->regression) && !options_given(options, "baseline"))
        return error_set(err, ERROR_USAGE, "--fail-on regression: against what? --baseline RUN names an earlier run, --baseline previous takes the "
                                           "newest one before");
    return 0;
}

int command_gate_conclude(const struct gate_answer *answers, size_t count, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(CONDITIONS_TEXT_MAX);
    for (size_t k = 0; k < count; k++)
        if (answers[k].met)
            buf_printf(&text, "%s%s (%s)", text.len > 0 ? "; " : "", answers[k].condition, answers[k].text);
    return text.len > 0 ? error_set(err, ERROR_CONDITION, "--fail-on %s", buf_text(&text)) : 0;
}
