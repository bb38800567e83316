/* What `publish` packs: a run's folder, or a comparison's with those of its runs; all that lies in them, or a part of it. */
#ifndef ROIBENCH_CMD_PUBLISH_CHOOSE_H
#define ROIBENCH_CMD_PUBLISH_CHOOSE_H

#include "cmd/roibench/command.h"
#include "ship/archive.h"

struct publication {
    char *folder; /* that the receipt is written to and the dates are taken from */
    char *name;   /* of the archive */
    enum archive_content content;
    bool without_prompts;
    struct archive_folder *folders;
    size_t count, capacity;
};

/* Of --run-id, --comparison, --include and --no-prompts. A part has a name of its own, since it is another archive: <run-id>.reports.tar.gz.
 * ERROR_USAGE. *publication is publication_free's, also after an error. */
int publication_choose(const struct app *app, const struct options *options, struct publication *publication, struct error *err);
void publication_free(struct publication *publication);

#endif
