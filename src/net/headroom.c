#include "net/headroom.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define TEXT_MAX ((size_t)256 << 20) /* a socket takes 150 bytes of /proc/net/tcp */
#define RANGE_MAX 100

CLEANUP_DEFINE(CURLU, curl_url_cleanup)

/* Of a URL that was checked; -1: it has none. */
static long port_of(const char *url)
{
    cleanup_with(curl_url_cleanup) CURLU *parts = curl_url();
    char *text = NULL;
    long port = -1;
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
        port = strtol(text, NULL, 10);
    curl_free(text);
    return port;
}

struct port_range {
    long first, last; /* first 0: not known */
};

static struct port_range read_range(const char *root)
{
    cleanup_buf struct buf text = BUF_INIT(RANGE_MAX);
    cleanup_free char *path = mem_printf("%s/proc/sys/net/ipv4/ip_local_port_range", root);
    char *end;
    if (file_read(path, &text, ERROR_INTERNAL, NULL) < 0)
        return (struct port_range){0, 0};
    struct port_range range = {.first = strtol(buf_text(&text), &end, 10)};
    range.last = strtol(end, NULL, 10);
    return range.first > 0 && range.last >= range.first ? range : (struct port_range){0, 0};
}

/* The hexadecimal number behind the next colon of the line, and where it ends; -1: there is none. */
static long next_port(const char **at)
{
    const char *colon = *at + strcspn(*at, ":\n");
    char *end;
    if (*colon != ':')
        return -1;
    long port = strtol(colon + 1, &end, 16);
    *at = end;
    return end == colon + 1 ? -1 : port;
}

/* "  sl  local_address rem_address st": "   1: 0100007F:90F7 0100007F:1F90 01 ...", addresses and ports in hexadecimal. */
static bool holds_port(const char *line, struct port_range range, long remote)
{
    const char *at = line + strcspn(line, ":\n");
    if (*at != ':')
        return false;
    at++;
    long local = next_port(&at);
    return local >= range.first && local <= range.last && next_port(&at) == remote;
}

/* Two addresses with one port are counted together: too many are feared rather than too few. */
static int64_t count_in_use(const char *root, const char *table, struct port_range range, long remote)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    cleanup_free char *path = mem_printf("%s/proc/net/%s", root, table);
    int64_t count = 0;
    if (file_read(path, &text, ERROR_INTERNAL, NULL) < 0)
        return 0;
    for (const char *line = buf_text(&text); line; line = strchr(line, '\n')) {
        line += *line == '\n';
        count += holds_port(line, range, remote);
    }
    return count;
}

void headroom_look(const char *root, const char *url, struct headroom *room)
{
    struct rlimit limit;
    struct port_range range = read_range(root);
    long port = port_of(url);
    *room = (struct headroom){-1, -1, -1, -1};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        room->files = limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_cur;
        room->files_max = limit.rlim_max == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_max;
    }
    if (range.first == 0)
        return;
    room->ports = range.last - range.first + 1;
    room->ports_in_use = count_in_use(root, "tcp", range, port) + count_in_use(root, "tcp6", range, port);
}

int64_t headroom_files(int64_t streams, size_t targets, int workers)
{
    return streams * (int64_t)(targets > 1 ? targets : 1) + HEADROOM_FILES_BESIDE + (int64_t)workers * HEADROOM_FILES_A_WORKER;
}

static int raise_files(size_t streams, size_t targets, int workers, struct error *err)
{
    rlim_t wanted = (rlim_t)headroom_files((int64_t)streams, targets, workers);
    struct rlimit limit;
    char to_each[48] = "";
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the limit of open files");
    if (limit.rlim_cur >= wanted)
        return 0;
    if (limit.rlim_max >= wanted && setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = wanted, .rlim_max = limit.rlim_max}) == 0)
        return 0;
    if (targets > 1)
        snprintf(to_each, sizeof to_each, " to each of %zu targets", targets);
    return error_set(err, ERROR_INTERNAL,
                     "%zu streams%s need %llu open files, and the limit is %llu. Raise it (ulimit -n, or the container runtime's setting) "
                     "or prepare with fewer streams (--max-concurrency)",
                     streams, to_each, (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
}

int headroom_make(const char *root, const char *const *urls, size_t url_count, size_t streams, int workers, struct error *err)
{
    for (size_t k = 0; k < url_count; k++) {
        struct headroom room;
        headroom_look(root, urls[k], &room);
        if (room.ports >= 0 && room.ports - room.ports_in_use < (int64_t)streams)
            return error_set(err, ERROR_INTERNAL,
                             "%zu streams need a local port each, and %lld of %lld are free (TIME_WAIT holds one for a minute). Widen "
                             "net.ipv4.ip_local_port_range, wait, or prepare with fewer streams (--max-concurrency)",
                             streams, (long long)(room.ports - room.ports_in_use), (long long)room.ports);
    }
    return raise_files(streams, url_count, workers, err);
}
