/* --data of `prepare`: from a file to rows that `run` takes its prompts from. */
#ifndef ROIBENCH_CMD_PREPARE_DATA_H
#define ROIBENCH_CMD_PREPARE_DATA_H

#include "base/error.h"
#include "base/options.h"
#include "cmd/roibench/command.h"
#include "plan/dataset_rows.h"
#include "plan/material.h"
#include "plan/plan.h"
#include "probe/server.h"

/* "|openai_batch|sharegpt|…": for the options table. */
extern const char prepare_data_formats[];

struct prepare_data;

/* Is --data given, and the name of a file rather than lengths as GuideLLM writes them? */
bool prepare_data_is_file(const struct options *options);

/* Opens and recognises the file of --data, before the server is asked; *data NULL: there is none. Fills the plan's workload.data but for its counts,
 * and gives prompts a length to calibrate with. ERROR_USAGE. */
int prepare_data_open(const struct app *app, const struct options *options, struct plan *plan, struct prepare_data **data, struct error *err);
void prepare_data_free(struct prepare_data *data);
/* Are prompts sent as the file has them? Then words are needed that their heads are made of, and not token ids. */
bool prepare_data_has_texts(const struct prepare_data *data);

/* Reads all rows, has those counted that may be too long (and some more, from which the others are estimated), writes them into the folder
 * (NULL: the first one only, in memory), and fills the rest of the plan's workload. What was left out is said by warnings. */
int prepare_data_convert(const struct app *app, const struct probe *probe, struct prepare_data *data, const struct material *material,
                         struct plan *plan, const char *folder, struct dataset_rows **rows, struct error *err);

#endif
