#include "stats/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/units.h"

#define SERIES_MAX ((size_t)64 << 10)
#define Z_95 1.959963984540054

static const struct {
    const char *name, *title, *unit;
    int decimals;
    bool more_is_better;
} metrics[HISTORY_METRIC_COUNT] = {
#define X(name, key, title, unit, decimals, more) [HISTORY_##name] = {key, title, unit, decimals, more},
    HISTORY_METRICS(X)
#undef X
};

const char *history_metric_name(enum history_metric metric)
{
    return metrics[metric].name;
}

const char *history_metric_title(enum history_metric metric)
{
    return metrics[metric].title;
}

bool history_metric_more_is_better(enum history_metric metric)
{
    return metrics[metric].more_is_better;
}

const char *history_metric_format(enum history_metric metric, double value, char buffer[HISTORY_VALUE_SIZE])
{
    char number[UNITS_TEXT_SIZE];
    if (isnan(value))
        return "-";
    if (isinf(value))
        return "never";
    units_format_number(metrics[metric].unit[0] == '%' ? 100 * value : value, metrics[metric].decimals, number);
    snprintf(buffer, HISTORY_VALUE_SIZE, "%s %s", number, metrics[metric].unit);
    return buffer;
}

/* ---- making ---- */

static void fill_workload(struct history_run *run, const struct run_facts *facts)
{
    workload_list(facts, run->arena, run->facts);
    for (int k = 0; k < WORKLOAD_FACTS; k++)
        run->facts[k].text = arena_strdup(run->arena, run->facts[k].text);
}

static const char *series_text(const struct history_run *run)
{
    cleanup_buf struct buf text = BUF_INIT(SERIES_MAX);
    buf_printf(&text, "%s\n%s\n%lld", run->model, run->hardware, (long long)run->gpus);
    for (int k = 0; k < WORKLOAD_FACTS; k++)
        buf_printf(&text, "\n%s", run->facts[k].text);
    return arena_strdup(run->arena, buf_text(&text));
}

static struct history_run *make(const struct run_facts *facts)
{
    struct history_run *run = mem_alloc(sizeof *run);
    run->arena = arena_new();
    run->run_id = arena_strdup(run->arena, facts->run_id);
    run->model = arena_strdup(run->arena, facts->model);
    run->server = arena_strdup(run->arena, facts->server);
    run->hardware = arena_strdup(run->arena, facts->hardware);
    run->gpus = facts->gpus;
    run->sla = sla_copy(facts->planned_sla ? facts->planned_sla : &sla_default, run->arena);
    run->workload = arena_printf(run->arena, "%s%s%s, %s", facts->scenario, facts->scenario[0] ? ", " : "", facts->tokens, facts->limits);
    fill_workload(run, facts);
    run->series = series_text(run);
    run->started = facts->anchor_realtime_ns;
    run->advised_load = run->max_tps = NAN;
    run->advice = "no level was measured";
    return run;
}

struct history_run *history_run_new(const struct plan *plan)
{
    struct arena *arena = arena_new();
    struct run_facts facts;
    run_facts_fill(&facts, arena, plan);
    facts.anchor_realtime_ns = plan->created;
    struct history_run *run = make(&facts);
    json_decref(facts.plan);
    arena_free(arena);
    return run;
}

void history_run_set_gpus(struct history_run *run, int64_t gpus)
{
    run->gpus = gpus;
    run->series = series_text(run);
}

void history_run_free(struct history_run *run)
{
    if (!run)
        return;
    arena_free(run->arena);
    free(run);
}

struct history_value history_proportion(uint64_t failed, uint64_t ended)
{
    if (ended == 0)
        return (struct history_value){NAN, NAN, NAN};
    double n = (double)ended, p = (double)failed / n, z = Z_95;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n), half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (struct history_value){p, failed == 0 ? 0 : middle - half, failed == ended ? 1 : middle + half};
}

static struct history_value percentile_of(const struct distribution *distribution, enum percentile percentile, int interval)
{
    return (struct history_value){distribution->percentile[percentile], distribution->interval[interval].low, distribution->interval[interval].high};
}

struct history_value history_speed(struct history_value tpot)
{
    if (!(tpot.value > 0))
        return (struct history_value){NAN, NAN, NAN};
    return (struct history_value){1000 / tpot.value, 1000 / tpot.high, 1000 / tpot.low};
}

static struct history_value rate_of(const struct level_summary *level, enum rate rate)
{
    return (struct history_value){level->rate[rate], level->rate_interval[rate].low, level->rate_interval[rate].high};
}

struct history_value history_error_rate(uint64_t failed, uint64_t ended, const struct interval *by_blocks)
{
    struct history_value value = history_proportion(failed, ended);
    if (by_blocks->low < value.low)
        value.low = by_blocks->low;
    if (by_blocks->high > value.high)
        value.high = by_blocks->high;
    return value;
}

