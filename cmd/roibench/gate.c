/* roibench gate: is the run good enough to go on with? By its summary.json, so that it can be published before it is judged. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cmd/roibench/command_history.h"
#include "report/summary_read.h"

CLEANUP_DEFINE(struct plan, plan_free)
CLEANUP_DEFINE(struct history_run, history_run_free)
CLEANUP_DEFINE(struct arena, arena_free)

/* Without --fail-on. */
static const char *const by_default[] = {"invalid", "breaking"};

static int read_gate(const struct options *options, struct gate *gate, struct error *err)
{
    if (command_gate_read(options, gate, err) < 0)
        return -1;
    for (size_t k = 0; k < sizeof by_default / sizeof by_default[0] && !options_given(options, "fail-on"); k++)
        gate_add(gate, by_default[k], NULL);
    return 0;
}

static void print_answers(const struct app *app, const struct gate_answer *answers, size_t count)
{
    for (size_t k = 0; k < count; k++)
        fprintf(app->out, "%-8s %-16s %s\n", answers[k].met ? "MET" : "not met", answers[k].condition, answers[k].text);
}

static int judge_verdict(const struct app *app, const struct options *options, const struct gate *gate, struct error *err)
{
    struct gate_answer answers[GATE_CONDITIONS];
    size_t count;
    if (options_positional_count(options) > 0 || options_given(options, "baseline") || options_source(options, "run-id") == OPTION_ARGV)
        return error_set(err, ERROR_USAGE, "--verdict is all that is judged: it goes with neither a run nor --baseline");
    if (gate_judge_verdict(gate, options_text(options, "verdict"), answers, &count, err) < 0)
        return error_wrap(err, "--verdict");
    print_answers(app, answers, count);
    return command_gate_conclude(answers, count, err);
}

static char *choose_folder(const struct options *options, struct error *err)
{
    if (options_positional_count(options) > 1) {
        error_set(err, ERROR_USAGE, "%zu runs are given: one at a time", options_positional_count(options));
        return NULL;
    }
    if (options_positional_count(options) == 1 && options_source(options, "run-id") == OPTION_ARGV) {
        error_set(err, ERROR_USAGE, "--run-id and the folder of a run exclude each other");
        return NULL;
    }
    if (options_positional_count(options) == 1)
        return command_find_run_folder(options_text(options, "workspace"), options_positional(options, 0), err);
    return command_current_run_folder(options, err);
}

static struct history_run *open_run(const char *folder, struct error *err)
{
    cleanup_free char *plan_path = file_join(folder, "plan.json");
    cleanup_free char *path = file_join(folder, "summary.json");
    if (!file_exists(path)) {
        error_set(err, ERROR_USAGE, "%s does not exist: roibench summarize comes first", path);
        return NULL;
    }
    cleanup_with(plan_free) struct plan *plan = plan_read(plan_path, err);
    return plan ? summary_read(path, plan, err) : NULL;
}

static int judge_run(const struct app *app, const struct options *options, const struct gate *gate, struct error *err)
{
    cleanup_free char *folder = choose_folder(options, err);
    cleanup_with(history_run_free) struct history_run *is = folder ? open_run(folder, err) : NULL;
    cleanup_with(arena_free) struct arena *arena = arena_new();
    struct command_history history = {0};
    struct gate_answer answers[GATE_CONDITIONS];
    struct baseline *baseline = NULL;
    if (!is)
        return -1;
    int status = options_given(options, "baseline") ? command_history_read(app, options_text(options, "workspace"), &history, err) : 0;
    if (status == 0)
        status = command_baseline(app, options, gate, arena, is, &history, &baseline, err);
    command_history_free(&history);
    if (status < 0)
        return -1;
    size_t count = gate_judge(gate, arena, is, baseline, answers);
    if (baseline)
        fprintf(app->out, "%s\n", baseline->text);
    print_answers(app, answers, count);
    return command_gate_conclude(answers, count, err);
}

static int gate_run(struct app *app, struct options *options, struct error *err)
{
    struct gate gate;
    if (read_gate(options, &gate, err) < 0)
        return -1;
    return (options_given(options, "verdict") ? judge_verdict : judge_run)(app, options, &gate, err);
}

static const struct option_row gate_options[] = {
    {.type = OPTION_GROUP, .name = "Gate"},
    COMMAND_GATE_OPTIONS,
    {.type = OPTION_TEXT, .name = "verdict", .argument = "WORD",
     .help = "judge this word, summarize's Tekton result `verdict`, instead of a run's summary.json"},
    COMMAND_TEKTON_OPTION,
    {.type = OPTION_END},
};

const struct command command_gate = {
    .name = "gate",
    .summary = "ends with exit code 5 when a summarized run is not good enough",
    .usage = "[RUN_DIR] [--fail-on CONDITION]... [--baseline RUN]",
    .options = gate_options,
    .takes_positional = true,
    .run = gate_run,
};
