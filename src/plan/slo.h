/* Objectives that a single request meets or misses: --slo ttft=1000ms,tpot=100ms. What they are for: goodput, the requests a second that
 * met all of them at once (docs/metrics.md). */
#ifndef ROIBENCH_PLAN_SLO_H
#define ROIBENCH_PLAN_SLO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

/* Latencies of docs/metrics.md that a request has one of: enum, name, its key in plan.json. */
#define SLO_LATENCIES(X)                                                \
    X(TTFT, "ttft", "ttft_ms")                                          \
    X(TTFT_INTENDED, "ttft_intended", "ttft_intended_ms")               \
    X(TPOT, "tpot", "tpot_ms")                                          \
    X(TPOT_VLLM, "tpot_vllm", "tpot_vllm_ms")                           \
    X(TPOT_WITH_FIRST, "tpot_with_first", "tpot_with_first_ms")         \
    X(E2E, "e2e", "e2e_ms")                                             \
    X(E2E_INTENDED, "e2e_intended", "e2e_intended_ms")

enum slo_latency {
#define X(name, text, key) SLO_##name,
    SLO_LATENCIES(X)
#undef X
        SLO_LATENCY_COUNT
};
const char *slo_latency_name(enum slo_latency latency); /* "ttft" */

#define SLO_SHARE 0.95 /* of the requests have to meet them where a load is said to */

/* All zero: none was given. */
struct slo {
    int64_t most_ns[SLO_LATENCY_COUNT]; /* of model time, met by what is not above it; 0: no objective */
};

bool slo_is_given(const struct slo *slo);
/* "ttft=1000ms,tpot=0.1s": every number has a unit. -1 with *err (ERROR_USAGE), that names the option. */
int slo_parse(const char *text, struct slo *slo, struct error *err);
/* "ttft at most 1000 ms and tpot at most 100 ms"; nothing where none is given. */
void slo_describe(const struct slo *slo, struct buf *out);
#define SLO_TEXT_MAX ((size_t)512)

/* plan.json's member "slo". */
void slo_write(const struct slo *slo, json_t *root);
void slo_read(struct slo *slo, struct json_reader *reader, const json_t *root);

#endif
