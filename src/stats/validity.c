#include "stats/validity.h"

#include <math.h>

#define LAG_MIN_NS 1e6
#define LAG_SHARE_OF_GAP 0.10
#define CPU_MAX 0.90
#define DELIVERED_MIN 0.95
#define CLIENT_FAILURES_MAX 0.01
#define P95_SAMPLES_MIN 72
#define QUEUE_EMPTY 0.05

static void judge_client(struct level_summary *out, const struct client_health *health, struct arena *arena)
{
    if (!health->known) {
        level_add_missing(out, "validity.client", "the journal does not tell how busy the client was");
        return;
    }
    double gap_ms = out->latency[LATENCY_ARRIVAL_GAP].percentile[P50];
    double limit = isfinite(gap_ms) ? fmax(LAG_MIN_NS, LAG_SHARE_OF_GAP * gap_ms * 1e6) : LAG_MIN_NS;
    if ((double)health->lag_p99 > limit)
        level_add_reason(out, VALIDITY_INVALID, "client late",
                         arena_printf(arena, "the client was late: event-loop lag p99 %.2f ms > %.2f ms", (double)health->lag_p99 / 1e6,
                                      limit / 1e6));
    if (health->cpu > CPU_MAX)
        level_add_reason(out, VALIDITY_INVALID, "client busy",
                         arena_printf(arena, "the client was busy: %.0f %% of a CPU > %.0f %%", health->cpu * 100, CPU_MAX * 100));
    if (health->throttled > 0)
        level_add_reason(out, VALIDITY_INVALID, "throttled",
                         arena_printf(arena, "the client's CPU was throttled for %.0f ms", (double)health->throttled / 1e6));
}

/* Undelivered arrivals are the client's doing only where the server could have taken them. */
static void judge_delivery(struct level_summary *out, const struct plan *plan, struct arena *arena)
{
    double drawn = out->rate[RATE_DRAWN_RPS], delivered = out->rate[RATE_DELIVERED_RPS];
    if (!(drawn > 0) || delivered >= DELIVERED_MIN * drawn)
        return;
    const char *text = arena_printf(arena, "%.1f %% of the arrivals that were drawn were delivered", delivered / drawn * 100);
    double queue = out->server.queue_depth.mean;
    if (isnan(queue))
        level_add_reason(out, VALIDITY_SUSPECT, "undelivered", text);
    else if (queue <= QUEUE_EMPTY && out->rate[RATE_CONCURRENCY] < DELIVERED_MIN * (double)plan->limits.max_concurrency)
        level_add_reason(out, VALIDITY_INVALID, "undelivered", text);
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
    for (size_t k = 0; k < level->record_count; k++) {
        if (data->member[level->records[k]] &&
            data->file.records[level->records[k]].cached_tokens > plan->calibration.template_tokens) {
            level_add_reason(out, VALIDITY_SUSPECT, "cached prompts",
                             "the server found more of a prompt in its cache than the shared template");
            return;
        }
    }
}

void validity_judge(struct level_summary *out, const struct run_data *data, const struct run_level *level, const struct plan *plan,
                    const struct sla *sla, struct arena *arena)
{
    judge_client(out, &level->health, arena);
    judge_delivery(out, plan, arena);
    judge_failures(out, data, level, arena);
    judge_samples(out, plan, sla, arena);
    judge_cache(out, data, level, plan);
    if (!out->ended)
        level_add_reason(out, VALIDITY_SUSPECT, "cut off", "cut off: the run did not live to end this level");
    const struct server_sums *sums = &out->server.sums;
    if (sums->disagreement && sums->output_tokens > sums->client_output_tokens)
        level_add_reason(out, VALIDITY_SUSPECT, "other traffic", sums->disagreement);
}
