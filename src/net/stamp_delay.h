/* How late a time stamp is: our clock after epoll_wait minus the moment at which the kernel had taken the bytes from the network.
 *
 * The event loop's lag (load/engine.h) knows what the loop did with its time, not how long the machine let it wait for a CPU: this does. The
 * kernel stamps every segment that a socket with SO_TIMESTAMPNS gets, and tells it with what is read; libcurl reads by recv(2), which
 * has no room for it, so we look at one byte first and leave it there (MSG_PEEK). That costs a call, so it is done for a sample: one
 * of the sockets that are ready, at most every STAMP_DELAY_INTERVAL_NS. Which one: the next in turn, for the first is the one that
 * waited longest.
 *
 * What it is not: the kernel merges segments that wait behind each other and keeps the stamp of the newest, so where several lay in the
 * socket it is the newest one's delay that is told, a lower bound of the others'. The stamp is of this machine's kernel: what the network
 * card or the hypervisor held back before is not in it. TLS or not is the same: bytes are looked at, not records. */
#ifndef ROIBENCH_NET_STAMP_DELAY_H
#define ROIBENCH_NET_STAMP_DELAY_H

#include <stdint.h>

#include "base/clock.h"
#include "base/lag.h"

#define STAMP_DELAY_INTERVAL_NS (5 * NS_PER_MS)

struct stamp_delay {
    struct lag lag;   /* of the samples */
    int64_t next;     /* no sample before that */
    unsigned turn;
};

/* Has the kernel stamp what this socket receives; one that does not gives no samples. Inside net only, as what follows. */
void stamp_delay_watch(int fd);
/* Is it time for a sample? Then which of the `ready` sockets; else -1. stamp: what all that is ready was stamped with. */
int stamp_delay_choose(struct stamp_delay *delay, int64_t stamp, int ready);
/* Takes a sample of this socket, which has something to read and no error (it would be told to us, and only once); the next one is
 * not due before STAMP_DELAY_INTERVAL_NS. clock: that of stamp. */
void stamp_delay_sample(struct stamp_delay *delay, int fd, const struct clock *clock, int64_t stamp);

#endif
