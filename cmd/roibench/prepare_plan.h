/* From the options of `prepare` to a plan: what can be said before the server is asked. */
#ifndef ROIBENCH_CMD_PREPARE_PLAN_H
#define ROIBENCH_CMD_PREPARE_PLAN_H

#include "base/error.h"
#include "base/options.h"
#include "cmd/roibench/command.h"
#include "plan/plan.h"

/* The rows of `prepare` (prepare_options.c). */
extern const struct option_row prepare_options[];

/* Fills profile, levels, limits, workload, deployment, seed, nonce. ERROR_USAGE names the option. */
int prepare_fill_plan(const struct app *app, const struct options *options, struct plan *plan, struct error *err);

/* The targets: every --target, else --target-template with {model} and {namespace} filled in; checked, without a slash at its end, in the
 * plan's arena. */
int prepare_fill_target(const struct options *options, struct plan *plan, struct error *err);

/* Says of each decision where it comes from (prepare_reasons.c); when the server is known and calibrated. moved_from: the target that was
 * redirected to the one of the plan; NULL: none was. */
void prepare_explain(const struct options *options, struct plan *plan, const char *moved_from);

#endif
