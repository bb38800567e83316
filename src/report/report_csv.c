/* One row a level; of a comparison, one row a level of every run. What most people look for comes first, then every other number of the level
 * that summary.json has, by names made of its members': ttft_ms.p95 is ttft_p95_ms, the bounds of its interval ttft_p95_low_ms and ttft_p95_high_ms.
 * Series inside of a level (its blocks and slices) have no place in a row. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/units.h"
#include "record/record.h"
#include "report/report.h"
#include "wire/csv.h"

#define NAME_SIZE 64
#define COLUMNS_MAX 1024

/* The same functions name the columns (csv NULL) and fill them, so that no row can have another order. A column that was
 * there already is not written again. */
struct sheet {
    struct csv *csv;
    const struct roi *roi;        /* of a comparison; NULL: a run alone, or runs that cannot be compared */
    size_t row;                   /* of roi: the run under way */
    size_t calls, count;          /* of cells so far; of columns named */
    char names[COLUMNS_MAX][NAME_SIZE];
    bool again[COLUMNS_MAX];      /* by call */
};

static bool is_named(const struct sheet *sheet, const char *name)
{
    for (size_t k = 0; k < sheet->count; k++)
        if (strcmp(sheet->names[k], name) == 0)
            return true;
    return false;
}

/* Whether a value is to be written. */
static bool cell(struct sheet *sheet, const char *name)
{
    size_t call = sheet->calls++;
    if (call >= COLUMNS_MAX)
        abort(); /* a mistake in the program */
    if (sheet->csv)
        return !sheet->again[call];
    sheet->again[call] = is_named(sheet, name);
    if (!sheet->again[call])
        snprintf(sheet->names[sheet->count++], NAME_SIZE, "%s", name);
    return false;
}

static void number(struct sheet *sheet, const char *name, double value)
{
    if (cell(sheet, name))
        csv_add_number(sheet->csv, value);
}

static void integer(struct sheet *sheet, const char *name, int64_t value)
{
    if (cell(sheet, name))
        csv_add_integer(sheet->csv, value);
}

static void count(struct sheet *sheet, const char *name, uint64_t value)
{
    if (!cell(sheet, name))
        return;
    if (value == COUNT_UNKNOWN)
        csv_add_missing(sheet->csv);
    else
        csv_add_integer(sheet->csv, (int64_t)value);
}

static void text(struct sheet *sheet, const char *name, const char *value)
{
    if (cell(sheet, name))
        csv_add_text(sheet->csv, value);
}

/* ---- parts of a row ---- */

/* "ttft_ms", "p95" -> "ttft_p95_ms" */
static const char *latency_column(enum latency latency, const char *part, char name[NAME_SIZE])
{
    const char *whole = latency_name(latency);
    snprintf(name, NAME_SIZE, "%.*s_%s_ms", (int)(strlen(whole) - strlen("_ms")), whole, part);
    return name;
}

static void one_percentile(struct sheet *sheet, const struct level_summary *level, enum latency latency, enum percentile percentile)
{
    char name[NAME_SIZE];
    number(sheet, latency_column(latency, percentile_name(percentile), name), level->latency[latency].percentile[percentile]);
}

static void whole_latency(struct sheet *sheet, const struct level_summary *level, enum latency latency)
{
    const struct distribution *distribution = &level->latency[latency];
    char name[NAME_SIZE], part[NAME_SIZE / 2];
    const char *whole = latency_name(latency);
    snprintf(name, sizeof name, "%.*s_count", (int)(strlen(whole) - strlen("_ms")), whole);
    number(sheet, name, distribution->count > 0 || !distribution_is_known(distribution) ? (double)distribution->count : NAN);
    number(sheet, latency_column(latency, "mean", name), distribution->mean);
    number(sheet, latency_column(latency, "std", name), distribution->std);
    number(sheet, latency_column(latency, "min", name), distribution->min);
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        one_percentile(sheet, level, latency, (enum percentile)k);
    number(sheet, latency_column(latency, "max", name), distribution->max);
    number(sheet, latency_column(latency, "mean_low", name), distribution->mean_interval.low);
    number(sheet, latency_column(latency, "mean_high", name), distribution->mean_interval.high);
    for (int k = 0; k < INTERVAL_COUNT; k++) {
        snprintf(part, sizeof part, "%s_low", percentile_name(interval_percentile(k)));
        number(sheet, latency_column(latency, part, name), distribution->interval[k].low);
        snprintf(part, sizeof part, "%s_high", percentile_name(interval_percentile(k)));
        number(sheet, latency_column(latency, part, name), distribution->interval[k].high);
    }
}

