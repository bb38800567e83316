#include "net/timeouts.h"

#include <stddef.h>

#include "base/clock.h"

static void append(struct timeout_list *list, struct timeout_node *node)
{
    node->queued = node->since;
    node->after = NULL;
    node->before = list->last;
    if (list->last)
        list->last->after = node;
    else
        list->first = node;
    list->last = node;
}

void timeout_add(struct timeout_list *list, struct timeout_node *node, int64_t now)
{
    node->since = now;
    append(list, node);
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

struct timeout_node *timeout_due(struct timeout_list *list, int64_t now)
{
    if (list->limit <= 0)
        return NULL;
    for (;;) {
        struct timeout_node *node = list->first;
        if (!node || now - node->queued < list->limit)
            return NULL;
        if (now - node->since >= list->limit)
            return node;
        timeout_remove(list, node);
        append(list, node);
    }
}

int64_t timeout_next(const struct timeout_list *list)
{
    return list->limit > 0 && list->first ? list->first->queued + list->limit : TIME_FOREVER;
}
