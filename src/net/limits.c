#include "net/limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/file.h"

/* Descriptors that the program needs beside its connections: files, epoll, the scraper's. */
#define LIMITS_BESIDE 16

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

int limits_check_streams(size_t streams, struct error *err)
{
    struct rlimit limit;
    const size_t ports = limits_count_ports();

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < streams + LIMITS_BESIDE)
        return error_set(err, ERROR_INTERNAL,
                         "%zu streams need %zu open files, and the limit is %llu: raise it (ulimit -n) or use fewer streams", streams,
                         streams + LIMITS_BESIDE, (unsigned long long)limit.rlim_cur);
    if (ports > 0 && ports < streams)
        return error_set(err, ERROR_INTERNAL,
                         "%zu streams need a local port each, and there are %zu: widen net.ipv4.ip_local_port_range or use fewer streams",
                         streams, ports);
    return 0;
}
