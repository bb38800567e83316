/* roibench summarize: a run's records to its report, or several runs' to a comparison. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/summarize_facts.h"
#include "cmd/roibench/summarize_history.h"
#include "cmd/roibench/summarize_import.h"
#include "cmd/roibench/summarize_prometheus.h"
#include "cmd/roibench/summarize_sla.h"
#include "cmd/roibench/summarize_tekton.h"
#include "record/run_lock.h"
#include "record/workspace.h"
#include "report/report.h"

#define FOLDERS_MAX COMPARISON_RUNS_MAX
#define REQUESTS_KEPT 1000 /* of each ending of a level, in formats that tell of single requests */

/* What is summarized, and what became of it. */
struct summarizing {
    const struct app *app;
    const struct options *options;
    size_t count;
    char *folders[FOLDERS_MAX];    /* of an import: where its reports go, if it is alone */
    struct plan *plans[FOLDERS_MAX]; /* NULL: imported */
    struct deployed deployed[FOLDERS_MAX];
    struct arena *arena;
    struct sla sla;
    struct run_summary *runs[FOLDERS_MAX];
    struct comparison *comparison; /* NULL: one run */
    char *output;                  /* the folder that the files go into */
    bool output_is_own;            /* a run's or comparison's own folder: it has a manifest */
    struct error conclusion;       /* with what to end when everything is written: --fail-on, --strict */
    int64_t started;
};

static void summarizing_free(struct summarizing *work)
{
    comparison_free(work->comparison);
    for (size_t k = 0; k < work->count; k++) {
        run_summary_free(work->runs[k]);
        plan_free(work->plans[k]);
        free(work->folders[k]);
    }
    free(work->output);
    arena_free(work->arena);
}

/* ---- which runs ---- */

static int choose_folders(struct summarizing *work, struct error *err)
{
    size_t given = options_positional_count(work->options);
    bool by_id = options_source(work->options, "run-id") == OPTION_ARGV;
    if (given > FOLDERS_MAX)
        return error_set(err, ERROR_USAGE, "%zu runs to compare; at most %d", given, FOLDERS_MAX);
    if (given > 0 && by_id)
        return error_set(err, ERROR_USAGE, "--run-id and folders of runs exclude each other");
    if (given == 0 && !by_id && options_count(work->options, "import") > 0)
        return 0;
    for (size_t k = 0; k < (given > 0 ? given : 1); k++) {
        char *folder = given > 0 ? command_find_run_folder(options_text(work->options, "workspace"), options_positional(work->options, k), err)
                                 : command_current_run_folder(work->options, err);
        if (!folder)
            return -1;
        work->folders[work->count++] = folder;
    }
    return 0;
}

static void warn_if_running(const struct summarizing *work)
{
    for (size_t k = 0; k < work->count; k++)
        if (run_lock_is_held(work->folders[k]))
            log_warning(&work->app->log, "%s: roibench run is still writing into it: what follows is what it had measured so far",
                        work->folders[k]);
}

static int read_plans(struct summarizing *work, struct error *err)
{
    const char *slo = options_text(work->options, "slo");
    for (size_t k = 0; k < work->count; k++) {
        cleanup_free char *path = file_join(work->folders[k], "plan.json");
        work->plans[k] = plan_read(path, err);
        if (!work->plans[k])
            return -1;
        if (workspace_check_run_id(work->plans[k]->run_id, err) < 0)
            return error_wrap(err, "%s: run_id", path);
        struct plan *plan = work->plans[k];
        if (slo && slo_parse(slo, &plan->slo, err) < 0)
            return -1;
        work->deployed[k] = (struct deployed){.run_id = plan->run_id, .model = plan->model, .hardware = plan->deployment.hardware,
                                              .price_micro_usd = &plan->deployment.price_micro_usd, .gpus = &plan->deployment.gpus,
                                              .price_source = &plan->deployment.price_source};
    }
    return 0;
}

static int read_imports(struct summarizing *work, struct error *err)
{
    const char *workspace = options_text(work->options, "workspace");
    size_t count = options_count(work->options, "import");
    if (work->count + count > FOLDERS_MAX)
        return error_set(err, ERROR_USAGE, "%zu runs to compare; at most %d", work->count + count, FOLDERS_MAX);
    const char *taken[FOLDERS_MAX];
    for (size_t k = 0; k < work->count; k++)
        taken[k] = work->deployed[k].run_id;
    for (size_t k = 0; k < count; k++) {
        struct run_summary *run = summarize_import(options_item(work->options, "import", k), workspace, &work->sla, taken, work->count, err);
        if (!run)
            return -1;
        struct run_facts *facts = &run->facts;
        taken[work->count] = facts->run_id;
        work->deployed[work->count] = (struct deployed){.run_id = facts->run_id, .model = facts->model, .hardware = facts->hardware,
                                                        .price_micro_usd = &facts->price_micro_usd, .gpus = &facts->gpus,
                                                        .price_source = &facts->price_source};
        work->folders[work->count] = workspace_run_folder(workspace, run->facts.run_id);
        work->runs[work->count++] = run;
    }
    return 0;
}