static void one_gauge(struct sheet *sheet, const char *gauge_name, const struct gauge *gauge)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s_max", gauge_name);
    number(sheet, name, gauge->max);
    snprintf(name, sizeof name, "%s_limit", gauge_name);
    number(sheet, name, gauge->limit);
    snprintf(name, sizeof name, "%s_share_above", gauge_name);
    number(sheet, name, gauge->share_above);
    snprintf(name, sizeof name, "%s_covered", gauge_name);
    number(sheet, name, gauge->covered);
}

static void server_sums(struct sheet *sheet, const struct server_sums *sums)
{
    number(sheet, "server_from_s", sums->from_s);
    number(sheet, "server_to_s", sums->to_s);
    number(sheet, "server_output_tokens", sums->output_tokens);
    number(sheet, "client_output_tokens", sums->client_output_tokens);
    number(sheet, "server_prompt_tokens", sums->prompt_tokens);
    number(sheet, "client_prompt_tokens", sums->client_prompt_tokens);
    number(sheet, "server_queue_time_mean_ms", sums->queue_time_mean_ms);
    number(sheet, "preemptions", sums->preemptions);
    number(sheet, "prefix_cache_hit_share", sums->prefix_cache_hit_share);
}

/* The server's and ours, and how the two stand to each other. Tokens of the level have names of their own: those of the window come before. */
static void reconciled(struct sheet *sheet, const struct server_sums *sums)
{
    char name[NAME_SIZE];
    for (int item = 0; item < RECONCILED_COUNT; item++) {
        const struct reconciled *both = &sums->both[item];
        const char *what = reconciled_name((enum reconciled_item)item), *over = item == RECONCILED_REQUESTS || item == RECONCILED_PROMPT_TOKENS || item == RECONCILED_OUTPUT_TOKENS ? "level_" : "";
        snprintf(name, sizeof name, "server_%s%s", over, what);
        number(sheet, name, both->server);
        snprintf(name, sizeof name, "client_%s%s", over, what);
        number(sheet, name, both->client);
        snprintf(name, sizeof name, "%s%s_agreement", over, what);
        text(sheet, name, both->agreement == AGREEMENT_UNKNOWN ? NULL : agreement_name(both->agreement));
        snprintf(name, sizeof name, "%s%s_why", over, what);
        text(sheet, name, both->why);
    }
}

static void gpus(struct sheet *sheet, const struct gpu_summary *gpu)
{
    count(sheet, "gpus_seen", gpu->gpus > 0 ? (uint64_t)gpu->gpus : COUNT_UNKNOWN);
    number(sheet, "gpu_covered", gpu->gpus > 0 ? gpu->covered : NAN);
    number(sheet, "gpu_utilization", gpu->utilization);
    number(sheet, "gpu_memory_active", gpu->memory_active);
    number(sheet, "gpu_memory_used_bytes", gpu->memory_used_bytes);
    number(sheet, "gpu_memory_bytes", gpu->memory_bytes);
    number(sheet, "gpu_power_w", gpu->power_w);
    number(sheet, "gpu_energy_j", gpu->energy_j);
    text(sheet, "gpu_energy_by_counter", gpu->gpus == 0 ? NULL : gpu->by_counter ? "true" : "false");
    number(sheet, "output_tokens_per_joule", gpu->output_tokens_per_joule);
    number(sheet, "total_tokens_per_joule", gpu->total_tokens_per_joule);
}

/* Of the rates that have an interval; the columns of the others would always be empty. */
static void rate_intervals(struct sheet *sheet, const struct level_summary *level)
{
    static const enum rate rates[] = {RATE_USER_TPS,    RATE_OUTPUT_TPS, RATE_TOTAL_TPS, RATE_REQUEST_RPS,
                                      RATE_GOODPUT_RPS, RATE_CONCURRENCY, RATE_ERROR_RATE};
    char name[NAME_SIZE];
    for (size_t k = 0; k < sizeof rates / sizeof rates[0]; k++) {
        snprintf(name, sizeof name, "%s_low", rate_name(rates[k]));
        number(sheet, name, level->rate_interval[rates[k]].low);
        snprintf(name, sizeof name, "%s_high", rate_name(rates[k]));
        number(sheet, name, level->rate_interval[rates[k]].high);
    }
}

