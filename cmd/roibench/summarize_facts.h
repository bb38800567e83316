/* What is told of deployments beside what was measured: summarize --price, --gpus, --quality, --claim, --calls-per-turn. */
#ifndef ROIBENCH_CMD_SUMMARIZE_FACTS_H
#define ROIBENCH_CMD_SUMMARIZE_FACTS_H

#include "base/options.h"
#include "stats/conversations.h"
#include "stats/summary.h"

#define QUALITY_TEXT_MAX 64

/* A deployment before its run is summarized: its names (NULL or "": none), and where prices and GPUs go, in its plan or an import's facts. */
struct deployed {
    const char *run_id, *model, *hardware;
    int64_t *price_micro_usd, *gpus;
    const char **price_source;
    /* What neither has room for: filled in by summarize_facts_read, borrowed from the options. */
    const char *quality, *quality_source; /* "": none */
    double claim;                         /* 0: none */
    int64_t calls_per_turn;
};

/* Reads the options and sets what they tell of each deployment. -1 with *err: a value that is none, or a name that no deployment has. */
int summarize_facts_read(const struct options *options, struct deployed *deployed, size_t count, struct error *err);

/* What no plan has room for, into a summary that is made. */
void summarize_facts_add(struct run_summary *run, const struct deployed *deployed);

/* Their rows, to be placed in the command's table. */
#define SUMMARIZE_FACTS_OPTIONS                                                                                                             \
    {.type = OPTION_TEXT, .name = "price", .argument = "NAME=USD", .repeatable = true,                                                     \
     .help = "dollars an hour for all GPUs of a deployment, instead of what its plan says; NAME is a run-id, a model or a hardware"},      \
    {.type = OPTION_TEXT, .name = "gpus", .argument = "NAME=N", .repeatable = true, .help = "how many GPUs a deployment has; NAME as above"}, \
    {.type = OPTION_TEXT, .name = "quality", .argument = "NAME=X", .repeatable = true,                                                     \
     .help = "how good its answers are, such as 0.989: printed as supplied, nothing is computed of it"},                                   \
    {.type = OPTION_TEXT, .name = "quality-source", .argument = "TEXT", .help = "who found that, and how"},                                \
    {.type = OPTION_TEXT, .name = "claim", .argument = "NAME=X", .repeatable = true,                                                       \
     .help = "a published figure, in total tok/s per $/hour: a comparison says at which load, if any, it was measured here"},              \
    {.type = OPTION_INTEGER, .name = "calls-per-turn", .argument = "N", .min = 1, .max = CALLS_PER_TURN_MAX,                               \
     .help = "model calls that one turn of a conversation makes (guardrails, agents): what each load carries is also told in conversations"}

#endif