/* ---- summaries ---- */

static bool tells_of_requests(const struct summarizing *work)
{
    for (const struct report_format *format = report_formats; format->name; format++)
        if (!format->write_comparison && options_chosen(work->options, "format", format->name))
            return work->count == 1;
    return false;
}

static int summarize_runs(struct summarizing *work, struct error *err)
{
    bool any_ended = false;
    for (size_t k = 0; k < work->count; k++) {
        if (work->plans[k] && tells_of_requests(work))
            work->runs[k] = run_summary_make_with_endings(work->folders[k], work->plans[k], &work->sla, REQUESTS_KEPT, err);
        else if (work->plans[k])
            work->runs[k] = run_summary_make(work->folders[k], work->plans[k], &work->sla, err);
        else
            run_summary_find_points(work->runs[k], &work->sla); /* its price may be new */
        if (!work->runs[k])
            return error_wrap(err, "summarizing %s", work->folders[k]);
        summarize_facts_add(work->runs[k], &work->deployed[k]);
        if (!work->runs[k]->any_ended && work->count > 1)
            log_warning(&work->app->log, "not a single request of %s ended", work->folders[k]);
        any_ended |= work->runs[k]->any_ended;
    }
    if (!any_ended && work->runs[0]->facts.imported)
        return error_set(err, ERROR_NO_DATA, "%s: no level tells a request that ended, a TTFT or a throughput: there is nothing to summarize",
                         work->runs[0]->facts.imported->files[0].name);
    if (!any_ended)
        return error_set(err, ERROR_NO_DATA, "not a single request ended in %s: there is nothing to summarize; look at what run said",
                         work->folders[0]);
    return 0;
}

static int compare_runs(struct summarizing *work, struct error *err)
{
    if (work->count == 1)
        return 0;
    work->comparison = comparison_make((const struct run_summary *const *)work->runs, work->count, err);
    if (!work->comparison || workspace_check_comparison_id(work->comparison->id, err) < 0)
        return -1;
    for (size_t k = 0; k < work->comparison->difference_count; k++)
        log_warning(&work->app->log, "not measured alike: %s", work->comparison->differences[k]);
    if (work->comparison->sla_note)
        log_warning(&work->app->log, "%s", work->comparison->sla_note);
    return 0;
}

/* ---- files ---- */

static void choose_output(struct summarizing *work)
{
    const char *given = options_text(work->options, "output-dir");
    work->output_is_own = !given;
    if (given)
        work->output = mem_strdup(given);
    else if (work->comparison)
        work->output = workspace_comparison_folder(options_text(work->options, "workspace"), work->comparison->id);
    else
        work->output = mem_strdup(work->folders[0]);
}

static int render(const struct summarizing *work, const struct report_format *format, struct buf *out, struct error *err)
{
    if (work->comparison)
        format->write_comparison(work->comparison, out);
    else
        format->write_run(work->runs[0], out);
    if (out->overflowed)
        return error_set(err, ERROR_INTERNAL, "the %s report is larger than %zu MB", format->name, REPORT_MAX >> 20);
    return 0;
}

static const char *file_name(const struct summarizing *work, const struct report_format *format)
{
    return work->comparison ? format->comparison_file : format->run_file;
}

/* A format that tells of requests needs one run that has some. */
static bool is_possible(const struct summarizing *work, const struct report_format *format)
{
    return format->write_comparison || (!work->comparison && work->runs[0]->endings);
}

static int write_format(const struct summarizing *work, const struct report_format *format, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
    if (!is_possible(work, format)) {
        log_warning(&work->app->log, "--format %s: %s", format->name,
                    work->comparison ? "it has no form for several runs; ask for it with one of them" : "an imported run has no records, of which it tells");
        return 0;
    }
    cleanup_free char *path = file_join(work->output, file_name(work, format));
    if (render(work, format, &text, err) < 0 || file_write_atomic(path, buf_text(&text), text.len, err) < 0)
        return -1;
    log_info(&work->app->log, "wrote %s", path);
    return 0;
}

static int write_files(const struct summarizing *work, struct error *err)
{
    if (file_make_folder(work->output, err) < 0)
        return -1;
    for (const struct report_format *format = report_formats; format->name; format++)
        if (options_chosen(work->options, "format", format->name) && write_format(work, format, err) < 0)
            return -1;
    if (!work->output_is_own)
        return 0;
    return command_manifest(work->app, work->output, "summarize", work->started, (int)work->conclusion.class, NULL, err);
}

