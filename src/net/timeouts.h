/* One time limit for many: those that wait, in the order in which their limit comes. Inside net only.
 *
 * All members of a list have the same limit, so a queue is enough. Activity only moves a member's own time; it is put
 * back to the end when it is found at the front: nothing is paid for on the hot path. */
#ifndef ROIBENCH_NET_TIMEOUTS_H
#define ROIBENCH_NET_TIMEOUTS_H

#include <stdint.h>

struct timeout_node {
    struct timeout_node *before, *after;
    int64_t since;  /* the limit counts from here; the member may move it forward */
    int64_t queued; /* `since` when it was put into the queue */
};

struct timeout_list {
    struct timeout_node *first, *last;
    int64_t limit; /* ns; <= 0: none, then nothing is ever due */
};

void timeout_add(struct timeout_list *list, struct timeout_node *node, int64_t now);
void timeout_remove(struct timeout_list *list, struct timeout_node *node);
/* A member whose limit is over at `now` (still in the list), or NULL. */
struct timeout_node *timeout_due(struct timeout_list *list, int64_t now);
/* When to look again, at the earliest; TIME_FOREVER: nobody waits. */
int64_t timeout_next(const struct timeout_list *list);

#endif
