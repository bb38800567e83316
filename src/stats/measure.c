#include "stats/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/level_sample.h"
#include "stats/measure_blocks.h"
#include "stats/prompt_sum.h"
#include "stats/reconcile.h"
#include "stats/request_latency.h"
#include "stats/saturation.h"
#include "stats/token_source.h"

#define MS 1e6                        /* ns of one */
#define SYNCHRONY_BINS_MIN 10
#define SYNCHRONY_BINS_MAX ((size_t)1 << 20)

struct sums {
    struct level_summary *out;
    const struct run_data *data;
    const struct run_level *level;
    const struct sla *sla;
    const struct slo *slo; /* NULL: none was given */
    struct arena *arena;
    struct level_sums *blocks;
    struct series latency[LATENCY_COUNT];
    struct level_wait *waits; /* in the order of sending, at last */
    size_t wait_count;
    bool has_turns;
    uint64_t failures[FAILURE_COUNT];
    uint64_t delivered, ended_ok, good;
    uint64_t telling; /* members that tell whether they met the objectives */
    double in_flight_ns;
    struct prompt_sum prompts_in_window;
};

/* ---- every request of the level, member or not: what happened inside the window ---- */

static void add_to_window(struct sums *sums, const struct record *record)
{
    const struct level_bounds *bounds = &sums->level->bounds;
    if (record->sent == TIME_NEVER)
        return;
    int64_t end = record->end == TIME_NEVER ? bounds->end : record->end;
    int64_t from = record->sent > bounds->window_start ? record->sent : bounds->window_start;
    int64_t to = end < bounds->window_end ? end : bounds->window_end;
    if (to > from)
        sums->in_flight_ns += (double)(to - from);
    measure_blocks_request(sums->blocks, sums->level, record, end);
    if (record->outcome == OUTCOME_OK && record->end != TIME_NEVER && run_level_in_window(sums->level, record->end))
        sums->ended_ok++;
    if (record->first_token == TIME_NEVER)
        return;
    if (run_level_in_window(sums->level, record->first_token))
        prompt_sum_add(&sums->prompts_in_window, record);
}

/* ---- members ---- */

/* Cancelled because the run was told to stop, and not because it had all the time that the plan gives: how late it would have been is
 * known only when it already waited longer than any class allows. */
static bool was_cut_early(const struct sums *sums, const struct record *record, double waited_ms)
{
    return run_data_was_stopped(sums->data, sums->level, record) && record->failure == FAILURE_CANCELLED &&
           waited_ms <= sums->sla->row[SLA_TTFT].bound[SLA_BOUNDS - 1].limit;
}

static void add_ttft(struct sums *sums, const struct record *record)
{
    struct level_sample sample = level_sample_of(record);
    struct level_wait wait;
    if (!level_sample_wait(&sample, sums->level->bounds.end, &wait))
        return;
    bool came = isfinite(wait.ttft_ms);
    if (!came && was_cut_early(sums, record, wait.at_least_ms)) {
        sums->out->requests.left_out++;
        return;
    }
    sums->out->requests.no_first_token += !came;
    wait.turn = record->turn < 0 ? 0 : record->turn < TURNS_TOLD ? record->turn : TURNS_TOLD - 1;
    sums->waits[sums->wait_count++] = wait;
    series_add(&sums->latency[LATENCY_TTFT_CENSORED], wait.ttft_ms);
    sums->has_turns |= record->turn >= 0;
    if (!run_level_is_open_loop(sums->level) && (double)record->i >= sums->level->bounds.load)
        series_add(&sums->latency[LATENCY_TTFT_WITHOUT_FIRST], wait.ttft_ms);
}

/* What the run itself cut off, or the client spoilt, tells nothing of objectives. */
static bool tells_of_objectives(const struct sums *sums, const struct record *record)
{
    if (record->outcome == OUTCOME_INCOMPLETE)
        return !run_data_was_stopped(sums->data, sums->level, record);
    return !failure_by_client(record->failure);
}

