/* manifest.json: sha256 and size of every content file of a run (or comparison) folder, tool version, host, and what each step did.
 *
 * {"schema":"roibench/manifest/v1","tool":{"name","version"},"identity":"<sha256>","files":{"plan.json":{"sha256","size"}…},
 *  "steps":[{"step":"prepare","version","host","started","ended","exit_code","note"}…]}
 * Content files: all regular files in the folder but manifest.json, publish.json and temporary ones.
 * Steps that end together (shards of a run) do not lose one another's rows: whoever rewrites the manifest holds a flock(2) on plan.json
 * (the folder's one file that never changes). Where there is none, or the file system has no locks, nothing is held.
 * identity: sha256 over the lines "<name> <sha256>\n" of the content files sorted by name (bytes). */
#ifndef ROIBENCH_RECORD_MANIFEST_H
#define ROIBENCH_RECORD_MANIFEST_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define MANIFEST_FILES_MAX ((size_t)10000) /* content files of one folder */

struct manifest_step {
    const char *step;    /* "run" */
    const char *version; /* of roibench */
    const char *host;
    int64_t started, ended; /* realtime ns */
    int exit_code;
    const char *note;    /* NULL or a sentence */
};

/* Hashes the folder anew, adds the step to those already there (same step: replaced), writes manifest.json. A step that was there with the same
 * end and note, and changed no file, changes nothing: summarizing again leaves a folder the same byte for byte, and what is packed of it too. */
int manifest_update(const char *folder, const struct manifest_step *step, struct error *err);
/* Of one shard: the step's name gets "-<shard>", and only this shard's files, and those that belong to none, are hashed. Other shards may
 * still be writing: their files keep the entries that they have, or get none before their own step. */
int manifest_update_shard(const char *folder, const struct manifest_step *step, int shard, struct error *err);
/* For a step that measures nothing: adds the files that the manifest lacks, and the step's row, if something was added or it has none;
 * else nothing is written, so that the folder stays the same byte for byte. Files that are not what the manifest says, or are gone,
 * keep their entries: it bears witness. Their names are appended to *differing, comma-separated, whatever this returns.
 * A file is compared with what the last step wrote down, so a run that was killed only lacks entries. */
int manifest_complete(const char *folder, const struct manifest_step *step, struct buf *differing, struct error *err);
/* Is a folder that came from elsewhere what its manifest says? Every file in it but manifest.json has to be listed, with its size and sha256, and
 * the identity has to be that of the list. Listed files that are not there (parts of a run travel alone) are appended to *left_out,
 * comma-separated. ERROR_USAGE: what is wrong; ERROR_INTERNAL: the disk. */
int manifest_check(const char *folder, struct buf *left_out, struct error *err);
/* The identity of the folder's present files. hex holds 65. */
int manifest_identity(const char *folder, char *hex, struct error *err);

/* When the first step of the folder's manifest began; 0 when there is no manifest or no step in it. realtime ns */
int manifest_first_start(const char *folder, int64_t *realtime_ns, struct error *err);

/* How a step ended, of shards the worst: its exit code. -1: no shard has written such a step down, or there is no manifest that can be read. */
int manifest_exit_code(const char *folder, const char *step);

#endif
