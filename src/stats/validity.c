#include "stats/validity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "stats/shards.h"

#define LAG_MIN_NS 1e6
#define LAG_SHARE_OF_GAP 0.10
#define CPU_MAX 0.90
#define RECORD_STALL_MAX 0.01 /* share of the level */
#define PAUSE_MAX 0.01        /* share of the window; and */
#define PAUSE_MIN_NS 1e8      /* of wall time: shorter ones are what a busy machine does */
#define DELIVERED_MIN 0.95
#define CLIENT_FAILURES_MAX 0.01
#define P95_SAMPLES_MIN 72
#define P99_SAMPLES_MIN 368
#define QUEUE_EMPTY 0.05
#define AT_CAP 0.95        /* of --max-concurrency: a request that connects holds a place before it is sent */
#define HELD_BACK_MIN 0.50 /* share of the undelivered */

static double lag_of(const struct client_health *health)
{
    return (double)health->lag_p99;
}

static double cpu_of(const struct client_health *health)
{
    return health->cpu;
}

static double stamp_delay_of(const struct client_health *health)
{
    return (double)health->stamp_delay_p99;
}

static double record_stall_of(const struct client_health *health)
{
    return (double)health->record_stall;
}

static double pause_of(const struct client_health *health)
{
    return (double)health->pause;
}

static double throttled_of(const struct client_health *health)
{
    return (double)health->throttled;
}

/* The loop's percentiles are of its turns: of one long pause, in which everything waited, they tell nothing. */
static void judge_pause(struct level_summary *out, const struct run_data *data, const struct run_level *level, const struct plan *plan,
                        struct arena *arena)
{
    double pause = (double)level->health.pause, window = (double)(level->bounds.window_end - level->bounds.window_start);
    if (pause > PAUSE_MAX * window && pause > PAUSE_MIN_NS * plan->server.time_scale)
        level_add_reason(out, VALIDITY_INVALID, "client stopped",
                         arena_printf(arena, "the client stood still for %.3g s, and all that came meanwhile was seen too late%s", pause / 1e9,
                                      shards_worst(data, level, pause_of, arena)));
}

/* The median gap between arrivals. Where the gaps are lost, or were not recorded, that of the requests' mean gaps. NAN: not known. */
static double usual_gap_ns(const struct level_summary *out, const struct run_data *data, const struct run_level *level)
{
    double gap_ms = out->latency[LATENCY_ARRIVAL_GAP].percentile[P50];
    if (isfinite(gap_ms))
        return gap_ms * 1e6;
    double *gaps = mem_calloc(level->record_count + 1, sizeof *gaps);
    size_t count = 0;
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &data->file.records[level->records[k]];
        if (data->member[level->records[k]] && record->outcome == OUTCOME_OK && record->arrivals > 1 && record->first_token != TIME_NEVER)
            gaps[count++] = (double)(record->last_token - record->first_token) / (double)(record->arrivals - 1);
    }
    double median = count > 0 ? sort_median(gaps, count) : NAN;
    free(gaps);
    return median;
}

/* Of shards, what is known of some is judged all the same. */
static void judge_client(struct level_summary *out, const struct run_data *data, const struct run_level *level, struct arena *arena)
{
    const struct client_health *health = &level->health;
    if (!health->known)
        level_add_missing(out, "validity.client", "the journal does not tell how busy the client was");
    double gap_ns = usual_gap_ns(out, data, level);
    double limit = isfinite(gap_ns) ? fmax(LAG_MIN_NS, LAG_SHARE_OF_GAP * gap_ns) : LAG_MIN_NS;
    if ((double)health->lag_p99 > limit)
        level_add_reason(out, VALIDITY_INVALID, "client late",
                         arena_printf(arena, "the client was late: event-loop lag p99 %.2f ms > %.2f ms%s", (double)health->lag_p99 / 1e6,
                                      limit / 1e6, shards_worst(data, level, lag_of, arena)));
    if (health->cpu > CPU_MAX)
        level_add_reason(out, VALIDITY_INVALID, "client busy",
                         arena_printf(arena, "the client was busy: %.0f %% of a CPU > %.0f %%%s", health->cpu * 100, CPU_MAX * 100,
                                      shards_worst(data, level, cpu_of, arena)));
    if (health->throttled > 0)
        level_add_reason(out, VALIDITY_INVALID, "throttled",
                         arena_printf(arena, "the client's CPU was throttled for %.0f ms%s", (double)health->throttled / 1e6,
                                      shards_worst(data, level, throttled_of, arena)));
    /* Told, not judged: it is of a sample, and of the whole machine's doing. */
    if ((double)health->stamp_delay_p99 > limit)
        level_add_reason(out, VALIDITY_VALID, "late stamps",
                         arena_printf(arena, "the client waited for a CPU: its time stamps were later than the kernel's by %.2f ms (p99) > %.2f ms%s",
                                      (double)health->stamp_delay_p99 / 1e6, limit / 1e6, shards_worst(data, level, stamp_delay_of, arena)));
    double stall_s = (double)health->record_stall / 1e9;
    if (stall_s > RECORD_STALL_MAX * (out->end_s - out->start_s))
        level_add_reason(out, VALIDITY_SUSPECT, "slow disk",
                         arena_printf(arena, "nothing new was sent for %.3g s, for the disk did not take the records: less load than asked%s",
                                      stall_s, shards_worst(data, level, record_stall_of, arena)));
}

