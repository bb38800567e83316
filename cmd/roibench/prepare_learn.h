/* What `prepare` learns from the server: which one it is, how it counts tokens, how long one request takes. */
#ifndef ROIBENCH_CMD_PREPARE_LEARN_H
#define ROIBENCH_CMD_PREPARE_LEARN_H

#include "base/error.h"
#include "base/options.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/prepare_data.h"
#include "plan/plan.h"
#include "probe/server.h"

/* Waits for the model, then fills plan->model and plan->server; plan->target is where redirects led. */
int prepare_find_model(const struct options *options, struct probe *probe, struct plan *plan, struct error *err);

/* Waits for the plan's other targets. ERROR_TARGET when one does not serve the model, or is a server that the first one's requests do
 * not fit. */
int prepare_check_other_targets(const struct app *app, const struct options *options, const struct probe *probe, struct plan *plan, struct error *err);

/* Makes the prompts' material, writes it to prompts.jsonl.gz in the folder (NULL: nowhere), converts the rows of data (NULL: there are none), sends one full-length request alone, and fills
 * plan->calibration. What is not as asked is said by a warning. ERROR_TARGET in the server's own words when a request of
 * the plan's lengths is refused. */
int prepare_learn_prompts(const struct app *app, const struct probe *probe, struct plan *plan, struct prepare_data *data,
                          const char *folder, struct error *err);

#endif
