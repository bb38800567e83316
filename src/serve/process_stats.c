#include "serve/process_stats.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS "/proc/self/fd"

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Linux 6.2 and newer say it as the folder's size; counting 10,000 entries takes some ms, in which no token is sent. */
static double count_descriptors(void)
{
    struct stat folder;
    double count = -3; /* ".", ".." and the folder itself */
    if (stat(DESCRIPTORS, &folder) == 0 && folder.st_size > 0)
        return (double)folder.st_size;
    DIR *entries = opendir(DESCRIPTORS);
    if (!entries)
        return 0;
    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

/* Pages in all, and those in memory. */
static void read_memory(struct process_stats *stats)
{
    char line[256] = "", *rest = line;
    double page = (double)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return;
    if (fgets(line, sizeof line, file)) {
        stats->virtual_bytes = (double)strtoull(line, &rest, 10) * page;
        stats->resident_bytes = (double)strtoull(rest, NULL, 10) * page;
    }
    fclose(file);
}

struct process_stats process_stats_read(void)
{
    struct process_stats stats = {.open_fds = count_descriptors()};
    struct rusage usage;
    struct rlimit limit;
    read_memory(&stats);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        stats.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        stats.max_fds = (double)limit.rlim_cur;
    return stats;
}