/* ---- arrivals that were not delivered ---- */

static bool was_delivered(const struct record *record, const struct run_level *level)
{
    return record->sent != TIME_NEVER && record->sent < level->bounds.end;
}

/* Share of the undelivered members that became due while as many requests were under way as --max-concurrency allows: it, and not
 * the client's slowness, kept them back. NAN: none is undelivered. */
static double share_held_back(const struct run_data *data, const struct run_level *level, int64_t max_concurrency)
{
    int64_t *sends = mem_calloc(level->record_count + 1, sizeof *sends), *ends = mem_calloc(level->record_count + 1, sizeof *ends);
    size_t sent = 0, ended = 0;
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &data->file.records[level->records[k]];
        if (record->sent == TIME_NEVER)
            continue;
        sends[sent++] = record->sent;
        if (record->end != TIME_NEVER)
            ends[ended++] = record->end;
    }
    sort_times(sends, sent);
    sort_times(ends, ended);
    double undelivered = 0, held_back = 0;
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &data->file.records[level->records[k]];
        if (!data->member[level->records[k]] || was_delivered(record, level))
            continue;
        size_t under_way = sort_count_until(sends, sent, sizeof *sends, record->intended) -
                             sort_count_until(ends, ended, sizeof *ends, record->intended);
        undelivered++;
        held_back += (double)under_way >= AT_CAP * (double)max_concurrency;
    }
    free(sends);
    free(ends);
    return undelivered > 0 ? held_back / undelivered : NAN;
}

/* Undelivered arrivals are the client's doing only where it was allowed to send them and the server could have taken them. */
static void judge_delivery(struct level_summary *out, const struct run_data *data, const struct run_level *level, const struct plan *plan,
                           struct arena *arena)
{
    double drawn = out->rate[RATE_DRAWN_RPS], delivered = out->rate[RATE_DELIVERED_RPS];
    if (!(drawn > 0) || delivered >= DELIVERED_MIN * drawn)
        return;
    const char *text = arena_printf(arena, "%.1f %% of the arrivals that were drawn were delivered", delivered / drawn * 100);
    double queue = out->server.queue_depth.mean;
    if (share_held_back(data, level, plan->limits.max_concurrency) >= HELD_BACK_MIN)
        level_add_reason(out, VALIDITY_SUSPECT, "limited", arena_printf(arena, "limited by --max-concurrency %lld: %s",
                                                                        (long long)plan->limits.max_concurrency, text));
    else if (isnan(queue))
        level_add_reason(out, VALIDITY_SUSPECT, "undelivered", text);
    else if (queue <= QUEUE_EMPTY)
        level_add_reason(out, VALIDITY_INVALID, "undelivered", text);
}

/* Sent, first token, last token, end: those that happened never go back. A connection's failure may end what was never sent. */
static bool times_go_back(const struct record *record)
{
    const int64_t times[] = {record->sent, record->first_token, record->last_token, record->end};
    int64_t before = TIME_NEVER;
    for (size_t k = 0; k < sizeof times / sizeof times[0]; k++) {
        if (times[k] == TIME_NEVER)
            continue;
        if (before != TIME_NEVER && times[k] < before)
            return true;
        before = times[k];
    }
    return false;
}

/* A monotonic clock does not: a machine whose clock jumped all the same, or records that are not as run wrote them. */
static void judge_times(struct level_summary *out, const struct run_data *data, const struct run_level *level, struct arena *arena)
{
    unsigned long long count = 0;
    for (size_t k = 0; k < level->record_count; k++)
        count += times_go_back(&data->file.records[level->records[k]]);
    if (count > 0)
        level_add_reason(out, VALIDITY_INVALID, "clock jumped",
                         arena_printf(arena, "of %llu request%s the times go back: the clock jumped, or the records are not as run wrote them", count,
                                      count == 1 ? "" : "s"));
}

