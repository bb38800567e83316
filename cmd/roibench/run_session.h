/* One plan being carried out: all that `run` holds for it, from the lock on its folder to the row in its manifest.
 *
 *     session = run_session_new(...)            reads the plan, takes the folder
 *     status = run_session_begin(session, err)  connections, files, the engine
 *     while (status is 0 and more levels) run_session_next(...)
 *     run_session_end(session, status, err)     in any case
 *
 * Two sessions may take turns (run --interleave). */
#ifndef ROIBENCH_CMD_RUN_SESSION_H
#define ROIBENCH_CMD_RUN_SESSION_H

#include "cmd/roibench/command.h"
#include "plan/plan.h"

struct run_session;

struct run_session_settings {
    struct app *app;
    const struct options *options; /* the command's: API key, CA file, workers */
    const char *folder;            /* of the run */
    int shard, shards;             /* NO_SHARD, 0: the whole plan */
    int64_t start_at;              /* realtime ns; TIME_NEVER: at once. Given, every level has its time (load/engine.h). */
};

/* The most streams at once that a plan can have. */
int64_t run_session_streams(const struct plan *plan);

/* Strings and options are borrowed. NULL with *err: the folder has no plan that can be run here, or somebody runs it. */
struct run_session *run_session_new(const struct run_session_settings *settings, struct error *err);
/* Both will say that they take turns. Before they begin. */
void run_session_pair(struct run_session *a, struct run_session *b);
/* -1 with *err: nothing was measured. */
int run_session_begin(struct run_session *session, struct error *err);
/* As engine_next: 1 a level was run, 0 the plan is done, -1 the run cannot go on. */
int run_session_next(struct run_session *session, struct error *err);
/* Closes, tells how it went and frees everything. status: -1 if *err holds why the run ends. Returns 0, or -1 with *err. */
int run_session_end(struct run_session *session, int status, struct error *err);

#endif
