#include "record/run_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static const struct {
    const char *stem, *extension;
} names[RUN_FILE_COUNT] = {
    [RUN_RECORDS] = {"records", ".jsonl.gz"},
    [RUN_TOKENS] = {"tokens", ".bin.gz"},
    [RUN_METRICS] = {"metrics", ".jsonl.gz"},
    [RUN_JOURNAL] = {"journal", ".jsonl"},
};

const char *run_file_name(enum run_file file, int shard, char name[RUN_FILE_NAME_SIZE])
{
    if (shard == NO_SHARD)
        snprintf(name, RUN_FILE_NAME_SIZE, "%s%s", names[file].stem, names[file].extension);
    else
        snprintf(name, RUN_FILE_NAME_SIZE, "%s-%d%s", names[file].stem, shard, names[file].extension);
    return name;
}

char *run_file_path(const char *folder, enum run_file file, int shard)
{
    char name[RUN_FILE_NAME_SIZE];

    return file_join(folder, run_file_name(file, shard, name));
}

/* "-3" before the extension; a number is written in one way only. Returns what follows, NULL: no number. */
static const char *parse_number(const char *text, int *shard)
{
    const size_t digits = strspn(text + 1, "0123456789");

    if (digits == 0 || digits > 3 || (digits > 1 && text[1] == '0'))
        return NULL;
    *shard = (int)strtol(text + 1, NULL, 10);
    return text + 1 + digits;
}

bool run_file_parse(const char *name, enum run_file *file, int *shard)
{
    for (int k = 0; k < RUN_FILE_COUNT; k++) {
        const size_t length = strlen(names[k].stem);
        const char *rest = strncmp(name, names[k].stem, length) == 0 ? name + length : NULL;
        int number = NO_SHARD;

        if (rest && *rest == '-')
            rest = parse_number(rest, &number);
        if (!rest || strcmp(rest, names[k].extension) != 0)
            continue;
        if (file)
            *file = (enum run_file)k;
        if (shard)
            *shard = number;
        return true;
    }
    return false;
}

static int compare_shards(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int run_file_list(const char *folder, enum run_file file, int **shards, size_t *count, struct error *err)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    size_t capacity = 0;

    *shards = NULL;
    *count = 0;
    if (!directory && errno == ENOENT)
        return 0;
    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (directory && (errno = 0, (entry = readdir(directory)))) {
        enum run_file kind;
        int shard;

        if (!run_file_parse(entry->d_name, &kind, &shard) || kind != file)
            continue;
        MEM_GROW(*shards, capacity, *count + 1);
        (*shards)[(*count)++] = shard;
    }

    const int failure = errno;

    if (directory)
        closedir(directory);
    if (!directory || failure != 0)
        return error_set_errno(err, ERROR_INTERNAL, failure, "cannot read the folder %s", folder);
    if (*count > 1)
        qsort(*shards, *count, sizeof **shards, compare_shards);
    return 0;
}
