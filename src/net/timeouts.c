#include "net/timeouts.h"

#include <stddef.h>

#include "base/clock.h"

/* NULL: as the first. */
static void insert_behind(struct timeout_list *list, struct timeout_node *place, struct timeout_node *node)
{
    node->before = place;
    node->after = place ? place->after : list->first;
    if (place)
        place->after = node;
    else
        list->first = node;
    if (node->after)
        node->after->before = node;
    else
        list->last = node;
}

void timeout_add(struct timeout_list *list, struct timeout_node *node, int64_t now)
{
    struct timeout_node *place = list->last;
    while (place && place->since > now)
        place = place->before;
    node->since = now;
    insert_behind(list, place, node);
}

void timeout_remove(struct timeout_list *list, struct timeout_node *node)
{
    if (node->before)
        node->before->after = node->after;
    else
        list->first = node->after;
    if (node->after)
        node->after->before = node->before;
    else
        list->last = node->before;
    node->before = node->after = NULL;
}

void timeout_touch(struct timeout_list *list, struct timeout_node *node, int64_t now)
{
    if (now <= node->since)
        return;
    timeout_remove(list, node);
    timeout_add(list, node, now);
}

struct timeout_node *timeout_due(const struct timeout_list *list, int64_t now)
{
    struct timeout_node *node = list->first;
    return list->limit > 0 && node && now - node->since >= list->limit ? node : NULL;
}

int64_t timeout_next(const struct timeout_list *list)
{
    int64_t next;
    if (list->limit <= 0 || !list->first || __builtin_add_overflow(list->first->since, list->limit, &next))
        return TIME_FOREVER;
    return next;
}
