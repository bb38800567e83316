/* Named workloads: prompt and output tokens. To add one: a row in scenario.c. */
#ifndef ROIBENCH_PLAN_SCENARIO_H
#define ROIBENCH_PLAN_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "plan/plan.h"

#define SCENARIO_NAMES "chat|summarization|code-gen|stress" /* for option tables */

struct scenario {
    const char *name;
    int64_t prompt_tokens, output_tokens;
    const char *stresses; /* what it shows most */
};

const struct scenario *scenario_find(const char *name); /* NULL: none of that name */

/* "256", or "mean,stddev,min,max". option: for errors (ERROR_USAGE). */
int token_lengths_parse(const char *text, const char *option, struct token_lengths *lengths, struct error *err);
struct token_lengths token_lengths_fixed(int64_t tokens);
/* A length: the mean if stddev is 0, else rounded normal, drawn again outside [min, max]; after many misses the nearer bound,
 * so that it always ends. */
struct random;
int64_t token_lengths_draw(const struct token_lengths *lengths, struct random *random);

#endif
