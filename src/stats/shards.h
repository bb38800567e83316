/* What a report says of a run that several processes (shards) carried out together: who took part, what their clocks were apart, and
 * which of its levels are not what they are called, since a part of the load was missing. */
#ifndef ROIBENCH_STATS_SHARDS_H
#define ROIBENCH_STATS_SHARDS_H

#include <stddef.h>

#include "base/arena.h"
#include "stats/level_summary.h"
#include "stats/run_data.h"

#define SHARDS_NOTES_MAX 3
/* A level is suspect when its shards measured together for less of their windows than this. */
#define SHARDS_TOGETHER_MIN 0.9

/* Notes on the run as a whole; returns how many. None where one process carried it out. */
size_t shards_notes(const struct run_data *data, struct arena *arena, const char *notes[SHARDS_NOTES_MAX]);
/* " (shard 2)": whose number is the level's, the worst of all; "" where one process carried out the run. */
const char *shards_worst(const struct run_data *data, const struct run_level *level, double (*number)(const struct client_health *health),
                         struct arena *arena);
/* Adds the reasons of a level's validity that shards are the cause of. */
void shards_judge(struct level_summary *out, const struct run_data *data, const struct run_level *level, struct arena *arena);

#endif
