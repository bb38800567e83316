/* Named workloads: prompt and output tokens. To add one: a row in scenario.c. */
#ifndef ROIBENCH_PLAN_SCENARIO_H
#define ROIBENCH_PLAN_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "plan/plan.h"
#include "plan/token_lengths.h"

#define SCENARIO_NAMES "chat|summarization|code-gen|stress" /* for option tables */

struct scenario {
    const char *name;
    int64_t prompt_tokens, output_tokens;
    const char *stresses; /* what it shows most */
};

const struct scenario *scenario_find(const char *name); /* NULL: none of that name */

#endif
