#include "stats/token_source.h"

#include <stdlib.h>

#define UNFLUSHED_NS (2 * NS_PER_S) /* of the wall: what a run that was killed may not have put on disk */

/* ---- ticks ---- */

void token_source_note_ticks(struct run_data *data, size_t p, size_t first)
{
    data->last_ticks[p] = TIME_NEVER;
    for (size_t k = first; k < data->tick_count; k++)
        if (data->last_ticks[p] == TIME_NEVER || data->ticks[k].t > data->last_ticks[p])
            data->last_ticks[p] = data->ticks[k].t;
}

static int compare_ticks(const void *a, const void *b)
{
    const struct tick *x = a, *y = b;
    return (x->t > y->t) - (x->t < y->t);
}

void token_source_sort_ticks(struct run_data *data)
{
    if (data->file.part_count > 1 && data->tick_count > 1)
        qsort(data->ticks, data->tick_count, sizeof *data->ticks, compare_ticks);
}

/* A tick without tokens is not written: that there are none of a level's end says nothing, if the journal goes on behind it. */
static bool has_ticks(const struct run_data *data, const struct run_level *level, size_t p)
{
    const struct level_part *part = &level->parts[p];
    int64_t last = data->last_ticks[p];
    if (!part->begun || part->health.known)
        return true;
    if (last == TIME_NEVER)
        return false;
    int64_t unflushed = part->bounds.ended ? 0 : (int64_t)((double)UNFLUSHED_NS * data->time_scale);
    return last >= part->bounds.window_end - unflushed;
}

static bool all_have_ticks(const struct run_data *data, const struct run_level *level)
{
    bool all = data->tick_count > 0;
    for (size_t p = 0; all && p < data->file.part_count; p++)
        all = has_ticks(data, level, p);
    return all;
}

/* ---- frames ---- */

static uint64_t count_with_tokens(const struct run_data *data, const struct run_level *level)
{
    uint64_t count = 0;
    for (size_t k = 0; k < level->record_count; k++)
        count += data->file.records[level->records[k]].first_token != TIME_NEVER;
    return count;
}

void token_source_find(struct run_data *data)
{
    for (size_t k = 0; k < data->level_count; k++) {
        struct run_level *level = &data->levels[k];
        level->tokens.requests = count_with_tokens(data, level);
        level->has_ticks = all_have_ticks(data, level);
        bool whole = data->has_tokens && level->tokens.frames >= level->tokens.requests;
        level->token_source = whole ? TOKENS_BY_FRAMES : level->has_ticks ? TOKENS_BY_TICKS : TOKENS_NOWHERE;
    }
}

/* ---- what is said of it ---- */

bool token_source_lacks_frames(const struct run_data *data, const struct run_level *level)
{
    return data->has_tokens && level->tokens.frames < level->tokens.requests;
}

static const char *frames_text(struct arena *arena, uint64_t frames, uint64_t requests)
{
    return arena_printf(arena, "tokens.bin.gz tells of %llu of %llu requests", (unsigned long long)frames, (unsigned long long)requests);
}

const char *token_source_frames_text(struct arena *arena, const struct run_level *level)
{
    return frames_text(arena, level->tokens.frames, level->tokens.requests);
}

const char *token_source_missing_text(struct arena *arena, const struct run_data *data, const struct run_level *level)
{
    if (!data->has_tokens)
        return data->tick_count == 0 ? "neither tokens.bin.gz nor ticks in journal.jsonl"
                                     : "no tokens.bin.gz, and no ticks of this level in journal.jsonl";
    return arena_printf(arena, "%s, and journal.jsonl has no ticks of this level", token_source_frames_text(arena, level));
}

const char *token_source_note(struct arena *arena, const struct run_data *data)
{
    uint64_t frames = 0, requests = 0;
    size_t by_ticks = 0, nowhere = 0;
    for (size_t k = 0; k < data->level_count; k++) {
        const struct run_level *level = &data->levels[k];
        if (level->record_count == 0)
            continue;
        frames += level->tokens.frames;
        requests += level->tokens.requests;
        by_ticks += level->token_source == TOKENS_BY_TICKS;
        nowhere += level->token_source == TOKENS_NOWHERE;
    }
    if (by_ticks + nowhere == 0)
        return NULL;
    const char *instead = nowhere == 0    ? "throughput is rounded to the ticks of journal.jsonl"
                          : by_ticks == 0 ? "throughput is not known, for journal.jsonl has no ticks there"
                                          : "throughput is rounded to the ticks of journal.jsonl, and not known where it has none";
    if (!data->has_tokens)
        return arena_printf(arena, "there are no token gaps (tokens.bin.gz): %s; itl and arrival gaps are missing", instead);
    return arena_printf(arena, "%s: in %zu level%s where some are lost %s; itl and arrival gaps are of the others",
                        frames_text(arena, frames, requests), by_ticks + nowhere, by_ticks + nowhere == 1 ? "" : "s", instead);
}
