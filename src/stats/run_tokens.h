/* The gaps between tokens of a run: tokens.bin.gz, read in two passes (stats/selection.h says why). */
#ifndef ROIBENCH_STATS_RUN_TOKENS_H
#define ROIBENCH_STATS_RUN_TOKENS_H

#include "stats/run_data.h"

/* Fills tokens of every level and has_tokens. Frames of requests that have no record are left out.
 * Of a request whose chunks were counted and not told (chunk_tokens "inferred"), every arrival counts for
 * output_tokens / sum of n tokens where it is a matter of throughput. */
int run_tokens_read(struct run_data *data, const char *folder, struct error *err);

#endif
