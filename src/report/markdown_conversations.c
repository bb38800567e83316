#include <math.h>

#include "base/units.h"
#include "report/markdown.h"
#include "report/table.h"
#include "stats/conversations.h"

void markdown_conversation_cells(struct table *table, const struct level_summary *level, int64_t calls, int64_t price_micro_usd)
{
    char text[UNITS_TEXT_SIZE];
    struct conversations conversations = conversations_of(level, calls, price_micro_usd);
    table_printf(table, "%s %s", units_format_load(level->load, text), level->unit);
    table_number(table, conversations.at_once, 1);
    table_number(table, conversations.turns_per_s, 3);
    table_number(table, conversations.turn_ms / 1000, 1);
    table_printf(table, "%s", markdown_usd(conversations.usd_per_1000_turns, text));
}

static bool has_turns(const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->level_count; k++)
        if (summary->levels[k].turn_count > 1)
            return true;
    return false;
}

void markdown_turns(struct buf *out, const struct run_summary *summary, const char *heading)
{
    static const struct table_column columns[] = {{"Load", true}, {"turn", true}, {"requests", true}, {"TTFT p50 ms", true}, {"TTFT p95 ms", true}, {0}};
    struct table table;
    char load[MARKDOWN_LOAD_SIZE];
    if (!has_turns(summary))
        return;
    buf_printf(out, "%s TTFT by turn of a conversation\n\n", heading);
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->level_count; k++)
        for (size_t turn = 0; turn < summary->levels[k].turn_count; turn++) {
            const struct level_turn *told = &summary->levels[k].turns[turn];
            table_printf(&table, "%s", markdown_load(&summary->levels[k], load));
            table_printf(&table, "%zu%s", turn + 1, turn + 1 == TURNS_TOLD ? " and later" : "");
            table_number(&table, (double)told->requests, 0);
            table_number(&table, told->ttft_p50_ms, 0);
            table_number(&table, told->ttft_p95_ms, 0);
        }
    table_end(&table, out);
    buf_append_text(out, "Each turn's prompt holds what was said before it. A request that never got its first token counts as infinitely late (\"never\").\n\n");
}

void markdown_conversations(struct buf *out, const struct run_summary *summary, const char *heading)
{
    static const struct table_column columns[] = {{"Load", true}, {"conversations", true}, {"turns/s", true}, {"a turn, s", true}, {"$ / 1000 turns", true}, {0}};
    struct table table;
    if (summary->calls_per_turn <= 1)
        return;
    buf_printf(out, "%s Where a turn makes %lld calls\n\n", heading, (long long)summary->calls_per_turn);
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->points_count; k++)
        for (size_t load = 0; load < summary->points[k].load_count; load++)
            markdown_conversation_cells(&table, summary->points[k].loads[load], summary->calls_per_turn, summary->facts.price_micro_usd);
    table_end(&table, out);
    buf_append_text(out, "Conversations: as many as keep the load's streams busy. A turn: the median of a call, one after the other.\n\n");
}
