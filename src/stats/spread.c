#include "stats/spread.h"

#include <stdlib.h>

#include "base/mem.h"

#define PER_MILLE 1000

void weighted_add(struct weighted_list *list, double value, double weight)
{
    MEM_GROW(list->items, list->cap, list->count + 1);
    list->items[list->count++] = (struct weighted){value, weight};
}

void weighted_free(struct weighted_list *list)
{
    free(list->items);
    *list = (struct weighted_list){0};
}

/* Sorts; equal values become one with the sum of their weights, and what has no weight goes. Returns the sum of all. */
static double gather(struct weighted_list *list)
{
    double total = 0;
    size_t kept = 0;
    sort_weighted(list->items, list->count);
    for (size_t k = 0; k < list->count; k++) {
        struct weighted item = list->items[k];
        if (!(item.weight > 0))
            continue;
        total += item.weight;
        if (kept > 0 && list->items[kept - 1].value == item.value)
            list->items[kept - 1].weight += item.weight;
        else
            list->items[kept++] = item;
    }
    list->count = kept;
    return total;
}

static void find_percentiles(struct spread *spread, const struct weighted_list *list, double total)
{
    static const unsigned per_mille[SPREAD_PERCENTILE_COUNT] = {
#define X(at, name) at,
        SPREAD_PERCENTILES(X)
#undef X
    };
    double sum = list->items[0].weight;
    size_t at = 0;
    for (int k = 0; k < SPREAD_PERCENTILE_COUNT; k++) {
        while (sum * PER_MILLE < total * per_mille[k] && at + 1 < list->count)
            sum += list->items[++at].weight;
        spread->percentile[k] = list->items[at].value;
    }
}

struct spread spread_of(struct weighted_list *list)
{
    struct spread spread = {0};
    double total = gather(list), sum = 0, squares = 0, most = 0;
    if (list->count == 0)
        return spread;
    spread.count = total;
    spread.min = list->items[0].value;
    spread.max = list->items[list->count - 1].value;
    for (size_t k = 0; k < list->count; k++) {
        const struct weighted *item = &list->items[k];
        sum += item->value * item->weight;
        if (item->weight > most) {
            most = item->weight;
            spread.mode = item->value;
        }
    }
    spread.mean = sum / total;
    for (size_t k = 0; k < list->count; k++) {
        double off = list->items[k].value - spread.mean;
        squares += off * off * list->items[k].weight;
    }
    spread.variance = squares / total;
    find_percentiles(&spread, list, total);
    return spread;
}
