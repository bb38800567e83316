/* Names of the files that a run writes. A whole run's are records.jsonl.gz and so on; where several processes carry out one plan
 * together (shards), each writes its own, with its number before the first dot: records-3.jsonl.gz. */
#ifndef ROIBENCH_RECORD_RUN_FILE_H
#define ROIBENCH_RECORD_RUN_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define NO_SHARD (-1)
#define SHARDS_MAX 1000

enum run_file { RUN_RECORDS, RUN_TOKENS, RUN_METRICS, RUN_JOURNAL, RUN_FILE_COUNT };

#define RUN_FILE_NAME_SIZE 40

/* "records.jsonl.gz", of shard 3 "records-3.jsonl.gz". Returns name. */
const char *run_file_name(enum run_file file, int shard, char name[RUN_FILE_NAME_SIZE]);
/* In the folder. free() it. */
char *run_file_path(const char *folder, enum run_file file, int shard);
/* Is this a name that run_file_name makes? *file and *shard (NO_SHARD: a whole run's) may be NULL. */
bool run_file_parse(const char *name, enum run_file *file, int *shard);

/* Whose files of this kind lie in the folder: ascending, NO_SHARD first. *shards is to be freed; -1: the folder cannot be read. A folder
 * that is not there holds none. */
int run_file_list(const char *folder, enum run_file file, int **shards, size_t *count, struct error *err);

#endif
