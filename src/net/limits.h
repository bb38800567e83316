/* What the machine allows: connections need file descriptors and ports of their own. Inside net only. */
#ifndef ROIBENCH_NET_LIMITS_H
#define ROIBENCH_NET_LIMITS_H

#include <stddef.h>

#include "base/error.h"

/* Can `streams` connections to one address be open at once? The soft limit of open files counts (cmd/ raises it). ERROR_INTERNAL. */
int limits_check_streams(size_t streams, struct error *err);

#endif
