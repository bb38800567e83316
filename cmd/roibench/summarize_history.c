#include "cmd/roibench/summarize_history.h"

#include "base/cleanup.h"
#include "base/mem.h"

CLEANUP_DEFINE(struct history_run, history_run_free)

struct judging {
    const struct app *app;
    const struct options *options;
    struct gate gate;
    struct command_history history;
    struct gate_answer *answers; /* of all runs that meet a condition */
    size_t count;
};

static int look_back(struct judging *judging, struct run_summary *summary, const struct history_run *is, struct baseline **baseline,
                     struct error *err)
{
    *baseline = NULL;
    if (!options_given(judging->options, "baseline"))
        return 0;
    if (command_history_read(judging->app, options_text(judging->options, "workspace"), &judging->history, err) < 0 ||
        command_baseline(judging->app, judging->options, &judging->gate, summary->arena, is, &judging->history, baseline, err) < 0)
        return -1;
    summary->baseline = *baseline;
    summary->trend = command_history_trend(summary->arena, &judging->history, is);
    return 0;
}

static int judge_run(struct judging *judging, struct run_summary *summary, bool alone, struct error *err)
{
    cleanup_with(history_run_free) struct history_run *is = history_run_of(summary);
    struct baseline *baseline;
    if (look_back(judging, summary, is, &baseline, err) < 0)
        return -1;
    struct gate_answer *answers = judging->answers + judging->count;
    size_t count = gate_judge(&judging->gate, summary->arena, is, baseline, answers);
    for (size_t k = 0; k < count; k++) {
        answers[k].text = alone ? arena_strdup(summary->arena, answers[k].text)
                                : arena_printf(summary->arena, "%s: %s", summary->facts.run_id, answers[k].text);
    }
    judging->count += count;
    return 0;
}

static int check_strictly(struct run_summary *const *runs, size_t count, struct error *conclusion)
{
    for (size_t k = 0; k < count; k++)
        for (size_t level = 0; level < runs[k]->level_count; level++)
            if (runs[k]->levels[level].validity.verdict == VALIDITY_INVALID)
                return error_set(conclusion, ERROR_NO_DATA, "--strict: a level of %s is invalid as a measurement: the report says which, and why",
                                 runs[k]->facts.run_id);
    return 0;
}

int summarize_judge(const struct app *app, const struct options *options, struct run_summary *const *runs, size_t count,
                    struct error *conclusion, struct error *err)
{
    struct judging judging = {.app = app, .options = options};
    int status = command_gate_read(options, &judging.gate, err);
    if (status == 0 && count > 1 && options_given(options, "baseline"))
        status = error_set(err, ERROR_USAGE, "--baseline compares one run with an earlier one, and %zu runs are given", count);
    judging.answers = mem_calloc(count * GATE_CONDITIONS + 1, sizeof *judging.answers);
    for (size_t k = 0; k < count && status == 0; k++)
        status = judge_run(&judging, runs[k], count == 1, err);
    *conclusion = (struct error){.class = ERROR_NONE};
    if (status == 0 && (!options_flag(options, "strict") || check_strictly(runs, count, conclusion) == 0))
        command_gate_conclude(judging.answers, judging.count, conclusion);
    free(judging.answers);
    command_history_free(&judging.history);
    return status;
}
