/* What ends a level before its time, and what ends the run: decisions, without the machinery that carries them out.
 *
 * too many errors  --max-error-rate: when at least LIMITS_ERRORS_MIN requests of the level ended, and the share of those that failed by the
 *                  server's doing is above the limit: not as it was seen, but the lower bound of its interval (Wilson 1927,
 *                  one-sided, 99 %), so that three failures in a row at a level's beginning do not end it where the limit is high.
 * a ceiling        --max-tokens-total: tokens of prompts (from the moment they are sent, as long as the plan asks for; corrected when the
 *                  server has counted them) and of answers, of the whole run. --max-usd: the deployment's price an hour x the
 *                  wall time since the run began, whether or not something was sent. */
#ifndef ROIBENCH_LOAD_LIMITS_H
#define ROIBENCH_LOAD_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "load/sink.h"
#include "plan/plan.h"

#define LIMITS_ERRORS_MIN 10

/* limit: a share; 1 or more: none. */
bool limits_too_many_errors(double limit, int64_t ended, int64_t failed_by_server);

/* The ceiling that is reached: LEVEL_MAX_TOKENS_TOTAL or LEVEL_MAX_USD; LEVEL_MAX_SECONDS: none. elapsed: wall ns since the run began. */
enum level_reason limits_ceiling(const struct plan *plan, int64_t tokens, int64_t elapsed);
bool limits_is_ceiling(enum level_reason reason);
/* What the run has cost until then. 0: no price is known. */
int64_t limits_micro_usd(const struct plan *plan, int64_t elapsed);

#endif