/* cut NULL: not known. */
static void cut(struct sheet *sheet, const char *key, const struct steady_cut *cut)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s_rule", key);
    text(sheet, name, cut ? steady_rule_name(cut->rule) : NULL);
    snprintf(name, sizeof name, "%s_s", key);
    number(sheet, name, cut ? (double)cut->ns / 1e9 : NAN);
    snprintf(name, sizeof name, "%s_series", key);
    text(sheet, name, cut ? steady_series_name(cut->by) : NULL);
}

static void failures(struct sheet *sheet, const struct level_summary *level)
{
    char name[NAME_SIZE];
    for (int failure = FAILURE_NONE + 1; failure < FAILURE_COUNT; failure++) {
        uint64_t happened = request_failures_are_known(&level->requests, level->failure_count) ? 0 : COUNT_UNKNOWN;
        for (size_t k = 0; k < level->failure_count; k++)
            if (strcmp(level->failures[k].name, failure_name((enum failure)failure)) == 0)
                happened = level->failures[k].count;
        snprintf(name, sizeof name, "error_%s", failure_name((enum failure)failure));
        count(sheet, name, happened);
    }
}

static void classes(struct sheet *sheet, const struct verdict *verdict)
{
    char name[NAME_SIZE];
    for (int k = 0; k < SLA_METRIC_COUNT; k++) {
        snprintf(name, sizeof name, "class_%s", sla_default.row[k].name);
        text(sheet, name, sla_class_name(verdict->metric[k]));
    }
}

/* sla NULL: columns are named. */
static void bounds(struct sheet *sheet, const struct sla *sla)
{
    char name[NAME_SIZE];
    struct arena *arena = arena_new();
    text(sheet, "sla", sla ? sla_title(sla, arena) : NULL);
    for (int k = 0; k < SLA_METRIC_COUNT; k++) {
        snprintf(name, sizeof name, "bounds_%s", sla_default.row[k].name);
        text(sheet, name, sla ? sla_bounds_text(&sla->row[k], arena) : NULL);
    }
    arena_free(arena);
}

static void reasons(struct sheet *sheet, const struct validity_summary *validity)
{
    cleanup_buf struct buf all = BUF_INIT(REPORT_MAX);
    for (size_t k = 0; k < validity->count; k++)
        buf_printf(&all, "%s%s", k > 0 ? "; " : "", validity->reasons[k].text);
    text(sheet, "validity_reasons", buf_text(&all));
}

/* Of an import: which columns were computed from others, and how. */
static void derived(struct sheet *sheet, const struct level_summary *level)
{
    cleanup_buf struct buf all = BUF_INIT(REPORT_MAX);
    for (size_t k = 0; k < level->derived_count; k++)
        buf_printf(&all, "%s%s: %s", k > 0 ? "; " : "", level->derived[k].field, level->derived[k].formula);
    text(sheet, "derived", buf_text(&all));
}

/* ---- a row ---- */

