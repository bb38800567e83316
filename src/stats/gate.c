#include "stats/gate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"

#define SHARE_MAX 10
#define TEXT_MAX ((size_t)64 << 10)

const struct gate gate_open = {.regression = NAN};

/* Without % a 5 could be 5 % or 500 %, and a gate that takes the wrong one stays open: it has to be written. */
static int parse_share(const char *text, double *share)
{
    char number[64];
    size_t length = strlen(text);
    if (length == 0 || text[length - 1] != '%' || length > sizeof number)
        return -1;
    snprintf(number, sizeof number, "%.*s", (int)(length - 1), text);
    if (units_parse_number(number, share) < 0)
        return -1;
    *share /= 100;
    return *share > 0 && *share <= SHARE_MAX ? 0 : -1;
}

int gate_add(struct gate *gate, const char *text, struct error *err)
{
    static const char regression[] = "regression=";
    if (strcmp(text, "breaking") == 0)
        gate->breaking = true;
    else if (strcmp(text, "degraded") == 0)
        gate->degraded = true;
    else if (strcmp(text, "invalid") == 0)
        gate->invalid = true;
    else if (strncmp(text, regression, strlen(regression)) != 0)
        return error_set(err, ERROR_USAGE, "'%.60s' is none of breaking, degraded, invalid and regression=5%%", text);
    else if (parse_share(text + strlen(regression), &gate->regression) < 0)
        return error_set(err, ERROR_USAGE, "'%.60s': expected a percentage above 0 and at most 1000%%, with its %%, as in regression=5%%", text);
    return 0;
}

bool gate_asks(const struct gate *gate)
{
    return gate->breaking || gate->degraded || gate->invalid || !isnan(gate->regression);
}

/* ---- answers ---- */

static struct gate_answer judge_invalid(struct arena *arena, const struct history_run *run)
{
    struct gate_answer answer = {.condition = "invalid", .text = "every level is a valid measurement, or a suspect one"};
    size_t invalid = 0;
    for (size_t k = 0; k < run->level_count; k++)
        invalid += run->levels[k].validity == VALIDITY_INVALID;
    answer.met = invalid > 0 || run->level_count == 0;
    if (run->level_count == 0)
        answer.text = run->advice;
    else if (invalid > 0)
        answer.text = arena_printf(arena, "%zu of %zu levels %s invalid as a measurement", invalid, run->level_count, invalid == 1 ? "is" : "are");
    return answer;
}

/* worst: the worst class that is good enough. */
static struct gate_answer judge_class(struct arena *arena, const struct history_run *run, const char *condition, enum sla_class worst)
{
    enum sla_class class = isnan(run->advised_load) ? SLA_UNKNOWN : history_run_class(run, run->advised_load);
    struct gate_answer answer = {.condition = condition, .met = class == SLA_UNKNOWN || class > worst, .text = run->advice};
    if (!isnan(run->advised_load))
        answer.text = arena_printf(arena, "%s, the load to run in production, is %s", points_load_text(arena, run->advised_load, run->unit),
                                   sla_class_name(class));
    return answer;
}

static bool is_regression(const struct baseline *baseline, const struct baseline_row *row, double share)
{
    if (row->verdict != CHANGE_WORSE)
        return false;
    if (row->metric != HISTORY_ERROR_RATE)
        return baseline_row_loss(row) >= share;
    const struct sla_row *class = &baseline->sla->row[SLA_ERROR_RATE];
    return sla_classify(class, row->is) > sla_classify(class, row->was);
}

/* An error rate of 0 twice is soon told. */
static bool is_told(const struct baseline *baseline)
{
    for (size_t k = 0; k < baseline->row_count; k++)
        if (baseline->rows[k].verdict != CHANGE_UNKNOWN && baseline->rows[k].metric != HISTORY_ERROR_RATE)
            return true;
    return false;
}

/* The newest run before is no fixed baseline: until there are enough of them to tell noise, nothing else is to be had. */
static bool is_awaited(const struct baseline *baseline)
{
    return baseline->previous && baseline->within_run_only > 0;
}

static struct gate_answer judge_regression(struct arena *arena, const struct baseline *baseline, double share)
{
    struct gate_answer answer = {.condition = arena_printf(arena, "regression=%.4g%%", 100 * share), .text = "there is no earlier run of its kind"};
    if (!baseline)
        return answer;
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    for (size_t k = 0; k < baseline->row_count; k++)
        if (is_regression(baseline, &baseline->rows[k], share))
            buf_printf(&text, "%s%s", text.len > 0 ? "; " : "", baseline_row_text(arena, &baseline->rows[k]));
    for (size_t k = 0; k < BASELINE_POINTS; k++)
        if (baseline->points[k].verdict == CHANGE_WORSE)
            buf_printf(&text, "%sthe %s point fell: %s before, %s now", text.len > 0 ? "; " : "", baseline->points[k].name, baseline->points[k].was,
                       baseline->points[k].is);
    answer.met = text.len > 0 || (!is_told(baseline) && !is_awaited(baseline));
    answer.text = text.len > 0      ? arena_strdup(arena, buf_text(&text))
                  : !is_told(baseline) ? baseline->text
                                    : arena_printf(arena, "nothing is worse than in %s by as much", baseline->run_id);
    return answer;
}

size_t gate_judge(const struct gate *gate, struct arena *arena, const struct history_run *run, const struct baseline *baseline,
                  struct gate_answer answers[GATE_CONDITIONS])
{
    size_t count = 0;
    if (gate->invalid)
        answers[count++] = judge_invalid(arena, run);
    if (gate->breaking)
        answers[count++] = judge_class(arena, run, "breaking", SLA_DEGRADED);
    if (gate->degraded)
        answers[count++] = judge_class(arena, run, "degraded", SLA_ACCEPTABLE);
    if (!isnan(gate->regression))
        answers[count++] = judge_regression(arena, baseline, gate->regression);
    return count;
}

int gate_judge_verdict(const struct gate *gate, const char *verdict, struct gate_answer answers[GATE_CONDITIONS], size_t *count, struct error *err)
{
    enum sla_class class = SLA_EXCELLENT;
    bool invalid = strcmp(verdict, "invalid") == 0, unknown = invalid || strcmp(verdict, "none") == 0;
    while (!unknown && class <= SLA_BREAKING && strcmp(verdict, sla_class_name(class)) != 0)
        class++;
    if (class > SLA_BREAKING)
        return error_set(err, ERROR_USAGE, "'%.40s' is no verdict: excellent, acceptable, degraded, breaking, none or invalid", verdict);
    if (!isnan(gate->regression))
        return error_set(err, ERROR_USAGE, "a verdict does not tell whether there is a regression");
    *count = 0;
    if (gate->invalid)
        answers[(*count)++] = (struct gate_answer){"invalid", invalid, verdict};
    if (gate->breaking)
        answers[(*count)++] = (struct gate_answer){"breaking", unknown || class > SLA_DEGRADED, verdict};
    if (gate->degraded)
        answers[(*count)++] = (struct gate_answer){"degraded", unknown || class > SLA_ACCEPTABLE, verdict};
    return 0;
}