static uint64_t failed_by_server(const struct level_summary *level)
{
    uint64_t failed = 0;
    for (size_t k = 0; k < level->failure_count; k++)
        if (strcmp(level->failures[k].blame, "server") == 0)
            failed += level->failures[k].count;
    return failed;
}

static void fill_level(struct history_level *out, const struct level_summary *level)
{
    const struct distribution *ttft = &level->latency[LATENCY_TTFT_CENSORED];
    *out = (struct history_level){
        .load = level->load,
        .validity = level->validity.verdict,
        .class = level->verdict.level,
        .ended = level->requests.ok + level->requests.error,
        .failed = failed_by_server(level),
    };
    memcpy(out->unit, level->unit, sizeof out->unit);
    out->value[HISTORY_TTFT_P50] = percentile_of(ttft, P50, INTERVAL_P50);
    out->value[HISTORY_TTFT_P95] = percentile_of(ttft, P95, INTERVAL_P95);
    out->value[HISTORY_USER_TPS] = history_speed(percentile_of(&level->latency[LATENCY_TPOT], P95, INTERVAL_P95));
    out->value[HISTORY_E2E_P50] = percentile_of(&level->latency[LATENCY_E2E], P50, INTERVAL_P50);
    out->value[HISTORY_TOTAL_TPS] = rate_of(level, RATE_TOTAL_TPS);
    out->value[HISTORY_ERROR_RATE] = history_error_rate(out->failed, out->ended, &level->rate_interval[RATE_ERROR_RATE]);
}

static struct history_point point_of(const struct history_run *run, const struct point *point)
{
    return (struct history_point){point->held, point->broke, point->decided, arena_strdup(run->arena, point->text)};
}

static void fill_points(struct history_run *run, const struct points *points)
{
    run->unit = arena_strdup(run->arena, points->unit);
    run->saturation = point_of(run, &points->saturation);
    run->breaking = point_of(run, &points->breaking);
    run->advised_load = points->advised ? points->advised->load : NAN;
    run->max_tps = points->max_throughput ? points_figure(points, points->max_throughput, FIGURE_TOTAL_TPS) : NAN;
    run->advice = arena_strdup(run->arena, points->advice);
}

struct history_run *history_run_of(const struct run_summary *summary)
{
    struct history_run *run = make(&summary->facts);
    run->sla = sla_copy(summary->sla, run->arena);
    run->levels = ARENA_ARRAY(run->arena, summary->level_count + 1, struct history_level);
    run->level_count = summary->level_count;
    for (size_t k = 0; k < summary->level_count; k++)
        fill_level(&run->levels[k], &summary->levels[k]);
    if (summary->points_count > 0)
        fill_points(run, &summary->points[0]);
    return run;
}

/* ---- asking ---- */

static bool is_at(const struct history_level *level, const char *unit, double load)
{
    return level->load == load && strcmp(level->unit, unit) == 0;
}

enum sla_class history_run_class(const struct history_run *run, double load)
{
    enum sla_class worst = SLA_UNKNOWN;
    for (size_t k = 0; k < run->level_count; k++)
        if (run->unit && is_at(&run->levels[k], run->unit, load) && run->levels[k].class > worst)
            worst = run->levels[k].class;
    return worst;
}

const char *history_run_verdict(const struct history_run *run)
{
    for (size_t k = 0; k < run->level_count; k++)
        if (run->levels[k].validity == VALIDITY_INVALID)
            return "invalid";
    return isnan(run->advised_load) ? "none" : sla_class_name(history_run_class(run, run->advised_load));
}

double history_run_value(const struct history_run *run, const char *unit, double load, enum history_metric metric)
{
    double sum = 0;
    uint64_t failed = 0, ended = 0;
    size_t count = 0;
    for (size_t k = 0; k < run->level_count; k++) {
        const struct history_level *level = &run->levels[k];
        if (!is_at(level, unit, load) || level->validity == VALIDITY_INVALID || isnan(level->value[metric].value))
            continue;
        failed += level->failed;
        ended += level->ended;
        sum += log(level->value[metric].value);
        count++;
    }
    if (metric == HISTORY_ERROR_RATE)
        return history_proportion(failed, ended).value;
    return count > 0 ? exp(sum / (double)count) : NAN;
}

int history_run_compare(const void *a, const void *b)
{
    const struct history_run *x = *(const struct history_run *const *)a, *y = *(const struct history_run *const *)b;
    if (x->started != y->started)
        return (x->started > y->started) - (x->started < y->started);
    return strcmp(x->run_id, y->run_id);
}
