/* The rows of --data: counted by the server where it matters, left out or shortened where they do not fit, and written for `run`. */
#ifndef ROIBENCH_CMD_PREPARE_CONVERT_H
#define ROIBENCH_CMD_PREPARE_CONVERT_H

#include "base/error.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/prepare_data.h"
#include "plan/dataset_rows.h"
#include "plan/material.h"
#include "plan/plan.h"
#include "probe/server.h"

/* Reads all rows, has those counted that may be too long (and some more, from which the others are estimated), writes them into the folder
 * (NULL: those of the first prompt or conversation only, in memory), and fills the rest of the plan's workload. What was left out is said by warnings. */
int prepare_convert_data(const struct app *app, const struct probe *probe, struct prepare_data *data, const struct material *material,
                         struct plan *plan, const char *folder, struct dataset_rows **rows, struct error *err);

#endif
