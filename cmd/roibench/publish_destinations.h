/* Where an archive goes: --to, else the model's file of --models, else the workspace's folder for archives. */
#ifndef ROIBENCH_CMD_PUBLISH_DESTINATIONS_H
#define ROIBENCH_CMD_PUBLISH_DESTINATIONS_H

#include "base/arena.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/publish_choose.h"

/* At least one; *list and its texts are the options' or the arena's. */
int publish_list_destinations(const struct app *app, const struct options *options, const struct publication *publication, struct arena *arena,
                              const char *const **list, size_t *count, struct error *err);

#endif
