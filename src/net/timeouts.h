/* One time limit for many: those that wait, in the order in which their limit comes. Inside net only.
 *
 * All members of a list have the same limit, so the order of their last activity is the order of their ends: activity
 * puts a member back to the end of the list, which costs a few pointers, and only the first one is ever looked at. */
#ifndef ROIBENCH_NET_TIMEOUTS_H
#define ROIBENCH_NET_TIMEOUTS_H

#include <stdint.h>

struct timeout_node {
    struct timeout_node *before, *after;
    int64_t since; /* the limit counts from here */
};

struct timeout_list {
    struct timeout_node *first, *last;
    int64_t limit; /* ns; <= 0: none, then nothing is ever due */
};

/* Times that lie a little before those given last are put in their place: it is looked for from the end. */
void timeout_add(struct timeout_list *list, struct timeout_node *node, int64_t now);
/* The limit counts from now on; an earlier time changes nothing. */
void timeout_touch(struct timeout_list *list, struct timeout_node *node, int64_t now);
void timeout_remove(struct timeout_list *list, struct timeout_node *node);
/* A member whose limit is over at `now` (still in the list), or NULL. */
struct timeout_node *timeout_due(const struct timeout_list *list, int64_t now);
/* When the next limit is over; TIME_FOREVER: nobody waits. */
int64_t timeout_next(const struct timeout_list *list);

#endif
