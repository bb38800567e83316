/* roibench list: the runs of a workspace, how far they have come, what came out, and the trend of those that measured the same thing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command_history.h"
#include "record/run_state.h"
#include "record/workspace.h"
#include "report/history_report.h"
#include "report/table.h"

#define LIST_SCHEMA "roibench/list/v1"
#define LIST_MAX ((size_t)64 << 20)

CLEANUP_DEFINE(struct arena, arena_free)

struct listing {
    const struct app *app;
    struct arena *arena;
    struct command_history history;
    struct run_state *states; /* of each run */
    struct trend **trends;
    size_t trend_count;
};

/* ---- what is shown ---- */

/* Runs of other models are dropped. */
static void keep_model(struct command_history *history, const char *model)
{
    size_t kept = 0;
    for (size_t k = 0; k < history->count; k++) {
        if (strcmp(history->runs[k]->model, model) == 0)
            history->runs[kept++] = history->runs[k];
        else
            history_run_free(history->runs[k]);
    }
    history->count = kept;
}

/* Is there a newer run with levels of the same series? Runs are in the order of time. */
static bool is_newest(const struct command_history *history, size_t at)
{
    for (size_t k = at + 1; k < history->count; k++)
        if (history->runs[k]->level_count > 0 && strcmp(history->runs[k]->series, history->runs[at]->series) == 0)
            return false;
    return history->runs[at]->level_count > 0;
}

static void find_trends(struct listing *listing)
{
    const struct command_history *history = &listing->history;
    listing->trends = ARENA_ARRAY(listing->arena, history->count + 1, struct trend *);
    for (size_t k = 0; k < history->count; k++) {
        if (!is_newest(history, k))
            continue;
        struct trend *trend = command_history_trend(listing->arena, history, history->runs[k]);
        if (trend)
            listing->trends[listing->trend_count++] = trend;
    }
}

static void find_states(struct listing *listing, const char *workspace)
{
    listing->states = ARENA_ARRAY(listing->arena, listing->history.count + 1, struct run_state);
    for (size_t k = 0; k < listing->history.count; k++) {
        cleanup_free char *folder = workspace_run_folder(workspace, listing->history.runs[k]->run_id);
        listing->states[k] = run_state_find(folder);
    }
}

static double advised_value(const struct history_run *run, enum history_metric metric)
{
    return run->unit && !isnan(run->advised_load) ? history_run_value(run, run->unit, run->advised_load, metric) : NAN;
}

/* ---- for people ---- */

static void add_run(struct table *table, const struct history_run *run, const struct run_state *state)
{
    char date[CLOCK_RFC3339_SIZE], text[HISTORY_VALUE_SIZE], load[UNITS_TEXT_SIZE], bytes[UNITS_TEXT_SIZE];
    const char *end = run_end_name(state->end);
    table_text(table, run->run_id);
    table_printf(table, "%.10s %.5s", clock_format_rfc3339(run->started, 0, date), date + sizeof "2026-11-24T" - 1);
    table_printf(table, end ? "%s (%s)" : "%s", run_stage_name(state->stage), end);
    table_printf(table, "%s", run->level_count > 0 ? history_run_verdict(run) : "-");
    if (run->unit && !isnan(run->advised_load))
        table_printf(table, "%s %s", units_format_load(run->advised_load, load), run->unit);
    else
        table_printf(table, "-");
    table_printf(table, "%s", history_metric_format(HISTORY_TTFT_P95, advised_value(run, HISTORY_TTFT_P95), text));
    table_printf(table, "%s", history_metric_format(HISTORY_TOTAL_TPS, advised_value(run, HISTORY_TOTAL_TPS), text));
    table_text(table, run->unit ? run->breaking.text : NULL);
    table_printf(table, "%s", units_format_bytes(state->bytes, bytes));
}

static void write_table(const struct listing *listing, struct buf *out)
{
    static const struct table_column columns[] = {{"Run", false},    {"begun (UTC)", false}, {"state", false},    {"verdict", false},
                                                  {"advised", true}, {"TTFT p95", true},     {"throughput", true}, {"breaking point", false},
                                                  {"size", true},    {0}};
    struct table table;
    table_begin(&table, columns);
    for (size_t k = 0; k < listing->history.count; k++)
        add_run(&table, listing->history.runs[k], &listing->states[k]);
    table_end(&table, out);
    for (size_t k = 0; k < listing->trend_count; k++) {
        const struct trend *trend = listing->trends[k];
        buf_append_text(out, "## ");
        markdown_text(out, trend->model);
        if (trend->hardware[0]) {
            buf_append_text(out, " on ");
            markdown_text(out, trend->hardware);
        }
        buf_append_text(out, ", ");
        markdown_text(out, trend->workload);
        buf_append_text(out, "\n\n");
        markdown_trend(out, trend, "###");
    }
}

