/* Who writes into a run's folder: one `run` at a time, or the shards of one, and never over what somebody measured.
 *
 * The lock is a flock(2) on records.jsonl.gz, of shard 3 on records-3.jsonl.gz: the kernel lets it go with the process, whatever ended
 * it. Where the file system has no locks, only whoever creates the file may write. Shards of one number of shards share a folder;
 * a whole run, or shards of another number, find it taken. publish and summarize ask whether a lock is held: the run is still going on. */
#ifndef ROIBENCH_RECORD_RUN_LOCK_H
#define ROIBENCH_RECORD_RUN_LOCK_H

#include <stdbool.h>

#include "base/error.h"
#include "record/run_file.h" /* NO_SHARD */

struct run_lock {
    int fd;
    char *path;
    int shard, shards;
    bool again; /* an attempt in which no request ended well lay there: it may be written over */
};

/* Takes the folder for a whole run (NO_SHARD, 0), or a shard's place in it. ERROR_USAGE: another run is going on in it, or one request
 * ended well in it already (the plan was run), or its records cannot be read, or it holds files of a run that was divided otherwise;
 * ERROR_INTERNAL: it cannot be written. Nothing is changed but that the file is there afterwards. */
int run_lock_take(struct run_lock *lock, const char *folder, int shard, int shards, struct error *err);
/* Nothing was begun: the records file goes away again. The lock is still to be released. */
void run_lock_forget(struct run_lock *lock);
void run_lock_release(struct run_lock *lock);
/* Is a run, or a shard of one, going on in this folder? False where that cannot be known. */
bool run_lock_is_held(const char *folder);

#endif