static void add_latencies(struct sums *sums, const struct record *record)
{
    double ms[LATENCY_COUNT];
    request_latencies(record, ms);
    bool good = sums->slo && request_meets(record, ms, sums->slo);
    sums->good += good;
    sums->telling += tells_of_objectives(sums, record);
    measure_blocks_member(sums->blocks, sums->level, record, ms, good);
}

static void add_member(struct sums *sums, const struct record *record)
{
    struct request_counts *counts = &sums->out->requests;
    counts->members++;
    counts->ok += record->outcome == OUTCOME_OK;
    counts->error += record->outcome == OUTCOME_ERROR;
    counts->incomplete += record->outcome == OUTCOME_INCOMPLETE;
    counts->never_sent += record->sent == TIME_NEVER;
    sums->delivered += record->sent != TIME_NEVER && record->sent < sums->level->bounds.end;
    if (record->failure != FAILURE_NONE)
        sums->failures[record->failure]++;
    add_ttft(sums, record);
    add_latencies(sums, record);
}

static void add_all(struct sums *sums)
{
    for (size_t k = 0; k < sums->level->record_count; k++) {
        uint32_t at = sums->level->records[k];
        add_to_window(sums, &sums->data->file.records[at]);
        if (sums->data->member[at])
            add_member(sums, &sums->data->file.records[at]);
    }
}

/* ---- from sums to numbers ---- */

static int compare_sent(const void *a, const void *b)
{
    const struct level_wait *x = a, *y = b;
    return x->sent != y->sent ? (x->sent > y->sent) - (x->sent < y->sent) : (x->ttft_ms > y->ttft_ms) - (x->ttft_ms < y->ttft_ms);
}

/* waits in the order of sending. */
static void slice_ttft(struct level_summary *out, const struct level_wait *waits, size_t count)
{
    out->slice_count = count / SLICE_MIN < SLICES ? count / SLICE_MIN : SLICES;
    double *values = mem_calloc(count + 1, sizeof *values);
    for (size_t k = 0; k < out->slice_count; k++) {
        size_t from = count * k / out->slice_count, to = count * (k + 1) / out->slice_count;
        struct level_slice *slice = &out->slices[k];
        *slice = (struct level_slice){.start_s = (double)waits[from].sent / 1e9, .end_s = (double)waits[to - 1].sent / 1e9,
                                      .requests = to - from};
        for (size_t at = from; at < to; at++) {
            values[at] = waits[at].ttft_ms;
            slice->no_first_token += isinf(waits[at].ttft_ms) != 0;
        }
        slice->ttft_p50_ms = series_select(values + from, to - from, percentile_per_mille(P50));
        slice->ttft_p95_ms = series_select(values + from, to - from, percentile_per_mille(P95));
    }
    free(values);
}

static void split_by_turn(struct level_summary *out, const struct level_wait *waits, size_t count)
{
    double *values = mem_calloc(count + 1, sizeof *values);
    for (int64_t turn = 0; turn < TURNS_TOLD; turn++) {
        struct level_turn *told = &out->turns[turn];
        *told = (struct level_turn){.ttft_p50_ms = NAN, .ttft_p95_ms = NAN};
        for (size_t k = 0; k < count; k++) {
            if (waits[k].turn != turn)
                continue;
            values[told->requests++] = waits[k].ttft_ms;
            told->no_first_token += isinf(waits[k].ttft_ms) != 0;
        }
        if (told->requests == 0)
            continue;
        out->turn_count = (size_t)turn + 1;
        told->ttft_p50_ms = series_select(values, told->requests, percentile_per_mille(P50));
        told->ttft_p95_ms = series_select(values, told->requests, percentile_per_mille(P95));
    }
    free(values);
}

static void finish_ttft(struct sums *sums)
{
    size_t count = sums->wait_count;
    if (count == 0)
        return;
    qsort(sums->waits, count, sizeof *sums->waits, compare_sent);
    slice_ttft(sums->out, sums->waits, count);
    if (sums->has_turns)
        split_by_turn(sums->out, sums->waits, count);
    double *values = mem_calloc(count, sizeof *values);
    for (size_t k = 0; k < count; k++)
        values[k] = sums->waits[k].ttft_ms;
    sums->out->ttft_slices_above = saturation_slices_above(values, count, saturation_limit_ms(sums->sla));
    for (size_t k = 0; k < count; k++)
        values[k] = sums->waits[k].at_least_ms;
    sums->out->ttft_p95_at_least_ms = series_select(values, count, percentile_per_mille(P95));
    sums->out->unfinished_share = (double)sums->out->requests.no_first_token / (double)count;
    free(values);
}

