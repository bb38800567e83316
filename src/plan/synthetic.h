/* Lengths as GuideLLM's --data takes them: "prompt_tokens=256,output_tokens=128[,prompt_tokens_stdev=…,prompt_tokens_min=…,…]", or the same as a
 * JSON object. With a deviation they are normal; without min and max, five deviations on either side. Without a deviation, all lengths from min to max
 * are as likely, whatever the mean is; the one that is not given is the mean. So GuideLLM has it, but that it takes min and max for what lies
 * outside of them, and here it is drawn again. */
#ifndef ROIBENCH_PLAN_SYNTHETIC_H
#define ROIBENCH_PLAN_SYNTHETIC_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "plan/plan.h"

/* Does the text look like such a description, rather than the name of a file? */
bool synthetic_is(const char *text);

/* Fills the lengths. *unused gets keys that are known but have no meaning here ("samples, source"). ERROR_USAGE: an unknown key, no number,
 * a length that is missing. */
int synthetic_parse(const char *text, struct token_lengths *prompt, struct token_lengths *output, struct buf *unused, struct error *err);

#endif
