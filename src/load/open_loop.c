/* Open loop: requests are sent when they are due, whatever the server does. */
#include <stdlib.h>

#include "base/mem.h"
#include "load/level.h"

#define NO_STREAM (-1)

struct open_loop {
    struct source source;
    struct arrivals arrivals;
    int64_t next;             /* when the arrival after those drawn is due */
    int64_t drawn, taken;     /* arrivals that were due; of these, sent or given up */
    int64_t *intended;        /* ring of those between taken and drawn */
    size_t capacity;          /* a power of two */
};

static int64_t in_flight_max(const struct level_run *run)
{
    return run->plan->limits.max_concurrency;
}

static int64_t next_due(const struct source *source, const struct level_run *run)
{
    const struct open_loop *loop = (const struct open_loop *)source;
    (void)run;
    return loop->next;
}

static int64_t *intended_of(struct open_loop *loop, int64_t i)
{
    return &loop->intended[(size_t)i & (loop->capacity - 1)];
}

/* The ring is full: twice the room, each entry at its new place. */
static void grow(struct open_loop *loop)
{
    struct open_loop larger = *loop;
    larger.capacity = loop->capacity * 2;
    larger.intended = mem_calloc(larger.capacity, sizeof *larger.intended);
    for (int64_t i = loop->taken; i < loop->drawn; i++)
        *intended_of(&larger, i) = *intended_of(loop, i);
    free(loop->intended);
    *loop = larger;
}

/* Those that are due before `end`; what comes at the level's very end is outside. */
static void draw_before(struct open_loop *loop, struct level_run *run, int64_t end)
{
    while (loop->next < end && level_draw(run, loop->next)) {
        if ((size_t)(loop->drawn - loop->taken) == loop->capacity)
            grow(loop);
        *intended_of(loop, loop->drawn++) = loop->next;
        loop->next = run->start + arrivals_next(&loop->arrivals);
    }
    if (run->drawn_out || loop->next >= run->deadline)
        loop->next = TIME_FOREVER;
}

static void send_due(struct source *source, struct level_run *run, int64_t now)
{
    struct open_loop *loop = (struct open_loop *)source;
    draw_before(loop, run, now < run->deadline ? now + 1 : run->deadline);
    while (loop->taken < loop->drawn && (int64_t)run->in_flight_count < in_flight_max(run)) {
        int64_t i = loop->taken++;
        level_send(run, NO_STREAM, i, *intended_of(loop, i));
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
        level_never_sent(run, loop->taken, *intended_of(loop, loop->taken), run->end);
}

static void open_loop_free(struct source *source)
{
    struct open_loop *loop = (struct open_loop *)source;
    free(loop->intended);
    free(loop);
}

struct source *open_loop_new(const struct level_run *run)
{
    struct open_loop *loop = mem_alloc(sizeof *loop);
    loop->source = (struct source){
        .next_due = next_due, .send_due = send_due, .ended = ended, .waiting = waiting, .give_up = give_up, .free = open_loop_free,
    };
    loop->capacity = 64;
    loop->intended = mem_calloc(loop->capacity, sizeof *loop->intended);
    arrivals_init(&loop->arrivals, run->plan, &run->level, run->repeat);
    loop->next = run->start + arrivals_next(&loop->arrivals);
    return &loop->source;
}
