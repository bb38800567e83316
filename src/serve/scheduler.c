#include "serve/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "serve/kv_cache.h"

#define STEP_MAX_NS 1e15 /* 11 days: what is longer cannot be told from a standstill, and sums of it stay within 64 bits */

TAILQ_HEAD(request_queue, scheduler_request);

struct scheduler {
    struct scheduler_settings settings;
    struct request_queue waiting;
    size_t waiting_count;
    struct scheduler_request **running; /* in the order of admission */
    size_t running_count, running_capacity;
    struct scheduler_request **emitted;
    size_t emitted_capacity;
    struct kv_cache *cache;
    struct scheduler_cache_counts cache_counts;
    uint32_t *block_ids; /* scratch: ids of one block's tokens */
    int64_t preemptions;
    struct scheduler_step step;
    bool in_step;
};

struct scheduler *scheduler_new(const struct scheduler_settings *settings)
{
    struct scheduler *scheduler = mem_alloc(sizeof *scheduler);
    scheduler->settings = *settings;
    scheduler->cache = kv_cache_new(settings->kv_blocks);
    scheduler->block_ids = mem_calloc((size_t)settings->block_size, sizeof *scheduler->block_ids);
    TAILQ_INIT(&scheduler->waiting);
    return scheduler;
}

/* Everything known of it: the prompt and what it has generated. */
static int64_t known_tokens(const struct scheduler_request *request)
{
    return request->prompt_tokens + request->output_tokens;
}

/* --- blocks ---------------------------------------------------------------------------------- */

static int64_t blocks_for(const struct scheduler *scheduler, int64_t tokens)
{
    return (tokens + scheduler->settings.block_size - 1) / scheduler->settings.block_size;
}

static void add_block(struct scheduler_request *request, uint32_t number)
{
    MEM_GROW(request->table, request->table_capacity, (size_t)request->blocks + 1);
    request->table[request->blocks++].number = number;
}

static bool hold_tokens(struct scheduler *scheduler, struct scheduler_request *request, int64_t tokens)
{
    if (tokens <= request->blocks * scheduler->settings.block_size)
        return true;
    int64_t needed = blocks_for(scheduler, tokens);
    if (needed - request->blocks > kv_cache_free_blocks(scheduler->cache))
        return false;
    while (request->blocks < needed)
        add_block(request, kv_cache_take(scheduler->cache));
    return true;
}

/* The last one first: a sequence's end is the first to be lost. */
static void release_blocks(struct scheduler *scheduler, struct scheduler_request *request)
{
    while (request->blocks > 0)
        kv_cache_release(scheduler->cache, request->table[--request->blocks].number);
    request->named = 0;
    request->computed = 0;
    request->in_step = 0;
}

static void leave_scheduler(struct scheduler *scheduler, struct scheduler_request *request)
{
    release_blocks(scheduler, request);
    free(request->table);
    request->table = NULL;
    request->table_capacity = 0;
    request->hashed = 0;
    request->state = SCHEDULER_OUTSIDE;
}

/* --- prefix caching ----------------------------------------------------------------------------- */

static bool takes_part_in_caching(const struct scheduler *scheduler, const struct scheduler_request *request)
{
    return scheduler->settings.prefix_caching && request->prompt_ids;
}

/* Hashes the block after the last one that has a hash; its tokens must be known. */
static void hash_next_block(struct scheduler *scheduler, struct scheduler_request *request)
{
    int64_t size = scheduler->settings.block_size, first = request->hashed * size;
    const uint32_t *ids = request->prompt_ids + first;
    if (first + size > request->prompt_tokens) {
        for (int64_t k = 0; k < size; k++) {
            int64_t index = first + k - request->prompt_tokens;
            scheduler->block_ids[k] = index < 0 ? request->prompt_ids[first + k] : scheduler->settings.output_id(request, index);
        }
        ids = scheduler->block_ids;
    }
    MEM_GROW(request->table, request->table_capacity, (size_t)request->hashed + 1);
    uint64_t before = request->hashed > 0 ? request->table[request->hashed - 1].hash : KV_HASH_START;
    request->table[request->hashed++].hash = kv_cache_hash(before, ids, (size_t)size);
}

/* Names the blocks that are full when the step has computed the first `tokens`. */
static void name_full_blocks(struct scheduler *scheduler, struct scheduler_request *request, int64_t tokens)
{
    if (!takes_part_in_caching(scheduler, request))
        return;
    for (; (request->named + 1) * scheduler->settings.block_size <= tokens; request->named++) {
        if (request->named == request->hashed)
            hash_next_block(scheduler, request);
        kv_cache_name(scheduler->cache, request->table[request->named].number, request->table[request->named].hash);
    }
}

