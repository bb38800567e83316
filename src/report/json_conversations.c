#include "report/json_conversations.h"

#include <math.h>

#include "base/json.h"
#include "stats/conversations.h"
#include "stats/roi.h"

static void set_or_explain(json_t *object, const char *key, double number, const char *why)
{
    json_set_number(object, key, number);
    if (isfinite(number))
        return;
    json_t *missing = json_object_get(object, "missing");
    json_set_text(missing ? missing : json_add_object(object, "missing"), key, why);
}

void json_conversations_set(json_t *object, const struct level_summary *level, int64_t calls, int64_t price_micro_usd)
{
    struct conversations conversations = conversations_of(level, calls, price_micro_usd);
    const char *price = roi_price_missing(price_micro_usd);
    json_set_integer(object, "calls_per_turn", calls);
    set_or_explain(object, "at_once", conversations.at_once, "an open loop has no streams");
    set_or_explain(object, "turns_per_s", conversations.turns_per_s, "no rate of requests is known");
    set_or_explain(object, "turn_ms", conversations.turn_ms, "no end-to-end latency is known");
    set_or_explain(object, "usd_per_1000_turns", conversations.usd_per_1000_turns, price ? price : "no rate of requests above 0 is known");
}

void json_conversations_add(json_t *root, const struct run_summary *summary)
{
    if (summary->calls_per_turn <= 1)
        return;
    json_t *list = json_add_array(root, "conversations");
    for (size_t k = 0; k < summary->points_count; k++)
        for (size_t load = 0; load < summary->points[k].load_count; load++) {
            const struct level_summary *level = summary->points[k].loads[load];
            json_t *object = json_object();
            json_set_number(object, "load", level->load);
            json_set_text(object, "unit", level->unit);
            json_conversations_set(object, level, summary->calls_per_turn, summary->facts.price_micro_usd);
            json_array_append_new(list, object);
        }
}
