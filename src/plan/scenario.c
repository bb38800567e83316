#include "plan/scenario.h"

#include <string.h>

static const struct scenario scenarios[] = {
    {"chat", 64, 64, "TTFT"},
    {"summarization", 512, 128, "KV cache"},
    {"code-gen", 128, 256, "TPOT"},
    {"stress", 256, 256, "overall"},
};

const struct scenario *scenario_find(const char *name)
{
    for (size_t k = 0; k < sizeof scenarios / sizeof scenarios[0]; k++)
        if (strcmp(scenarios[k].name, name) == 0)
            return &scenarios[k];
    return NULL;
}
