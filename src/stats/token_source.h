/* Where a level's output tokens over time are known from: its requests' frames of tokens.bin.gz, else the ticks of journal.jsonl, else nowhere.
 *
 * Either file may be lost, or have been cut off before the others were. Tokens that are not on disk were not 0, so a source counts only where it
 * tells of the whole level: frames of all requests that got tokens; ticks of every part of the run until the end of its window. */
#ifndef ROIBENCH_STATS_TOKEN_SOURCE_H
#define ROIBENCH_STATS_TOKEN_SOURCE_H

#include "base/arena.h"
#include "stats/run_data.h"

/* After part p's journal: its ticks are those from `first` on. */
void token_source_note_ticks(struct run_data *data, size_t p, size_t first);
/* After all journals: ticks of several parts are mixed. */
void token_source_sort_ticks(struct run_data *data);
/* When all files are read: fills token_source and has_ticks of every level. */
void token_source_find(struct run_data *data);

/* Frames are missing of a level: how many there are of how many. false: none is, or there is no tokens.bin.gz. */
bool token_source_lacks_frames(const struct run_data *data, const struct run_level *level);
/* "tokens.bin.gz tells of 40 of 121 requests" of such a level; why its output tokens are known from nowhere. */
const char *token_source_frames_text(struct arena *arena, const struct run_level *level);
const char *token_source_missing_text(struct arena *arena, const struct run_data *data, const struct run_level *level);
/* What of both files is lost, and what throughput is instead, for the run as a whole. NULL: nothing. */
const char *token_source_note(struct arena *arena, const struct run_data *data);

#endif
