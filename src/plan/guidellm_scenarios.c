#include "plan/guidellm_scenarios.h"

#include <stddef.h>
#include <string.h>

#define TEXT "data[0].kind=synthetic_text,"
#define STREAMS(list, seconds) "profile.kind=concurrent,profile.streams=[" list "],constraints.max_duration.seconds=" seconds ","

static const struct {
    const char *name, *pairs;
} scenarios[] = {
    {"chat", "profile.kind=sweep," TEXT
             "data[0].prompt_tokens=512,data[0].prompt_tokens_stdev=128,data[0].prompt_tokens_min=1,data[0].prompt_tokens_max=1024,"
             "data[0].output_tokens=256,data[0].output_tokens_stdev=64,data[0].output_tokens_min=1,data[0].output_tokens_max=1024"},
    {"rag", "profile.kind=sweep," TEXT
            "data[0].prompt_tokens=4096,data[0].prompt_tokens_stdev=512,data[0].prompt_tokens_min=2048,data[0].prompt_tokens_max=6144,"
            "data[0].output_tokens=512,data[0].output_tokens_stdev=128,data[0].output_tokens_min=1,data[0].output_tokens_max=1024"},
    {"rhaiis/concurrent-1k-1k-equal", STREAMS("1,50,100,200,300", "450") TEXT "data[0].prompt_tokens=1000,data[0].output_tokens=1000"},
    {"rhaiis/concurrent-1k-1k-multiturn", STREAMS("1,25,50,75,100", "450") TEXT
     "data[0].prompt_tokens=1000,data[0].output_tokens=1000,data[0].turns=5,data[0].prefix_tokens=512,data[0].prefix_count=10"},
    {"rhaiis/concurrent-2ki-128-equal", STREAMS("1,50,100,200,300", "45") TEXT "data[0].prompt_tokens=2048,data[0].output_tokens=128"},
    {"rhaiis/concurrent-8k-1k-equal", STREAMS("1,25,50,75,100", "450") TEXT "data[0].prompt_tokens=8000,data[0].output_tokens=1000"},
    {"rhaiis/concurrent-100k-1k-equal", STREAMS("1,2,5", "450") TEXT "data[0].prompt_tokens=100000,data[0].output_tokens=1000"},
    {"rhaiis/concurrent-512-2ki-norm", STREAMS("1,50,100,200,300", "450") TEXT
     "data[0].prompt_tokens=512,data[0].prompt_tokens_stdev=128,data[0].prompt_tokens_min=1,data[0].prompt_tokens_max=1024,"
     "data[0].output_tokens=2048,data[0].output_tokens_stdev=512,data[0].output_tokens_min=1,data[0].output_tokens_max=4096"},
    {"rhaiis/concurrent-8k-800-norm", STREAMS("1,50,100,200,300", "450") TEXT
     "data[0].prompt_tokens=8000,data[0].prompt_tokens_stdev=8500,data[0].prompt_tokens_min=50,data[0].prompt_tokens_max=30000,"
     "data[0].output_tokens=800,data[0].output_tokens_stdev=1500,data[0].output_tokens_min=20,data[0].output_tokens_max=8000"},
};

const char *guidellm_scenario(const char *name)
{
    for (size_t k = 0; k < sizeof scenarios / sizeof scenarios[0]; k++)
        if (strcmp(scenarios[k].name, name) == 0)
            return scenarios[k].pairs;
    return NULL;
}

const char *guidellm_scenario_names(void)
{
    return "chat, rag, and those of rhaiis/";
}
