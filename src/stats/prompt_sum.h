/* Prompt tokens of some requests together. */
#ifndef ROIBENCH_STATS_PROMPT_SUM_H
#define ROIBENCH_STATS_PROMPT_SUM_H

#include <stdint.h>

#include "record/record.h"

struct prompt_sum { /* all zero: no request */
    double tokens;
    uint64_t known, unknown; /* requests */
};

void prompt_sum_add(struct prompt_sum *sum, const struct record *record);
/* NAN: none is known. */
double prompt_sum_mean(const struct prompt_sum *sum);
/* A request that was cut off before its usage came counts with the mean of the others. NAN: nothing is known. */
double prompt_sum_tokens(const struct prompt_sum *sum);

#endif
