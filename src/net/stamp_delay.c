#include "net/stamp_delay.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"

void stamp_delay_watch(int fd)
{
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

int stamp_delay_choose(struct stamp_delay *delay, int64_t stamp, int ready)
{
    if (ready <= 0 || stamp < delay->next)
        return -1;
    return (int)(delay->turn++ % (unsigned)ready);
}

/* When the kernel got what can be read next, on the machine's realtime clock; TIME_NEVER: it does not tell. */
static int64_t kernel_stamp(int fd)
{
    char byte;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec vector = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) <= 0)
        return TIME_NEVER;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    struct timespec time;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS)
        return TIME_NEVER;
    memcpy(&time, CMSG_DATA(header), sizeof time);
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

/* The two clocks are read one right after the other: what lies between is some 50 ns. */
void stamp_delay_sample(struct stamp_delay *delay, int fd, const struct clock *clock, int64_t stamp)
{
    int64_t received = kernel_stamp(fd);
    delay->next = stamp + STAMP_DELAY_INTERVAL_NS; /* also where the kernel tells nothing */
    if (received == TIME_NEVER)
        return;
    int64_t since_received = clock_realtime(clock) - received, since_stamp = clock_now(clock) - stamp;
    lag_add(&delay->lag, since_received - since_stamp);
}
