/* `publish --fetch URL`: an archive back from where it was published, as runs of the workspace.
 *
 * It is taken whole into a folder of its own within the workspace first (".fetched-<random>", which no step takes for a run), and everything is
 * checked there: its sha256, if the destination knows one; its members (ship/unpack); every file against the manifest inside. Only then the runs
 * get their names, by a rename each. A run that is there already is left as it is when it holds the same; parts of one run that were published
 * apart (--include) come together; another run of that name is never written over. */
#ifndef ROIBENCH_CMD_PUBLISH_FETCH_H
#define ROIBENCH_CMD_PUBLISH_FETCH_H

#include "cmd/roibench/command.h"

/* Of --fetch. Prints a line for each run. ERROR_USAGE: it goes with no other option about what is published; ERROR_PUBLISH. */
int publish_fetch(const struct app *app, const struct options *options, struct error *err);

#endif