static void judge_failures(struct level_summary *out, const struct run_data *data, const struct run_level *level, struct arena *arena)
{
    uint64_t failed = 0, ended = out->requests.ok + out->requests.error;
    for (size_t k = 0; k < level->record_count; k++)
        failed += data->member[level->records[k]] && failure_by_client(data->file.records[level->records[k]].failure);
    if (ended > 0 && (double)failed > CLIENT_FAILURES_MAX * (double)ended)
        level_add_reason(out, VALIDITY_INVALID, "client failures",
                         arena_printf(arena, "%.1f %% of the requests failed by the client's own doing",
                                      100 * (double)failed / (double)ended));
}

/* Streams that all started together and never made a second request: then the burst is all there is. */
static bool is_burst_only(const struct level_summary *out, const struct plan *plan)
{
    return plan->stream_start == STREAM_START_TOGETHER && !level_is_open_loop(out) && out->load > 1 &&
           out->latency[LATENCY_TTFT_CENSORED].count > 0 && out->latency[LATENCY_TTFT_WITHOUT_FIRST].count == 0;
}

static void judge_samples(struct level_summary *out, const struct plan *plan, const struct sla *sla, struct arena *arena)
{
    uint64_t count = out->latency[LATENCY_TTFT_CENSORED].count;
    if (count < P95_SAMPLES_MIN)
        level_add_reason(out, VALIDITY_SUSPECT, "few requests",
                         arena_printf(arena, "%llu requests: a p95 needs %d for an upper bound", (unsigned long long)count,
                                      P95_SAMPLES_MIN));
    else if (count < P99_SAMPLES_MIN) /* told, not judged: neither classes nor points are made of a p99 */
        level_add_reason(out, VALIDITY_VALID, "p99 open",
                         arena_printf(arena, "%llu requests: a p99 needs %d for an upper bound, and is suspect", (unsigned long long)count,
                                      P99_SAMPLES_MIN));
    enum sla_class with = sla_classify(&sla->row[SLA_TTFT], level_ttft_p95(out));
    enum sla_class without = sla_classify(&sla->row[SLA_TTFT], out->latency[LATENCY_TTFT_WITHOUT_FIRST].percentile[P95]);
    if (without != SLA_UNKNOWN && with != without)
        level_add_reason(out, VALIDITY_SUSPECT, "start burst",
                         arena_printf(arena, "the start burst decides TTFT: %s with each stream's first request, %s without",
                                      sla_class_name(with), sla_class_name(without)));
    else if (is_burst_only(out, plan))
        level_add_reason(out, VALIDITY_SUSPECT, "start burst",
                         "the start burst decides TTFT: no stream made a second request inside the window");
}

static void judge_cache(struct level_summary *out, const struct run_data *data, const struct run_level *level, const struct plan *plan)
{
    int64_t shared = plan->calibration.template_tokens + plan->workload.shared_prefix_tokens;
    for (size_t k = 0; k < level->record_count; k++) {
        if (data->member[level->records[k]] &&
            data->file.records[level->records[k]].turn <= 0 && /* a later turn shares all that was said before */
            data->file.records[level->records[k]].cached_tokens > shared) {
            level_add_reason(out, VALIDITY_SUSPECT, "cached prompts",
                             plan->workload.shared_prefix_tokens > 0
                                 ? "the server found more of a prompt in its cache than the shared template and prefix"
                                 : "the server found more of a prompt in its cache than the shared template");
            return;
        }
    }
}

/* What the run itself ended is cut off; what a limit of the level ended is measured, and the reader told. */
static const char *cut_off_text(const char *reason)
{
    static const struct {
        const char *reason, *text;
    } texts[] = {{"stopped", "cut off: the run was stopped in this level"},
                 {"target_refuses", "cut off: the target refused every request"},
                 {"max_tokens_total", "cut off: the run had used its --max-tokens-total"},
                 {"max_usd", "cut off: the run had used its --max-usd"}};
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
        if (strcmp(texts[k].reason, reason) == 0)
            return texts[k].text;
    return "cut off";
}

static void tell_early_end(struct level_summary *out, struct arena *arena)
{
    double seconds = out->end_s - out->start_s;
    if (out->grew)
        level_add_reason(out, VALIDITY_VALID, "queue grew",
                         arena_printf(arena, "ended after %.3g s, as the queue grew without end: TTFT is at least what was measured", seconds));
    else if (strcmp(out->reason, "max_error_rate") == 0)
        level_add_reason(out, VALIDITY_VALID, "many errors",
                         arena_printf(arena, "ended after %.3g s, as more requests failed than --max-error-rate allows", seconds));
}

