/* What the machine allows: connections need file descriptors and local ports of their own. Asked before any load, so that a load
 * that cannot be is refused with what it needs and what there is, instead of failing request by request. */
#ifndef ROIBENCH_NET_HEADROOM_H
#define ROIBENCH_NET_HEADROOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Descriptors beside the connections': files, /metrics, the C library's own; and of each thread with a transport of its own. */
#define HEADROOM_FILES_BESIDE 56
#define HEADROOM_FILES_A_WORKER 8

/* -1: not known. */
struct headroom {
    int64_t files, files_max;    /* open files: the soft limit, and the hard one, up to which it can be raised */
    int64_t ports, ports_in_use; /* ephemeral ones; those that connections to the port of the URL hold, TIME_WAIT too */
};

/* root: "" for this machine; tests hand in a folder with a proc/ in it. */
void headroom_look(const char *root, const char *url, struct headroom *room);

/* Open files that a load needs: streams that go to several targets in turn keep a connection to each. */
int64_t headroom_files(int64_t streams, size_t targets, int workers);

/* Makes room for `streams` connections to the address of each URL, by `workers` transports: raises the process's soft limit of open files
 * as far as they need it, where the hard limit allows that. ERROR_INTERNAL when it does not, or there are fewer free local ports towards
 * one of them than streams; then the limit is left as it was. */
int headroom_make(const char *root, const char *const *urls, size_t url_count, size_t streams, int workers, struct error *err);

#endif
