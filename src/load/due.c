#include "load/due.h"

#include <stdlib.h>

#include "base/mem.h"

static bool earlier(const struct due *a, const struct due *b)
{
    return a->time < b->time || (a->time == b->time && a->stream < b->stream);
}

static void swap(struct due *a, struct due *b)
{
    struct due kept = *a;
    *a = *b;
    *b = kept;
}

void due_push(struct due_queue *queue, int64_t time, int stream)
{
    MEM_GROW(queue->items, queue->capacity, queue->count + 1);
    size_t k = queue->count++;
    queue->items[k] = (struct due){.time = time, .stream = stream};
    while (k > 0 && earlier(&queue->items[k], &queue->items[(k - 1) / 2])) {
        swap(&queue->items[k], &queue->items[(k - 1) / 2]);
        k = (k - 1) / 2;
    }
}

struct due due_pop(struct due_queue *queue)
{
    struct due first = queue->items[0];
    queue->items[0] = queue->items[--queue->count];
    for (size_t k = 0;;) {
        size_t least = k;
        for (size_t child = 2 * k + 1; child <= 2 * k + 2; child++)
            if (child < queue->count && earlier(&queue->items[child], &queue->items[least]))
                least = child;
        if (least == k)
            return first;
        swap(&queue->items[k], &queue->items[least]);
        k = least;
    }
}

void due_free(struct due_queue *queue)
{
    free(queue->items);
    *queue = (struct due_queue){0};
}