static void first_columns(struct sheet *sheet, const struct run_facts *facts, const struct level_summary *level)
{
    text(sheet, "run_id", facts->run_id);
    text(sheet, "model", facts->model);
    integer(sheet, "index", level->index);
    integer(sheet, "repeat", level->repeat);
    text(sheet, "kind", level->kind);
    number(sheet, "load", level->load);
    text(sheet, "unit", level->unit);
    number(sheet, "window_s", level->window_end_s - level->window_start_s);
    count(sheet, "requests", level->requests.members);
    count(sheet, "ok", level->requests.ok);
    count(sheet, "error", level->requests.error);
    count(sheet, "incomplete", level->requests.incomplete);
    one_percentile(sheet, level, LATENCY_TTFT, P50);
    one_percentile(sheet, level, LATENCY_TTFT, P95);
    one_percentile(sheet, level, LATENCY_TTFT_CENSORED, P95);
    number(sheet, "ttft_censored_p95_at_least_ms", level->ttft_p95_at_least_ms);
    number(sheet, "unfinished_share", level->unfinished_share);
    one_percentile(sheet, level, LATENCY_ITL, P95);
    one_percentile(sheet, level, LATENCY_TPOT, P50);
    one_percentile(sheet, level, LATENCY_TPOT, P95);
    one_percentile(sheet, level, LATENCY_TPOT_WITH_FIRST, P95);
    one_percentile(sheet, level, LATENCY_E2E, P50);
    one_percentile(sheet, level, LATENCY_E2E, P95);
    for (int k = 0; k < RATE_COUNT; k++)
        number(sheet, rate_name((enum rate)k), level->rate[k]);
    number(sheet, "queue_depth", level->server.queue_depth.mean);
    number(sheet, "kv_cache", level->server.kv_cache.mean);
    number(sheet, "running", level->server.running.mean);
    text(sheet, "class", sla_class_name(level->verdict.level));
    text(sheet, "decided_by", level->verdict.decided_by < 0 ? NULL : sla_default.row[level->verdict.decided_by].name);
    text(sheet, "validity", validity_name(level->validity.verdict));
    number(sheet, "price_per_hour", units_usd(facts->price_micro_usd));
    number(sheet, "gpus", facts->gpus > 0 ? (double)facts->gpus : NAN);
}

/* ---- what it is worth ---- */

static void yields(struct sheet *sheet, const struct run_facts *facts, const struct level_summary *level)
{
    double worth[YIELD_COUNT];
    roi_yields(worth, level->rate[RATE_TOTAL_TPS], level->rate[RATE_OUTPUT_TPS], facts->price_micro_usd, facts->gpus);
    for (int k = 0; k < YIELD_COUNT; k++)
        number(sheet, yield_name((enum yield)k), worth[k]);
}

/* "held under_1s": the operating points that this level stands for. */
static void operating_points(struct sheet *sheet, const struct level_summary *level)
{
    const struct roi *roi = sheet->roi;
    cleanup_buf struct buf names = BUF_INIT(NAME_SIZE);
    for (size_t row = 0; row < roi->row_count; row++)
        for (int at = 0; at < OPERATING_COUNT; at++)
            if (roi->rows[row].at[at].level == level)
                buf_printf(&names, "%s%s", names.len > 0 ? " " : "", operating_point_name((enum operating_point)at));
    text(sheet, "operating_points", buf_text(&names));
}

static void frontier(struct sheet *sheet, const struct level_summary *level)
{
    const struct roi *roi = sheet->roi;
    const char *per_usd = "", *per_gpu = "";
    for (size_t k = 0; k < roi->pareto_count; k++) {
        const struct pareto_point *point = &roi->pareto[k];
        if (point->level != level)
            continue;
        per_usd = isnan(point->per_usd) ? "" : point->dominated_per_usd ? "dominated" : "frontier";
        per_gpu = isnan(point->per_gpu) ? "" : point->dominated_per_gpu ? "dominated" : "frontier";
    }
    text(sheet, "frontier_per_usd", per_usd);
    text(sheet, "frontier_per_gpu", per_gpu);
}

/* Of this run and the one that costs most; NULL: it is that one, or one of both has no price. */
static const struct roi_pair *pair_with_dearest(const struct roi *roi, size_t row)
{
    size_t dearest = 0;
    for (size_t k = 1; k < roi->row_count; k++)
        if (roi->rows[k].deployment->price_micro_usd >= roi->rows[dearest].deployment->price_micro_usd) /* of equals the last: pairs name it second */
            dearest = k;
    for (size_t k = 0; k < roi->pair_count; k++)
        if (roi->pairs[k].cheap == row && roi->pairs[k].dear == dearest)
            return &roi->pairs[k];
    return NULL;
}

/* How many of it the price of the dearest buys, what they carry at this load, and from where on the dearest pays off. */
static void against_dearest(struct sheet *sheet, const struct level_summary *level)
{
    const struct roi_pair *pair = pair_with_dearest(sheet->roi, sheet->row);
    double replicas = pair ? (double)pair->replicas : NAN;
    char name[NAME_SIZE];
    text(sheet, "dearest", pair ? sheet->roi->rows[pair->dear].deployment->name : NULL);
    number(sheet, "replicas", replicas);
    number(sheet, "replicas_left_over_usd", pair ? units_usd(pair->left_over_micro_usd) : NAN);
    number(sheet, "replicas_load", replicas * level->load);
    number(sheet, "replicas_total_tps", replicas * level->rate[RATE_TOTAL_TPS]);
    for (int at = 0; at < OPERATING_COUNT; at++) {
        snprintf(name, sizeof name, "break_even_%s_tokens_per_hour", operating_point_name((enum operating_point)at));
        number(sheet, name, pair ? pair->break_even[at].tokens_per_hour : NAN);
        snprintf(name, sizeof name, "equal_price_%s_usd", operating_point_name((enum operating_point)at));
        number(sheet, name, pair ? pair->equal_price_usd[at] : NAN);
    }
}

