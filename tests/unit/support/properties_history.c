#include "support/properties_history.h"

#include <stdbool.h>
#include <string.h>

#include "report/history_report.h"
#include "report/report.h"
#include "report/summary_read.h"
#include "stats/gate.h"
#include "support/must.h"

static void check_words(const struct history_run *run, struct arena *arena)
{
    const struct gate all = {true, true, true, 0.05};
    struct gate_answer answers[GATE_CONDITIONS];
    cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
    const struct baseline *baseline = baseline_compare(arena, run, run, NULL, 0);
    must(baseline->worse == 0 && baseline->better == 0);
    must(gate_judge(&all, arena, run, baseline, answers) == GATE_CONDITIONS);
    markdown_baseline_verdict(&text, baseline);
    markdown_baseline(&text, baseline, "##");
    must(!text.overflowed);
    json_t *document = baseline_to_json(baseline);
    must(json_array_size(json_object_get(document, "rows")) == baseline->row_count);
    json_decref(document);
}

static void check_trend(const struct history_run *run, struct arena *arena)
{
    const struct history_run *runs[TREND_STEP_MIN];
    if (run->level_count == 0)
        return;
    for (size_t k = 0; k < TREND_STEP_MIN; k++)
        runs[k] = run;
    const struct trend *trend = trend_find(arena, runs, TREND_STEP_MIN);
    for (size_t k = 0; k < TREND_METRICS; k++)
        must(trend->metrics[k].verdict != CHANGE_WORSE && trend->metrics[k].verdict != CHANGE_BETTER && !trend->metrics[k].since);
    json_decref(trend_to_json(trend));
}

void property_summary(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct plan *plan = plan_new();
    struct arena *arena = arena_new();
    struct history_run *run = summary_parse((const char *)data, size, "f.json", plan, &err);
    if (run) {
        must(run->level_count <= SUMMARY_LEVELS_MAX && history_run_verdict(run) != NULL);
        check_words(run, arena);
        check_trend(run, arena);
    } else {
        must(err.class == ERROR_USAGE && strncmp(err.text, "f.json: ", strlen("f.json: ")) == 0);
    }
    history_run_free(run);
    arena_free(arena);
    plan_free(plan);
}