static bool is_of_waits(enum latency latency)
{
    return latency == LATENCY_TTFT_CENSORED || latency == LATENCY_TTFT_WITHOUT_FIRST;
}

/* Of the members, in a list of their own: one at a time, for a million requests have a dozen of them. */
static void list_latency(struct sums *sums, enum latency latency)
{
    double ms[LATENCY_COUNT];
    for (size_t k = 0; k < sums->level->record_count; k++) {
        uint32_t at = sums->level->records[k];
        if (!sums->data->member[at])
            continue;
        request_latencies(&sums->data->file.records[at], ms);
        if (!isnan(ms[latency]))
            series_add(&sums->latency[latency], ms[latency]);
    }
}

static void finish_latencies(struct sums *sums)
{
    for (int k = 0; k < LATENCY_COUNT; k++) {
        if (!is_of_waits((enum latency)k))
            list_latency(sums, (enum latency)k);
        sums->out->latency[k] = series_describe(&sums->latency[k]);
        series_free(&sums->latency[k]);
    }
    if (sums->data->has_tokens) {
        sums->out->latency[LATENCY_ITL] = selection_describe(sums->level->tokens.gaps, SELECTION_ITL, MS);
        sums->out->latency[LATENCY_ARRIVAL_GAP] = selection_describe(sums->level->tokens.gaps, SELECTION_GAPS, MS);
    }
}

static const char *blame_name(enum failure failure)
{
    return failure_by_server(failure) ? "server" : failure_by_client(failure) ? "client" : "neither";
}

static void finish_failures(struct sums *sums)
{
    struct level_summary *out = sums->out;
    uint64_t by_server = 0, ended = out->requests.ok + out->requests.error;
    for (int k = 0; k < FAILURE_COUNT; k++) {
        if (sums->failures[k] == 0)
            continue;
        if (out->failure_count < FAILURE_CLASSES_MAX)
            out->failures[out->failure_count++] =
                (struct failure_count){failure_name((enum failure)k), blame_name((enum failure)k), sums->failures[k]};
        if (failure_by_server((enum failure)k))
            by_server += sums->failures[k];
    }
    if (ended > 0)
        out->rate[RATE_ERROR_RATE] = (double)by_server / (double)ended;
    else
        level_add_missing(out, "error_rate", "no member of this level ended");
}

/* Ticks are rounded to their own length: the tokens of a tick came in the time before it. */
static double tokens_by_ticks(const struct sums *sums)
{
    const struct level_bounds *bounds = &sums->level->bounds;
    double tokens = 0;
    for (size_t k = 0; k < sums->data->tick_count; k++) {
        const struct tick *tick = &sums->data->ticks[k];
        if (tick->t > bounds->window_start && tick->t <= bounds->window_end)
            tokens += (double)tick->tokens;
    }
    return tokens;
}

static void finish_throughput(struct sums *sums, double seconds)
{
    struct level_summary *out = sums->out;
    double *rate = out->rate;
    rate[RATE_REQUEST_RPS] = (double)sums->ended_ok / seconds;
    rate[RATE_CONCURRENCY] = sums->in_flight_ns / 1e9 / seconds;
    if (sums->level->token_source == TOKENS_BY_FRAMES)
        rate[RATE_OUTPUT_TPS] = sums->level->tokens.in_window / seconds;
    else if (sums->level->token_source == TOKENS_BY_TICKS)
        rate[RATE_OUTPUT_TPS] = tokens_by_ticks(sums) / seconds;
    else
        level_add_missing(out, "output_tps", token_source_missing_text(sums->arena, sums->data, sums->level));
    double prompts = prompt_sum_tokens(&sums->prompts_in_window);
    rate[RATE_TOTAL_TPS] = rate[RATE_OUTPUT_TPS] + prompts / seconds;
    if (isnan(rate[RATE_OUTPUT_TPS]))
        level_add_missing(out, "total_tps", "output_tps is not known");
    else if (isnan(prompts))
        level_add_missing(out, "total_tps", "the server did not say how many prompt tokens it counted");
}

