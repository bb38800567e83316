/* Presets of the simulator: deployments whose speed is known. The rows are in presets.def. */
#ifndef ROIBENCH_SERVE_PRESET_H
#define ROIBENCH_SERVE_PRESET_H

#include <stdint.h>

#include "serve/scheduler.h"

struct preset {
    const char *name;
    const char *summary;
    struct scheduler_settings scheduler;
    int64_t max_model_len;
};

/* "a|b|c", in the form of an option's choices; and the first of them is the fastest. */
#define PRESET_CHOICES "instant|l4-int4|4xl4-bf16|a100-qwen3-32b"

/* NULL: there is none of that name. */
const struct preset *preset_find(const char *name);

#endif
