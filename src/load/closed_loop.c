/* Closed loop: each stream sends its next request when its last one ended, after its think time if there is one. */
#include <stdlib.h>

#include "base/mem.h"
#include "load/due.h"
#include "load/level.h"

/* Wall time: a real server's trouble does not pass faster because a simulator's clock does. */
#define BACK_OFF_FIRST (100 * NS_PER_MS)
#define BACK_OFF_MAX (1000 * NS_PER_MS)

struct closed_loop {
    struct source source;
    struct share share;
    int streams;           /* of all workers and shards */
    struct due_queue due;
    int64_t *rounds;       /* requests sent so far, a stream of ours */
    int64_t *back_off;     /* after the last failures in a row, a stream of ours; 0: none */
};

static int place_of(const struct closed_loop *loop, int stream)
{
    return stream / loop->share.count;
}

static int64_t next_due(const struct source *source, const struct level_run *run)
{
    const struct closed_loop *loop = (const struct closed_loop *)source;
    (void)run;
    return loop->due.count > 0 ? loop->due.items[0].time : TIME_FOREVER;
}

static void send_due(struct source *source, struct level_run *run, int64_t now)
{
    struct closed_loop *loop = (struct closed_loop *)source;
    while (loop->due.count > 0 && loop->due.items[0].time <= now && level_draw(run, now, true)) {
        struct due due = due_pop(&loop->due);
        int64_t round = loop->rounds[place_of(loop, due.stream)]++;
        level_send(run, due.stream, due.stream + round * loop->streams, due.stream + round, due.time);
    }
}

static void ended(struct source *source, struct level_run *run, const struct request *request, int64_t now)
{
    struct closed_loop *loop = (struct closed_loop *)source;
    int stream = request->record.stream;
    int64_t *back_off = &loop->back_off[place_of(loop, stream)];
    if (request->record.outcome != OUTCOME_ERROR)
        *back_off = 0;
    else if (*back_off == 0)
        *back_off = BACK_OFF_FIRST;
    else
        *back_off = *back_off * 2 < BACK_OFF_MAX ? *back_off * 2 : BACK_OFF_MAX;
    int64_t next = stream + loop->rounds[place_of(loop, stream)] * loop->streams;
    int64_t think = plan_think_ns(run->plan, run->level.index, run->repeat, next);
    if (run->phase == LEVEL_SENDING)
        due_push(&loop->due, now + (think > *back_off ? think : *back_off), stream);
}

/* A stream between two requests is no request that waits. */
static int64_t waiting(const struct source *source)
{
    (void)source;
    return 0;
}

static void give_up(struct source *source, struct level_run *run)
{
    struct closed_loop *loop = (struct closed_loop *)source;
    (void)run;
    loop->due.count = 0;
}

static void closed_loop_free(struct source *source)
{
    struct closed_loop *loop = (struct closed_loop *)source;
    due_free(&loop->due);
    free(loop->rounds);
    free(loop->back_off);
    free(loop);
}

struct source *closed_loop_new(const struct level_run *run)
{
    struct closed_loop *loop = mem_alloc(sizeof *loop);
    loop->source = (struct source){
        .next_due = next_due, .send_due = send_due, .ended = ended, .waiting = waiting, .give_up = give_up, .free = closed_loop_free,
    };
    loop->streams = (int)run->level.load;
    loop->share = run->share;
    size_t ours = (size_t)share_of(run->share, loop->streams);
    loop->rounds = mem_calloc(ours + 1, sizeof *loop->rounds);
    loop->back_off = mem_calloc(ours + 1, sizeof *loop->back_off);
    for (int stream = run->share.index; stream < loop->streams; stream += run->share.count) {
        double share = (double)stream / loop->streams;
        due_push(&loop->due, run->start + (int64_t)(share * (double)run->engine->level.mean_e2e_ns), stream);
    }
    return &loop->source;
}
