/* roibench prune: takes old runs out of a workspace, so that its volume does not fill up.
 *
 * A run stays when any reason to keep it holds: that it is among the newest of its model, or young enough, or named, or the current one, or not
 * yet over. A comparison goes with the first of its runs: it can neither be published nor made again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "record/run_state.h"
#include "record/workspace.h"
#include "record/workspace_remove.h"
#include "stats/compare.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)
#define UNFINISHED_DAYS 1 /* that a run which is prepared or was cut off may still be begun or gone on with */

struct pruned_run {
    char *id;
    struct plan *plan;
    struct run_state state;
    bool goes;
};

struct pruning {
    const struct app *app;
    const struct options *options;
    const char *workspace;
    bool dry_run;
    struct pruned_run *runs; /* the newest first */
    size_t count;
    size_t removed_runs, removed_comparisons, removed_archives;
    uint64_t removed_bytes;
};

static void pruning_free(struct pruning *pruning)
{
    for (size_t k = 0; k < pruning->count; k++) {
        free(pruning->runs[k].id);
        plan_free(pruning->runs[k].plan);
    }
    free(pruning->runs);
}

/* ---- what is there ---- */

static int compare_newest_first(const void *a, const void *b)
{
    const struct pruned_run *x = a, *y = b;
    if (x->plan->created != y->plan->created)
        return (x->plan->created < y->plan->created) - (x->plan->created > y->plan->created);
    return strcmp(y->id, x->id);
}

static int read_runs(struct pruning *pruning, struct error *err)
{
    char **ids;
    size_t count;
    if (workspace_list_runs(pruning->workspace, &ids, &count, err) < 0)
        return -1;
    pruning->runs = mem_calloc(count + 1, sizeof *pruning->runs);
    for (size_t k = 0; k < count; k++) {
        struct error own = {0};
        cleanup_free char *folder = workspace_run_folder(pruning->workspace, ids[k]);
        cleanup_free char *path = file_join(folder, "plan.json");
        struct plan *plan = plan_read(path, &own);
        if (plan)
            pruning->runs[pruning->count++] = (struct pruned_run){mem_strdup(ids[k]), plan, run_state_find(folder), false};
        else
            log_warning(&pruning->app->log, "%s; the run stays", own.text);
    }
    workspace_free_ids(ids, count);
    if (pruning->count > 0)
        qsort(pruning->runs, pruning->count, sizeof *pruning->runs, compare_newest_first);
    return 0;
}

/* ---- what stays ---- */

static bool is_named(const struct options *options, const char *id)
{
    for (size_t k = 0; k < options_count(options, "keep"); k++)
        if (strcmp(options_item(options, "keep", k), id) == 0)
            return true;
    return false;
}

/* How many of its model are newer. */
static int64_t place_of(const struct pruning *pruning, size_t at)
{
    int64_t newer = 0;
    for (size_t k = 0; k < at; k++)
        newer += strcmp(pruning->runs[k].plan->model, pruning->runs[at].plan->model) == 0;
    return newer;
}

static bool stays(const struct pruning *pruning, size_t at, const char *latest)
{
    const struct pruned_run *run = &pruning->runs[at];
    int64_t last = options_integer(pruning->options, "keep-last", 0), days = options_integer(pruning->options, "keep-days", 0);
    int64_t age_ns = clock_realtime(pruning->app->clock) - run->plan->created;
    bool over = run->state.stage != RUN_PREPARED && run->state.end != RUN_END_CUT_OFF;
    return run->state.stage == RUN_RUNNING || (latest && strcmp(latest, run->id) == 0) || is_named(pruning->options, run->id) ||
           place_of(pruning, at) < last || age_ns < days * DAY_NS || (!over && age_ns < UNFINISHED_DAYS * DAY_NS);
}

static void choose(struct pruning *pruning)
{
    cleanup_free char *latest = workspace_find_run_id(pruning->workspace, NULL, NULL);
    for (size_t k = 0; k < pruning->count; k++)
        pruning->runs[k].goes = !stays(pruning, k, latest);
}

static int check_named(const struct pruning *pruning, struct error *err)
{
    for (size_t k = 0; k < options_count(pruning->options, "keep"); k++) {
        const char *id = options_item(pruning->options, "keep", k);
        size_t found = 0;
        for (size_t run = 0; run < pruning->count; run++)
            found += strcmp(pruning->runs[run].id, id) == 0;
        if (found == 0)
            return error_set(err, ERROR_USAGE, "--keep %s: there is no such run in %s. Nothing was removed", id, pruning->workspace);
    }
    return 0;
}

static bool run_goes(const struct pruning *pruning, const char *id)
{
    for (size_t k = 0; k < pruning->count; k++)
        if (strcmp(pruning->runs[k].id, id) == 0)
            return pruning->runs[k].goes;
    return false;
}

/* ---- what goes ---- */

static void tell(const struct pruning *pruning, const char *what, const char *name, const char *more)
{
    fprintf(pruning->app->out, "%s %s %s%s\n", pruning->dry_run ? "would remove" : "removed", what, name, more);
}