/* How many blocks of a waiting request's beginning the cache has, without its last token; *free: how many of them nobody uses. */
static int64_t find_beginning(const struct scheduler *scheduler, const struct scheduler_request *request, int64_t *free)
{
    int64_t found = 0;
    *free = 0;
    if (!takes_part_in_caching(scheduler, request))
        return 0;
    for (; (found + 1) * scheduler->settings.block_size < known_tokens(request); found++) {
        uint32_t block = kv_cache_find(scheduler->cache, request->table[found].hash);
        if (block == KV_BLOCK_NONE)
            break;
        *free += kv_cache_references(scheduler->cache, block) == 0;
    }
    return found;
}

static void share_beginning(struct scheduler *scheduler, struct scheduler_request *request, int64_t blocks)
{
    while (request->blocks < blocks) {
        uint32_t block = kv_cache_find(scheduler->cache, request->table[request->blocks].hash);
        kv_cache_share(scheduler->cache, block);
        add_block(request, block);
    }
    request->named = blocks;
    request->computed = blocks * scheduler->settings.block_size;
    if (request->preemptions > 0 || !takes_part_in_caching(scheduler, request))
        return;
    request->cached_tokens = request->computed;
    scheduler->cache_counts.queries += known_tokens(request);
    scheduler->cache_counts.hits += request->computed;
}

/* --- queues ------------------------------------------------------------------------------------- */

void scheduler_add(struct scheduler *scheduler, struct scheduler_request *request)
{
    *request = (struct scheduler_request){
        .prompt_tokens = request->prompt_tokens,
        .output_limit = request->output_limit,
        .prompt_ids = request->prompt_ids,
        .first_scheduled = TIME_NEVER,
        .state = SCHEDULER_WAITING,
    };
    if (takes_part_in_caching(scheduler, request))
        while ((request->hashed + 1) * scheduler->settings.block_size <= request->prompt_tokens)
            hash_next_block(scheduler, request);
    TAILQ_INSERT_TAIL(&scheduler->waiting, request, link);
    scheduler->waiting_count++;
}

static void leave_waiting(struct scheduler *scheduler, struct scheduler_request *request)
{
    TAILQ_REMOVE(&scheduler->waiting, request, link);
    scheduler->waiting_count--;
    request->state = SCHEDULER_OUTSIDE;
}

static void leave_running(struct scheduler *scheduler, struct scheduler_request *request)
{
    size_t place = 0;
    while (scheduler->running[place] != request)
        place++;
    scheduler->running_count--;
    memmove(&scheduler->running[place], &scheduler->running[place + 1],
            (scheduler->running_count - place) * sizeof *scheduler->running);
    request->state = SCHEDULER_OUTSIDE;
}

void scheduler_remove(struct scheduler *scheduler, struct scheduler_request *request)
{
    if (request->state == SCHEDULER_WAITING)
        leave_waiting(scheduler, request);
    else if (request->state == SCHEDULER_RUNNING)
        leave_running(scheduler, request);
    leave_scheduler(scheduler, request);
}

static void preempt_last(struct scheduler *scheduler)
{
    struct scheduler_request *last = scheduler->running[--scheduler->running_count];
    release_blocks(scheduler, last);
    last->preemptions++;
    scheduler->preemptions++;
    last->state = SCHEDULER_WAITING;
    TAILQ_INSERT_HEAD(&scheduler->waiting, last, link);
    scheduler->waiting_count++;
}

