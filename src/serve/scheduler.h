/* The serving model: continuous batching as vLLM's V1 scheduler does it, without sockets and without a clock.
 *
 * The engine works in steps. A step is planned by scheduler_begin, lasts as long as its cost says, and its tokens
 * come out all at once at its end (scheduler_end). A request that arrives during a step waits for the next one.
 *
 * Planning, with a budget of max_num_batched_tokens a step:
 *   1. Running requests, in the order of their admission, get what they still have to compute: one token while
 *      they decode, the rest of their prompt (or as much as the budget leaves: chunked prefill) before. When there is
 *      more than one request, nobody gets more than long_prefill_token_threshold.
 *   2. When the KV cache has no free block for one of them, the request admitted last is preempted: it loses its
 *      blocks, goes to the head of the waiting queue and computes prompt and output so far again (recompute).
 *   3. If nobody was preempted, waiting requests are admitted first come, first served, while budget is left and
 *      fewer than max_num_seqs run. What the cache holds of a request's beginning is not computed again, except its
 *      last token. The free blocks must hold all the rest; taken are those of the tokens in this step. The first
 *      request that does not fit ends the admission: nobody overtakes.
 * At the end of the step whoever has computed everything known so far has one new token, and leaves the running
 * set, blocks released, with its last one.
 *
 * Prefix caching (serve/kv_cache.h): a block is named as soon as the step that fills it is planned, so that requests of
 * the same step can share it. Only full blocks have names; blocks of output have them too. A preempted request finds its
 * own blocks again unless others have taken them.
 *
 * The cost of a step is the only source of time:
 *     base + per sequence x sequences + per context token x context + per prefill token x prefill
 * over the requests that the step computes: their number, the tokens they have in the cache when the step
 * begins (computed by them or found), and the tokens computed for those that do not decode. A request decodes when it has
 * output and all but one of its tokens are in the cache. No constant depends on the number of users. */
#ifndef ROIBENCH_SERVE_SCHEDULER_H
#define ROIBENCH_SERVE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Nanoseconds; fractions matter, they are multiplied. */
struct scheduler_cost {
    double base, sequence, context_token, prefill_token;
};

struct scheduler_request;

struct scheduler_settings {
    struct scheduler_cost cost;
    int64_t max_num_seqs;                 /* > 0 */
    int64_t max_num_batched_tokens;       /* > 0 */
    int64_t long_prefill_token_threshold; /* 0: none */
    int64_t kv_blocks, block_size;        /* > 0; together at least the longest request's tokens, else it can never run */
    bool prefix_caching;
    /* The id of a request's index-th generated token, always the same; asked for those that are generated. Needed if
     * requests have prompt_ids. */
    uint32_t (*output_id)(const struct scheduler_request *request, int64_t index);
};

enum scheduler_state { SCHEDULER_OUTSIDE = 0, SCHEDULER_WAITING, SCHEDULER_RUNNING };

/* A block of a request, and the hash of its tokens up to the block's end. */
struct scheduler_block {
    uint64_t hash;
    uint32_t number;
};

/* Embedded in the caller's object and owned by it; must stay in place while it is in the scheduler.
 * The caller sets the first three, the scheduler the rest. */
struct scheduler_request {
    int64_t prompt_tokens, output_limit; /* both > 0 */
    const uint32_t *prompt_ids;          /* borrowed while it is in the scheduler; NULL: it has no part in prefix caching */
    int64_t output_tokens;               /* generated so far */
    int64_t computed;                    /* tokens whose keys and values are in the cache */
    int64_t in_step;                     /* tokens of the current step */
    int64_t cached_tokens;               /* of its prompt, found in the cache when it was first admitted */
    int64_t preemptions;
    int64_t first_scheduled;             /* `now` of the step that computed its first token; TIME_NEVER */
    struct scheduler_block *table;       /* the scheduler's */
    size_t table_capacity;
    int64_t blocks, named, hashed;       /* so many of the table are held, have their name in the cache, have a hash */
    enum scheduler_state state;
    TAILQ_ENTRY(scheduler_request) link; /* of the waiting queue */
};

/* What the step in progress, or the last one, consists of. */
struct scheduler_step {
    int64_t sequences, context_tokens, prefill_tokens, decode_tokens;
};

struct scheduler;

struct scheduler *scheduler_new(const struct scheduler_settings *settings);
void scheduler_free(struct scheduler *scheduler); /* requests still inside are taken out */

/* Appends to the waiting queue. */
void scheduler_add(struct scheduler *scheduler, struct scheduler_request *request);
/* The client has gone. At any time, also during a step (whose duration stays what it is), but not
 * while the result of scheduler_end is being walked. */
void scheduler_remove(struct scheduler *scheduler, struct scheduler_request *request);

/* Plans a step that begins at `now`; returns its duration in ns (at most 10^15), or -1: there is nothing to do. */
int64_t scheduler_begin(struct scheduler *scheduler, int64_t now);

/* Ends the step. Returns the requests that have one token more, in the order of their admission; whoever is
 * SCHEDULER_OUTSIDE among them is finished. The array is the scheduler's and valid until its next call. */
struct scheduler_request *const *scheduler_end(struct scheduler *scheduler, size_t *count);

bool scheduler_in_step(const struct scheduler *scheduler);
const struct scheduler_step *scheduler_last_step(const struct scheduler *scheduler);
size_t scheduler_running(const struct scheduler *scheduler);
size_t scheduler_waiting(const struct scheduler *scheduler);
int64_t scheduler_preemptions(const struct scheduler *scheduler); /* since the beginning */
double scheduler_kv_usage(const struct scheduler *scheduler);     /* 0 to 1; free blocks are free, whatever they hold */

/* Tokens looked up and found at first admissions, since the beginning. */
struct scheduler_cache_counts {
    int64_t queries, hits;
};
const struct scheduler_cache_counts *scheduler_cache_counts(const struct scheduler *scheduler);

#endif