static void other_columns(struct sheet *sheet, const struct sla *sla, const struct level_summary *level)
{
    text(sheet, "ended", level->ended ? "true" : "false");
    text(sheet, "end_reason", level->reason);
    number(sheet, "level_start_s", level->start_s);
    number(sheet, "window_start_s", level->window_start_s);
    number(sheet, "window_end_s", level->window_end_s);
    number(sheet, "level_end_s", level->end_s);
    cut(sheet, "warmup", level->imported ? NULL : &level->warmup);
    cut(sheet, "cooldown", level->imported ? NULL : &level->cooldown);
    count(sheet, "no_first_token", level->requests.no_first_token);
    count(sheet, "left_out", level->requests.left_out);
    count(sheet, "never_sent", level->requests.never_sent);
    failures(sheet, level);
    for (int k = 0; k < LATENCY_COUNT; k++)
        whole_latency(sheet, level, (enum latency)k);
    number(sheet, "ttft_slices_above", level->ttft_slices_above);
    rate_intervals(sheet, level);
    number(sheet, "goodput_share", level->goodput_share);
    count(sheet, "blocks", level->blocks.count > 0 ? level->blocks.count : COUNT_UNKNOWN);
    number(sheet, "block_seconds", level->blocks.count > 0 ? level->blocks.seconds : NAN);
    one_gauge(sheet, "queue_depth", &level->server.queue_depth);
    one_gauge(sheet, "kv_cache", &level->server.kv_cache);
    one_gauge(sheet, "running", &level->server.running);
    server_sums(sheet, &level->server.sums);
    reconciled(sheet, &level->server.sums);
    gpus(sheet, &level->gpu);
    classes(sheet, &level->verdict);
    bounds(sheet, sla);
    reasons(sheet, &level->validity);
    derived(sheet, level);
}

static void add_level(struct sheet *sheet, const struct run_facts *facts, const struct sla *sla, const struct level_summary *level)
{
    sheet->calls = 0;
    first_columns(sheet, facts, level);
    yields(sheet, facts, level);
    if (sheet->roi) {
        operating_points(sheet, level);
        frontier(sheet, level);
        against_dearest(sheet, level);
    }
    other_columns(sheet, sla, level);
}

/* ---- documents ---- */

static void name_columns(struct sheet *sheet, struct csv *csv, struct buf *out)
{
    static const struct run_facts nobody;
    const char *columns[COLUMNS_MAX + 1];
    struct level_summary nothing;
    level_summary_init(&nothing);
    add_level(sheet, &nobody, NULL, &nothing);
    for (size_t k = 0; k < sheet->count; k++)
        columns[k] = sheet->names[k];
    columns[sheet->count] = NULL;
    csv_begin(csv, out, columns);
    sheet->csv = csv;
}

static void write_rows(const struct run_summary *const *runs, size_t count, const struct roi *roi, struct buf *out)
{
    cleanup_free struct sheet *sheet = mem_calloc(1, sizeof *sheet);
    struct csv csv;
    sheet->roi = roi;
    name_columns(sheet, &csv, out);
    for (size_t run = 0; run < count; run++)
        for (size_t k = 0; k < runs[run]->level_count; k++) {
            sheet->row = run;
            add_level(sheet, &runs[run]->facts, runs[run]->sla, &runs[run]->levels[k]);
            csv_end_row(&csv);
        }
}

void report_csv_run(const struct run_summary *summary, struct buf *out)
{
    write_rows(&summary, 1, NULL, out);
}

void report_csv_comparison(const struct comparison *comparison, struct buf *out)
{
    write_rows(comparison->runs, comparison->count, comparison->unit ? &comparison->roi : NULL, out);
}
