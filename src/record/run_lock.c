#include "record/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "record/record_reader.h"

static int look_for_success(void *context, char *line, size_t length, size_t number, struct error *err)
{
    bool *found = context;

    (void)length, (void)number, (void)err;
    *found = strstr(line, "\"outcome\":\"ok\"") != NULL;
    return *found;
}

/* 1: a request ended well; 0: none; -1: it cannot be read. Only the lines' text is looked at: the file may be large. */
static int holds_success(const char *path, struct error *err)
{
    bool found = false;
    const int result = record_read_lines(path, look_for_success, &found, NULL, err);

    return result < 0 ? -1 : found;
}

/* Is the open file still the one of that name? Whoever let go may have removed it. */
static bool is_current(int fd, const char *path)
{
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static int fail_in_use(const char *path, struct error *err)
{
    return error_set(err, ERROR_USAGE, "%s is being written by another run of this plan. Wait for its end, or prepare a new run", path);
}

static int fail_was_run(const char *path, struct error *err)
{
    return error_set(err, ERROR_USAGE, "%s is there already: this plan was run. Summarize it, or prepare a new run", path);
}

static int run_lock_check(struct run_lock *lock, bool created, struct error *err)
{
    const bool locked = flock(lock->fd, LOCK_EX | LOCK_NB) == 0;

    if (!locked && errno == EWOULDBLOCK)
        return fail_in_use(lock->path, err);
    if (locked && !is_current(lock->fd, lock->path))
        return fail_in_use(lock->path, err);
    if (created)
        return 0;
    if (!locked)
        return fail_was_run(lock->path, err);

    const int success = holds_success(lock->path, err);

    if (success < 0)
        return error_wrap(err, "looking whether this plan was run");
    lock->again = success == 0;
    return success == 0 ? 0 : fail_was_run(lock->path, err);
}

/* ---- the other parts ---- */

/* The header tells how many shards its run has. */
static int look_for_shards(void *context, char *line, size_t length, size_t number, struct error *err)
{
    json_t *header = json_loadb(line, length, 0, NULL);
    const json_int_t shards = json_integer_value(json_object_get(header, "shards"));

    (void)number, (void)err;
    if (shards > 0 && shards <= SHARDS_MAX)
        *(int *)context = (int)shards;
    json_decref(header);
    return 1;
}

static bool is_held(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static int fail_divided_otherwise(const char *path, int other, int shards, struct error *err)
{
    if (other == NO_SHARD)
        return error_set(err, ERROR_USAGE, "%s is there already: this plan was begun by one process alone. Prepare a new run", path);
    if (shards == 0)
        return error_set(err, ERROR_USAGE, "%s is there already: this plan was begun in shards. Prepare a new run", path);
    return error_set(err, ERROR_USAGE, "%s is there already: this plan was begun in %d shards. Prepare a new run", path, shards);
}

/* A shard of our own run may be there, at work or done; whoever has not written its header yet will find us. */
static int check_other(const struct run_lock *lock, const char *path, int other, struct error *err)
{
    int shards = 0;

    if (record_read_lines(path, look_for_shards, &shards, NULL, err) < 0)
        return file_exists(path) ? error_wrap(err, "looking for other shards of this run") : 0;
    if (lock->shard != NO_SHARD && other != NO_SHARD && (shards == 0 || shards == lock->shards))
        return 0;
    return is_held(path) ? fail_in_use(path, err) : fail_divided_otherwise(path, other, shards, err);
}

static int check_others(const struct run_lock *lock, const char *folder, struct error *err)
{
    cleanup_free int *others = NULL;
    size_t count;
    int result = run_file_list(folder, RUN_RECORDS, &others, &count, err);

    for (size_t k = 0; result == 0 && k < count; k++) {
        cleanup_free char *path = run_file_path(folder, RUN_RECORDS, others[k]);

        if (others[k] != lock->shard)
            result = check_other(lock, path, others[k], err);
    }
    return result;
}

int run_lock_take(struct run_lock *lock, const char *folder, int shard, int shards, struct error *err)
{
    *lock = (struct run_lock){.fd = -1, .path = run_file_path(folder, RUN_RECORDS, shard), .shard = shard, .shards = shards};
    lock->fd = open(lock->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    const bool created = lock->fd >= 0;

    if (!created && errno == EEXIST)
        lock->fd = open(lock->path, O_RDWR | O_CLOEXEC);
    if (lock->fd < 0)
        error_set_errno(err, ERROR_INTERNAL, errno, "cannot create %s", lock->path);
    if (lock->fd >= 0 && run_lock_check(lock, created, err) == 0) {
        if (check_others(lock, folder, err) == 0)
            return 0;
        if (created)
            run_lock_forget(lock);
    }
    run_lock_release(lock);
    return -1;
}

void run_lock_forget(struct run_lock *lock)
{
    unlink(lock->path);
}

void run_lock_release(struct run_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    free(lock->path);
    *lock = (struct run_lock){.fd = -1};
}

bool run_lock_is_held(const char *folder)
{
    cleanup_free int *shards = NULL;
    size_t count;
    bool held = false;

    run_file_list(folder, RUN_RECORDS, &shards, &count, NULL);
    for (size_t k = 0; !held && k < count; k++) {
        cleanup_free char *path = run_file_path(folder, RUN_RECORDS, shards[k]);

        held = is_held(path);
    }
    return held;
}
