/* The server's side: what it said of itself, where that differs from what we saw and why, and its GPUs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/markdown.h"

#define GB 1e9

static void pair_cell(struct table *table, double server, double client, int decimals)
{
    char a[UNITS_TEXT_SIZE], b[UNITS_TEXT_SIZE];
    if (isnan(server) || isnan(client))
        table_printf(table, "-");
    else
        table_printf(table, "%s / %s", units_format_number(server, decimals, a), units_format_number(client, decimals, b));
}

static void both_cell(struct table *table, const struct server_sums *sums, enum reconciled_item item, int decimals)
{
    pair_cell(table, sums->both[item].server, sums->both[item].client, decimals);
}

static bool has_server(const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->level_count; k++)
        if (!isnan(summary->levels[k].server.running.mean) || !isnan(summary->levels[k].server.queue_depth.mean))
            return true;
    return false;
}

static void add_gauges(struct buf *out, const struct run_summary *summary)
{
    static const struct table_column columns[] = {{"Load", true},     {"running", true}, {"queue", true},        {"queue max", true},   {"queue time ms", true},
                                                  {"KV cache", true}, {"KV max", true},  {"preemptions", true}, {"prefix cached", true}, {0}};
    struct table table;
    char load[MARKDOWN_LOAD_SIZE];
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct server_summary *server = &summary->levels[k].server;
        table_printf(&table, "%s", markdown_load(&summary->levels[k], load));
        table_number(&table, server->running.mean, 1);
        table_number(&table, server->queue_depth.mean, 2);
        table_number(&table, server->queue_depth.max, 0);
        table_number(&table, server->sums.queue_time_mean_ms, 0);
        markdown_percent(&table, server->kv_cache.mean);
        markdown_percent(&table, server->kv_cache.max);
        table_number(&table, server->sums.preemptions, 0);
        markdown_percent(&table, server->sums.prefix_cache_hit_share);
    }
    table_end(&table, out);
}

static bool has_pairs(const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->level_count; k++)
        for (int item = 0; item < RECONCILED_COUNT; item++)
            if (summary->levels[k].server.sums.both[item].agreement != AGREEMENT_UNKNOWN)
                return true;
    return false;
}

static void add_pairs(struct buf *out, const struct run_summary *summary)
{
    static const struct table_column columns[] = {{"Load", true},        {"requests", true},    {"prompt tokens", true}, {"output tokens", true}, {"in flight", true},
                                                  {"TTFT mean ms", true}, {"TTFT p95 ms", true}, {"ITL mean ms", true},   {"e2e mean ms", true},   {0}};
    struct table table;
    char load[MARKDOWN_LOAD_SIZE];
    buf_append_text(out, "The server's count / ours: of the whole level for requests, tokens and the p95 (its is a guess within a bucket, as on a dashboard), of the "
                         "window for means.\n\n");
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct server_sums *sums = &summary->levels[k].server.sums;
        table_printf(&table, "%s", markdown_load(&summary->levels[k], load));
        both_cell(&table, sums, RECONCILED_REQUESTS, 0);
        both_cell(&table, sums, RECONCILED_PROMPT_TOKENS, 0);
        both_cell(&table, sums, RECONCILED_OUTPUT_TOKENS, 0);
        both_cell(&table, sums, RECONCILED_IN_FLIGHT, 1);
        both_cell(&table, sums, RECONCILED_TTFT_MEAN, 0);
        both_cell(&table, sums, RECONCILED_TTFT_P95, 0);
        both_cell(&table, sums, RECONCILED_ITL_MEAN, 1);
        both_cell(&table, sums, RECONCILED_E2E_MEAN, 0);
    }
    table_end(&table, out);
}

/* ---- differences ---- */

static const char *item_title(enum reconciled_item item)
{
    static const char *const titles[RECONCILED_COUNT] = {
        [RECONCILED_REQUESTS] = "requests",       [RECONCILED_PROMPT_TOKENS] = "prompt tokens", [RECONCILED_OUTPUT_TOKENS] = "output tokens",
        [RECONCILED_IN_FLIGHT] = "in flight",     [RECONCILED_TTFT_MEAN] = "TTFT mean",         [RECONCILED_TTFT_P95] = "TTFT p95",
        [RECONCILED_ITL_MEAN] = "ITL mean",       [RECONCILED_E2E_MEAN] = "e2e mean",
    };
    return titles[item];
}

