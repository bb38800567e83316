/* Scenarios that GuideLLM brings along, as the pairs of wire/guidellm_arguments.h. Sources: benchmark/scenarios of 0.6.1, 0.7.3 and 0.8.1. */
#ifndef ROIBENCH_PLAN_GUIDELLM_SCENARIOS_H
#define ROIBENCH_PLAN_GUIDELLM_SCENARIOS_H

/* NULL: it has no such scenario. */
const char *guidellm_scenario(const char *name);
/* "chat, rag, ..." */
const char *guidellm_scenario_names(void);

#endif
