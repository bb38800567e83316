/* --data of `prepare`: from a file to rows that `run` takes its prompts from. */
#ifndef ROIBENCH_CMD_PREPARE_DATA_H
#define ROIBENCH_CMD_PREPARE_DATA_H

#include "base/error.h"
#include "base/options.h"
#include "cmd/roibench/command.h"
#include "plan/dataset.h"
#include "plan/plan.h"

/* "|openai_batch|sharegpt|…": for the options table. */
extern const char prepare_data_formats[];

enum too_long { TOO_LONG_SKIP, TOO_LONG_TRIM, TOO_LONG_REFUSE };

struct prepare_data {
    char *path, *columns_text;
    struct dataset *dataset;
    enum too_long too_long;
    int64_t rows_max;
    struct token_lengths answers; /* of rows that do not tell */
};

/* Is --data given, and the name of a file rather than lengths as GuideLLM writes them? */
bool prepare_data_is_file(const struct options *options);

/* Opens and recognises the file of --data, before the server is asked; *data NULL: there is none. Fills the plan's workload.data but for its counts,
 * and gives prompts a length to calibrate with. ERROR_USAGE. */
int prepare_data_open(const struct app *app, const struct options *options, struct plan *plan, struct prepare_data **data, struct error *err);
void prepare_data_free(struct prepare_data *data);
/* Are prompts sent as the file has them? Then words are needed that their heads are made of, and not token ids. */
bool prepare_data_has_texts(const struct prepare_data *data);

#endif