/* The first level where the item came out so, with the same verdict; *others: how many more. */
static const struct level_summary *first_so(const struct run_summary *summary, enum reconciled_item item, enum agreement agreement, size_t *others)
{
    const struct level_summary *first = NULL;
    *others = 0;
    for (size_t k = 0; k < summary->level_count; k++) {
        if (summary->levels[k].server.sums.both[item].agreement != agreement)
            continue;
        *others += first != NULL;
        first = first ? first : &summary->levels[k];
    }
    return first;
}

static void add_differences(struct buf *out, const struct run_summary *summary)
{
    char load[MARKDOWN_LOAD_SIZE];
    size_t others, before = out->len;
    for (int agreement = AGREEMENT_DIFFERS; agreement >= AGREEMENT_EXPLAINED; agreement--)
        for (int item = 0; item < RECONCILED_COUNT; item++) {
            const struct level_summary *level = first_so(summary, (enum reconciled_item)item, (enum agreement)agreement, &others);
            if (!level)
                continue;
            buf_printf(out, "- %s%s at %s: %s", agreement == AGREEMENT_DIFFERS ? "**differs:** " : "", item_title((enum reconciled_item)item),
                       markdown_load(level, load), level->server.sums.both[item].why);
            if (others > 0)
                buf_printf(out, "; alike at %zu more level%s", others, others == 1 ? "" : "s");
            buf_append_char(out, '\n');
        }
    buf_append_text(out, out->len > before ? "\n" : "Both agree.\n\n");
}

void markdown_server(struct buf *out, const struct run_summary *summary, const char *heading)
{
    if (!has_server(summary))
        return;
    buf_printf(out, "%s The server's own word\n\nOf its metrics over each window:\n\n", heading);
    add_gauges(out, summary);
    if (!has_pairs(summary))
        return;
    add_pairs(out, summary);
    add_differences(out, summary);
}

/* ---- GPUs ---- */

static void memory_cell(struct table *table, const struct gpu_summary *gpu)
{
    if (isnan(gpu->memory_used_bytes))
        table_printf(table, "-");
    else if (isnan(gpu->memory_bytes))
        table_printf(table, "%.1f", gpu->memory_used_bytes / GB);
    else
        table_printf(table, "%.1f of %.1f", gpu->memory_used_bytes / GB, gpu->memory_bytes / GB);
}

static void add_gpu_row(struct table *table, const struct gpu_summary *gpu)
{
    markdown_percent(table, gpu->utilization);
    markdown_percent(table, gpu->memory_active);
    memory_cell(table, gpu);
    table_number(table, gpu->power_w, 1);
    table_number(table, gpu->output_tokens_per_joule, 3);
    table_number(table, gpu->total_tokens_per_joule, 3);
}

void markdown_gpus(struct buf *out, const struct run_summary *summary, const char *heading)
{
    static const struct table_column columns[] = {{"Load", true},    {"busy", true},           {"memory busy", true},   {"memory GB", true},
                                                  {"power W", true}, {"output tok/J", true}, {"total tok/J", true}, {0}};
    struct table table;
    char load[MARKDOWN_LOAD_SIZE];
    int gpus = 0;
    bool by_power = false;
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct gpu_summary *gpu = &summary->levels[k].gpu;
        gpus = gpu->gpus > gpus ? gpu->gpus : gpus;
        by_power |= gpu->gpus > 0 && !gpu->by_counter;
    }
    if (gpus == 0)
        return;
    buf_printf(out, "%s The GPUs\n\nOf Prometheus, over each window; %d GPU%s%s. Of the GPUs alone: host and cooling are not in it.\n\n", heading, gpus, gpus == 1 ? "" : "s together",
               by_power ? ", energy where no counter tells it as power times time" : "");
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->level_count; k++) {
        table_printf(&table, "%s", markdown_load(&summary->levels[k], load));
        add_gpu_row(&table, &summary->levels[k].gpu);
    }
    table_end(&table, out);
}