static void finish_open_loop(struct sums *sums, double seconds)
{
    double *rate = sums->out->rate;
    if (!run_level_is_open_loop(sums->level)) {
        static const enum rate open[] = {RATE_OFFERED_RPS, RATE_DRAWN_RPS, RATE_DELIVERED_RPS};
        for (size_t k = 0; k < sizeof open / sizeof open[0]; k++)
            level_add_missing(sums->out, rate_name(open[k]), "a closed loop has no arrivals of its own");
        return;
    }
    rate[RATE_OFFERED_RPS] = sums->level->bounds.load;
    rate[RATE_DRAWN_RPS] = (double)sums->out->requests.members / seconds;
    rate[RATE_DELIVERED_RPS] = (double)sums->delivered / seconds;
}

/* Index of dispersion: variance / mean of the sends in each bin; 1 is what independent streams would give. */
static double dispersion(const struct sums *sums, size_t bins, double width_ns)
{
    uint32_t *sends = mem_calloc(bins, sizeof *sends);
    double total = 0, squares = 0;
    for (size_t k = 0; k < sums->level->record_count; k++) {
        const struct record *record = &sums->data->file.records[sums->level->records[k]];
        if (record->sent == TIME_NEVER || !run_level_in_window(sums->level, record->sent))
            continue;
        size_t bin = (size_t)((double)(record->sent - sums->level->bounds.window_start) / width_ns);
        if (bin < bins)
            sends[bin]++;
    }
    for (size_t k = 0; k < bins; k++) {
        total += sends[k];
        squares += (double)sends[k] * sends[k];
    }
    free(sends);
    double mean = total / (double)bins;
    if (!(mean > 0)) {
        level_add_missing(sums->out, "synchrony", "nothing was sent in the window");
        return NAN;
    }
    return (squares / (double)bins - mean * mean) / mean;
}

static void finish_synchrony(struct sums *sums)
{
    double width = sums->out->latency[LATENCY_E2E].percentile[P50] * MS / 10;
    double length = (double)(sums->level->bounds.window_end - sums->level->bounds.window_start);
    if (run_level_is_open_loop(sums->level))
        level_add_missing(sums->out, "synchrony", "only streams of a closed loop can be in step");
    else if (!(width > 0) || length / width < SYNCHRONY_BINS_MIN || length / width > (double)SYNCHRONY_BINS_MAX)
        level_add_missing(sums->out, "synchrony", "the window does not fit a tenth of the median e2e");
    else
        sums->out->rate[RATE_SYNCHRONY] = dispersion(sums, (size_t)(length / width), width);
}

static void finish_goodput(struct sums *sums, double seconds)
{
    if (!sums->slo) {
        level_add_missing(sums->out, "goodput_rps", "no objectives were given (--slo)");
        return;
    }
    sums->out->rate[RATE_GOODPUT_RPS] = (double)sums->good / seconds;
    if (sums->telling > 0)
        sums->out->goodput_share = (double)sums->good / (double)sums->telling;
}

