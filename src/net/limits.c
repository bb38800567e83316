#include "net/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/file.h"

#define LIMITS_BESIDE 64 /* descriptors beside the streams': files, /metrics, epoll, the C library's own */

/* How many ephemeral ports there are, 0 if unknown: connections to one address and port need one each. */
static size_t limits_count_ports(void)
{
    cleanup_buf struct buf text = BUF_INIT(100);

    if (file_read("/proc/sys/net/ipv4/ip_local_port_range", &text, ERROR_INTERNAL, NULL) < 0)
        return 0;

    char *end;
    const unsigned long first = strtoul(buf_text(&text), &end, 10), last = strtoul(end, NULL, 10);

    return first > 0 && last >= first ? last - first + 1 : 0;
}

static int limits_raise_files(size_t streams, struct error *err)
{
    const rlim_t wanted = (rlim_t)streams + LIMITS_BESIDE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the limit of open files");
    if (limit.rlim_cur >= wanted)
        return 0;
    if (limit.rlim_max >= wanted && setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = wanted, .rlim_max = limit.rlim_max}) == 0)
        return 0;
    return error_set(err, ERROR_INTERNAL,
                     "%zu streams need %llu open files, and the limit is %llu. Raise it (ulimit -n, or the container runtime's setting) "
                     "or prepare with fewer streams (--max-concurrency)",
                     streams, (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
}

int limits_make_room(size_t streams, struct error *err)
{
    const size_t ports = limits_count_ports();

    if (ports > 0 && ports < streams)
        return error_set(err, ERROR_INTERNAL,
                         "%zu streams need a local port each, and there are %zu. Widen net.ipv4.ip_local_port_range or prepare with fewer "
                         "streams (--max-concurrency)",
                         streams, ports);
    return limits_raise_files(streams, err);
}
