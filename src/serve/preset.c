#include "serve/preset.h"

#include <stddef.h>
#include <string.h>

static const struct preset presets[] = {
#define PRESET(name_, summary_, base_, sequence_, context_, prefill_, length_, seqs_, batched_, blocks_, block_size_)  \
    {.name = (name_),                                                                                                  \
     .summary = (summary_),                                                                                            \
     .scheduler = {.cost = {.base = (base_),                                                                           \
                            .sequence = (sequence_),                                                                   \
                            .context_token = (context_),                                                               \
                            .prefill_token = (prefill_)},                                                              \
                   .max_num_seqs = (seqs_),                                                                            \
                   .max_num_batched_tokens = (batched_),                                                               \
                   .kv_blocks = (blocks_),                                                                             \
                   .block_size = (block_size_),                                                                        \
                   .prefix_caching = true},                                                                       \
     .max_model_len = (length_)},
#include "serve/presets.def"
#undef PRESET
};

const struct preset *preset_find(const char *name)
{
    for (size_t k = 0; k < sizeof presets / sizeof presets[0]; k++)
        if (strcmp(presets[k].name, name) == 0)
            return &presets[k];
    return NULL;
}
