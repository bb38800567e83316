/* A level's requests by how they ended: for formats that keep those that ended ok, failed and were cut off apart, and say of each what GuideLLM
 * says of it. Made only when such a format is asked for: it is twice the work of all other numbers.
 *
 * Of the level's members (docs/metrics.md); what is distributed over time counts all requests of the level while the window lasts. A request of
 * which a quantity is not known is left out of its distribution. All times are model time. */
#ifndef ROIBENCH_STATS_ENDINGS_H
#define ROIBENCH_STATS_ENDINGS_H

#include "base/arena.h"
#include "record/record.h"
#include "stats/run_data.h"
#include "stats/spread.h"

/* ok: successful, error: errored, incomplete: as it is, in GuideLLM's words. */
enum ending { ENDING_OK, ENDING_ERROR, ENDING_INCOMPLETE, ENDING_ALL, ENDING_COUNT };

/* A quantity of each request: enum, what it is. N: its output tokens. Chunks: those that carried tokens. */
#define ENDING_QUANTITIES(X)                                                             \
    X(E2E_S, "end - sent, s")                                                            \
    X(DUE_E2E_S, "end - due, s; open loop")                                              \
    X(SLIP_S, "sent - due, s; open loop")                                                \
    X(CHUNKS, "events of its stream")                                                    \
    X(PROMPT_TOKENS, "as the server counted them")                                       \
    X(OUTPUT_TOKENS, "N; where the server did not count them, chunks")                   \
    X(TOTAL_TOKENS, "both; either where the other is not known")                         \
    X(TTFT_MS, "first token - sent")                                                     \
    X(TPOT_WITH_FIRST_MS, "(last token - sent) / N, weighted by N")                      \
    X(TPOT_VLLM_MS, "(last token - first token) / (N - 1), weighted by N - 1")           \
    X(TOKENS_A_CHUNK, "1 for the first, (N - 1) / (chunks - 1) for each other")          \
    X(LATER_TOKENS_A_CHUNK, "the same without the first")                                \
    X(REQUEST_RPS, "requests that ended, over time")                                     \
    X(CONCURRENCY, "requests under way, over time")                                      \
    X(PROMPT_TPS, "prompt tokens, at the first token, over time")                        \
    X(OUTPUT_TPS, "output tokens, spread evenly from first to last, over time")          \
    X(TOTAL_TPS, "both")

enum ending_quantity {
#define X(name, what) QUANTITY_##name,
    ENDING_QUANTITIES(X)
#undef X
        QUANTITY_COUNT,
    QUANTITY_OVER_TIME = QUANTITY_REQUEST_RPS /* from here on */
};

struct level_endings {
    struct spread of[QUANTITY_COUNT][ENDING_COUNT];
    const struct record *kept[ENDING_ALL]; /* some of each, evenly out of all, in the order of their index */
    size_t kept_count[ENDING_ALL];
    int64_t first_sent, last_end;          /* of all requests of the level; ns from the anchor; TIME_NEVER: none was sent */
};

/* keep: how many requests of each ending are kept, at most. The records are borrowed no longer than the call lasts. */
const struct level_endings *endings_of_level(const struct run_data *data, const struct run_level *level, size_t keep, struct arena *arena);

/* Chunks of a request that carried tokens. */
int64_t record_token_chunks(const struct record *record);

#endif
