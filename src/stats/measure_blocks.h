/* What the records of a level put into each block of its window, and the intervals that come of it. Private to the stats layer. */
#ifndef ROIBENCH_STATS_MEASURE_BLOCKS_H
#define ROIBENCH_STATS_MEASURE_BLOCKS_H

#include "stats/run_data.h"

/* Of one block. Members count in the block in which they were sent (open loop: due). */
struct block_sums {
    double ended_ok, in_flight_ns;          /* of all requests of the level, in this block's time */
    double prompt_tokens, prompts_unknown;  /* first tokens in this block: tokens of the prompts, requests whose prompt is not known */
    double by_server, ended, good;          /* members: failed by the server's doing; ok or error; met every objective */
    double latency_ms[LATENCY_COUNT], samples[LATENCY_COUNT]; /* members: sums */
};

struct level_sums {
    struct block_sums block[BLOCKS];
};

/* A request of the level that was sent; end: when it ended, or until when it was under way. */
void measure_blocks_request(struct level_sums *sums, const struct run_level *level, const struct record *record, int64_t end);
/* A member, its latencies, and whether it met every objective. */
void measure_blocks_member(struct level_sums *sums, const struct run_level *level, const struct record *record,
                           const double ms[LATENCY_COUNT], bool good);
/* Fills out->blocks and all intervals that are made of blocks. mean_prompt: tokens of a prompt that is not known; NAN: none is known. */
void measure_blocks_finish(struct level_summary *out, const struct level_sums *sums, const struct run_data *data,
                           const struct run_level *level, double mean_prompt);

#endif