static int print_markdown(const struct summarizing *work, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
    if (render(work, report_format_find("markdown"), &text, err) < 0)
        return -1;
    if (fwrite(buf_text(&text), 1, text.len, work->app->out) != text.len || fflush(work->app->out) != 0)
        return error_set(err, ERROR_INTERNAL, "cannot write the report to standard output");
    return 0;
}

/* ---- Tekton results ---- */

static const struct report_format *first_written(const struct summarizing *work)
{
    for (const struct report_format *format = report_formats; format->name; format++)
        if (options_chosen(work->options, "format", format->name) && is_possible(work, format))
            return format;
    return NULL;
}

/* A comparison has no point of its own: its only result is where the report is. */
static int put_results(const struct summarizing *work, struct error *err)
{
    const char *dir = options_text(work->options, "tekton-results");
    const struct report_format *format = first_written(work);
    cleanup_free char *path = format ? file_join(work->output, file_name(work, format)) : NULL;
    if (!dir)
        return 0;
    if (path && summarize_put_report_path(work->app, dir, path, err) < 0)
        return -1;
    return work->comparison ? 0 : summarize_put_results(dir, work->runs[0], err);
}

/* ---- the command ---- */

static int summarize_run(struct app *app, struct options *options, struct error *err)
{
    __attribute__((cleanup(summarizing_free))) struct summarizing work = {
        .app = app, .options = options, .started = clock_realtime(app->clock), .arena = arena_new()};
    struct gate asked; /* a wrong word is told before the work */
    if (command_gate_read(options, &asked, err) < 0 || summarize_prometheus_check(options, err) < 0 || choose_folders(&work, err) < 0)
        return -1;
    warn_if_running(&work); /* before there are imports, which nobody writes into */
    if (read_plans(&work, err) < 0 || summarize_sla(options, work.plans, work.count, work.arena, &work.sla, err) < 0 || read_imports(&work, err) < 0 || summarize_facts_read(options, work.deployed, work.count, err) < 0)
        return -1;
    if (summarize_prometheus(app, options, work.folders, work.plans, work.count, err) < 0)
        return -1;
    if (summarize_runs(&work, err) < 0 || compare_runs(&work, err) < 0 ||
        summarize_judge(app, options, work.runs, work.count, &work.conclusion, err) < 0)
        return -1;
    choose_output(&work);
    if (write_files(&work, err) < 0 || print_markdown(&work, err) < 0 || put_results(&work, err) < 0)
        return -1;
    if (work.conclusion.class == ERROR_NONE)
        return 0;
    *err = work.conclusion;
    return -1;
}

/* "|markdown|json|…" and ",markdown,json,…": what follows the first character. */
#define FORMAT(identifier, name, when, run_file, comparison_file) "|" name
static const char format_choices[] =
#include "report/formats.def"
    ;
#undef FORMAT
#define WRITTEN_ALWAYS(name) "," name
#define WRITTEN_ASKED(name) ""
#define FORMAT(identifier, name, when, run_file, comparison_file) WRITTEN_##when(name)
static const char format_default[] =
#include "report/formats.def"
    ;
#undef FORMAT

static const struct option_row summarize_options[] = {
    {.type = OPTION_GROUP, .name = "Summarize"},
    {.type = OPTION_CHOICES, .name = "format", .argument = "LIST", .choices = format_choices + 1, .default_text = format_default + 1,
     .help = "files to write; the Markdown report is printed whatever is chosen"},
    {.type = OPTION_TEXT, .name = "output-dir", .argument = "DIR",
     .help = "folder for the files; default: the run's own, of a comparison <workspace>/comparisons/<id>"},
    {.type = OPTION_TEXT, .name = "import", .argument = "FORMAT:FILE", .repeatable = true, .help = summarize_import_help},
    SUMMARIZE_FACTS_OPTIONS,
    {.type = OPTION_TEXT, .name = "slo", .argument = "LIST",
     .help = "what each request has to meet, for goodput, instead of what the plan says: ttft=1000ms,tpot=100ms"},
    SUMMARIZE_SLA_OPTIONS,
    COMMAND_GATE_OPTIONS,
    {.type = OPTION_FLAG, .name = "strict", .help = "end with exit code 4 when a level is invalid as a measurement"},
    {.type = OPTION_TEXT, .name = "tekton-results", .argument = "DIR", .help = "folder for Tekton's result files; where it failed, `error` says why"},
    SUMMARIZE_PROMETHEUS_OPTIONS,
    {.type = OPTION_END},
};

const struct command command_summarize = {
    .name = "summarize",
    .summary = "turns a run's records into a report, or several runs' into a comparison of what a dollar buys",
    .usage = "[RUN_DIR]... [--import FORMAT:FILE]...",
    .options = summarize_options,
    .takes_positional = true,
    .run = summarize_run,
};
