/* What `publish` does with an archive that was made out: every destination gets it, whatever becomes of the others, and the receipt is written. */
#ifndef ROIBENCH_CMD_PUBLISH_DELIVER_H
#define ROIBENCH_CMD_PUBLISH_DELIVER_H

#include "cmd/roibench/command.h"
#include "cmd/roibench/publish_choose.h"
#include "ship/archive.h"
#include "ship/destination.h"
#include "ship/secrets.h"

/* Of the options. Borrows from them and from the application. */
struct destination_settings publish_settings(const struct app *app, const struct options *options);

/* Prints a line for each that has the archive afterwards. ERROR_PUBLISH: one did not take it; the others have it all the same.
 * What cannot be told in a destination's index is a warning: the archive is what matters. */
int publish_deliver(const struct app *app, const struct options *options, const struct publication *publication,
                    const struct archive_plan *plan, struct secrets *secrets, const char *const *destinations, size_t count, struct error *err);

#endif
