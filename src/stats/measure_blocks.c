#include "stats/measure_blocks.h"

#include <math.h>

#define MS 1e6 /* ns of one */

/* ---- adding ---- */

/* The time from `from` to `to` inside the window, to the blocks that it touches. */
static void add_in_flight(struct level_sums *sums, const struct blocks *blocks, int64_t from, int64_t to)
{
    from = from > blocks->start ? from : blocks->start;
    to = to < blocks->end ? to : blocks->end;
    for (size_t k = from < to ? blocks_find(blocks, from) : BLOCKS; from < to; k++) {
        int64_t until = blocks_bound(blocks, k + 1) < to ? blocks_bound(blocks, k + 1) : to;
        sums->block[k].in_flight_ns += (double)(until - from);
        from = until;
    }
}

void measure_blocks_request(struct level_sums *sums, const struct run_level *level, const struct record *record, int64_t end)
{
    const struct blocks *blocks = &level->blocks;
    if (blocks->count == 0)
        return;
    add_in_flight(sums, blocks, record->sent, end);
    if (record->outcome == OUTCOME_OK && record->end != TIME_NEVER && run_level_in_window(level, record->end))
        sums->block[blocks_find(blocks, record->end)].ended_ok++;
    if (record->first_token == TIME_NEVER || !run_level_in_window(level, record->first_token))
        return;
    struct block_sums *block = &sums->block[blocks_find(blocks, record->first_token)];
    if (record->prompt_tokens >= 0)
        block->prompt_tokens += (double)record->prompt_tokens;
    else
        block->prompts_unknown++;
}

void measure_blocks_member(struct level_sums *sums, const struct run_level *level, const struct record *record,
                           const double ms[LATENCY_COUNT], bool good)
{
    if (level->blocks.count == 0)
        return;
    struct block_sums *block = &sums->block[blocks_find(&level->blocks, run_level_counted_at(level, record))];
    block->ended += record->outcome != OUTCOME_INCOMPLETE;
    block->by_server += failure_by_server(record->failure);
    block->good += good;
    for (int k = 0; k < LATENCY_COUNT; k++) {
        if (isnan(ms[k]))
            continue;
        block->latency_ms[k] += ms[k];
        block->samples[k]++;
    }
}

/* ---- intervals ---- */

/* Ticks are rounded to their own length: the tokens of a tick came in the time before it. */
static void count_ticks(const struct run_data *data, const struct blocks *blocks, double tokens[BLOCKS])
{
    for (size_t k = 0; k < data->tick_count; k++) {
        const struct tick *tick = &data->ticks[k];
        if (tick->t > blocks->start && tick->t <= blocks->end)
            tokens[blocks_find(blocks, tick->t - 1)] += (double)tick->tokens;
    }
}

/* Output tokens of each block; NAN: not known. */
static void find_tokens(const struct run_data *data, const struct run_level *level, double tokens[BLOCKS])
{
    for (size_t k = 0; k < level->blocks.count; k++)
        tokens[k] = level->token_source == TOKENS_BY_FRAMES ? level->tokens.block[k].in_window : level->token_source == TOKENS_BY_TICKS ? 0 : NAN;
    if (level->token_source == TOKENS_BY_TICKS)
        count_ticks(data, &level->blocks, tokens);
}

static void fill_rates(struct level_summary *out, const struct level_sums *sums, const double *tokens, double mean_prompt)
{
    double total[BLOCKS], goodput[BLOCKS], seconds = out->blocks.seconds;
    size_t count = out->blocks.count;
    for (size_t k = 0; k < count; k++) {
        const struct block_sums *block = &sums->block[k];
        double unknown = block->prompts_unknown > 0 ? block->prompts_unknown * mean_prompt : 0;
        out->blocks.output_tps[k] = tokens[k] / seconds;
        out->blocks.request_rps[k] = block->ended_ok / seconds;
        out->blocks.concurrency[k] = block->in_flight_ns / 1e9 / seconds;
        total[k] = (tokens[k] + block->prompt_tokens + unknown) / seconds;
        goodput[k] = block->good / seconds;
    }
    out->rate_interval[RATE_OUTPUT_TPS] = blocks_mean_interval(out->blocks.output_tps, count);
    out->rate_interval[RATE_TOTAL_TPS] = blocks_mean_interval(total, count);
    out->rate_interval[RATE_REQUEST_RPS] = blocks_mean_interval(out->blocks.request_rps, count);
    out->rate_interval[RATE_CONCURRENCY] = blocks_mean_interval(out->blocks.concurrency, count);
    if (!isnan(out->rate[RATE_GOODPUT_RPS]))
        out->rate_interval[RATE_GOODPUT_RPS] = blocks_mean_interval(goodput, count);
}

static void fill_error_rate(struct level_summary *out, const struct level_sums *sums)
{
    double failed[BLOCKS], ended[BLOCKS];
    for (size_t k = 0; k < out->blocks.count; k++) {
        failed[k] = sums->block[k].by_server;
        ended[k] = sums->block[k].ended;
    }
    out->rate_interval[RATE_ERROR_RATE] = blocks_ratio_interval(failed, ended, out->blocks.count);
}

/* Of a mean latency: a ratio of sums, since blocks differ in how many requests they have. */
static void fill_mean(struct level_summary *out, enum latency latency, const struct level_sums *sums, const struct run_level *level)
{
    double over[BLOCKS], samples[BLOCKS];
    for (size_t k = 0; k < out->blocks.count; k++) {
        const struct block_tokens *tokens = &level->tokens.block[k];
        bool itl = latency == LATENCY_ITL, gap = latency == LATENCY_ARRIVAL_GAP;
        over[k] = itl ? tokens->itl_ns / MS : gap ? tokens->gap_ns / MS : sums->block[k].latency_ms[latency];
        samples[k] = itl ? tokens->itl_count : gap ? tokens->gap_count : sums->block[k].samples[latency];
    }
    if (isfinite(out->latency[latency].mean))
        out->latency[latency].mean_interval = blocks_ratio_interval(over, samples, out->blocks.count);
}

void measure_blocks_finish(struct level_summary *out, const struct level_sums *sums, const struct run_data *data,
                           const struct run_level *level, double mean_prompt)
{
    double tokens[BLOCKS];
    const struct interval *tpot = &out->latency[LATENCY_TPOT].interval[INTERVAL_P95];
    if (out->rate[RATE_USER_TPS] > 0)
        out->rate_interval[RATE_USER_TPS] = (struct interval){1000 / tpot->high, 1000 / tpot->low};
    if (level->blocks.count == 0)
        return;
    out->blocks.count = level->blocks.count;
    out->blocks.seconds = blocks_seconds(&level->blocks);
    find_tokens(data, level, tokens);
    fill_rates(out, sums, tokens, mean_prompt);
    fill_error_rate(out, sums);
    for (int k = 0; k < LATENCY_COUNT; k++)
        fill_mean(out, (enum latency)k, sums, level);
}
