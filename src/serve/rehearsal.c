#include "serve/rehearsal.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define END_OF_TIME (TIME_FOREVER / 4) /* model time stands still from then on: 73 years */

/* A request inside the model. */
struct actor {
    struct scheduler_request scheduled; /* first: the scheduler's pointer is the actor's */
    size_t index;                       /* into the list of requests */
};

/* Who sends next. */
struct load {
    /* Sends what is due at `now`; returns when something is due after that, TIME_FOREVER: nothing before a request ends. */
    int64_t (*send_due)(struct load *load, struct scheduler *scheduler, int64_t now);
    void (*ended)(struct load *load, struct actor *actor, int64_t now);
    struct rehearsal_request *requests;
};

static void actor_start(struct actor *actor, struct scheduler *scheduler, const struct rehearsal_request *request, size_t index)
{
    actor->scheduled.prompt_tokens = request->prompt_tokens;
    actor->scheduled.output_limit = request->output_tokens;
    actor->index = index;
    scheduler_add(scheduler, &actor->scheduled);
}

static void take_token(struct load *load, struct actor *actor, int64_t now)
{
    struct rehearsal_request *request = &load->requests[actor->index];
    if (actor->scheduled.output_tokens == 1)
        request->first_token = now;
    request->last_token = now;
    if (actor->scheduled.state == SCHEDULER_OUTSIDE)
        load->ended(load, actor, now);
}

static int64_t blocks_of(const struct scheduler_settings *settings, int64_t prompt_tokens, int64_t output_tokens)
{
    return (prompt_tokens + output_tokens) / settings->block_size + 1;
}

/* Of a deployment that slow the figures say no more. */
static int64_t later(int64_t now, int64_t duration)
{
    return now < END_OF_TIME - duration ? now + duration : END_OF_TIME;
}

/* blocks_max: what all requests that can be inside together hold; a cache beyond that costs time to make and is never looked at. */
static void run_all(const struct scheduler_settings *settings, struct load *load, int64_t blocks_max)
{
    struct scheduler_settings used = *settings;
    used.kv_blocks = blocks_max < used.kv_blocks ? blocks_max : used.kv_blocks;
    used.prefix_caching = false; /* nobody has ids */
    struct scheduler *scheduler = scheduler_new(&used);
    for (int64_t now = 0;;) {
        int64_t next = load->send_due(load, scheduler, now);
        int64_t duration = scheduler_begin(scheduler, now);
        if (duration < 0 && next == TIME_FOREVER)
            break;
        now = duration < 0 ? next : later(now, duration);
        if (duration < 0)
            continue;
        size_t count;
        struct scheduler_request *const *tokens = scheduler_end(scheduler, &count);
        for (size_t k = 0; k < count; k++)
            take_token(load, (struct actor *)tokens[k], now);
    }
    scheduler_free(scheduler);
}

/* --- known times ------------------------------------------------------------------------- */

struct replay {
    struct load load; /* first */
    struct actor *actors;
    size_t count, sent;
};

static int64_t replay_send_due(struct load *load, struct scheduler *scheduler, int64_t now)
{
    struct replay *replay = (struct replay *)load;
    for (; replay->sent < replay->count && load->requests[replay->sent].sent <= now; replay->sent++)
        actor_start(&replay->actors[replay->sent], scheduler, &load->requests[replay->sent], replay->sent);
    return replay->sent < replay->count ? load->requests[replay->sent].sent : TIME_FOREVER;
}

static void replay_ended(struct load *load, struct actor *actor, int64_t now)
{
    (void)load, (void)actor, (void)now;
}

void rehearsal_replay(const struct scheduler_settings *settings, struct rehearsal_request *requests, size_t count)
{
    struct replay replay = {
        .load = {.send_due = replay_send_due, .ended = replay_ended, .requests = requests},
        .actors = mem_calloc(count, sizeof *replay.actors),
        .count = count,
    };
    int64_t blocks = 0;
    for (size_t k = 0; k < count; k++)
        blocks += blocks_of(settings, requests[k].prompt_tokens, requests[k].output_tokens);
    run_all(settings, &replay.load, blocks);
    free(replay.actors);
}

/* --- streams ------------------------------------------------------------------------------ */

struct streams {
    struct load load; /* first */
    const struct rehearsal_loop *loop;
    struct actor *actors; /* a stream each */
    int64_t *due;         /* TIME_FOREVER: its request is under way, or it sends no more */
    size_t count, capacity;
};

static bool may_send(const struct streams *streams, int64_t due)
{
    const struct rehearsal_loop *loop = streams->loop;
    return due < loop->duration_ns && (loop->requests_max == 0 || streams->count < loop->requests_max);
}

static int64_t streams_send_due(struct load *load, struct scheduler *scheduler, int64_t now)
{
    struct streams *streams = (struct streams *)load;
    const struct rehearsal_loop *loop = streams->loop;
    int64_t next = TIME_FOREVER;
    for (size_t k = 0; k < loop->streams; k++) {
        int64_t due = streams->due[k];
        if (due > now) {
            next = due < next ? due : next;
            continue;
        }
        streams->due[k] = TIME_FOREVER;
        if (!may_send(streams, due))
            continue;
        MEM_GROW(load->requests, streams->capacity, streams->count + 1);
        load->requests[streams->count] =
            (struct rehearsal_request){.sent = due, .prompt_tokens = loop->prompt_tokens, .output_tokens = loop->output_tokens};
        actor_start(&streams->actors[k], scheduler, &load->requests[streams->count], streams->count);
        streams->count++;
    }
    return next;
}

static void stream_ended(struct load *load, struct actor *actor, int64_t now)
{
    struct streams *streams = (struct streams *)load;
    streams->due[actor - streams->actors] = now + streams->loop->turnaround_ns;
}

struct rehearsal_request *rehearsal_run(const struct scheduler_settings *settings, const struct rehearsal_loop *loop, size_t *count)
{
    struct streams streams = {
        .load = {.send_due = streams_send_due, .ended = stream_ended, .requests = mem_alloc(sizeof(struct rehearsal_request))},
        .capacity = 1,
        .loop = loop,
        .actors = mem_calloc(loop->streams, sizeof *streams.actors),
        .due = mem_calloc(loop->streams, sizeof *streams.due),
    };
    for (size_t k = 0; k < loop->streams; k++)
        streams.due[k] = (int64_t)k * loop->stagger_ns;
    run_all(settings, &streams.load, (int64_t)loop->streams * blocks_of(settings, loop->prompt_tokens, loop->output_tokens));
    free(streams.actors);
    free(streams.due);
    *count = streams.count;
    return streams.load.requests;
}
