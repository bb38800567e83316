#include "stats/request_latency.h"

#include <math.h>

#define MS 1e6 /* ns of one */

/* NAN: one of the times never was. */
static double between(int64_t from, int64_t to)
{
    return from == TIME_NEVER || to == TIME_NEVER ? NAN : (double)(to - from) / MS;
}

static void latencies_of_ok(const struct record *record, double ms[LATENCY_COUNT])
{
    int64_t n = record->output_tokens, first = record->first_tokens > 0 ? record->first_tokens : 1;
    ms[LATENCY_E2E] = between(record->sent, record->end);
    ms[LATENCY_E2E_INTENDED] = between(record->intended, record->end);
    ms[LATENCY_SCHEDULE_SLIP] = between(record->intended, record->sent);
    /* What came all at once has no time a token; chunks may have told of fewer tokens than the usage at the end. */
    if (n > first && record->last_token > record->first_token)
        ms[LATENCY_TPOT] = between(record->first_token, record->last_token) / (double)(n - first);
    if (n > 1)
        ms[LATENCY_TPOT_VLLM] = between(record->first_token, record->last_token) / (double)(n - 1);
    if (n > 0)
        ms[LATENCY_TPOT_WITH_FIRST] = between(record->sent, record->last_token) / (double)n;
}

void request_latencies(const struct record *record, double ms[LATENCY_COUNT])
{
    for (int k = 0; k < LATENCY_COUNT; k++)
        ms[k] = NAN;
    if (record->sent != TIME_NEVER && record->first_token != TIME_NEVER) {
        ms[LATENCY_TTFT] = between(record->sent, record->first_token);
        ms[LATENCY_TTFT_INTENDED] = between(record->intended, record->first_token);
    }
    if (record->outcome == OUTCOME_OK)
        latencies_of_ok(record, ms);
}

bool request_meets(const struct record *record, const double ms[LATENCY_COUNT], const struct slo *slo)
{
    static const enum latency latency_of[SLO_LATENCY_COUNT] = {
#define X(name, text, key) [SLO_##name] = LATENCY_##name,
        SLO_LATENCIES(X)
#undef X
    };
    if (record->outcome != OUTCOME_OK)
        return false;
    for (int k = 0; k < SLO_LATENCY_COUNT; k++)
        if (slo->most_ns[k] > 0 && ms[latency_of[k]] * MS > (double)slo->most_ns[k])
            return false;
    return true;
}
