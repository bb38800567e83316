/* Open loop: requests are sent when they are due, whatever the server does. */
#include <stdlib.h>

#include "base/mem.h"
#include "load/level.h"

#define NO_STREAM (-1)

struct arrival {
    int64_t i, intended;
};

struct open_loop {
    struct source source;
    struct arrivals arrivals;
    int64_t i, next;          /* the arrival after those drawn, whosever it is, and when it is due */
    int64_t drawn, taken;     /* arrivals of ours that were due; of these, sent or given up */
    struct arrival *ring;     /* those between taken and drawn */
    size_t capacity;          /* a power of two */
    int64_t in_flight_max;    /* our part of max_concurrency */
};

static int64_t next_due(const struct source *source, const struct level_run *run)
{
    const struct open_loop *loop = (const struct open_loop *)source;
    (void)run;
    return loop->next;
}

static struct arrival *arrival_of(const struct open_loop *loop, int64_t number)
{
    return &loop->ring[(size_t)number & (loop->capacity - 1)];
}

/* The ring is full: twice the room, each entry at its new place. */
static void grow(struct open_loop *loop)
{
    struct open_loop larger = *loop;
    larger.capacity = loop->capacity * 2;
    larger.ring = mem_calloc(larger.capacity, sizeof *larger.ring);
    for (int64_t k = loop->taken; k < loop->drawn; k++)
        *arrival_of(&larger, k) = *arrival_of(loop, k);
    free(loop->ring);
    *loop = larger;
}

static void advance(struct open_loop *loop, const struct level_run *run)
{
    loop->i++;
    loop->next = run->start + arrivals_next(&loop->arrivals);
}

/* To the next one that is ours: others send theirs, and nobody has to wake up here for them. */
static void skip_others(struct open_loop *loop, struct level_run *run)
{
    while (!share_has(run->share, loop->i) && loop->next < run->deadline && level_draw(run, loop->next, false))
        advance(loop, run);
}

/* Those that are due before `end`; what comes at the level's very end is outside. */
static void draw_before(struct open_loop *loop, struct level_run *run, int64_t end)
{
    skip_others(loop, run);
    while (loop->next < end && level_draw(run, loop->next, true)) {
        if ((size_t)(loop->drawn - loop->taken) == loop->capacity)
            grow(loop);
        *arrival_of(loop, loop->drawn++) = (struct arrival){.i = loop->i, .intended = loop->next};
        advance(loop, run);
        skip_others(loop, run);
    }
    if (run->drawn_out || loop->next >= run->deadline)
        loop->next = TIME_FOREVER;
}

static void send_due(struct source *source, struct level_run *run, int64_t now)
{
    struct open_loop *loop = (struct open_loop *)source;
    draw_before(loop, run, now < run->deadline ? now + 1 : run->deadline);
    while (loop->taken < loop->drawn && (int64_t)run->in_flight_count < loop->in_flight_max) {
        const struct arrival arrival = *arrival_of(loop, loop->taken++);
        level_send(run, NO_STREAM, arrival.i, arrival.i, arrival.intended);
    }
}

static void ended(struct source *source, struct level_run *run, const struct request *request, int64_t now)
{
    /* One that waits goes out in the same turn of the loop, by send_due. */
    (void)source, (void)run, (void)request, (void)now;
}

static int64_t waiting(const struct source *source)
{
    const struct open_loop *loop = (const struct open_loop *)source;
    return loop->drawn - loop->taken;
}

static void give_up(struct source *source, struct level_run *run)
{
    struct open_loop *loop = (struct open_loop *)source;
    draw_before(loop, run, run->end);
    loop->next = TIME_FOREVER;
    for (; loop->taken < loop->drawn; loop->taken++)
        level_never_sent(run, arrival_of(loop, loop->taken)->i, arrival_of(loop, loop->taken)->intended, run->end);
}

static void open_loop_free(struct source *source)
{
    struct open_loop *loop = (struct open_loop *)source;
    free(loop->ring);
    free(loop);
}

struct source *open_loop_new(const struct level_run *run)
{
    struct open_loop *loop = mem_alloc(sizeof *loop);
    loop->source = (struct source){
        .next_due = next_due, .send_due = send_due, .ended = ended, .waiting = waiting, .give_up = give_up, .free = open_loop_free,
    };
    loop->capacity = 64;
    loop->ring = mem_calloc(loop->capacity, sizeof *loop->ring);
    loop->in_flight_max = share_of(run->share, run->plan->limits.max_concurrency);
    arrivals_init(&loop->arrivals, run->plan, &run->level, run->repeat);
    loop->next = run->start + arrivals_next(&loop->arrivals);
    return &loop->source;
}