/* Of the archives in the workspace: one that is not there is fine. */
static int remove_archive(struct pruning *pruning, const char *prefix, const char *id, const char *suffix, struct error *err)
{
    cleanup_free char *folder = workspace_archives_folder(pruning->workspace);
    cleanup_free char *name = mem_printf("%s%s%s", prefix, id, suffix);
    cleanup_free char *path = file_join(folder, name);
    if (!options_flag(pruning->options, "archives") || !file_exists(path))
        return 0;
    if (!pruning->dry_run && unlink(path) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot remove %s", path);
    pruning->removed_archives++;
    tell(pruning, "archive", name, "");
    return 0;
}

static int remove_archives(struct pruning *pruning, const char *prefix, const char *id, struct error *err)
{
    return remove_archive(pruning, prefix, id, ".tar.gz.sha256", err) < 0 ? -1 : remove_archive(pruning, prefix, id, ".tar.gz", err);
}

/* One that cannot be read stays. */
static bool comparison_goes(const struct pruning *pruning, const char *id)
{
    cleanup_free char *folder = workspace_comparison_folder(pruning->workspace, id);
    cleanup_free char *path = file_join(folder, "comparison.json");
    struct json_reader reader;
    struct error own = {0};
    json_t *document = json_open(&reader, path, COMPARISON_SCHEMA, &own);
    const json_t *run;
    size_t k;
    bool goes = false;
    if (!document)
        log_warning(&pruning->app->log, "%s; the comparison stays", own.text);
    json_array_foreach(json_object_get(document, "runs"), k, run)
    {
        const char *name = json_string_value(json_object_get(json_object_get(run, "run"), "run_id"));
        goes |= name && run_goes(pruning, name);
    }
    json_decref(document);
    return goes;
}

static int remove_comparison(struct pruning *pruning, const char *id, struct error *err)
{
    cleanup_free char *parent = file_join(pruning->workspace, "comparisons");
    bool in_use = false;
    if (!pruning->dry_run && workspace_remove(parent, id, &in_use, err) < 0)
        return -1;
    pruning->removed_comparisons++;
    tell(pruning, "comparison", id, "");
    return remove_archives(pruning, "comparison-", id, err);
}

/* Before their runs: a comparison never stands without them. */
static int remove_comparisons(struct pruning *pruning, struct error *err)
{
    char **ids;
    size_t count;
    if (workspace_list_comparisons(pruning->workspace, &ids, &count, err) < 0)
        return -1;
    int status = 0;
    for (size_t k = 0; k < count && status == 0 && !*pruning->app->stop; k++)
        if (comparison_goes(pruning, ids[k]))
            status = remove_comparison(pruning, ids[k], err);
    workspace_free_ids(ids, count);
    return status;
}

static int remove_run(struct pruning *pruning, const struct pruned_run *run, struct error *err)
{
    char size[UNITS_TEXT_SIZE];
    bool in_use = false;
    if (!pruning->dry_run && workspace_remove(pruning->workspace, run->id, &in_use, err) < 0)
        return -1;
    if (in_use) {
        log_info(&pruning->app->log, "%s stays: a run has begun in it", run->id);
        return 0;
    }
    cleanup_free char *more = mem_printf(" (%s, %s)", run_stage_name(run->state.stage), units_format_bytes(run->state.bytes, size));
    pruning->removed_runs++;
    pruning->removed_bytes += run->state.bytes;
    tell(pruning, "run", run->id, more);
    return remove_archives(pruning, "", run->id, err);
}

static int remove_all(struct pruning *pruning, struct error *err)
{
    cleanup_free char *comparisons = file_join(pruning->workspace, "comparisons");
    if (!pruning->dry_run && (workspace_remove_leftovers(pruning->workspace, err) < 0 || workspace_remove_leftovers(comparisons, err) < 0))
        return -1;
    if (remove_comparisons(pruning, err) < 0)
        return -1;
    for (size_t k = pruning->count; k-- > 0 && !*pruning->app->stop;)
        if (pruning->runs[k].goes && remove_run(pruning, &pruning->runs[k], err) < 0)
            return -1;
    return 0;
}

/* ---- the command ---- */

static int prune_run(struct app *app, struct options *options, struct error *err)
{
    __attribute__((cleanup(pruning_free))) struct pruning pruning = {
        .app = app, .options = options, .workspace = options_text(options, "workspace"), .dry_run = options_flag(options, "dry-run")};
    char size[UNITS_TEXT_SIZE];
    if (!options_given(options, "keep-last") && !options_given(options, "keep-days"))
        return error_set(err, ERROR_USAGE, "what is to stay? --keep-last N of each model, --keep-days D, or both");
    if (command_check_workspace(pruning.workspace, err) < 0 || read_runs(&pruning, err) < 0 || check_named(&pruning, err) < 0)
        return -1;
    choose(&pruning);
    int status = remove_all(&pruning, err);
    log_info(&app->log, "%s%zu of %zu runs (%s), %zu comparisons, %zu files of archives", pruning.dry_run ? "would remove " : "removed ",
             pruning.removed_runs, pruning.count, units_format_bytes(pruning.removed_bytes, size), pruning.removed_comparisons,
             pruning.removed_archives);
    return status;
}

static const struct option_row prune_options[] = {
    {.type = OPTION_GROUP, .name = "Prune"},
    {.type = OPTION_INTEGER, .name = "keep-last", .argument = "N", .min = 0, .max = 1e9, .help = "keep the N newest runs of each model"},
    {.type = OPTION_INTEGER, .name = "keep-days", .argument = "D", .min = 0, .max = 1e5,
     .help = "keep what was prepared in the last D days; with --keep-last a run stays for either reason"},
    {.type = OPTION_TEXT, .name = "keep", .argument = "RUN_ID", .repeatable = true, .help = "keep this run, a baseline for example"},
    {.type = OPTION_FLAG, .name = "archives", .help = "also the archives of what goes, in <workspace>/archives"},
    {.type = OPTION_FLAG, .name = "dry-run", .help = "only say what would go"},
    {.type = OPTION_END},
};

const struct command command_prune = {
    .name = "prune",
    .summary = "takes old runs, and the comparisons they are part of, out of a workspace",
    .usage = "--keep-last N | --keep-days D [--keep RUN_ID]... [--archives] [--dry-run]",
    .options = prune_options,
    .without_run_id = true,
    .run = prune_run,
};