/* ---- for programs ---- */

static json_t *run_to_json(const struct history_run *run, const struct run_state *state)
{
    char date[CLOCK_RFC3339_SIZE];
    json_t *object = json_object();
    json_set_text(object, "run_id", run->run_id);
    json_set_text(object, "model", run->model);
    json_set_text_if_any(object, "hardware", run->hardware);
    json_set_text(object, "started", clock_format_rfc3339(run->started, 3, date));
    json_set_text(object, "state", run_stage_name(state->stage));
    json_set_text(object, "end", state->end == RUN_END_WHOLE ? "whole" : run_end_name(state->end));
    json_set_integer(object, "bytes", (int64_t)state->bytes);
    json_set_text(object, "verdict", run->level_count > 0 ? history_run_verdict(run) : NULL);
    json_set_text(object, "unit", run->unit);
    json_set_number(object, "advised_load", run->advised_load);
    json_set_number(object, "ttft_p95_ms", advised_value(run, HISTORY_TTFT_P95));
    json_set_number(object, "total_tps", advised_value(run, HISTORY_TOTAL_TPS));
    json_set_number(object, "max_total_tps", run->max_tps);
    json_set_text(object, "breaking", run->unit ? run->breaking.text : NULL);
    json_set_text(object, "saturation", run->unit ? run->saturation.text : NULL);
    return object;
}

static int write_json(const struct listing *listing, struct buf *out)
{
    json_t *root = json_object();
    json_set_text(root, "schema", LIST_SCHEMA);
    json_t *runs = json_add_array(root, "runs"), *trends = json_add_array(root, "trends");
    for (size_t k = 0; k < listing->history.count; k++)
        json_array_append_new(runs, run_to_json(listing->history.runs[k], &listing->states[k]));
    for (size_t k = 0; k < listing->trend_count; k++)
        json_array_append_new(trends, trend_to_json(listing->trends[k]));
    int status = json_append_pretty(root, out);
    json_decref(root);
    return status;
}

/* ---- the command ---- */

static int print(const struct listing *listing, bool as_json, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(LIST_MAX);
    if (as_json)
        write_json(listing, &text);
    else if (listing->history.count > 0)
        write_table(listing, &text);
    if (text.overflowed)
        return error_set(err, ERROR_INTERNAL, "the list is larger than %zu MB", LIST_MAX >> 20);
    fwrite(buf_text(&text), 1, text.len, listing->app->out);
    return 0;
}

static int list_run(struct app *app, struct options *options, struct error *err)
{
    const char *workspace = options_text(options, "workspace"), *model = options_text(options, "model");
    cleanup_with(arena_free) struct arena *arena = arena_new();
    struct listing listing = {.app = app, .arena = arena};
    int status = command_check_workspace(workspace, err) < 0 ? -1 : command_history_read(app, workspace, &listing.history, err);
    if (status == 0) {
        if (model)
            keep_model(&listing.history, model);
        find_states(&listing, workspace);
        find_trends(&listing);
        if (listing.history.count == 0)
            log_info(&app->log, "the workspace %s holds no run%s%s", workspace, model ? " of " : "", model ? model : "");
        status = print(&listing, strcmp(options_text(options, "format"), "json") == 0, err);
    }
    command_history_free(&listing.history);
    return status;
}

static const struct option_row list_options[] = {
    {.type = OPTION_GROUP, .name = "List"},
    {.type = OPTION_TEXT, .name = "model", .argument = "NAME", .help = "only runs of this model"},
    {.type = OPTION_CHOICE, .name = "format", .argument = "FORMAT", .choices = "text|json", .default_text = "text",
     .help = "for people or for programs"},
    {.type = OPTION_END},
};

const struct command command_list = {
    .name = "list",
    .summary = "the runs of a workspace: how far they have come, their points, and whether a model became slower",
    .usage = "[--workspace DIR] [--model NAME] [--format text|json]",
    .options = list_options,
    .without_run_id = true,
    .run = list_run,
};
