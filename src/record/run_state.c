#include "record/run_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "record/manifest.h"
#include "record/run_file.h"
#include "record/run_lock.h"

const char *run_stage_name(enum run_stage stage)
{
    static const char *const names[] = {
        [RUN_PREPARED] = "prepared",     [RUN_RUNNING] = "running",     [RUN_MEASURED] = "measured",
        [RUN_SUMMARIZED] = "summarized", [RUN_PUBLISHED] = "published",
    };
    return names[stage];
}

const char *run_end_name(enum run_end end)
{
    static const char *const names[] = {[RUN_END_STOPPED] = "stopped", [RUN_END_CUT_OFF] = "cut off"};
    return end == RUN_END_STOPPED || end == RUN_END_CUT_OFF ? names[end] : NULL;
}

static uint64_t count_bytes(const char *folder)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    struct stat status;
    uint64_t bytes = 0;

    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (directory && (entry = readdir(directory)))
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
            bytes += (uint64_t)status.st_size;
    if (directory)
        closedir(directory);
    return bytes;
}

static bool has_file(const char *folder, const char *name)
{
    cleanup_free char *path = file_join(folder, name);

    return file_exists(path);
}

/* A receipt whose destinations all failed is none. */
static bool is_published(const char *folder)
{
    cleanup_free char *path = file_join(folder, "publish.json");
    struct json_reader reader;
    json_t *receipt = file_exists(path) ? json_open(&reader, path, NULL, NULL) : NULL;
    const json_t *destination;
    size_t k;
    bool delivered = false;

    json_array_foreach(json_object_get(receipt, "destinations"), k, destination)
        delivered |= json_is_null(json_object_get(destination, "error"));
    json_decref(receipt);
    return delivered;
}

static bool has_records(const char *folder)
{
    cleanup_free int *shards = NULL;
    size_t count = 0;

    run_file_list(folder, RUN_RECORDS, &shards, &count, NULL);
    return count > 0;
}

static enum run_end find_end(const char *folder)
{
    const int code = manifest_exit_code(folder, "run");

    return code < 0 ? RUN_END_CUT_OFF : code > 0 ? RUN_END_STOPPED : RUN_END_WHOLE;
}

struct run_state run_state_find(const char *folder)
{
    struct run_state state = {.stage = RUN_PREPARED, .bytes = count_bytes(folder)};

    if (!has_records(folder))
        return state;
    if (run_lock_is_held(folder)) {
        state.stage = RUN_RUNNING;
        return state;
    }
    state.end = find_end(folder);
    state.stage = is_published(folder) ? RUN_PUBLISHED : has_file(folder, "summary.json") ? RUN_SUMMARIZED : RUN_MEASURED;
    return state;
}
