#include "cmd/roibench/process_costs.h"

#include <sys/resource.h>
#include <time.h>

#include "base/cgroup.h"

static int64_t thread_cpu_ns(void *context)
{
    struct timespec time;
    (void)context;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) < 0)
        return -1;
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

static struct context_switches thread_switches(void *context)
{
    struct rusage usage;
    (void)context;
    if (getrusage(RUSAGE_THREAD, &usage) < 0)
        return (struct context_switches){-1, -1};
    return (struct context_switches){usage.ru_nvcsw, usage.ru_nivcsw};
}

static int64_t throttled_ns(void *context)
{
    (void)context;
    return cgroup_throttling("").throttled_ns;
}

struct engine_costs process_costs(void)
{
    return (struct engine_costs){.cpu_ns = thread_cpu_ns, .throttled_ns = throttled_ns, .switches = thread_switches};
}