static void finish_rates(struct sums *sums)
{
    double seconds = (double)(sums->level->bounds.window_end - sums->level->bounds.window_start) / 1e9;
    if (seconds > 0) {
        finish_throughput(sums, seconds);
        finish_goodput(sums, seconds);
        finish_open_loop(sums, seconds);
        finish_synchrony(sums);
    } else {
        static const enum rate of_window[] = {RATE_OUTPUT_TPS,  RATE_TOTAL_TPS, RATE_REQUEST_RPS,   RATE_GOODPUT_RPS, RATE_CONCURRENCY,
                                              RATE_OFFERED_RPS, RATE_DRAWN_RPS, RATE_DELIVERED_RPS, RATE_SYNCHRONY};
        for (size_t k = 0; k < sizeof of_window / sizeof of_window[0]; k++)
            level_add_missing(sums->out, rate_name(of_window[k]), "the measurement window is empty");
    }
    double tpot = sums->out->latency[LATENCY_TPOT].percentile[P95];
    if (tpot > 0)
        sums->out->rate[RATE_USER_TPS] = 1000 / tpot;
    else
        level_add_missing(sums->out, "user_tps", "no request ended ok with more than one arrival of tokens");
    const char *lost = !sums->data->has_tokens ? "there is no tokens.bin.gz"
                       : token_source_lacks_frames(sums->data, sums->level) ? token_source_frames_text(sums->arena, sums->level) : NULL;
    if (lost) {
        level_add_missing(sums->out, "itl_ms", lost);
        level_add_missing(sums->out, "arrival_gap_ms", lost);
    }
}

/* ---- what the server said ---- */

static void find_gauge(const struct sums *sums, struct gauge *gauge, enum server_quantity quantity, double limit, const char *field,
                       struct arena *arena)
{
    const struct level_bounds *bounds = &sums->level->bounds;
    *gauge = scrapes_gauge(&sums->data->scrapes, quantity, bounds->window_start, bounds->window_end, limit);
    if (!sums->data->has_metrics)
        level_add_missing(sums->out, field, "the server's metrics were not recorded");
    else if (isnan(gauge->mean))
        level_add_missing(sums->out, field, "the server's metrics do not hold it in this window");
    else if (gauge->covered < SERVER_COVERED_MIN)
        level_add_missing(sums->out, field, arena_printf(arena, "the server's metrics cover %.0f %% of the window: the numbers are of that part",
                                                         100 * gauge->covered));
}

static void finish_server(const struct sums *sums)
{
    struct arena *arena = sums->arena;
    struct server_summary *server = &sums->out->server;
    find_gauge(sums, &server->queue_depth, SERVER_QUEUE, 0, "server.queue_depth", arena);
    find_gauge(sums, &server->kv_cache, SERVER_KV_CACHE, sums->sla->row[SLA_KV_CACHE].bound[SLA_BOUNDS - 1].limit, "server.kv_cache", arena);
    find_gauge(sums, &server->running, SERVER_RUNNING, NAN, "server.running", arena);
    reconcile_level(sums->out, sums->data, sums->level, arena);
}

static void describe_level(struct level_summary *out, const struct run_level *level)
{
    const struct level_bounds *bounds = &level->bounds;
    out->index = bounds->index;
    out->repeat = bounds->repeat;
    out->load = bounds->load;
    memcpy(out->unit, bounds->unit, sizeof out->unit);
    memcpy(out->kind, bounds->kind, sizeof out->kind);
    out->start_s = (double)bounds->start / 1e9;
    out->end_s = (double)bounds->end / 1e9;
    out->window_start_s = (double)bounds->window_start / 1e9;
    out->window_end_s = (double)bounds->window_end / 1e9;
    out->warmup = level->warmup;
    out->cooldown = level->cooldown;
    out->ended = bounds->ended;
    out->stopped = run_level_was_stopped(level);
    out->grew = run_level_grew(level);
    memcpy(out->reason, level->health.reason, sizeof out->reason);
}

void measure_level(struct level_summary *out, const struct run_data *data, const struct run_level *level, const struct sla *sla,
                   const struct slo *slo, struct arena *arena)
{
    struct sums sums = {.out = out, .data = data, .level = level, .sla = sla, .slo = slo && slo_is_given(slo) ? slo : NULL, .arena = arena,
                        .blocks = mem_calloc(1, sizeof *sums.blocks)};
    sums.waits = mem_calloc(level->record_count + 1, sizeof *sums.waits);
    describe_level(out, level);
    add_all(&sums);
    finish_ttft(&sums);
    finish_latencies(&sums);
    finish_failures(&sums);
    finish_rates(&sums);
    measure_blocks_finish(out, sums.blocks, data, level, prompt_sum_mean(&sums.prompts_in_window));
    finish_server(&sums);
    free(sums.waits);
    free(sums.blocks);
}
