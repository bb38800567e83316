/* Which stream sends next, and when: a binary heap by due time. Streams that are due at the same
 * time come out by number, so that a run is the same every time. */
#ifndef ROIBENCH_LOAD_DUE_H
#define ROIBENCH_LOAD_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due {
    int64_t time;
    int stream;
};

struct due_queue {
    struct due *items;
    size_t count, capacity;
};

void due_push(struct due_queue *queue, int64_t time, int stream);
/* The earliest; only when count > 0. */
struct due due_pop(struct due_queue *queue);
void due_free(struct due_queue *queue);

#endif
