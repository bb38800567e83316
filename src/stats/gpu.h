/* What the GPUs did in each level's window: utilisation, memory, power, and how many tokens a joule gave.
 *
 * Of every GPU's gauge the time-weighted mean over the window (a sample holds until the next, for GPU_HOLDS of its usual intervals at
 * most); utilisations are averaged over the GPUs, power and memory are summed. Energy is that of the GPUs' own counters, interpolated at
 * both ends of the window; where one GPU has none, power times time. What is not known of every GPU is not known.
 *
 * Tokens a joule are the level's throughput over the mean power of all GPUs: the host, its CPU and its cooling are not in it. */
#ifndef ROIBENCH_STATS_GPU_H
#define ROIBENCH_STATS_GPU_H

#include "record/gpu_file.h"
#include "stats/summary.h"

#define GPU_HOLDS 3 /* intervals */

/* Fills the levels' gpu and the course's columns. samples: sorted; time_scale as the run's (samples are wall time). Notes a number of
 * GPUs that is not the deployment's. */
void gpu_summarize(struct run_summary *summary, const struct gpu_samples *samples);

#endif
