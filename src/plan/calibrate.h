/* Learns a server's tokenizer from its counts alone, so that prompts can be made exactly as long as asked.
 *
 * What is asked is "how many tokens is a prompt of this text?", through a callback. Each candidate word is counted eight times over
 * behind the same opening; where the sum is a multiple of eight, that is its cost. Then whole prompts are drawn and
 * counted: only when all of them come out as asked is the calibration called exact. */
#ifndef ROIBENCH_PLAN_CALIBRATE_H
#define ROIBENCH_PLAN_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "plan/material.h"

#define CALIBRATE_CHECKS 8

struct calibrate_counter {
    /* Tokens of a whole prompt of this text (template included); -1 with *err. */
    int64_t (*count)(void *context, const char *text, size_t length, struct error *err);
    void *context;
};

/* Fills *material (material_free it) with words. wanted: the asked prompt length in tokens; shorter than the overhead is an error
 * (ERROR_USAGE). *exact: all CALIBRATE_CHECKS drawn prompts were counted as asked. */
int calibrate_text(const struct calibrate_counter *counter, int64_t wanted, uint64_t seed, struct material *material, bool *exact,
                   struct error *err);

#endif
