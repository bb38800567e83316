#include "ship/archive_members.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

struct search {
    struct archive_plan *plan;
    const struct archive_request *request;
    size_t capacity;
};

static bool ends_in(const char *name, const char *end)
{
    const size_t length = strlen(name), end_length = strlen(end);

    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

/* "<stem><end>", or that of a shard: "<stem>-3<end>". */
static bool is_of(const char *name, const char *stem, const char *end)
{
    const size_t length = strlen(stem);

    if (strncmp(name, stem, length) != 0)
        return false;
    name += length;
    if (*name == '-')
        name += 1 + strspn(name + 1, "0123456789");
    return strcmp(name, end) == 0;
}

static bool is_of_prompts(const char *name)
{
    return strcmp(name, "prompts.jsonl.gz") == 0 || strcmp(name, "data.jsonl") == 0 || strcmp(name, "data.index") == 0;
}

bool archive_member_has_prompts(const char *name)
{
    const char *slash = strrchr(name, '/');

    return is_of_prompts(slash ? slash + 1 : name);
}

static bool is_of_measurement(const char *name)
{
    return is_of(name, "records", ".jsonl.gz") || is_of(name, "tokens", ".bin.gz") || is_of(name, "metrics", ".jsonl.gz") ||
           is_of(name, "journal", ".jsonl") || strcmp(name, "gpu.jsonl") == 0 || strcmp(name, "arrivals.jsonl.gz") == 0 ||
           is_of_prompts(name);
}

static bool is_never_in(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "publish.json") == 0 ||
           (strlen(name) > 4 && ends_in(name, ".tmp"));
}

static bool is_wanted(const struct archive_request *request, const char *name)
{
    if (strcmp(name, "plan.json") == 0 || strcmp(name, "manifest.json") == 0)
        return true;
    if (request->without_prompts && is_of_prompts(name))
        return false;
    return request->content == ARCHIVE_ALL || (request->content == ARCHIVE_RECORDS) == is_of_measurement(name);
}

static int members_add(struct search *search, const struct archive_folder *folder, const char *name, struct error *err)
{
    struct archive_plan *plan = search->plan;

    if (plan->member_count == ARCHIVE_MEMBERS_MAX)
        return error_set(err, ERROR_PUBLISH, "more than %zu files to archive: %s is no folder of a run", ARCHIVE_MEMBERS_MAX,
                         folder->path);
    MEM_GROW(plan->members, search->capacity, plan->member_count + 1);
    plan->members[plan->member_count++] =
        (struct archive_member){.name = file_join(folder->prefix, name), .path = file_join(folder->path, name)};
    return 0;
}

static int members_look_at(struct search *search, const struct archive_folder *folder, int fd, const char *name,
                           struct error *err)
{
    struct stat status;

    if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s/%s", folder->path, name);
    if (S_ISREG(status.st_mode))
        return is_wanted(search->request, name) ? members_add(search, folder, name, err) : 0;
    if (S_ISDIR(status.st_mode)) {
        search->plan->folders_left_out++;
        return 0;
    }
    return error_set(err, ERROR_PUBLISH, "%s/%s is %s: only regular files are published. Remove it, or replace it by a copy",
                     folder->path, name, S_ISLNK(status.st_mode) ? "a symbolic link" : "no regular file");
}

static int members_read_folder(struct search *search, const struct archive_folder *folder, DIR *directory, struct error *err)
{
    const struct dirent *entry;

    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (errno = 0, (entry = readdir(directory))) {
        if (!is_never_in(entry->d_name) && members_look_at(search, folder, dirfd(directory), entry->d_name, err) < 0)
            return -1;
    }
    if (errno != 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the folder %s", folder->path);
    return 0;
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const struct archive_member *)a)->name, ((const struct archive_member *)b)->name);
}

static DIR *open_folder(const char *path, struct error *err)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode)) {
        error_set(err, ERROR_PUBLISH, "%s is a symbolic link: only folders that lie in the workspace are published", path);
        return NULL;
    }

    DIR *directory = opendir(path);

    if (!directory)
        error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the folder %s", path);
    return directory;
}

int archive_members_find(struct archive_plan *plan, const struct archive_request *request, struct error *err)
{
    struct search search = {.plan = plan, .request = request};

    for (size_t k = 0; k < request->folder_count; k++) {
        DIR *directory = open_folder(request->folders[k].path, err);

        if (!directory)
            return -1;

        const int result = members_read_folder(&search, &request->folders[k], directory, err);

        closedir(directory);
        if (result < 0)
            return -1;
    }
    if (plan->member_count == 0)
        return error_set(err, ERROR_PUBLISH, "%s holds no files: nothing to publish", request->folder_count ? request->folders[0].path : "no folder");
    qsort(plan->members, plan->member_count, sizeof *plan->members, compare_members);
    return 0;
}