/* Puts `tokens` of the request into the step. Its blocks are there already. */
static void put_in_step(struct scheduler *scheduler, struct scheduler_request *request, int64_t tokens, int64_t now)
{
    struct scheduler_step *step = &scheduler->step;
    bool decoding = request->output_tokens > 0 && known_tokens(request) - request->computed == 1;
    request->in_step = tokens;
    if (request->first_scheduled == TIME_NEVER)
        request->first_scheduled = now;
    step->sequences++;
    step->context_tokens += request->computed;
    *(decoding ? &step->decode_tokens : &step->prefill_tokens) += tokens;
    name_full_blocks(scheduler, request, request->computed + tokens);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct plan {
    int64_t budget;  /* tokens that the step can still compute */
    int64_t longest; /* tokens that a request may have in it */
    int64_t now;
};

/* Returns whether somebody had to be preempted. */
static bool plan_running(struct scheduler *scheduler, struct plan *plan)
{
    int64_t preempted_before = scheduler->preemptions;
    for (size_t k = 0; k < scheduler->running_count && plan->budget > 0; k++) {
        struct scheduler_request *request = scheduler->running[k];
        int64_t tokens = least(known_tokens(request) - request->computed, least(plan->longest, plan->budget));
        while (request->state == SCHEDULER_RUNNING && !hold_tokens(scheduler, request, request->computed + tokens))
            preempt_last(scheduler);
        if (request->state != SCHEDULER_RUNNING)
            break;
        put_in_step(scheduler, request, tokens, plan->now);
        plan->budget -= tokens;
    }
    return scheduler->preemptions > preempted_before;
}

static void admit_waiting(struct scheduler *scheduler, struct plan *plan)
{
    struct scheduler_request *request;
    while (plan->budget > 0 && (int64_t)scheduler->running_count < scheduler->settings.max_num_seqs &&
           (request = TAILQ_FIRST(&scheduler->waiting)) != NULL) {
        int64_t free, found = find_beginning(scheduler, request, &free);
        if (blocks_for(scheduler, known_tokens(request)) - found + free > kv_cache_free_blocks(scheduler->cache))
            break;
        leave_waiting(scheduler, request);
        share_beginning(scheduler, request, found);
        int64_t tokens = least(known_tokens(request) - request->computed, least(plan->longest, plan->budget));
        hold_tokens(scheduler, request, request->computed + tokens);
        MEM_GROW(scheduler->running, scheduler->running_capacity, scheduler->running_count + 1);
        scheduler->running[scheduler->running_count++] = request;
        request->state = SCHEDULER_RUNNING;
        put_in_step(scheduler, request, tokens, plan->now);
        plan->budget -= tokens;
    }
}

static double step_cost(const struct scheduler_cost *cost, const struct scheduler_step *step)
{
    double ns = cost->base + cost->sequence * (double)step->sequences +
                cost->context_token * (double)step->context_tokens + cost->prefill_token * (double)step->prefill_tokens;
    return ns < STEP_MAX_NS ? ns : STEP_MAX_NS;
}

int64_t scheduler_begin(struct scheduler *scheduler, int64_t now)
{
    int64_t threshold = scheduler->settings.long_prefill_token_threshold;
    bool alone = scheduler->running_count + scheduler->waiting_count <= 1;
    struct plan plan = {.budget = scheduler->settings.max_num_batched_tokens,
                        .longest = threshold > 0 && !alone ? threshold : INT64_MAX,
                        .now = now};
    scheduler->step = (struct scheduler_step){0};
    if (!plan_running(scheduler, &plan))
        admit_waiting(scheduler, &plan);
    if (scheduler->step.sequences == 0)
        return -1;
    scheduler->in_step = true;
    return (int64_t)step_cost(&scheduler->settings.cost, &scheduler->step);
}

struct scheduler_request *const *scheduler_end(struct scheduler *scheduler, size_t *count)
{
    size_t emitted = 0, kept = 0;
    MEM_GROW(scheduler->emitted, scheduler->emitted_capacity, scheduler->running_count + 1);
    for (size_t k = 0; k < scheduler->running_count; k++) {
        struct scheduler_request *request = scheduler->running[k];
        request->computed += request->in_step;
        bool token = request->in_step > 0 && request->computed == known_tokens(request);
        request->in_step = 0;
        if (token) {
            request->output_tokens++;
            scheduler->emitted[emitted++] = request;
        }
        if (token && request->output_tokens >= request->output_limit)
            leave_scheduler(scheduler, request);
        else
            scheduler->running[kept++] = request;
    }
    scheduler->running_count = kept;
    scheduler->in_step = false;
    *count = emitted;
    return scheduler->emitted;
}

bool scheduler_in_step(const struct scheduler *scheduler)
{
    return scheduler->in_step;
}

const struct scheduler_step *scheduler_last_step(const struct scheduler *scheduler)
{
    return &scheduler->step;
}

size_t scheduler_running(const struct scheduler *scheduler)
{
    return scheduler->running_count;
}

size_t scheduler_waiting(const struct scheduler *scheduler)
{
    return scheduler->waiting_count;
}

int64_t scheduler_preemptions(const struct scheduler *scheduler)
{
    return scheduler->preemptions;
}

double scheduler_kv_usage(const struct scheduler *scheduler)
{
    int64_t blocks = kv_cache_blocks(scheduler->cache);
    return (double)(blocks - kv_cache_free_blocks(scheduler->cache)) / (double)blocks;
}

const struct scheduler_cache_counts *scheduler_cache_counts(const struct scheduler *scheduler)
{
    return &scheduler->cache_counts;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (!scheduler)
        return;
    struct scheduler_request *request;
    while ((request = TAILQ_FIRST(&scheduler->waiting)) != NULL)
        scheduler_remove(scheduler, request);
    while (scheduler->running_count > 0)
        scheduler_remove(scheduler, scheduler->running[scheduler->running_count - 1]);
    kv_cache_free(scheduler->cache);
    free(scheduler->block_ids);
    free(scheduler->running);
    free(scheduler->emitted);
    free(scheduler);
}
