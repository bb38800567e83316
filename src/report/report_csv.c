/* One row a level; of a comparison, one row a level of every run. */
#include <math.h>

#include "report/report.h"
#include "wire/csv.h"

static const char *const columns[] = {
    "run_id", "model", "index", "repeat", "kind", "load", "unit", "window_s", "requests", "ok", "error", "incomplete", "ttft_p50_ms",
    "ttft_p95_ms", "ttft_censored_p95_ms", "ttft_censored_p95_at_least_ms", "unfinished_share", "itl_p95_ms", "tpot_p50_ms",
    "tpot_p95_ms", "tpot_with_first_p95_ms", "e2e_p50_ms", "e2e_p95_ms",
#define X(name, key) key,
    RATES(X)
#undef X
    "queue_depth", "kv_cache", "running", "class", "decided_by", "validity", "price_per_hour", "gpus", NULL,
};

static void add_latency(struct csv *csv, const struct level_summary *level, enum latency latency, enum percentile percentile)
{
    csv_add_number(csv, level->latency[latency].percentile[percentile]);
}

static void add_count(struct csv *csv, uint64_t count)
{
    if (count == COUNT_UNKNOWN)
        csv_add_missing(csv);
    else
        csv_add_integer(csv, (int64_t)count);
}

static void add_latencies(struct csv *csv, const struct level_summary *level)
{
    add_latency(csv, level, LATENCY_TTFT, P50);
    add_latency(csv, level, LATENCY_TTFT, P95);
    add_latency(csv, level, LATENCY_TTFT_CENSORED, P95);
    csv_add_number(csv, level->ttft_p95_at_least_ms);
    csv_add_number(csv, level->unfinished_share);
    add_latency(csv, level, LATENCY_ITL, P95);
    add_latency(csv, level, LATENCY_TPOT, P50);
    add_latency(csv, level, LATENCY_TPOT, P95);
    add_latency(csv, level, LATENCY_TPOT_WITH_FIRST, P95);
    add_latency(csv, level, LATENCY_E2E, P50);
    add_latency(csv, level, LATENCY_E2E, P95);
}

static void add_price(struct csv *csv, const struct run_facts *facts)
{
    csv_add_number(csv, facts->price_micro_usd < 0 ? NAN : (double)facts->price_micro_usd / 1e6);
    if (facts->gpus > 0)
        csv_add_integer(csv, facts->gpus);
    else
        csv_add_missing(csv);
}

static void add_level(struct csv *csv, const struct run_facts *facts, const struct level_summary *level)
{
    csv_add_text(csv, facts->run_id);
    csv_add_text(csv, facts->model);
    csv_add_integer(csv, level->index);
    csv_add_integer(csv, level->repeat);
    csv_add_text(csv, level->kind);
    csv_add_number(csv, level->load);
    csv_add_text(csv, level->unit);
    csv_add_number(csv, level->window_end_s - level->window_start_s);
    add_count(csv, level->requests.members);
    add_count(csv, level->requests.ok);
    add_count(csv, level->requests.error);
    add_count(csv, level->requests.incomplete);
    add_latencies(csv, level);
    for (int k = 0; k < RATE_COUNT; k++)
        csv_add_number(csv, level->rate[k]);
    csv_add_number(csv, level->server.queue_depth.mean);
    csv_add_number(csv, level->server.kv_cache.mean);
    csv_add_number(csv, level->server.running.mean);
    csv_add_text(csv, sla_class_name(level->verdict.level));
    csv_add_text(csv, level->verdict.decided_by < 0 ? NULL : sla_default.row[level->verdict.decided_by].name);
    csv_add_text(csv, validity_name(level->validity.verdict));
    add_price(csv, facts);
    csv_end_row(csv);
}

static void add_run(struct csv *csv, const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->level_count; k++)
        add_level(csv, &summary->facts, &summary->levels[k]);
}

void report_csv_run(const struct run_summary *summary, struct buf *out)
{
    struct csv csv;
    csv_begin(&csv, out, columns);
    add_run(&csv, summary);
}

void report_csv_comparison(const struct comparison *comparison, struct buf *out)
{
    struct csv csv;
    csv_begin(&csv, out, columns);
    for (size_t k = 0; k < comparison->count; k++)
        add_run(&csv, comparison->runs[k]);
}
