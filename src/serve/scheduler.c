#include "serve/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

TAILQ_HEAD(request_queue, scheduler_request);

struct scheduler {
    struct scheduler_settings settings;
    struct request_queue waiting;
    size_t waiting_count;
    struct scheduler_request **running; /* in the order of admission */
    size_t running_count, running_capacity;
    struct scheduler_request **emitted;
    size_t emitted_capacity;
    int64_t free_blocks;
    int64_t preemptions;
    struct scheduler_step step;
    bool in_step;
};

struct scheduler *scheduler_new(const struct scheduler_settings *settings)
{
    struct scheduler *scheduler = mem_alloc(sizeof *scheduler);
    scheduler->settings = *settings;
    scheduler->free_blocks = settings->kv_blocks;
    TAILQ_INIT(&scheduler->waiting);
    return scheduler;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (!scheduler)
        return;
    free(scheduler->running);
    free(scheduler->emitted);
    free(scheduler);
}

/* Everything known of it: the prompt and what it has generated. */
static int64_t known_tokens(const struct scheduler_request *request)
{
    return request->prompt_tokens + request->output_tokens;
}

static int64_t blocks_for(const struct scheduler *scheduler, int64_t tokens)
{
    return (tokens + scheduler->settings.block_size - 1) / scheduler->settings.block_size;
}

static bool hold_tokens(struct scheduler *scheduler, struct scheduler_request *request, int64_t tokens)
{
    int64_t more = blocks_for(scheduler, tokens) - request->blocks;
    if (more > scheduler->free_blocks)
        return false;
    if (more > 0) {
        scheduler->free_blocks -= more;
        request->blocks += more;
    }
    return true;
}

static void let_blocks_go(struct scheduler *scheduler, struct scheduler_request *request)
{
    scheduler->free_blocks += request->blocks;
    request->blocks = 0;
    request->computed = 0;
    request->in_step = 0;
}

void scheduler_add(struct scheduler *scheduler, struct scheduler_request *request)
{
    request->output_tokens = request->computed = request->blocks = request->in_step = request->preemptions = 0;
    request->first_scheduled = TIME_NEVER;
    request->state = SCHEDULER_WAITING;
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
    let_blocks_go(scheduler, request);
}

static void preempt_last(struct scheduler *scheduler)
{
    struct scheduler_request *last = scheduler->running[--scheduler->running_count];
    let_blocks_go(scheduler, last);
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
}

/* Returns whether somebody had to be preempted. */
static bool plan_running(struct scheduler *scheduler, int64_t *budget, int64_t now)
{
    int64_t preempted_before = scheduler->preemptions;
    for (size_t k = 0; k < scheduler->running_count && *budget > 0; k++) {
        struct scheduler_request *request = scheduler->running[k];
        int64_t tokens = known_tokens(request) - request->computed;
        tokens = tokens < *budget ? tokens : *budget;
        while (request->state == SCHEDULER_RUNNING && !hold_tokens(scheduler, request, request->computed + tokens))
            preempt_last(scheduler);
        if (request->state != SCHEDULER_RUNNING)
            break;
        put_in_step(scheduler, request, tokens, now);
        *budget -= tokens;
    }
    return scheduler->preemptions > preempted_before;
}

static void admit_waiting(struct scheduler *scheduler, int64_t *budget, int64_t now)
{
    struct scheduler_request *request;
    while (*budget > 0 && (int64_t)scheduler->running_count < scheduler->settings.max_num_seqs &&
           (request = TAILQ_FIRST(&scheduler->waiting)) != NULL) {
        int64_t all = known_tokens(request);
        if (blocks_for(scheduler, all) > scheduler->free_blocks)
            break;
        int64_t tokens = all < *budget ? all : *budget;
        leave_waiting(scheduler, request);
        hold_tokens(scheduler, request, tokens);
        MEM_GROW(scheduler->running, scheduler->running_capacity, scheduler->running_count + 1);
        scheduler->running[scheduler->running_count++] = request;
        request->state = SCHEDULER_RUNNING;
        put_in_step(scheduler, request, tokens, now);
        *budget -= tokens;
    }
}

static double step_cost(const struct scheduler_cost *cost, const struct scheduler_step *step)
{
    return cost->base + cost->sequence * (double)step->sequences +
           cost->context_token * (double)step->context_tokens + cost->prefill_token * (double)step->prefill_tokens;
}

int64_t scheduler_begin(struct scheduler *scheduler, int64_t now)
{
    int64_t budget = scheduler->settings.max_num_batched_tokens;
    scheduler->step = (struct scheduler_step){0};
    if (!plan_running(scheduler, &budget, now))
        admit_waiting(scheduler, &budget, now);
    if (scheduler->step.sequences == 0)
        return -1;
    scheduler->in_step = true;
    return (int64_t)step_cost(&scheduler->settings.cost, &scheduler->step);
}

static void finish_request(struct scheduler *scheduler, struct scheduler_request *request)
{
    let_blocks_go(scheduler, request);
    request->state = SCHEDULER_OUTSIDE;
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
            finish_request(scheduler, request);
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
    double blocks = (double)scheduler->settings.kv_blocks;
    return (blocks - (double)scheduler->free_blocks) / blocks;
}
