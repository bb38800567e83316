/* Who writes into a run's folder: one `run` at a time, and never over what somebody measured.
 *
 * The lock is a flock(2) on records.jsonl.gz: the kernel lets it go with the process, whatever ended it. Where the file system has no
 * locks, only whoever creates the file may write. publish and summarize ask whether it is held: the run is still going on. */
#ifndef ROIBENCH_RECORD_RUN_LOCK_H
#define ROIBENCH_RECORD_RUN_LOCK_H

#include <stdbool.h>

#include "base/error.h"

struct run_lock {
    int fd;
    char *path;
    bool again; /* an attempt in which no request ended well lay there: it may be written over */
};

/* Takes the folder. ERROR_USAGE: another run is going on in it, or one request ended well in it already (the plan was run), or its
 * records cannot be read; ERROR_INTERNAL: it cannot be written. Nothing is changed but that the file is there afterwards. */
int run_lock_take(struct run_lock *lock, const char *folder, struct error *err);
/* Nothing was begun: the records file goes away again. The lock is still to be released. */
void run_lock_forget(struct run_lock *lock);
void run_lock_release(struct run_lock *lock);
/* Is a run going on in this folder? False where that cannot be known. */
bool run_lock_is_held(const char *folder);

#endif
