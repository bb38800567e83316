/* <models>/<model>.json: what is known of a model's deployment, so that nobody has to type it.
 *
 *     {"schema":"roibench/model/v1", "target":"http://…/v1", "endpoint":"chat", "levels":"concurrent:1,5,10", "scenario":"stress",
 *      "hardware":"1 x L4", "gpus":1, "price_per_hour":0.85, "price_source":"…", "sla":{"ttft_ms":{…}}}
 *
 * Each key is an option's name with '_' for '-'; which options may stand there is said by their rows (from_model_file); and `sla` holds the
 * bounds of its classes (plan/sla.h). `publish` lists where results go, which model_file_publish reads. */
#ifndef ROIBENCH_PLAN_MODEL_FILE_H
#define ROIBENCH_PLAN_MODEL_FILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/options.h"
#include "plan/sla.h"

/* 1: read; 0: there is no such file (the template is used); -1 with *err. *sla is left alone where the file has none; its texts are the
 * arena's. */
int model_file_read(const char *folder, const char *model, struct options *options, struct arena *arena, struct sla *sla, struct error *err);

/* Where the model's results go ("publish": ["s3://bucket/prefix", ...]), in *destinations, which are the arena's; none where the file or the key is
 * missing. */
int model_file_publish(const char *folder, const char *model, struct arena *arena, const char *const **destinations, size_t *count, struct error *err);

struct model_file {
    const char *model;
    bool has_target;
};
/* All of a folder, sorted by name, in *files, which are the arena's; one that cannot be read is an error. */
int model_file_list(const char *folder, struct arena *arena, struct model_file **files, size_t *count, struct error *err);

#endif
