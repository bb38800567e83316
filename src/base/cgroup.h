/* What the container may use: the limits and counters of the control group that this process is in, version 2 or 1.
 *
 * A group's limit holds for all below it, so every group up to the root is asked and the smallest wins. Inside a container the
 * group's own folder is usually mounted at the top; where /proc/self/cgroup names a path that is not there, the top is taken.
 * root: "" for this machine; tests hand in a folder with proc/ and sys/ in it. */
#ifndef ROIBENCH_BASE_CGROUP_H
#define ROIBENCH_BASE_CGROUP_H

#include <stdint.h>

/* CPU time a second that the groups allow; INFINITY: no limit. */
double cgroup_cpu_quota(const char *root);
/* CPUs that it makes sense to have threads for: those of the affinity mask, but no more than the quota, rounded up; at least 1. */
int cgroup_cpus(const char *root);

/* How often and for how long the group had used up its quota, since it was made; -1: not known. */
struct cgroup_throttling {
    int64_t periods, throttled_ns;
};
struct cgroup_throttling cgroup_throttling(const char *root);

/* Bytes; -1: no limit. */
int64_t cgroup_memory_limit(const char *root);

#endif
