/* What is said of a comparison with a baseline, when its rows and points are judged. */
#ifndef ROIBENCH_STATS_BASELINE_TEXT_H
#define ROIBENCH_STATS_BASELINE_TEXT_H

#include "stats/baseline.h"

/* Why a row is unknown of which only the noise within the runs is known. */
#define BASELINE_ALONE "what two runs differ by is not known: it takes three repeats in both, or three earlier runs"

/* Fills differences, deployments and text. */
void baseline_describe(struct baseline *baseline, struct arena *arena, const struct history_run *was, const struct history_run *is);

#endif
