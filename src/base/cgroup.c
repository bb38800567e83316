#include "base/cgroup.h"

#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

#define TEXT_MAX ((size_t)16 << 10)
#define PATH_SIZE 1024
/* Kernels write a limit that nobody set as the largest multiple of a page below 2^63. */
#define NO_LIMIT (INT64_C(1) << 60)

/* A file of a group. text is emptied first; false: there is none. */
static bool read_file(const char *folder, const char *name, struct buf *text)
{
    char path[PATH_SIZE];
    buf_reset(text);
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return false;
    return file_read(path, text, ERROR_INTERNAL, NULL) == 0;
}

/* The path of the line of /proc/self/cgroup that names the controller; "" for version 2's, "0::/path". */
static bool find_path(const char *root, const char *controller, char path[PATH_SIZE])
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    char folder[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s/proc/self", root);
    if (!read_file(folder, "cgroup", &text))
        return false;
    char *rest = NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':');
        char *where = controllers ? strchr(++controllers, ':') : NULL;
        if (!where)
            continue;
        *where++ = '\0';
        bool found = controller[0] == '\0' && controllers[0] == '\0';
        char *others = NULL;
        for (char *name = strtok_r(controllers, ",", &others); name && !found; name = strtok_r(NULL, ",", &others))
            found = strcmp(name, controller) == 0;
        if (found)
            return snprintf(path, PATH_SIZE, "%s", where) < PATH_SIZE;
    }
    return false;
}

/* The folder of our group for a controller; *top is its mount's length, up to which parents can be asked. */
static bool find_folder(const char *root, bool version2, const char *controller, char folder[PATH_SIZE], size_t *top)
{
    char path[PATH_SIZE];
    if (!find_path(root, version2 ? "" : controller, path))
        return false;
    int length = snprintf(folder, PATH_SIZE, "%s/sys/fs/cgroup%s%s", root, version2 ? "" : "/", version2 ? "" : controller);
    if (length >= PATH_SIZE || !file_is_folder(folder))
        return false;
    *top = (size_t)length;
    char whole[PATH_SIZE];
    if (strcmp(path, "/") != 0 && snprintf(whole, sizeof whole, "%s%s", folder, path) < (int)sizeof whole && file_is_folder(whole))
        snprintf(folder, PATH_SIZE, "%s", whole);
    return true;
}

/* To the group above; false: that was the top. */
static bool go_up(char *folder, size_t top)
{
    char *slash = strrchr(folder, '/');
    if (strlen(folder) <= top || !slash || (size_t)(slash - folder) < top)
        return false;
    *slash = '\0';
    return true;
}

/* "max 100000", or "150000 100000". */
static double quota_of_version2(const char *folder, struct buf *text)
{
    char *end;
    if (!read_file(folder, "cpu.max", text))
        return INFINITY;
    double quota = strtod(buf_text(text), &end), period = strtod(end, NULL);
    return end != buf_text(text) && quota > 0 && period > 0 ? quota / period : INFINITY;
}

static double quota_of_version1(const char *folder, struct buf *text)
{
    double quota = read_file(folder, "cpu.cfs_quota_us", text) ? strtod(buf_text(text), NULL) : -1;
    double period = read_file(folder, "cpu.cfs_period_us", text) ? strtod(buf_text(text), NULL) : 0;
    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

static double smallest_quota(const char *root, bool version2, double (*quota_of)(const char *, struct buf *))
{
    char folder[PATH_SIZE];
    size_t top;
    double smallest = INFINITY;
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    if (!find_folder(root, version2, "cpu", folder, &top))
        return INFINITY;
    do
        smallest = fmin(smallest, quota_of(folder, &text));
    while (go_up(folder, top));
    return smallest;
}

double cgroup_cpu_quota(const char *root)
{
    return fmin(smallest_quota(root, true, quota_of_version2), smallest_quota(root, false, quota_of_version1));
}

int cgroup_cpus(const char *root)
{
    cpu_set_t allowed;
    int cpus = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    double quota = ceil(cgroup_cpu_quota(root));
    if (quota < cpus)
        cpus = (int)quota;
    return cpus < 1 ? 1 : cpus;
}

/* The number behind "<name> " at a line's beginning; -1: no such line. */
static int64_t number_of(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtoll(line + length + 1, NULL, 10);
    }
    return -1;
}

struct cgroup_throttling cgroup_throttling(const char *root)
{
    char folder[PATH_SIZE];
    size_t top;
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    for (int version = 2; version >= 1; version--) {
        if (!find_folder(root, version == 2, "cpu", folder, &top) || !read_file(folder, "cpu.stat", &text))
            continue;
        int64_t us = number_of(buf_text(&text), "throttled_usec"), ns = number_of(buf_text(&text), "throttled_time");
        if (us >= 0 || ns >= 0)
            return (struct cgroup_throttling){number_of(buf_text(&text), "nr_throttled"), us >= 0 ? us * NS_PER_US : ns};
    }
    return (struct cgroup_throttling){-1, -1};
}

static int64_t memory_limit_of(const char *folder, const char *name, struct buf *text)
{
    char *end;
    if (!read_file(folder, name, text))
        return -1;
    int64_t limit = strtoll(buf_text(text), &end, 10);
    return end != buf_text(text) && limit > 0 && limit < NO_LIMIT ? limit : -1;
}

int64_t cgroup_memory_limit(const char *root)
{
    int64_t smallest = -1;
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    for (int version = 2; version >= 1; version--) {
        char folder[PATH_SIZE];
        size_t top;
        if (!find_folder(root, version == 2, "memory", folder, &top))
            continue;
        do {
            int64_t limit = memory_limit_of(folder, version == 2 ? "memory.max" : "memory.limit_in_bytes", &text);
            if (limit >= 0 && (smallest < 0 || limit < smallest))
                smallest = limit;
        } while (go_up(folder, top));
    }
    return smallest;
}
