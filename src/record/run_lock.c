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
#include "record/record_reader.h"

#define RECORDS_NAME "records.jsonl.gz"

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

int run_lock_take(struct run_lock *lock, const char *folder, struct error *err)
{
    *lock = (struct run_lock){.fd = -1, .path = file_join(folder, RECORDS_NAME)};
    lock->fd = open(lock->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    const bool created = lock->fd >= 0;

    if (!created && errno == EEXIST)
        lock->fd = open(lock->path, O_RDWR | O_CLOEXEC);
    if (lock->fd < 0)
        error_set_errno(err, ERROR_INTERNAL, errno, "cannot create %s", lock->path);
    if (lock->fd >= 0 && run_lock_check(lock, created, err) == 0)
        return 0;
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
    cleanup_free char *path = file_join(folder, RECORDS_NAME);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}
