#include "stats/prompt_sum.h"

#include <math.h>

void prompt_sum_add(struct prompt_sum *sum, const struct record *record)
{
    if (record->prompt_tokens < 0) {
        sum->unknown++;
        return;
    }
    sum->tokens += (double)record->prompt_tokens;
    sum->known++;
}

double prompt_sum_mean(const struct prompt_sum *sum)
{
    return sum->known > 0 ? sum->tokens / (double)sum->known : NAN;
}

double prompt_sum_tokens(const struct prompt_sum *sum)
{
    if (sum->known == 0)
        return sum->unknown == 0 ? 0 : NAN;
    return sum->tokens * (1 + (double)sum->unknown / (double)sum->known);
}