static void judge_end(struct level_summary *out, const struct run_level *level, int shards, const struct sla *sla, struct arena *arena)
{
    if (!out->ended) {
        const char *text = level->health.known ? "cut off: the records end before this level did, by its journal" : "cut off: the run did not live to end this level";
        if (level->parts_cut < shards)
            text = arena_printf(arena, "cut off: %d of %d shards did not live to end this level; it is measured until then", level->parts_cut,
                                shards);
        level_add_reason(out, VALIDITY_SUSPECT, "cut off", text);
        return;
    }
    if (!run_level_was_stopped(level)) {
        tell_early_end(out, arena);
        return;
    }
    const char *text = cut_off_text(level->health.reason);
    unsigned long long left_out = out->requests.left_out;
    if (left_out > 0)
        text = arena_printf(arena, "%s; %llu request%s without a first token %s left out, having waited no longer than %.3g s", text,
                            left_out, left_out == 1 ? "" : "s", left_out == 1 ? "is" : "are", sla->row[SLA_TTFT].bound[SLA_BOUNDS - 1].limit / 1000);
    level_add_reason(out, VALIDITY_SUSPECT, "cut off", text);
}

/* Classes that come from the server's own word are of a part of the window only. */
static void judge_coverage(struct level_summary *out, struct arena *arena)
{
    double covered = fmin(out->server.queue_depth.covered, out->server.kv_cache.covered);
    if (covered > 0 && covered < SERVER_COVERED_MIN)
        level_add_reason(out, VALIDITY_SUSPECT, "metrics gap",
                         arena_printf(arena, "the server's metrics cover %.0f %% of the window: queue and KV cache are of that part",
                                      100 * covered));
}

/* Queue and KV cache of one server of several are not those of the whole. */
static bool is_of_a_part(const struct reconciled *both)
{
    return both->agreement == AGREEMENT_DIFFERS && both->server < both->client;
}

/* Told, not judged: what was measured at our side is what a user sees. */
static void tell_differences(struct level_summary *out, struct arena *arena)
{
    static const struct {
        enum reconciled_item item;
        const char *tag, *title;
    } means[] = {{RECONCILED_TTFT_MEAN, "TTFT apart", "TTFT mean"}, {RECONCILED_ITL_MEAN, "ITL apart", "ITL mean"},
                 {RECONCILED_E2E_MEAN, "end apart", "end-to-end mean"}, {RECONCILED_TTFT_P95, "TTFT p95 apart", "TTFT p95"}};
    for (size_t k = 0; k < sizeof means / sizeof means[0]; k++) {
        const struct reconciled *both = &out->server.sums.both[means[k].item];
        if (both->agreement == AGREEMENT_DIFFERS)
            level_add_reason(out, VALIDITY_VALID, means[k].tag,
                             arena_printf(arena, "%s: %.4g ms by the server, %.4g ms at our side: %s", means[k].title, both->server, both->client, both->why));
    }
}

static void judge_server(struct level_summary *out, const struct run_data *data, const struct run_level *level, struct arena *arena)
{
    const struct server_sums *sums = &out->server.sums;
    const struct reconciled *requests = &sums->both[RECONCILED_REQUESTS], *tokens = &sums->both[RECONCILED_OUTPUT_TOKENS];
    if (scrapes_restarted(&data->scrapes, level->bounds.window_start, level->bounds.window_end))
        level_add_reason(out, VALIDITY_SUSPECT, "server restarted",
                         "the server's counters began again: it was restarted, or another one answered");
    if (sums->foreign)
        level_add_reason(out, VALIDITY_SUSPECT, "other traffic", sums->foreign);
    else if (is_of_a_part(requests) || is_of_a_part(tokens))
        level_add_reason(out, VALIDITY_SUSPECT, "part of a server",
                         arena_printf(arena, "the server counted %s", is_of_a_part(requests) ? requests->why : tokens->why));
    tell_differences(out, arena);
}

static void judge_pods(struct level_summary *out, const struct run_data *data, struct arena *arena)
{
    if (data->pods_changed[0])
        level_add_reason(out, VALIDITY_SUSPECT, "pods changed",
                         arena_printf(arena, "the model's pods are not those that prepare saw: %s", data->pods_changed));
}

void validity_judge(struct level_summary *out, const struct run_data *data, const struct run_level *level, const struct plan *plan,
                    const struct sla *sla, struct arena *arena)
{
    judge_client(out, data, level, arena);
    judge_pause(out, data, level, plan, arena);
    judge_delivery(out, data, level, plan, arena);
    judge_failures(out, data, level, arena);
    judge_times(out, data, level, arena);
    judge_samples(out, plan, sla, arena);
    judge_cache(out, data, level, plan);
    judge_end(out, level, data->file.shards, sla, arena);
    shards_judge(out, data, level, arena);
    judge_coverage(out, arena);
    judge_server(out, data, level, arena);
    judge_pods(out, data, arena);
}
